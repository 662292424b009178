//! Why a request to a hub's service side did not do what was asked, in plain words.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::device::time::Spoken;
use crate::trust::{Fault, TrustError};
use crate::wire::key::without_keys;
use crate::wire::{sas, service};

/// Why it failed. [`OperatorError::advice`] says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// A device's connection string was given.
    #[error("the connection string is a device's, not a service's")]
    NotService,
    /// Certificates to trust cannot be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The HTTP client cannot be made.
    #[error("requests cannot be made: {0}")]
    Setup(String),
    /// No connection.
    #[error("cannot reach the hub {host}: {}", fault.reason(host, *port))]
    Unreachable {
        /// The hub.
        host: String,
        /// Its port.
        port: u16,
        /// Why.
        fault: Fault,
    },
    /// The policy's key or name is wrong, or its rights do not reach.
    #[error("the hub {host} did not authorise the request: {said}")]
    Unauthorized {
        /// The hub.
        host: String,
        /// Its words.
        said: String,
        /// What is wrong with our clock, if it is.
        skew: Option<String>,
    },
    /// There is no such device or module.
    #[error("the hub {host} has no `{subject}`")]
    Unknown {
        /// The hub.
        host: String,
        /// The device or module.
        subject: String,
    },
    /// 409: there is one of this name already.
    #[error("the hub {host} has `{subject}` already")]
    Exists {
        /// The hub.
        host: String,
        /// The device or module.
        subject: String,
    },
    /// 404103: the device is not connected, or takes no commands.
    #[error("`{subject}` is not connected to the hub, or takes no commands (404103)")]
    Offline {
        /// The device or module.
        subject: String,
    },
    /// 504101: the device did not answer.
    #[error("`{subject}` got the command and did not answer in time (504101)")]
    NoAnswer {
        /// The device or module.
        subject: String,
    },
    /// 404104: the device has gone while it was waited for.
    #[error("`{subject}` lost its connection to the hub before it answered the command (404104)")]
    Cut {
        /// The device or module.
        subject: String,
    },
    /// 412: somebody else was faster.
    #[error("`{subject}` has changed since it was read")]
    Changed {
        /// The device or module.
        subject: String,
    },
    /// 429 or 403: too much at once.
    #[error("the hub {host} is busy: {said}")]
    Throttled {
        /// The hub.
        host: String,
        /// Its words.
        said: String,
        /// How long it wants to be left alone, when it says so.
        wait: Option<Duration>,
    },
    /// Refused for another reason.
    #[error("the hub refused the request for {}: {said} (HTTP status {status})", named(subject))]
    Refused {
        /// The device or module, or what it is about in words.
        subject: String,
        /// Its words.
        said: String,
        /// The HTTP status.
        status: u16,
    },
    /// The hub has trouble of its own.
    #[error("the hub {host} has trouble: {said} (HTTP status {status})")]
    Broken {
        /// The hub.
        host: String,
        /// Its words.
        said: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not one that a hub gives.
    #[error("{0} answered something that no IoT Hub does")]
    NotAHub(String),
    /// It is no hub in Azure, and has no stream of events as the local cloud has.
    #[error("{host} has no stream of events: it is neither envsim's local cloud nor an IoT hub in Azure")]
    NoStream {
        /// The hub.
        host: String,
    },
    /// The other side of AMQP does not do what it is asked.
    #[error("cannot {task}: {why}")]
    Amqp {
        /// What it was asked, and of whom.
        task: String,
        /// Why.
        why: String,
    },
    /// 403004: the device's queue is full.
    #[error("the hub has as many messages for `{subject}` already as it keeps for a device (403004)")]
    QueueFull {
        /// The device.
        subject: String,
    },
    /// A message was sent, and nobody knows what became of it.
    #[error("the hub {host} did not say whether it has the message for `{subject}`: {why}")]
    NotSaid {
        /// The hub.
        host: String,
        /// The device.
        subject: String,
        /// Why not.
        why: String,
    },
    /// Trouble on request, of a hub that has none.
    #[error("{host} cannot be asked for trouble: only envsim's local cloud makes it on request")]
    NoFaults {
        /// The hub.
        host: String,
    },
    /// The stream of events broke.
    #[error("the stream of events from {host} ended: {why}")]
    StreamEnded {
        /// The hub.
        host: String,
        /// Why.
        why: String,
    },
}

impl OperatorError {
    /// What to do next: one sentence, empty when there is nothing to add.
    pub fn advice(&self) -> String {
        match self {
            Self::NotService => "use one with `SharedAccessKeyName`: in the portal, the hub's shared access policies, `service`".to_owned(),
            Self::Unreachable { port, fault, .. } => fault.advice(*port),
            Self::Unauthorized { skew: Some(skew), .. } => skew.clone(),
            Self::Unauthorized { .. } => {
                "check the policy's name and key, and that the policy has the right: `service connect`, and for \
                 identities and deployments `registry read` or `registry write`"
                    .to_owned()
            }
            // No id has a slash, so what has one is a module of a device that there is.
            Self::Unknown { subject, .. } => match subject.split_once('/') {
                Some((device, _)) => {
                    format!("the device `{device}` is there: check the module id; case matters")
                }
                None => "check the device id; case matters".to_owned(),
            },
            Self::Exists { .. } => "look at it, or delete it first".to_owned(),
            Self::Offline { .. } => "start the device, or wait for it with a connect time-out".to_owned(),
            Self::NoAnswer { .. } => "it may still carry it out: see what it reports before sending it again, or give it more time".to_owned(),
            Self::Cut { .. } => "it may have carried it out: see what it reports before sending it again".to_owned(),
            Self::Changed { .. } => "read it again, then repeat the change".to_owned(),
            Self::Throttled { .. } | Self::Broken { .. } => "try again in a moment".to_owned(),
            Self::NotAHub(_) => "check the host name in the connection string".to_owned(),
            Self::NoStream { .. } => {
                "if it has an Event Hub-compatible endpoint, give that one's connection string with \
                 --event-hub-connection-string-file"
                    .to_owned()
            }
            Self::QueueFull { .. } => {
                "let the device take some, or empty its queue (in Azure: `az iot device c2d-message purge`)".to_owned()
            }
            Self::NotSaid { .. } => "see whether the device has got it before you send it again".to_owned(),
            Self::NoFaults { .. } => "start `envsim cloud`, and point the device there".to_owned(),
            Self::Trust(_) | Self::Setup(_) | Self::Refused { .. } | Self::Amqp { .. } | Self::StreamEnded { .. } => {
                String::new()
            },
        }
    }

