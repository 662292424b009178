//! How many may be inside, and who has to leave when too many stand in the doorway.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// What one client may take from the others.
#[derive(Debug, Clone, Copy)]
pub(in crate::cloud) struct Limits {
    /// MQTT connections at once, over WebSocket or not.
    pub(super) mqtt: usize,
    /// HTTPS connections at once.
    pub(super) https: usize,
    /// AMQP connections at once.
    pub(super) amqp: usize,
    /// Connections at once, a door, that have not said anything over TLS yet.
    pub(super) newcomers: usize,
    /// How long a newcomer may stay when others wait for its place.
    pub(super) grace: Duration,
    /// How long a TLS handshake may take when nobody waits.
    pub(super) handshake: Duration,
    /// How long the head of a request may take, and how long a connection may wait for one.
    pub(super) head: Duration,
    /// How long the body of a request may take.
    pub(super) body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // More than the load tests want, fewer than would exhaust the machine.
            mqtt: 20_000,
            https: 2_000,
            // Services, each with memory for sessions and links.
            amqp: 200,
            newcomers: 1_024,
            grace: Duration::from_secs(1),
            handshake: Duration::from_secs(10),
            // It is also how long a connection is kept alive between requests; SDKs' pools cope.
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
        }
    }
}

/// Places inside, each held for as long as a connection is.
#[derive(Debug)]
pub(super) struct Places(Arc<Semaphore>);

/// One of them.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))))
    }

    /// Waits for a place. `None` never happens while the cloud runs.
    pub(super) async fn take(&self) -> Option<Place> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }

    pub(super) fn try_take(&self) -> Option<Place> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// Those who have connected and said nothing yet. When they are too many, the longest-standing
/// goes: who means well is through within milliseconds, so silence is what is thrown out.
#[derive(Debug)]
pub(super) struct Newcomers {
    most: usize,
    grace: Duration,
    state: Mutex<Doorway>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Doorway {
    next: u64,
    standing: BTreeMap<u64, (Instant, CancellationToken)>,
}

/// A newcomer's standing; dropped when it has said something or has gone.
#[derive(Debug)]
pub(super) struct Newcomer {
    all: Arc<Newcomers>,
    number: u64,
    /// Cancelled when it has to go.
    pub(super) out: CancellationToken,
}

impl Newcomers {
    pub(super) fn new(most: usize, grace: Duration) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), grace, state: Mutex::default(), left: Notify::new() })
    }

    /// Lets one more in, as soon as there is room or the longest-standing has stood long enough.
    pub(super) async fn admit(self: &Arc<Self>) -> Newcomer {
        loop {
            let left = self.left.notified();
            let oldest = match self.try_admit() {
                Ok(newcomer) => return newcomer,
                Err(oldest) => oldest,
            };
            tokio::select! {
                () = left => {}
                () = sleep_until(oldest + self.grace) => self.send_out_oldest(),
            }
        }
    }

    fn try_admit(self: &Arc<Self>) -> Result<Newcomer, Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.standing.len() >= self.most
            && let Some((since, _)) = state.standing.values().next()
        {
            return Err(*since);
        }
        let number = state.next;
        state.next += 1;
        let out = CancellationToken::new();
        state.standing.insert(number, (Instant::now(), out.clone()));
        Ok(Newcomer { all: Arc::clone(self), number, out })
    }

    /// Sends the longest-standing out, when it has had its time: also when files have run out.
    pub(super) fn send_out_oldest(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(oldest) = state.standing.first_entry() else { return };
        if oldest.get().0.elapsed() >= self.grace {
            let (_, out) = oldest.remove();
            out.cancel();
        }
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let mut state = self.all.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.standing.remove(&self.number);
        drop(state);
        self.all.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_standing_newcomer_goes_when_another_has_waited_for_the_grace() {
        let grace = Duration::from_secs(1);
        let newcomers = Newcomers::new(2, grace);
        let first = newcomers.admit().await;
        let second = newcomers.admit().await;
        let began = Instant::now();
        let third = newcomers.admit().await;
        assert!(began.elapsed() >= grace);
        assert!(first.out.is_cancelled() && !second.out.is_cancelled());
        // Nobody is sent out when somebody leaves in time.
        drop(second);
        let fourth = newcomers.admit().await;
        assert!(!third.out.is_cancelled() && !fourth.out.is_cancelled());
    }
}
