//! Everything worth telling, as data: the log shows it, headless runs print it.
//!
//! A fact's name and [`fields`] are the machine-readable output, and a promise; [`words`] are what people
//! read of it.

mod fields;
mod words;

use std::time::Duration;

use serde_json::Value;

use crate::device::outbox::Counters;
use crate::device::{Failure, Severity};

/// One thing that happened, with what is needed to tell it.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "the fields are named after what they hold; `text` and `fields` spell them out"
)]
pub enum Fact {
    Started {
        device: String,
        profiles: String,
        place: String,
        seed: u64,
    },
    CloudReady {
        hub: String,
        id_scope: String,
        mqtt_port: u16,
        https_port: u16,
        other_scopes: Vec<String>,
        note: String,
    },
    Registering {
        host: String,
        id_scope: String,
    },
    Assigning {
        operation_id: String,
        again_in: Duration,
    },
    Assigned {
        hub: String,
        device: String,
    },
    Reached {
        address: String,
    },
    Secured {
        protocol: String,
    },
    Connected {
        hub: String,
        session_present: bool,
        token_life: Duration,
    },
    TwinFetched {
        desired_version: u64,
        reported_version: u64,
    },
    Sent {
        message: u64,
        body: String,
    },
    Acknowledged {
        message: u64,
        took: Duration,
    },
    Received {
        /// `None` for a message from the cloud.
        input: Option<String>,
        body: String,
        properties: Vec<(String, String)>,
    },
    Called {
        command: String,
        request: Value,
    },
    Answered {
        command: String,
        status: i32,
        response: Value,
        took: Duration,
    },
    Desired {
        version: u64,
        patch: Value,
    },
    Reporting {
        patch: Value,
    },
    Reported {
        version: Option<u64>,
    },
    Failed {
        failure: Failure,
        again_in: Option<Duration>,
        attempt: u32,
    },
    Renewing,
    Disconnected,
    Restarting {
        back_in: Duration,
    },
    Restarted {
        took: Duration,
    },
    Turned {
        field: &'static str,
        unit: &'static str,
        value: f64,
    },
    Automatic,
    Paused(bool),
    Period(Duration),
    Asked {
        request: String,
    },
    AskAnswered {
        request: String,
        ok: bool,
        answer: String,
        took: Duration,
    },
    Note {
        severity: Severity,
        text: String,
    },
    Summary {
        counters: Counters,
        lasted: Duration,
    },
}

/// What part of the program a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The program itself.
    Program,
    /// Provisioning.
    Provisioning,
    /// The connection.
    Link,
    /// Telemetry.
    Telemetry,
    /// Commands, and messages from the cloud.
    Command,
    /// Properties and the twin.
    Twin,
    /// The operator.
    Operator,
}

impl Source {
    /// One short word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Program => "envsim",
            Self::Provisioning => "dps",
            Self::Link => "link",
            Self::Telemetry => "telemetry",
            Self::Command => "command",
            Self::Twin => "twin",
            Self::Operator => "operator",
        }
    }
}

impl Fact {
    /// The name in machine-readable output. Stable.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::CloudReady { .. } => "cloud-ready",
            Self::Registering { .. } => "registering",
            Self::Assigning { .. } => "assigning",
            Self::Assigned { .. } => "assigned",
            Self::Reached { .. } => "reached",
            Self::Secured { .. } => "secured",
            Self::Connected { .. } => "connected",
            Self::TwinFetched { .. } => "twin",
            Self::Sent { .. } => "sent",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Received { .. } => "received",
            Self::Called { .. } => "command",
            Self::Answered { .. } => "command-answered",
            Self::Desired { .. } => "desired",
            Self::Reporting { .. } => "reporting",
            Self::Reported { .. } => "reported",
            Self::Failed { .. } => "failed",
            Self::Renewing => "renewing",
            Self::Disconnected => "disconnected",
            Self::Restarting { .. } => "restarting",
            Self::Restarted { .. } => "restarted",
            Self::Turned { .. } => "turned",
            Self::Automatic => "automatic",
            Self::Paused(_) => "paused",
            Self::Period(_) => "period",
            Self::Asked { .. } => "operator-request",
            Self::AskAnswered { .. } => "operator-answer",
            Self::Note { .. } => "note",
            Self::Summary { .. } => "summary",
        }
    }

    /// What part of the program it is about.
    pub fn source(&self) -> Source {
        match self {
            Self::Started { .. } | Self::CloudReady { .. } | Self::Note { .. } | Self::Summary { .. } => {
                Source::Program
            }
            Self::Registering { .. } | Self::Assigning { .. } | Self::Assigned { .. } => Source::Provisioning,
            Self::Reached { .. }
            | Self::Secured { .. }
            | Self::Connected { .. }
            | Self::Failed { .. }
            | Self::Renewing
            | Self::Disconnected
            | Self::Restarting { .. }
            | Self::Restarted { .. } => Source::Link,
            Self::Sent { .. }
            | Self::Acknowledged { .. }
            | Self::Received { input: Some(_), .. }
            | Self::Turned { .. }
            | Self::Automatic
            | Self::Paused(_)
            | Self::Period(_) => Source::Telemetry,
            // Nobody waits for an answer, but it is somebody who wants something of the device.
            Self::Called { .. } | Self::Answered { .. } | Self::Received { input: None, .. } => {
                Source::Command
            }
            Self::TwinFetched { .. }
            | Self::Desired { .. }
            | Self::Reporting { .. }
            | Self::Reported { .. } => Source::Twin,
            Self::Asked { .. } | Self::AskAnswered { .. } => Source::Operator,
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Acknowledged { .. } | Self::Reported { .. } | Self::Reached { .. } => Severity::Trace,
            Self::Failed { again_in: Some(_), .. } | Self::AskAnswered { ok: false, .. } => Severity::Warning,
            Self::Failed { again_in: None, .. } => Severity::Error,
            Self::Answered { status, .. } if *status >= 400 => Severity::Warning,
            Self::Note { severity, .. } => *severity,
            _ => Severity::Info,
        }
    }

    /// Whether it happens over and over while all is well: telemetry, and what only says that
    /// something has arrived.
    pub fn is_routine(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Received { input: Some(_), .. })
            || self.severity() == Severity::Trace
    }
}
