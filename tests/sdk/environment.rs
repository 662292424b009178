//! Where the SDKs come from: made from their registries by the first who asks, kept between runs.
//!
//! What stands in `target/tmp/sdk` under its right name is whole, because it was made under another
//! name first: also after an interrupt, or when two runs make it at once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The version of the Python device SDK that the promise is made for.
pub const PYTHON_DEVICE: &str = "azure-iot-device==2.14.0";
/// The version of the Python service SDK.
pub const PYTHON_SERVICE: &str = "azure-iot-hub==2.7.0";
/// The version of the Python SDK that reads the Event Hubs compatible endpoint.
pub const PYTHON_EVENTS: &str = "azure-eventhub==5.15.1";
/// What the Python service SDK imports without asking for it.
const PYTHON_UNDECLARED: &str = "six==1.17.0";

/// The packages of the Node SDKs, each with its version, and all that these need.
const NODE_PACKAGE: &str = include_str!("node/package.json");
const NODE_LOCK: &str = include_str!("node/package-lock.json");

/// A language that cases are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Python,
    Node,
}

/// The folder of the test's scripts.
pub fn scripts(language: Language) -> PathBuf {
    let folder = match language {
        Language::Python => "python",
        Language::Node => "node",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(folder)
}

/// The Python of an environment with the SDKs in it; or why there is none.
pub fn python() -> Result<&'static Path, &'static str> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = PYTHON.get_or_init(|| {
        let folder = format!("python-{PYTHON_DEVICE}-{PYTHON_SERVICE}-{PYTHON_EVENTS}-{PYTHON_UNDECLARED}");
        let made = make(&folder.replace("==", "-"), |draft| {
            run(Command::new("python3").args(["-m", "venv"]).arg(draft))?;
            run(Command::new(draft.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args([PYTHON_DEVICE, PYTHON_SERVICE, PYTHON_EVENTS, PYTHON_UNDECLARED]))
        })?;
        Ok(made.join("bin/python"))
    });
    folder.as_ref().map(PathBuf::as_path).map_err(String::as_str)
}

/// The folder of the Node SDKs; or why there is none.
pub fn node_modules() -> Result<&'static Path, &'static str> {
    static MODULES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = MODULES.get_or_init(|| {
        // Only the lock says it all, and it is too long for a name.
        let made = make(&format!("node-{:016x}", hash(NODE_LOCK)), |draft| {
            std::fs::write(draft.join("package.json"), NODE_PACKAGE).map_err(|error| error.to_string())?;
            std::fs::write(draft.join("package-lock.json"), NODE_LOCK).map_err(|error| error.to_string())?;
            run(Command::new("node").arg("--version"))?;
            let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
            run(Command::new("npm").args(options).current_dir(draft))
        })?;
        Ok(made.join("node_modules"))
    });
    folder.as_ref().map(PathBuf::as_path).map_err(String::as_str)
}

/// The version of a Node package, as the committed list pins it.
pub fn node_version(package: &str) -> String {
    let list: serde_json::Value = serde_json::from_str(NODE_PACKAGE).expect("node/package.json");
    list["dependencies"][package].as_str().expect("a version in node/package.json").to_owned()
}

fn make(name: &str, fill: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    let folder = parent.join(name);
    if !folder.exists() {
        let draft = parent.join(format!("draft-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&draft).map_err(|error| error.to_string())?;
        let made = fill(&draft).map(|()| std::fs::rename(&draft, &folder));
        // It is still there when another run was faster, or when something failed.
        let _ = std::fs::remove_dir_all(&draft);
        made?.or_else(|error| if folder.exists() { Ok(()) } else { Err(error.to_string()) })?;
    }
    Ok(folder)
}

fn run(command: &mut Command) -> Result<(), String> {
    let done = command.stdin(Stdio::null()).output();
    let name = command.get_program().to_string_lossy();
    let done = done.map_err(|error| format!("{name} cannot be started: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{name} failed: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

/// FNV-1a: the same text, the same folder, on every run and with every compiler.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
