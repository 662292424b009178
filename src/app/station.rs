//! A device, and what is remembered about it for those who watch.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use super::{Ending, EntryId, Series};
use crate::device::{Device, IdScope, Millis, ModuleId, Now, Reply, Ticket};

/// Which of the program's devices.
pub type Slot = usize;

/// Steps of connecting that are kept.
const STEPS: usize = 60;

/// Command invocations that are kept.
const COMMANDS: usize = 100;

/// Messages on their way that are remembered: more than a device ever hands to its link.
const OUTBOUND: usize = 512;

/// A device and what is remembered about it for those who watch.
pub struct Station {
    /// The device.
    pub device: Device,
    /// Its name: what it registers as.
    pub name: String,
    /// The module that it is, when it is one of a device's.
    pub module: Option<ModuleId>,
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
    /// The ID scope that it registered in first, and goes by unless it is told to move.
    pub home: Option<IdScope>,
    /// The ID scope that it registered in last, when it goes by way of a provisioning service.
    pub scope: Option<IdScope>,
    /// What has ports has them from the beginning, and they hold the last messages: asking for them
    /// at every turn would copy those.
    ports: bool,
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
        let ports = !device.ports().is_empty();
        Self {
            device,
            name,
            module: None,
            fingerprint,
            steps: VecDeque::new(),
            commands: VecDeque::new(),
            series,
            last_ack: None,
            outbound: VecDeque::new(),
            numbered: 0,
            gave_up: None,
            home: None,
            scope: None,
            ports,
        }
    }

    /// The same as a module of its device, if it is one. A name that has the module in it already
    /// (`device/module`) becomes the device's.
    #[must_use]
    pub fn as_module(mut self, module: Option<ModuleId>) -> Self {
        if let Some(module) = &module
            && let Some(device) = self.name.strip_suffix(module.as_str()).and_then(|it| it.strip_suffix('/'))
        {
            self.name = device.to_owned();
        }
        self.module = module;
        self
    }

    /// What it is called among others: `device`, or `device/module`.
    pub fn label(&self) -> String {
        match &self.module {
            Some(module) => format!("{}/{module}", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether it is in another ID scope than it began in.
    pub fn has_moved(&self) -> bool {
        self.scope != self.home
    }

    /// Whether it has inputs or outputs, as modules of an IoT Edge device have.
    pub fn has_ports(&self) -> bool {
        self.ports
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
