//! Where a device is between switched off and talking to its hub.

use super::{Assignment, Failure, Millis};

/// The one phase that a device is in.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Not begun.
    Idle,
    /// Asking the provisioning service for a hub.
    Provisioning,
    /// Opening a link.
    Connecting(Assignment),
    /// The link stands.
    Online {
        /// The hub and the name there.
        assignment: Assignment,
        /// Since when.
        since: Millis,
        /// When the token runs out.
        token_ends: Millis,
        /// When it will be renewed.
        renews: Millis,
    },
    /// Something failed; it will be tried again.
    Waiting {
        /// What failed.
        cause: Failure,
        /// When it will be tried again.
        until: Millis,
        /// Which attempt comes next, counted from 1.
        attempt: u32,
        /// The hub to try, or `None` to ask the provisioning service first.
        next: Option<Assignment>,
    },
    /// Restarting, with no link: it will connect again by itself.
    Restarting {
        /// When.
        until: Millis,
        /// The hub that it will connect to.
        next: Assignment,
    },
    /// Something failed and trying again cannot help.
    Stopped(Failure),
    /// Saying good-bye.
    Leaving,
    /// Gone.
    Left,
}

impl Phase {
    /// Whether the link stands.
    pub fn is_online(&self) -> bool {
        matches!(self, Self::Online { .. })
    }

    /// Whether it is saying good-bye or gone.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Leaving | Self::Left)
    }

    /// The hub it is at or on its way to, as far as that is known.
    pub fn assignment(&self) -> Option<&Assignment> {
        match self {
            Self::Connecting(assignment) | Self::Online { assignment, .. } => Some(assignment),
            Self::Waiting { next, .. } => next.as_ref(),
            Self::Restarting { next, .. } => Some(next),
            _ => None,
        }
    }
}
