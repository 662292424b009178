//! Lines as a process writes them, for whoever waits for one.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::DEADLINE;

/// The lines of one output of a process, read by a thread of its own.
#[derive(Clone)]
pub struct Stream(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Stream {
    /// Begins to read.
    pub fn read(source: impl Read + Send + 'static) -> Self {
        let stream = Self(Arc::default());
        let written = stream.clone();
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                written.change(|written| written.lines.push(text));
                line.clear();
            }
            written.change(|written| written.ended = true);
        });
        stream
    }

    fn change(&self, change: impl FnOnce(&mut Written)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `found` finds something in the lines from number `from` on; `None` when the
    /// stream ends or the deadline passes without it.
    pub fn wait_for<T>(&self, from: usize, mut found: impl FnMut(&str) -> Option<T>) -> Option<(usize, T)> {
        let deadline = Instant::now() + DEADLINE;
        let mut next = from;
        let mut written = self.lock();
        loop {
            while let Some(line) = written.lines.get(next) {
                next += 1;
                if let Some(found) = found(line) {
                    return Some((next, found));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if written.ended || left.is_zero() {
                return None;
            }
            written = self.0.1.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the end; whether it came.
    pub fn wait_for_end(&self) -> bool {
        let deadline = Instant::now() + DEADLINE;
        let mut written = self.lock();
        while !written.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            written = self.0.1.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.lock().lines.join("\n")
    }
}
