//! Facts in one line, for people.

use std::fmt;

use super::Fact;
use crate::device::profile::brief;
use crate::device::time::Spoken;

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
