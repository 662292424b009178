//! The whole vocabulary between a device and the world: what it is told, what it asks for.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Assignment, Call, Failure, IdScope, ImageNews, ImageOrder, Reply, TwinDocument};

/// Correlates something a device asked for with what became of it. Unique within a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One thing that happened to a device.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Begin: provision, or connect where the hub is known already.
    Start,
    /// Stop for good: send what is decided, then disconnect politely.
    Leave,
    /// A moment that [`Device::next_due`](super::Device::next_due) asked for has come.
    Timer,

    /// Provisioning has got one step further.
    Provisioning(ProvisioningStep),
    /// Provisioning is done.
    Assigned(Assignment),
    /// The attempt to provision or to connect failed, or the live link was lost.
    Failed(Failure),
    /// Connecting has got one step further.
    Link(LinkStep),
    /// The link has been closed as asked, everything before it written.
    Closed,

    /// The whole twin, as asked for with [`Output::FetchTwin`].
    Twin(TwinDocument),
    /// The hub could not give the twin: status and its words.
    TwinRefused {
        /// The hub's status, like an HTTP one.
        status: u16,
        /// What the hub said.
        message: String,
    },
    /// The operator changed desired properties.
    Desired {
        /// The version of the whole desired section after the change.
        version: u64,
        /// What changed; `null` deletes.
        patch: Map<String, Value>,
    },
    /// A command was invoked.
    Called(Call),
    /// A message has come, from the cloud or to an input of a module.
    Received(Inbound),
    /// Something became of an order about firmware images.
    Image(ImageNews),

    /// A message is written to the socket.
    Written(Ticket),
    /// A message is acknowledged by the hub.
    Acknowledged(Ticket),
    /// A reported patch was taken.
    ReportTaken {
        /// Which.
        ticket: Ticket,
        /// The version of the reported section after it.
        version: Option<u64>,
    },
    /// A reported patch was refused.
    ReportRefused {
        /// Which.
        ticket: Ticket,
        /// The hub's status, like an HTTP one.
        status: u16,
        /// What the hub said.
        message: String,
    },

    /// Somebody turned a knob: the value becomes manual and stays put.
    Turn {
        /// Position in the device's list of knobs.
        knob: usize,
        /// How far, in the knob's unit.
        by: f64,
    },
    /// All values move by themselves again, around where they were left.
    Automatic,
    /// All values move by themselves again, around the profile's own set points.
    Home,
    /// Stop sending telemetry, or go on.
    Pause(bool),
    /// Change the telemetry period.
    Period(Duration),
    /// Cut the connection without a word, to see what happens.
    Cut,
}

/// How far provisioning is. DPS, "Device registration": register, then poll the operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvisioningStep {
    /// The registration request is on its way.
    Registering {
        /// The service asked, for people.
        host: String,
        /// In which ID scope.
        scope: IdScope,
    },
    /// The service works on it.
    Assigning {
        /// The service's name for this registration.
        operation_id: String,
        /// When it will be asked again.
        again_in: Duration,
    },
}

/// How far a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStep {
    /// The TCP connection stands.
    Reached(SocketAddr),
    /// TLS stands and the certificate has been checked.
    Secured {
        /// For people: `TLS 1.3, AES-256-GCM`.
        protocol: String,
    },
    /// The hub accepted the device; the subscriptions are asked for.
    Online {
        /// Whether the hub still knew the session before this one.
        session_present: bool,
        /// How long the token is good for, from now.
        token_life: Duration,
    },
}

/// One thing a device wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask the provisioning service for a hub.
    Provision {
        /// In which ID scope, when it is not the one that the device was set up with.
        scope: Option<IdScope>,
    },
    /// Open a link.
    Connect(Assignment),
    /// Close the link politely and open it again with a new token.
    Renew(Assignment),
    /// Cut the link without a word.
    Cut,
    /// Close the link politely, after everything before this is written.
    Disconnect,
    /// Give up whatever attempt is under way.
    Abandon,

    /// Ask for the whole twin.
    FetchTwin(Ticket),
    /// Send a message.
    Send {
        /// For [`Input::Written`] and [`Input::Acknowledged`].
        ticket: Ticket,
        /// What.
        message: Message,
    },
    /// Change reported properties.
    Report {
        /// For [`Input::ReportTaken`] and [`Input::ReportRefused`].
        ticket: Ticket,
        /// A merge patch.
        patch: Value,
    },
    /// Answer a command.
    Reply {
        /// For [`Input::Written`].
        ticket: Ticket,
        /// The hub's name for the call.
        rid: String,
        /// The answer.
        reply: Reply,
    },
    /// Do something with the firmware images.
    Image(ImageOrder),
    /// Say something that a person watching should know.
    Note(Note),
}

/// A message of a device, telemetry above all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// JSON as text.
    pub body: String,
    /// The output of the module that it goes through, for routes to name.
    pub output: Option<&'static str>,
    /// The application's own properties.
    pub properties: Vec<(String, String)>,
}

impl Message {
    /// A message of only a body.
    pub fn of(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }
}

/// A message that was sent to a device by the cloud, or routed to an input of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// Which input of a module; `None` for a message from the cloud.
    pub input: Option<String>,
    /// As text; what is not UTF-8 is replaced.
    pub body: String,
    /// The application's own properties.
    pub properties: Vec<(String, String)>,
}

/// A message as it stood on the wire, for people to look at. Devices neither make nor read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketView {
    /// Whether the device sent it.
    pub outbound: bool,
    /// The whole topic.
    pub topic: String,
    /// The properties in the topic, decoded.
    pub properties: Vec<(String, String)>,
    /// The payload as text, without what addresses in it may hide.
    pub payload: String,
    /// How many bytes it had on the wire.
    pub size: usize,
}

/// A remark for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub severity: Severity,
    /// A sentence.
    pub text: String,
}

/// How much something matters to the person who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Routine traffic.
    Trace,
    /// Worth a line.
    Info,
    /// Something went wrong and was dealt with.
    Warning,
    /// Something went wrong and needs a person.
    Error,
}
