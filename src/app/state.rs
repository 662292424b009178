//! Everything the program knows while it runs.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;
use tui_input::Input as TextInput;

use super::{Desk, EntryId, Log, Series};
use crate::device::{Device, Millis, Now, Reply, Ticket};

/// Which of the program's devices.
pub type Slot = usize;

/// Steps of connecting that are kept.
const STEPS: usize = 60;

/// Command invocations that are kept.
const COMMANDS: usize = 100;

/// Messages on their way that are remembered: more than a device ever hands to its link.
const OUTBOUND: usize = 512;

/// The whole program, but for sockets, clocks and the terminal.
pub struct AppState {
    /// Both clocks at the last event.
    pub now: Now,
    /// In which times of day are shown.
    pub zone: TimeZone,
    /// The devices, by slot.
    pub stations: Vec<Station>,
    /// Where they are.
    pub place: Place,
    /// What happened.
    pub log: Log,
    /// What the screen shows of all this.
    pub ui: UiState,
    /// The operator's desk.
    pub desk: Desk,
    /// When to end by itself.
    pub limits: Limits,
    /// How it will end, once it is ending.
    pub ending: Option<Ending>,
    /// The seed of everything random.
    pub seed: u64,
    /// Whether nobody watches: then it ends when its devices give up.
    pub unattended: bool,
}

/// Where the devices are.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// The local cloud inside this program.
    Local {
        /// Its hub's name.
        hub: String,
        /// Where it listens for MQTT.
        mqtt_port: u16,
        /// Where it listens for HTTPS.
        https_port: u16,
    },
    /// A provisioning service elsewhere.
    Service(String),
    /// A hub elsewhere.
    Hub(String),
}

/// When the program ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// At this moment.
    pub until: Option<Millis>,
    /// After so many acknowledged telemetry messages.
    pub count: Option<u64>,
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As wished.
    Done,
    /// Something went wrong on the way.
    Failed,
    /// No hub was assigned.
    NotProvisioned,
    /// The hub could not be reached, or refused.
    NotConnected,
    /// By Ctrl-C or SIGINT.
    Interrupted,
    /// By SIGTERM or SIGHUP.
    Terminated,
}

/// A device and what is remembered about it for those who watch.
pub struct Station {
    /// The device.
    pub device: Device,
    /// Its name: what it registers as.
    pub name: String,
    /// The fingerprint of its key.
    pub fingerprint: String,
    /// Steps of provisioning and connecting, oldest first.
    pub steps: VecDeque<Step>,
    /// Invocations of commands, oldest first.
    pub commands: VecDeque<CommandRecord>,
    /// One for each telemetry field, in the order of the device's readings.
    pub series: Vec<Series>,
    /// How long the last acknowledgement took.
    pub last_ack: Option<Duration>,
    /// Messages on their way, to tell about them when they are written and answered.
    pub outbound: VecDeque<(Ticket, Outbound)>,
    /// How many telemetry messages have been numbered.
    pub numbered: u64,
    /// How the program ends because this device gave up, when it did.
    pub gave_up: Option<Ending>,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq)]
pub enum Outbound {
    /// Telemetry.
    Telemetry {
        /// Messages count from 1.
        number: u64,
        /// The body.
        body: String,
        /// When it was written.
        written: Option<Millis>,
    },
    /// The answer to a command.
    Reply {
        /// Which call.
        rid: String,
        /// The answer.
        reply: Reply,
    },
    /// A reported patch.
    Report(Value),
}

/// A step of provisioning or connecting.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// One word or two: `register`, `assigning`, `TLS`.
    pub name: &'static str,
    /// What it is about: a host, an operation, a protocol.
    pub detail: String,
    /// When it began.
    pub began: Now,
    /// How it stands.
    pub state: StepState,
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// Going on.
    Running,
    /// Done, after so long.
    Done(Duration),
    /// Failed, for this reason.
    Failed(String),
}

/// One invocation of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRecord {
    /// When it came.
    pub now: Now,
    /// Which.
    pub name: String,
    /// The request.
    pub request: Value,
    /// Its name at the hub.
    pub rid: String,
    /// Status, response and how long it took until the answer was written.
    pub answer: Option<(i32, Value, Duration)>,
    /// The log entry with the raw message.
    pub entry: Option<EntryId>,
}

