//! One state, many faces: a terminal, lines on standard output, or nothing.

use std::io::{self, Write as _};
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures_util::StreamExt as _;
use ratatui::layout::Rect;

use super::terminal::TakenTerminal;
use crate::app::{AppState, Edit, EntryId, Event, Intent, Mode, Station};
use crate::device::Millis;
use crate::report::{Format, Of};
use crate::ui::{self, Theme};

/// The least time between two pictures: thirty a second look fluent and cost little.
const FRAME: Duration = Duration::from_millis(33);

/// Where the state is shown.
pub enum Show {
    /// On a terminal.
    Screen(Box<Screen>),
    /// As lines.
    Lines(Lines),
}

/// A terminal, and what is typed into it.
pub struct Screen {
    taken: TakenTerminal,
    theme: Theme,
    events: EventStream,
    pasted: std::vec::IntoIter<char>,
    last_frame: Option<Millis>,
    dirty: bool,
    link: TerminalLink,
}

/// Whether there is still somebody at the other end of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TerminalLink {
    /// As far as is known.
    Up,
    /// No, and the loop has not been told.
    Lost,
    /// No, and the loop knows.
    Told,
}

/// Lines on standard output, each new entry of the log once.
pub struct Lines {
    format: Format,
    printed: Option<EntryId>,
}

impl Show {
    /// Takes the terminal.
    pub fn screen(theme: Theme) -> io::Result<Self> {
        Ok(Self::Screen(Box::new(Screen {
            taken: TakenTerminal::take()?,
            theme,
            events: EventStream::new(),
            pasted: Vec::new().into_iter(),
            last_frame: None,
            dirty: true,
            link: TerminalLink::Up,
        })))
    }

    /// Writes lines.
    pub fn lines(format: Format) -> Self {
        Self::Lines(Lines { format, printed: None })
    }

    /// The state has changed.
    pub fn changed(&mut self, state: &AppState) -> io::Result<()> {
        match self {
            Self::Screen(screen) => {
                screen.dirty = true;
                Ok(())
            }
            Self::Lines(lines) => lines.print(state),
        }
    }

    /// Draws, if there is something new and the last picture is old enough.
    pub fn refresh(&mut self, state: &AppState, at: Millis) {
        match self {
            Self::Screen(screen) => screen.refresh(state, at),
            Self::Lines(_) => {}
        }
    }

    /// When [`refresh`](Self::refresh) wants to be called, if nothing happens before.
    pub fn next_due(&self, state: &AppState) -> Option<Millis> {
        match self {
            Self::Screen(screen) => screen.next_due(state),
            Self::Lines(_) => None,
        }
    }

    /// What a person does next. May be dropped and called again without losing anything.
    pub async fn next_event(&mut self, state: &AppState) -> io::Result<Event> {
        match self {
            Self::Screen(screen) => screen.next_event(state).await,
            Self::Lines(_) => std::future::pending().await,
        }
    }
}

impl Screen {
    fn refresh(&mut self, state: &AppState, at: Millis) {
        let due = self.last_frame.is_none_or(|last| last + FRAME <= at);
        if due && self.dirty && self.link == TerminalLink::Up {
            if self.taken.terminal.draw(|frame| ui::draw(state, &self.theme, frame)).is_err() {
                self.link = TerminalLink::Lost;
            }
            self.last_frame = Some(at);
            self.dirty = false;
            // For the test that a panic gives the terminal back; not in release builds.
            #[cfg(debug_assertions)]
            assert!(std::env::var_os("ENVSIM_PANIC").is_none(), "ENVSIM_PANIC is set");
        }
    }

    /// When a new picture is wanted: at once when something has happened, when the picture changes
    /// by itself otherwise, and never sooner than a frame after the last.
    fn next_due(&self, state: &AppState) -> Option<Millis> {
        let soonest = self.last_frame.map_or(Millis(0), |last| last + FRAME);
        if self.link != TerminalLink::Up {
            return None;
        }
        if self.dirty { Some(soonest) } else { ui::next_change(state).map(|change| change.max(soonest)) }
    }

    async fn next_event(&mut self, state: &AppState) -> io::Result<Event> {
        loop {
            match self.link {
                TerminalLink::Up => {}
                TerminalLink::Lost => return self.lost(),
                TerminalLink::Told => return std::future::pending().await,
            }
            if let Some(c) = self.pasted.next() {
                return Ok(Event::Intent(Intent::Edit(Edit::Insert(c))));
            }
            let Some(Ok(event)) = self.events.next().await else { return self.lost() };
            if let Some(event) = self.meaning(state, event)? {
                return Ok(event);
            }
        }
    }

    /// Nobody is there any more, which is told once.
    fn lost(&mut self) -> io::Result<Event> {
        self.link = TerminalLink::Told;
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal was closed"))
    }

    /// What a person meant by what came from the terminal, if anything: most movements of a mouse
    /// mean nothing, and must not wake anybody.
    fn meaning(&mut self, state: &AppState, event: TerminalEvent) -> io::Result<Option<Event>> {
        let size = self.taken.terminal.size()?;
        let area = Rect::new(0, 0, size.width, size.height);
        let intent = match event {
            TerminalEvent::Key(key) => {
                let intent = ui::keymap::intent(state, key);
                let ends = matches!(intent, Some(Intent::Quit | Intent::Interrupt));
                // A key held down is no second wish to end.
                let counts = match key.kind {
                    KeyEventKind::Press => true,
                    KeyEventKind::Repeat => !ends,
                    KeyEventKind::Release => false,
                };
                intent.filter(|_| counts)
            }
            TerminalEvent::Mouse(mouse) => ui::keymap::mouse_intent(state, area, mouse),
            TerminalEvent::Paste(text) if state.ui.mode != Mode::Keys => {
                // Texts that are entered here have one line.
                let line: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
                self.pasted = line.into_iter();
                None
            }
            TerminalEvent::Resize(..) => return Ok(Some(Event::Tick)),
            _ => None,
        };
        Ok(intent.map(|intent| Event::Intent(ui::placed(state, &self.theme, area, intent))))
    }
}

impl Lines {
    fn print(&mut self, state: &AppState) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for entry in state.log.since(self.printed) {
            let station = entry.slot.and_then(|slot| state.stations.get(slot));
            let label = station.or(state.stations.first()).map(Station::label).unwrap_or_default();
            let of = match station {
                _ if !state.has_several() => Of::Only(&label),
                Some(_) => Of::One(&label),
                None => Of::Program,
            };
            if let Some(line) = (self.format.line)(entry, of, &state.zone) {
                writeln!(out, "{line}")?;
            }
        }
        self.printed = state.log.newest();
        out.flush()
    }
}
