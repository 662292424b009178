//! One case: a script on an SDK, from its start to its end.

use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use serde_json::Value;

use super::clouds::own_address;
use super::environment::{Language, node_modules, python, scripts};
use super::support::{BINARY, Sandbox, Stream};

/// How often a script's end is waited for, each time for as long as anything may take.
const PATIENCE: usize = 3;

/// Runs `case` of `file`, against the cloud of this ready line.
///
/// A script that starts clouds of its own does so on addresses that are given to it.
pub fn run(language: Language, file: &str, case: &str, ready: &Value) -> Result<(), Failed> {
    let sandbox = Sandbox::new();
    let path = scripts(language).join(file);
    let path = path.to_string_lossy();
    let mut command = match language {
        Language::Python => sandbox.other(python()?, &["-X", "faulthandler", &path, case]),
        Language::Node => {
            let mut command = sandbox.other(Path::new("node"), &[&path, case]);
            command.env("NODE_PATH", node_modules()?);
            command
        }
    };
    let authorities = ready["caFile"].as_str().unwrap_or_default();
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        command.env(name, authorities);
    }
    let name = super::certificates::write(sandbox.folder()).map_err(|error| error.to_string())?;
    command.env("CERTIFICATES", sandbox.folder()).env("CERTIFICATE_NAME", name);
    let addresses = format!("{},{}", own_address(), own_address());
    command
        .env("CLOUD_READY", ready.to_string())
        .env("CLOUD_ADDRESSES", addresses)
        .env("CLOUD_PROGRAM", BINARY);
    watch(command)
}

/// Runs it to its end. What it has started itself goes with it.
fn watch(mut command: Command) -> Result<(), Failed> {
    command.stdin(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| format!("the script cannot be started: {error}"))?;
    let streams = [
        child.stdout.take().map(Stream::read).ok_or("no standard output")?,
        child.stderr.take().map(Stream::read).ok_or("no standard error")?,
    ];
    let ended = (0..PATIENCE).any(|_| streams.iter().all(Stream::wait_for_end));
    if !ended {
        // The whole group. By the shell's own `kill`: sending a signal in Rust needs unsafe code.
        let _ = Command::new("sh").args(["-c", &format!("kill -KILL -{}", child.id())]).status();
        // Where there are no groups, at least the script.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| format!("no exit status: {error}"))?;
    if ended && status.success() {
        return Ok(());
    }
    let said = streams.map(|stream| stream.text()).join("\n");
    let why = if ended { status.to_string() } else { "it does not end".to_owned() };
    Err(format!("{why}\n{}", said.trim()).into())
}
