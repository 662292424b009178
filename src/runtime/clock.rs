//! The one place that asks what time it is.

use std::time::Instant;

use jiff::Timestamp;

use crate::device::{Millis, Now};

/// Both clocks, counted from when the program began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// What the clocks say.
    pub fn now(&self) -> Now {
        let at = Millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX));
        Now { at, wall: Timestamp::now() }
    }

    /// The moment as tokio's timers take it.
    pub fn instant(&self, at: Millis) -> tokio::time::Instant {
        let instant = self.began.checked_add(std::time::Duration::from_millis(at.0));
        // A moment beyond what the system can count is as good as a year from now.
        let year = std::time::Duration::from_secs(365 * 24 * 3600);
        instant.unwrap_or_else(|| Instant::now() + year).into()
    }
}