impl Station {
    /// A device that has not begun.
    pub fn new(device: Device, name: String, fingerprint: String) -> Self {
        let series = device.readings().iter().map(|reading| Series::new(reading.field)).collect();
        Self {
            device,
            name,
            fingerprint,
            steps: VecDeque::new(),
            commands: VecDeque::new(),
            series,
            last_ack: None,
            outbound: VecDeque::new(),
            numbered: 0,
            gave_up: None,
        }
    }

    /// Adds a step; the oldest goes when there are too many.
    pub fn add_step(&mut self, step: Step) {
        if self.steps.len() == STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    /// Remembers a message on its way, unless it is known already.
    pub fn add_outbound(&mut self, ticket: Ticket, message: Outbound) {
        if self.outbound.iter().any(|(known, _)| *known == ticket) {
            return;
        }
        if self.outbound.len() == OUTBOUND {
            self.outbound.pop_front();
        }
        self.outbound.push_back((ticket, message));
    }

    /// Adds an invocation; the oldest goes when there are too many.
    pub fn add_command(&mut self, record: CommandRecord) {
        if self.commands.len() == COMMANDS {
            self.commands.pop_front();
        }
        self.commands.push_back(record);
    }
}

/// A pane of the screen, in the order of their keys 1 to 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaneId {
    /// Steps of provisioning and connecting.
    Connection,
    /// The chart and the values.
    Telemetry,
    /// Commands and their history.
    Commands,
    /// Desired and reported properties.
    Properties,
    /// The operator's desk.
    Operator,
    /// Everything that happened.
    Log,
}

impl PaneId {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Connection, Self::Telemetry, Self::Commands, Self::Properties, Self::Operator, Self::Log];
}

/// What the screen shows: cursors are places in the content, never rows of the screen.
#[derive(Debug, Clone)]
pub struct UiState {
    /// Which device.
    pub slot: Slot,
    /// Which pane has the keyboard.
    pub focus: PaneId,
    /// Whether it has the whole screen.
    pub zoomed: bool,
    /// What lies over the panes.
    pub overlay: Overlay,
    /// What the keyboard does.
    pub mode: Mode,
    /// The log's filter.
    pub filter: TextInput,
    /// The log's cursor.
    pub log: Cursor<EntryId>,
    /// The command history's cursor: how many entries up from the newest.
    pub command: usize,
    /// How many steps up from the newest the connection pane shows.
    pub step: usize,
    /// The property the cursor is on.
    pub property: usize,
}

/// A place in a growing list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor<T> {
    /// Always the newest.
    Tail,
    /// This one.
    At(T),
}

/// What lies over the panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    None,
    /// The keys of the focused pane.
    Help,
    /// The raw message of a log entry, from this line on.
    Packet(EntryId, usize),
    /// A text to read, such as a twin: title, lines, and the first line shown.
    Text(String, Vec<String>, usize),
}

/// What the keyboard does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Keys are wishes.
    Keys,
    /// Keys go into the log's filter.
    Filter,
    /// Keys go into the operator's form.
    Form,
}

impl Default for UiState {
    fn default() -> Self {
        Self {
            slot: 0,
            focus: PaneId::Telemetry,
            zoomed: false,
            overlay: Overlay::None,
            mode: Mode::Keys,
            filter: TextInput::default(),
            log: Cursor::Tail,
            command: 0,
            step: 0,
            property: 0,
        }
    }
}

impl AppState {
    /// A program that has not begun, with at least one device.
    pub fn new(
        now: Now,
        zone: TimeZone,
        stations: Vec<Station>,
        place: Place,
        desk: Desk,
        seed: u64,
    ) -> Self {
        Self {
            now,
            zone,
            stations,
            place,
            log: Log::default(),
            ui: UiState::default(),
            desk,
            limits: Limits::default(),
            ending: None,
            seed,
            unattended: false,
        }
    }

    /// The device on the screen.
    pub fn station(&self) -> &Station {
        &self.stations[self.ui.slot]
    }

    /// The entries that pass the log's filter, oldest first.
    pub fn filtered_log(&self) -> impl DoubleEndedIterator<Item = &super::Entry> {
        let words = self.ui.filter.value();
        self.log.entries().filter(move |entry| entry.matches(words))
    }

    /// When the program wants an [`Event::Tick`](super::Event::Tick): for its devices, or to end.
    pub fn next_due(&self) -> Option<Millis> {
        let devices = self.stations.iter().filter_map(|station| station.device.next_due());
        let end = self.limits.until.filter(|_| self.ending.is_none());
        devices.chain(end).min()
    }
}