    /// Reads a refusal. IoT Hub REST, error bodies; Edge hub's plain `{"message": …}` too.
    pub(super) fn refused(host: &str, subject: &str, status: u16, body: &[u8], ahead: Option<i64>) -> Self {
        let Refusal { code, name, said } = Refusal::read(body);
        // A hub may repeat what it was sent.
        let said = without_keys(&said);
        let (host, subject) = (host.to_owned(), subject.to_owned());
        let is = |wanted: &str| name.as_deref().is_some_and(|name| name.starts_with(wanted));
        match (status, code) {
            (_, Some(service::DEVICE_NOT_ONLINE)) => Self::Offline { subject },
            (_, Some(service::DEVICE_CUT_OFF)) => Self::Cut { subject },
            // Anything on the way may say 504 of itself; only the hub has this code for a device.
            (_, Some(service::GATEWAY_TIMEOUT)) => Self::NoAnswer { subject },
            (401, _) => Self::Unauthorized { host, said, skew: ahead.and_then(skew) },
            // Of a module on it the device itself may be what is not there; no id has a slash.
            (404, code) if code == Some(service::DEVICE_NOT_FOUND) || is("DeviceNotFound") => {
                let device = subject.split('/').next().unwrap_or_default().to_owned();
                Self::Unknown { host, subject: device }
            }
            (404, code) if code == Some(service::MODULE_NOT_FOUND) || is("ModuleNotFound") => {
                Self::Unknown { host, subject }
            }
            (409, Some(service::DEVICE_ALREADY_EXISTS | service::MODULE_ALREADY_EXISTS)) => {
                Self::Exists { host, subject }
            }
            (409, _) if is("DeviceAlreadyExists") || is("ModuleAlreadyExists") => {
                Self::Exists { host, subject }
            }
            (403, _) if is("DeviceMaximumQueueDepthExceeded") => Self::QueueFull { subject },
            (412, _) => Self::Changed { subject },
            (429, _) => Self::Throttled { host, said, wait: None },
            (500..=599, _) => Self::Broken { host, said, status },
            (300..=399, _) => Self::NotAHub(host),
            _ => Self::Refused { subject, said, status },
        }
    }

    /// The same, with the wait that the answer's headers ask for.
    pub(super) fn after(mut self, headers: &HeaderMap) -> Self {
        if let Self::Throttled { wait, .. } = &mut self {
            let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            *wait = text.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        }
        self
    }

    /// By how many seconds our clock is ahead of the one that wrote the `Date` header.
    pub(super) fn clock_ahead(headers: &HeaderMap, now: i64) -> Option<i64> {
        let date = headers.get(DATE)?.to_str().ok()?;
        let theirs: Timestamp = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
        Some(now - theirs.as_second())
    }
}

/// No id has a space; what has one is words.
fn named(subject: &str) -> String {
    if subject.contains(' ') { subject.to_owned() } else { format!("`{subject}`") }
}

fn skew(ahead: i64) -> Option<String> {
    if ahead.abs() <= sas::CLOCK_SKEW {
        return None;
    }
    let by = Spoken(Duration::from_secs(ahead.unsigned_abs()));
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    Some(format!("this machine's clock is {by} {way} the hub's: set it, because tokens depend on it"))
}

/// What the body of a refusal says.
struct Refusal {
    code: Option<u32>,
    name: Option<String>,
    said: String,
}

impl Refusal {
    fn read(body: &[u8]) -> Self {
        let outer = serde_json::from_slice::<service::ErrorBody>(body).unwrap_or_default();
        let plain = serde_json::from_slice::<service::MethodError>(body).unwrap_or_default();
        let outer = if outer.message.is_empty() { plain.message } else { outer.message };
        // A failed command nests its error as JSON text.
        if let Ok(inner) = serde_json::from_str::<service::MethodError>(&outer) {
            let code = Some(inner.error_code).filter(|code| *code > 0);
            return Self { code, name: None, said: inner.message };
        }
        // `ErrorCode:DeviceNotFound;words`
        let named = outer.strip_prefix("ErrorCode:").and_then(|rest| rest.split_once(';'));
        let name = named.map(|(name, _)| name.to_owned());
        let said = match named {
            Some((name, "")) => name.to_owned(),
            Some((name, words)) => format!("{words} ({name})"),
            None if outer.is_empty() => "it does not say why".to_owned(),
            None => outer,
        };
        Self { code: Some(plain.error_code).filter(|code| *code > 0), name, said }
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
