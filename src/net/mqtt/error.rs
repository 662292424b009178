//! How a session with the hub ended or was not begun.

use std::io;
use std::time::Duration;

use rumqttc::ConnectReturnCode;

use crate::device::time::Spoken;

/// How a session with the hub ended or was not begun.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The stream broke.
    #[error("{0}")]
    Io(io::Error),
    /// The hub closed the stream.
    #[error("the hub closed it")]
    Closed,
    /// Bytes that are no MQTT packet.
    #[error("what the hub sent is not MQTT 3.1.1 ({0})")]
    Codec(String),
    /// A packet that has no place here.
    #[error("the hub sent {0}")]
    Protocol(String),
    /// The hub's answer to CONNECT.
    #[error("the hub refused the connection ({0:?})")]
    Refused(ConnectReturnCode),
    /// The hub did not answer in time.
    #[error("no {what} within {}", Spoken(*.after))]
    NoAnswer {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// A packet larger than [`super::MAX_PACKET`]. Nothing was sent and the session stands.
    #[error("a packet of {size} bytes is too large, the most is {most}")]
    TooLarge {
        /// How large it is.
        size: usize,
        /// How large it may be.
        most: usize,
    },
}

impl From<rumqttc::mqttbytes::Error> for SessionError {
    fn from(error: rumqttc::mqttbytes::Error) -> Self {
        match error {
            rumqttc::mqttbytes::Error::Io(error) => Self::Io(error),
            other => Self::Codec(other.to_string()),
        }
    }
}
