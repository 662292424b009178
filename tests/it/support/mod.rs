//! What the tests stand on: processes that are ended whatever happens, and a terminal that can be
//! read.
//!
//! Never here: a sleep. Everything waits on what a process writes, with a deadline.

mod cloud;
pub mod modules;
pub mod pair;
mod program;
mod sandbox;
mod screen;
mod stream;

use std::process::{Command, Stdio};
use std::time::Duration;

pub use cloud::CloudProcess;
pub use program::{Outcome, Program};
pub use sandbox::Sandbox;
pub use screen::{Key, Screen};
pub use stream::Stream;

/// How long anything may take before a test gives up. Generous: the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_envsim");

/// Sends a signal by its short name, as in `TERM`. By the shell's own `kill`, which every Unix has,
/// because sending one in Rust needs unsafe code.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .stdin(Stdio::null())
        .status()
        .expect("a shell");
    assert!(sent.success(), "cannot send SIG{name} to {process}");
}
