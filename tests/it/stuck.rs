//! Programs whose standard output nobody reads: signals end them all the same.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use mio::unix::pipe::{self, Receiver};

use super::support::{CloudProcess, Program, Sandbox};

/// The program with `args` and a standard output that takes not one byte more. The other end has to
/// be kept, or it would be known that nobody reads.
fn stuck(sandbox: &Sandbox, args: &[&str]) -> (Program, Receiver) {
    let (mut full, reader) = pipe::new().expect("a pipe");
    // The pipe takes the last bytes one by one.
    for size in [4096, 1] {
        while match full.write(&vec![0; size]) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                false
            }
        } {}
    }
    full.set_nonblocking(false).expect("a pipe that makes writers wait");
    let mut command = sandbox.command(args);
    command.stdout(Stdio::from(OwnedFd::from(full)));
    (Program::start(command), reader)
}

/// Ends it, while it writes, with a signal that it must obey.
fn end(program: Program, signal: &str, code: i32) {
    program.signal(signal);
    let outcome = program.end().expect(code);
    assert!(outcome.err.contains("lines may be missing"), "{}", outcome.all());
}

const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 0)];

#[test]
fn a_back_end_that_cannot_write_ends_by_a_signal() {
    let cloud = CloudProcess::start();
    let mut device = cloud.run("env-sensor-01", &[]);
    device.event("twin");
    for (signal, code) in SIGNALS {
        let (invoke, _reader) = stuck(&cloud.sandbox, &["hub", "invoke", "env-sensor-01", "turnon"]);
        device.event("command-answered");
        // It may be just before its answer, where it ends at once.
        invoke.signal(signal);
        invoke.end().expect(code);
    }
}

#[test]
fn a_device_that_cannot_write_ends_by_a_signal() {
    for (signal, code) in SIGNALS {
        let sandbox = Sandbox::new();
        let (device, _reader) = stuck(&sandbox, &["run", "--headless", "-v"]);
        device.complaint("asking for a hub");
        end(device, signal, code);
    }
}

#[test]
fn a_cloud_that_cannot_write_ends_by_a_signal() {
    let sandbox = Sandbox::new();
    let args = ["cloud", "--mqtt-port", "0", "--https-port", "0", "--data-dir", "kept", "--hostname"];
    let cloud = |name| [&args[..], &[name]].concat();
    let mut before = sandbox.start(&cloud("before.example"));
    before.line("ready line", |line| line.contains("ready").then_some(()));
    before.signal("TERM");
    before.end().expect(0);
    for (signal, name) in [("INT", "one.example"), ("TERM", "two.example")] {
        let (now, _reader) = stuck(&sandbox, &cloud(name));
        now.complaint(&format!("goes by `{name}` now"));
        end(now, signal, 0);
    }
}
