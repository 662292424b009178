//! Everything worth telling, as data: the log shows it, headless runs print it.
//!
//! A fact's name and fields are the machine-readable output; they are a promise.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::device::outbox::Counters;
use crate::device::profile::brief;
use crate::device::time::Spoken;
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

    /// What it holds, for machine-readable output. Durations are in milliseconds. Stable.
    pub fn fields(&self) -> Map<String, Value> {
        let fields = match self {
            Self::Started { device, profiles, place, seed } => {
                json!({"device": device, "profiles": profiles, "place": place, "seed": seed})
            }
            Self::CloudReady { hub, id_scope, mqtt_port, https_port, other_scopes, note } => {
                json!({
                    "hub": hub, "idScope": id_scope, "mqttPort": mqtt_port, "httpsPort": https_port,
                    "otherScopes": other_scopes, "note": note
                })
            }
            Self::Registering { host, id_scope } => json!({"host": host, "idScope": id_scope}),
            Self::Assigning { operation_id, again_in } => {
                json!({"operationId": operation_id, "againInMs": millis(*again_in)})
            }
            Self::Assigned { hub, device } => json!({"hub": hub, "deviceId": device}),
            Self::Reached { address } => json!({ "address": address }),
            Self::Secured { protocol } => json!({ "protocol": protocol }),
            Self::Connected { hub, session_present, token_life } => {
                json!({"hub": hub, "sessionPresent": session_present, "tokenLifeMs": millis(*token_life)})
            }
            Self::TwinFetched { desired_version, reported_version } => {
                json!({"desiredVersion": desired_version, "reportedVersion": reported_version})
            }
            Self::Sent { message, body } => {
                json!({"message": message, "body": json_or_text(body)})
            }
            Self::Acknowledged { message, took } => json!({"message": message, "tookMs": millis(*took)}),
            Self::Received { input, body, properties } => {
                let properties: Map<_, _> = properties
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                    .collect();
                json!({"input": input, "body": json_or_text(body), "properties": properties})
            }
            Self::Called { command, request } => json!({"command": command, "request": request}),
            Self::Answered { command, status, response, took } => {
                json!({"command": command, "status": status, "response": response, "tookMs": millis(*took)})
            }
            Self::Desired { version, patch } => json!({"version": version, "patch": patch}),
            Self::Reporting { patch } => json!({ "patch": patch }),
            Self::Reported { version } => json!({ "version": version }),
            Self::Failed { failure, again_in, attempt } => json!({
                "kind": failure.kind.name(), "reason": failure.what, "advice": failure.advice,
                "againInMs": again_in.map(millis), "attempt": attempt,
            }),
            Self::Restarting { back_in } => json!({ "backInMs": millis(*back_in) }),
            Self::Restarted { took } => json!({ "tookMs": millis(*took) }),
            Self::Turned { field, unit, value } => json!({"field": field, "unit": unit, "value": value}),
            Self::Paused(paused) => json!({ "paused": paused }),
            Self::Period(period) => json!({ "periodMs": millis(*period) }),
            Self::Asked { request } => json!({ "request": request }),
            Self::AskAnswered { request, ok, answer, took } => {
                json!({"request": request, "ok": ok, "answer": answer, "tookMs": millis(*took)})
            }
            Self::Note { text, .. } => json!({ "text": text }),
            Self::Summary { counters, lasted } => json!({
                "made": counters.made, "sent": counters.sent, "acknowledged": counters.acknowledged,
                "waiting": counters.waiting, "unacknowledged": counters.unacknowledged, "dropped": counters.dropped, "repeated": counters.repeated,
                "lastedMs": millis(*lasted),
            }),
            Self::Renewing | Self::Disconnected | Self::Automatic => json!({}),
        };
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

fn json_or_text(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// In one line, for people.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { device, profiles, place, seed } => {
                write!(f, "{device} ({profiles}) starts, {place}, seed {seed}")
            }
            Self::CloudReady { hub, id_scope, mqtt_port, https_port, other_scopes, note } => {
                write!(
                    f,
                    "local cloud ready: {hub}, ID scope {id_scope}, MQTT on {mqtt_port}, HTTPS on {https_port}"
                )?;
                if !other_scopes.is_empty() {
                    write!(f, ", other ID scopes: {}", other_scopes.join(", "))?;
                }
                f.write_str(note)
            }
            Self::Registering { host, id_scope } => write!(f, "registering in ID scope {id_scope} at {host}"),
            Self::Assigning { operation_id, again_in } => {
                write!(f, "assigning (operation {operation_id}), asking again in {}", Spoken(*again_in))
            }
            Self::Assigned { hub, device } => write!(f, "assigned to {hub} as {device}"),
            Self::Reached { address } => write!(f, "reached {address}"),
            Self::Secured { protocol } => write!(f, "{protocol}, certificate checked"),
            Self::Connected { hub, session_present, token_life } => write!(
                f,
                "connected to {hub}, {} session, token good for {}",
                if *session_present { "kept" } else { "new" },
                Spoken(*token_life)
            ),
            Self::TwinFetched { desired_version, reported_version } => {
                write!(
                    f,
                    "twin fetched: desired version {desired_version}, reported version {reported_version}"
                )
            }
            Self::Sent { message, body } => write!(f, "sent #{message} {body}"),
            Self::Acknowledged { message, took } => {
                write!(f, "acknowledged #{message} after {}", Spoken(*took))
            }
            Self::Received { input: Some(input), body, .. } => write!(f, "received on {input} {body}"),
            Self::Received { input: None, body, .. } if body.is_empty() => {
                f.write_str("received an empty message from the cloud")
            }
            Self::Received { input: None, body, .. } => write!(f, "received a message from the cloud {body}"),
            Self::Called { command, request } if request.is_null() => write!(f, "{command} called"),
            Self::Called { command, request } => write!(f, "{command} called with {}", brief(request)),
            Self::Answered { command, status, response, took } => {
                write!(f, "{command} answered {status} after {}", Spoken(*took))?;
                if response.is_null() { Ok(()) } else { write!(f, ": {response}") }
            }
            Self::Desired { version, patch } => write!(f, "desired version {version}: {patch}"),
            Self::Reporting { patch } => write!(f, "reporting {patch}"),
            Self::Reported { version: Some(version) } => {
                write!(f, "report taken, reported version {version}")
            }
            Self::Reported { version: None } => write!(f, "report taken"),
            Self::Failed { failure, again_in: Some(span), attempt } => {
                write!(f, "{failure}; attempt {attempt} in {}", Spoken(*span))
            }
            Self::Failed { failure, again_in: None, .. } => write!(f, "{failure}"),
            Self::Renewing => write!(f, "renewing the token: connecting again"),
            Self::Disconnected => write!(f, "disconnected"),
            Self::Restarting { back_in } => write!(f, "restarting, back in {}", Spoken(*back_in)),
            Self::Restarted { took } => write!(f, "restarted after {}", Spoken(*took)),
            Self::Turned { field, unit, value } => write!(f, "{field} put to {value} {unit} by hand"),
            Self::Automatic => write!(f, "values move by themselves again"),
            Self::Paused(true) => write!(f, "telemetry paused"),
            Self::Paused(false) => write!(f, "telemetry goes on"),
            Self::Period(period) => write!(f, "telemetry every {}", Spoken(*period)),
            Self::Asked { request } => write!(f, "asked for {request}"),
            Self::AskAnswered { request, answer, took, .. } => {
                write!(f, "{request}: {answer} ({})", Spoken(*took))
            }
            Self::Note { text, .. } => f.write_str(text),
            Self::Summary { counters, lasted } => write!(
                f,
                "{} sent, {} acknowledged, {} unacknowledged, {} waiting, {} dropped in {}",
                counters.sent,
                counters.acknowledged,
                counters.unacknowledged,
                counters.waiting,
                counters.dropped,
                Spoken(*lasted)
            ),
        }
    }
}
