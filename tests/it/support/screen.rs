//! The program in a pseudo-terminal: keys in, a picture out.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portable_pty::{ChildKiller, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::{BINARY, DEADLINE, Sandbox, signal};

/// A terminal with the program on it.
pub struct Screen {
    shared: Arc<(Mutex<Seen>, Condvar)>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    killer: Box<dyn ChildKiller + Send + Sync>,
    process: u32,
    /// Where the program lives; `envsim hub` finds it there without options.
    pub sandbox: Sandbox,
}

struct Seen {
    parser: vt100::Parser,
    /// All that was written is in `parser`.
    ended: bool,
    code: Option<u32>,
}

/// A key that is not a character.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    Up,
    Down,
    Enter,
    Escape,
    Tab,
    ControlC,
    ControlU,
}

impl Key {
    fn bytes(self) -> &'static str {
        match self {
            Self::Up => "\x1b[A",
            Self::Down => "\x1b[B",
            Self::Enter => "\r",
            Self::Escape => "\x1b",
            Self::Tab => "\t",
            Self::ControlC => "\x03",
            Self::ControlU => "\x15",
        }
    }
}

impl Screen {
    /// Starts the program on a terminal of this size.
    pub fn open(columns: u16, rows: u16, args: &[&str]) -> Self {
        Self::open_with(columns, rows, args, &[])
    }

    /// Starts it with more variables.
    pub fn open_with(columns: u16, rows: u16, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::new();
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(BINARY);
        let (given, kept) = sandbox.environment();
        for name in kept {
            command.env_remove(name);
        }
        for (name, value) in given {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        command.args(args);
        command.cwd(sandbox.folder());
        let mut child = pair.slave.spawn_command(command).expect("the program");
        drop(pair.slave);

        let parser = vt100::Parser::new(lines(rows), lines(columns), 0);
        let seen = Seen { parser, ended: false, code: None };
        let shared = Arc::new((Mutex::new(seen), Condvar::new()));
        let killer = child.clone_killer();
        let process = child.process_id().expect("a process id");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let reading = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails when the last process has left the terminal.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                change(&reading, |seen| seen.parser.process(&bytes[..count]));
            }
            change(&reading, |seen| seen.ended = true);
        });
        let waiting = Arc::clone(&shared);
        std::thread::spawn(move || {
            let code = child.wait().expect("an exit status").exit_code();
            change(&waiting, |seen| seen.code = Some(code));
        });
        let writer = pair.master.take_writer().expect("a writer");
        Self { shared, master: pair.master, writer, killer, process, sandbox }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, what: &str, done: impl Fn(&Seen) -> bool) -> MutexGuard<'_, Seen> {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = self.lock();
        while !done(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what}; the screen is\n{}", seen.parser.screen().contents());
            seen = self.shared.1.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        seen
    }

    /// Waits until the screen's text is as wanted, and returns it.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let seen = self.wait(what, |seen| wanted(&seen.parser.screen().contents()));
        seen.parser.screen().contents()
    }

    /// Waits until the screen shows `text`.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("`{text}`"), |screen| screen.contains(text))
    }

    /// The screen at this moment, with its colours.
    pub fn picture(&self) -> vt100::Screen {
        self.lock().parser.screen().clone()
    }

    /// Whether the program has taken the terminal.
    pub fn is_taken(&self) -> bool {
        let seen = self.lock();
        let screen = seen.parser.screen();
        screen.alternate_screen() && screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None
    }

    /// Types characters.
    pub fn keys(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).expect("a terminal to type on");
        self.writer.flush().expect("a terminal to type on");
    }

    /// Presses a key.
    pub fn press(&mut self, key: Key) {
        self.keys(key.bytes());
    }

    /// Presses and releases the left mouse button, column and row from 0. SGR encoding.
    pub fn click(&mut self, column: u16, row: u16) {
        let (column, row) = (column + 1, row + 1);
        self.keys(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
    }

    /// Where `text` is on the screen, column and row from 0.
    pub fn find(&self, text: &str) -> (u16, u16) {
        let screen = self.picture();
        let (_, columns) = screen.size();
        for (row, line) in (0..).zip(screen.rows(0, columns.get())) {
            if let Some(at) = line.find(text) {
                let column = line[..at].chars().count();
                return (u16::try_from(column).expect("a column"), row);
            }
        }
        panic!("no `{text}` on\n{}", screen.contents())
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.lock().parser.set_size(lines(rows), lines(columns));
        self.master.resize(size(columns, rows)).expect("another size");
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        signal(self.process, name);
    }

    /// Waits for the end, holds the terminal against how it must be left behind, and returns the
    /// exit code and what stands on the terminal.
    pub fn end(&self) -> (u32, String) {
        let seen = self.wait("end", |seen| seen.ended && seen.code.is_some());
        let screen = seen.parser.screen();
        let left = screen.contents();
        assert!(!screen.alternate_screen(), "still on the alternate screen:\n{left}");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "pasting is still bracketed");
        (seen.code.expect("waited for"), left)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.lock().code.is_none() {
            // It fails when it has ended meanwhile, which is as well.
            let _ = self.killer.kill();
            // Its folder goes next, and cannot while it writes there.
            let (seen, changed) = &*self.shared;
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            drop(changed.wait_timeout_while(seen, DEADLINE, |seen| seen.code.is_none()));
        }
    }
}

/// A number of rows or columns, of which there is at least one.
fn lines(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has cells")
}

fn change(shared: &(Mutex<Seen>, Condvar), change: impl FnOnce(&mut Seen)) {
    change(&mut shared.0.lock().unwrap_or_else(PoisonError::into_inner));
    shared.1.notify_all();
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}
