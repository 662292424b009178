//! When a ping is due, and when a hub counts as lost.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::SessionError;

/// How long a hub that is alive may take to take bytes, or to answer a ping; the latter never
/// longer than the keep-alive, which says how soon its owner wants to know.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The times of a connection, and one timer for them.
pub(super) struct KeepAlive {
    period: Duration,
    /// When anything was last sent.
    sent: Instant,
    /// Since when the hub owes a sign of life: moves with everything received.
    quiet: Instant,
    /// When a ping was sent that nothing has followed yet.
    pinged: Option<Instant>,
    /// Set lazily: it is never later than what is due, so sending does not touch it.
    timer: Pin<Box<Sleep>>,
}

impl KeepAlive {
    pub(super) fn new(period: Duration) -> Self {
        let now = Instant::now();
        Self { period, sent: now, quiet: now, pinged: None, timer: Box::pin(sleep_until(now + period)) }
    }

    /// Something has been sent.
    pub(super) fn sent(&mut self) {
        self.sent = Instant::now();
    }

    /// From now on the hub owes an answer that it did not owe before.
    pub(super) fn owed(&mut self) {
        self.quiet = Instant::now();
    }

    /// Something has been received.
    pub(super) fn heard(&mut self) {
        self.quiet = Instant::now();
        self.pinged = None;
    }

    /// Waits until there is something to see to. Cancel-safe.
    pub(super) async fn elapsed(&mut self) {
        self.timer.as_mut().await;
    }

    /// The timer has run: whether a ping is due, an error when the last one was in vain. `owes` says
    /// whether the hub has something to acknowledge.
    pub(super) fn watch(&mut self, owes: bool) -> Result<bool, SessionError> {
        let now = Instant::now();
        let patience = PATIENCE.min(self.period);
        if let Some(pinged) = self.pinged {
            if now >= pinged + patience {
                return Err(SessionError::NoAnswer { what: "sign of life after a ping", after: patience });
            }
            self.timer.as_mut().reset(pinged + patience);
            return Ok(false);
        }
        let since = if owes { self.quiet.min(self.sent) } else { self.sent };
        let due = since + self.period;
        if now < due {
            self.timer.as_mut().reset(due);
            return Ok(false);
        }
        self.pinged = Some(now);
        self.timer.as_mut().reset(now + patience);
        Ok(true)
    }
}
