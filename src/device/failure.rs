//! What went wrong on the way to the hub, in words a person can act on, and what a device does
//! about it.

use std::fmt;
use std::time::Duration;

/// A failed attempt, or a lost link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which kind, for programs and for the decision what to do.
    pub kind: FailureKind,
    /// What was attempted, on what, and why it failed: one clause without a full stop.
    pub what: String,
    /// What to do next: one sentence, empty when there is nothing to add.
    pub advice: String,
    /// How long the service asked to be left alone.
    pub retry_after: Option<Duration>,
}

/// The kinds of failure that a device, or a person, treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The host name has no address.
    Unresolved,
    /// Nothing answers at that address and port.
    Unreachable,
    /// The other side's certificate is not trusted, or is for another name.
    Untrusted,
    /// The other side does not speak the protocol.
    Protocol,
    /// The credentials were refused.
    Unauthorized,
    /// The identity or enrolment is switched off.
    Disabled,
    /// The service says that this cannot work as asked.
    Rejected,
    /// The service is busy or broken at the moment.
    Unavailable,
    /// No answer within the time allowed.
    TimedOut,
    /// A link that stood was lost.
    Lost,
}

/// What a device does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try the same again after a while.
    Later,
    /// Try again, unless this device has never got through: then it is most likely told to go to
    /// the wrong place, and a program that runs without a person should say so and end.
    UnlessNew,
    /// Ask the provisioning service again, then connect; without one, stop.
    Reprovision,
    /// Trying again cannot help.
    Never,
}

impl FailureKind {
    /// The decision, in one table.
    pub fn retry(self) -> Retry {
        match self {
            Self::Unavailable | Self::Lost | Self::TimedOut => Retry::Later,
            Self::Unresolved | Self::Unreachable | Self::Untrusted | Self::Protocol => Retry::UnlessNew,
            Self::Unauthorized => Retry::Reprovision,
            Self::Disabled | Self::Rejected => Retry::Never,
        }
    }

    /// The name in machine-readable output. Stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Unreachable => "unreachable",
            Self::Untrusted => "untrusted",
            Self::Protocol => "protocol",
            Self::Unauthorized => "unauthorized",
            Self::Disabled => "disabled",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed-out",
            Self::Lost => "lost",
        }
    }
}

impl Failure {
    /// A failure with its reason and no advice yet.
    pub fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), advice: String::new(), retry_after: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// Adds how long the service asked to be left alone.
    #[must_use]
    pub fn after(mut self, span: Option<Duration>) -> Self {
        self.retry_after = span;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

impl std::error::Error for Failure {}
