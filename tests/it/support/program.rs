//! A process, its lines, and how it ended.

use std::process::{Child, Command};

use serde_json::Value;

use super::{Stream, signal};

/// A running process. It does not outlive the test.
pub struct Program {
    child: Child,
    title: String,
    out: Stream,
    err: Stream,
    read: usize,
}

/// How a process ended, and all it said.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Program {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        // There is none to read where the test has given it one of its own.
        let out = child.stdout.take().map_or_else(|| Stream::read(std::io::empty()), Stream::read);
        let err = Stream::read(child.stderr.take().expect("a pipe"));
        Self { child, title: args.join(" "), out, err, read: 0 }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line on standard output that `found` finds something in.
    pub fn line<T>(&mut self, what: &str, found: impl FnMut(&str) -> Option<T>) -> T {
        match self.out.wait_for(self.read, found) {
            Some((read, found)) => {
                self.read = read;
                found
            }
            None => panic!("no {what} from `{}`\n{}", self.title, self.so_far()),
        }
    }

    /// Waits for a line on standard error that has `text` in it.
    pub fn complaint(&self, text: &str) {
        let found = self.err.wait_for(0, |line| line.contains(text).then_some(()));
        assert!(found.is_some(), "no `{text}` from `{}`\n{}", self.title, self.so_far());
    }

    /// Waits for the next event of this name.
    pub fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true)
    }

    /// Waits for the next event of this name that is as wanted.
    pub fn event_where(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.line(&format!("event `{name}`"), |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["event"] == name && wanted(&event)).then_some(event)
        })
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Closes its standard input.
    #[allow(dead_code, reason = "only the programs on SDKs are ended so")]
    pub fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end. A process that has closed both its outputs is at its end.
    pub fn end(mut self) -> Outcome {
        let ended = self.out.wait_for_end() && self.err.wait_for_end();
        assert!(ended, "`{}` does not end\n{}", self.title, self.so_far());
        let code = self.child.wait().expect("an exit status").code();
        Outcome { code, out: self.out.text(), err: self.err.text() }
    }

    fn so_far(&self) -> String {
        format!("--- standard output\n{}\n--- standard error\n{}", self.out.text(), self.err.text())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// Fails unless it ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// Both outputs.
    pub fn all(&self) -> String {
        format!("--- standard output\n{}\n--- standard error\n{}", self.out, self.err)
    }

    /// Every event on standard output.
    pub fn events(&self) -> Vec<Value> {
        let event = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}\n{}", self.all()))
        };
        self.out.lines().map(event).collect()
    }

    /// What `envsim hub monitor` has heard of devices.
    pub fn heard(&self) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == "heard").collect()
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}", self.all()))
    }
}
