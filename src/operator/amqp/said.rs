//! Errors of AMQP, in words.

use std::time::Duration;

use fe2o3_amqp::connection::{ConnectionStopReason, OpenError};
use fe2o3_amqp::link::{
    DetachError, LinkStateError, ReceiverAttachError, RecvError, SendError, SenderAttachError,
    SessionStopReason,
};
use fe2o3_amqp::types::definitions::{AmqpError, Error, ErrorCondition};
use fe2o3_amqp::types::primitives::Symbol;
use fe2o3_amqp::types::sasl::SaslCode;
use tokio::time::timeout;

use crate::operator::OperatorError;
use crate::trust::Fault;

/// How long the other side may take for one thing that it is asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// The other side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What it is asked to do, as in "cannot read the events of h".
    pub(crate) task: String,
}

impl Peer {
    /// It was not reached, or is no more.
    pub(crate) fn fault(&self, fault: Fault) -> OperatorError {
        OperatorError::Unreachable { host: self.host.clone(), port: self.port, fault }
    }

    /// It does something else than was asked.
    pub(crate) fn trouble(&self, why: impl Into<String>) -> OperatorError {
        OperatorError::Amqp { task: self.task.clone(), why: why.into() }
    }

    /// What it does, unless it takes too long.
    pub(crate) fn in_time<'a, T: 'a>(
        &'a self,
        doing: impl Future<Output = Result<T, OperatorError>> + 'a,
    ) -> impl Future<Output = Result<T, OperatorError>> + 'a {
        // Not within whoever waits: connecting and attaching take many kilobytes.
        let doing = Box::pin(doing);
        async move { timeout(PATIENCE, doing).await.unwrap_or_else(|_| Err(self.fault(Fault::TimedOut))) }
    }

    pub(crate) fn unauthorized(&self, said: impl Into<String>) -> OperatorError {
        OperatorError::Unauthorized { host: self.host.clone(), said: said.into(), skew: None }
    }

    /// An error that it sent.
    pub(crate) fn sent(&self, error: &Error) -> OperatorError {
        if error.condition == ErrorCondition::AmqpError(AmqpError::UnauthorizedAccess) {
            return self.unauthorized(words(error));
        }
        self.trouble(words(error))
    }

    /// A connection that could not be opened.
    pub(crate) fn not_opened(&self, error: &OpenError) -> OperatorError {
        match error {
            OpenError::SaslError { code: SaslCode::Auth, .. } => {
                self.unauthorized("the policy's name and key were not taken (SASL)")
            }
            OpenError::RemoteClosedWithError(error) => self.sent(error),
            OpenError::Io(error) => self.fault(Fault::of(error)),
            OpenError::ProtocolHeaderMismatch(_) => self.trouble("it does not speak AMQP 1.0 there"),
            other => self.trouble(other.to_string()),
        }
    }

    /// A link that could not be attached, or has ended.
    pub(crate) fn ended(&self, end: End) -> OperatorError {
        match end {
            End::Sent(error) => self.sent(&error),
            End::Other(why) => self.trouble(why),
        }
    }
}

/// How a link ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With an error that the other side sent.
    Sent(Box<Error>),
    /// In another way.
    Other(String),
}

impl End {
    fn sent(error: Error) -> Self {
        Self::Sent(Box::new(error))
    }

    fn other(why: impl ToString) -> Self {
        Self::Other(why.to_string())
    }
}

impl From<SessionStopReason> for End {
    fn from(reason: SessionStopReason) -> Self {
        match reason {
            SessionStopReason::RemoteEndedWithError(error)
            | SessionStopReason::ConnectionStopped(ConnectionStopReason::RemoteClosedWithError(error)) => {
                Self::sent(error)
            }
            SessionStopReason::RemoteEnded => Self::other("it ended the session"),
            SessionStopReason::ConnectionStopped(_) => Self::other("the connection was closed"),
            SessionStopReason::Ended | SessionStopReason::EndedWithError(_) => {
                Self::other("the session has ended")
            }
        }
    }
}

impl From<LinkStateError> for End {
    fn from(error: LinkStateError) -> Self {
        match error {
            LinkStateError::SessionStopped(reason) => reason.into(),
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error) => {
                Self::sent(error)
            }
            LinkStateError::RemoteDetached | LinkStateError::RemoteClosed => {
                Self::other("it closed the link")
            }
            other => Self::other(other),
        }
    }
}

impl From<DetachError> for End {
    fn from(error: DetachError) -> Self {
        LinkStateError::from(error).into()
    }
}

impl From<RecvError> for End {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::LinkStateError(error) => error.into(),
            other => Self::other(other),
        }
    }
}

impl From<SendError> for End {
    fn from(error: SendError) -> Self {
        match error {
            SendError::LinkStateError(error) => error.into(),
            SendError::Detached(error) => error.into(),
            other => Self::other(other),
        }
    }
}

impl From<ReceiverAttachError> for End {
    fn from(error: ReceiverAttachError) -> Self {
        match error {
            ReceiverAttachError::RemoteClosedWithError(error) => Self::sent(error),
            ReceiverAttachError::SessionStopped(reason) => reason.into(),
            other => Self::other(other),
        }
    }
}

impl From<SenderAttachError> for End {
    fn from(error: SenderAttachError) -> Self {
        match error {
            SenderAttachError::RemoteClosedWithError(error) => Self::sent(error),
            SenderAttachError::SessionStopped(reason) => reason.into(),
            other => Self::other(other),
        }
    }
}

/// What an error says, and its name.
pub(crate) fn words(error: &Error) -> String {
    let condition = match &error.condition {
        ErrorCondition::AmqpError(condition) => Symbol::from(condition),
        ErrorCondition::ConnectionError(condition) => Symbol::from(condition),
        ErrorCondition::SessionError(condition) => Symbol::from(condition),
        ErrorCondition::LinkError(condition) => Symbol::from(condition),
        ErrorCondition::Custom(symbol) => symbol.clone(),
    };
    match error.description.as_deref().map(str::trim).filter(|said| !said.is_empty()) {
        Some(said) => format!("{said} ({})", condition.as_str()),
        None => condition.into_inner(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_says_is_told_in_words() {
        let peer = Peer { host: "h".to_owned(), port: 5671, task: "read the events of h".to_owned() };
        let right = Error::new(AmqpError::UnauthorizedAccess, "Unauthorized access.".to_owned(), None);
        let told = peer.ended(RecvError::LinkStateError(LinkStateError::RemoteClosedWithError(right)).into());
        assert_eq!(
            told.to_string(),
            "the hub h did not authorise the request: Unauthorized access. (amqp:unauthorized-access)"
        );
        let stolen = Error::new(ErrorCondition::Custom("com.microsoft:busy".into()), None, None);
        let told = peer.ended(SessionStopReason::RemoteEndedWithError(stolen).into());
        assert_eq!(told.to_string(), "cannot read the events of h: com.microsoft:busy");
        let sasl = OpenError::SaslError { code: SaslCode::Auth, additional_data: None };
        assert!(matches!(peer.not_opened(&sasl), OperatorError::Unauthorized { .. }));
        let blocked = peer.fault(Fault::TimedOut);
        assert_eq!(blocked.to_string(), "cannot reach the hub h: h:5671 did not answer in time");
        assert!(blocked.advice().contains("a firewall may be blocking port 5671"), "{}", blocked.advice());
    }
}
