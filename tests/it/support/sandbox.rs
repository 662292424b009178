//! A folder and an environment of a test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{BINARY, Outcome, Program};

/// Where a test's processes live: nothing of the person's own settings reaches them, and nothing
/// they leave behind stays.
pub struct Sandbox(TempDir);

/// Variables that change what the program does.
const VARIABLES: &[&str] = &[
    "RUST_LOG",
    "RUST_BACKTRACE",
    "NO_COLOR",
    "COLORFGBG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

impl Sandbox {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::with_prefix("envsim-").expect("a temporary folder"))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A new file in it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, text).expect("a file in the sandbox");
        path
    }

    /// The variables that processes here are given, and those that are kept from them.
    pub fn environment(&self) -> (Vec<(&'static str, String)>, Vec<String>) {
        let folder = self.folder().display().to_string();
        let ours = |name: &String| {
            ["ENVSIM_", "IOTHUB_"].iter().any(|prefix| name.starts_with(prefix))
                || VARIABLES.contains(&name.as_str())
        };
        let kept = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(ours);
        let mut given = vec![("TZ", "UTC".to_owned())];
        // The last three are where temporary files go, on one system or another: a process that is killed
        // leaves its own behind, and they go with this folder.
        let places = ["XDG_RUNTIME_DIR", "HOME", "TMPDIR", "TMP", "TEMP"];
        given.extend(places.map(|name| (name, folder.clone())));
        (given, kept.collect())
    }

    /// The program with `args`, not started.
    pub fn command(&self, args: &[&str]) -> Command {
        self.other(Path::new(BINARY), args)
    }

    /// Another program in the same environment, not started.
    pub fn other(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let (given, kept) = self.environment();
        for name in kept {
            command.env_remove(name);
        }
        command.args(args).envs(given).current_dir(self.folder());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The program with `args`, started.
    pub fn start(&self, args: &[&str]) -> Program {
        Program::start(self.command(args))
    }

    /// The program with `args`, from its start to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).end()
    }
}
