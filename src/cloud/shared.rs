//! The one cloud that all connections and requests share, and the way its outputs take.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::core::clients::{ConnectionId, Welcome};
use super::core::fault::Fault;
use super::core::methods::{CallId, Outcome};
use super::core::registry::Address;
use super::core::trouble::Trouble;
use super::core::{Core, Delivery, Output};
use crate::device::{Millis, Now};
use crate::wire::service::MethodCall;

/// Deliveries waiting for one connection. A client that leaves this many unread is not reading.
const QUEUE: usize = 256;

/// The cloud behind its lock. No method waits while it holds it.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    began: Instant,
    events: watch::Sender<u64>,
    /// When the core has something to do next, for [`Shared::keep_time`].
    due: watch::Sender<Option<Millis>>,
    /// In milliseconds, how much later than possible answers go out. Outside of the lock, because
    /// every batch of packets looks at it.
    latency: AtomicU64,
    /// Cancelled when everything has to end.
    pub(super) stop: CancellationToken,
}

#[derive(Debug)]
struct State {
    core: Core,
    peers: HashMap<ConnectionId, Peer>,
    callers: HashMap<CallId, oneshot::Sender<Outcome>>,
}

#[derive(Debug)]
struct Peer {
    queue: mpsc::Sender<Delivery>,
    end: CancellationToken,
}

/// A connection's side of the switchboard.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) connection: ConnectionId,
    pub(super) session_present: bool,
    pub(super) queue: mpsc::Receiver<Delivery>,
    pub(super) end: CancellationToken,
}

impl Shared {
    pub(super) fn new(core: Core) -> Self {
        let state = State { core, peers: HashMap::new(), callers: HashMap::new() };
        Self {
            state: Mutex::new(state),
            began: Instant::now(),
            events: watch::Sender::new(0),
            due: watch::Sender::new(None),
            latency: AtomicU64::new(0),
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let at = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let wall = Timestamp::now();
        // Whole milliseconds: .NET's SDK reads no more than seven digits of a second.
        let wall = Timestamp::from_millisecond(wall.as_millisecond()).unwrap_or(wall);
        Now { at: Millis(at), wall }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock ends one connection's task; the others go on with what there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the core and sends what comes out of it on its way, in order.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Core, Now, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let now = self.now();
        let mut state = self.lock();
        let done = act(&mut state.core, now, &mut out);
        self.dispatch(&mut state, out);
        done
    }

    fn dispatch(&self, state: &mut State, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Deliver(connection, Delivery::Close(why)) => {
                    if let Some(peer) = state.peers.get(&connection) {
                        tracing::info!(?connection, ?why, "the connection is ended by the hub");
                        peer.end.cancel();
                    }
                }
                Output::Deliver(connection, delivery) => {
                    let Some(peer) = state.peers.get(&connection) else { continue };
                    if peer.queue.try_send(delivery).is_err() {
                        tracing::warn!(?connection, "the connection is ended: its client does not read");
                        peer.end.cancel();
                    }
                }
                Output::Answer(call, outcome) => {
                    if let Some(caller) = state.callers.remove(&call) {
                        // The caller may have gone in this moment; then nobody wants to know.
                        let _ = caller.send(outcome);
                    }
                }
            }
        }
        let last = state.core.last_event();
        self.events.send_if_modified(|seen| std::mem::replace(seen, last) != last);
        let due = state.core.next_due();
        self.due.send_if_modified(|seen| std::mem::replace(seen, due) != due);
    }

    /// Calls on the core whenever time alone has brought something about, until the cloud stops.
    pub(super) async fn keep_time(&self) {
        let mut due = self.due.subscribe();
        loop {
            let next = *due.borrow_and_update();
            let rest = async {
                match next {
                    // A millisecond more, because the clock is read in whole ones.
                    Some(next) => {
                        let left = next.since(self.now().at);
                        tokio::time::sleep(left + Duration::from_millis(1)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                changed = due.changed() => if changed.is_err() { return },
                () = rest => self.with(Core::tick),
            }
        }
    }

    /// Changes what goes wrong.
    pub(super) fn set_trouble(&self, trouble: Trouble) -> Result<(), Fault> {
        let latency = trouble.latency;
        self.with(|core, now, out| core.set_trouble(now, trouble, out))?;
        self.latency.store(latency, Ordering::Relaxed);
        Ok(())
    }

    /// Waits as long as answers are asked to be late, or until the cloud stops.
    pub(super) async fn be_late(&self) {
        let latency = self.latency.load(Ordering::Relaxed);
        if latency > 0 {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(latency)) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Wakes whoever reads events.
    pub(super) fn watch_events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// Brings a checked client in.
    pub(super) fn enter(&self, address: &Address, clean: bool, model_id: Option<String>) -> Line {
        let (sender, queue) = mpsc::channel(QUEUE);
        let end = self.stop.child_token();
        let mut out = Vec::new();
        let now = self.now();
        let mut state = self.lock();
        let Welcome { connection, session_present, .. } =
            state.core.connect(now, address, clean, model_id, &mut out);
        state.peers.insert(connection, Peer { queue: sender, end: end.clone() });
        self.dispatch(&mut state, out);
        Line { connection, session_present, queue, end }
    }

    /// Takes a client out.
    pub(super) fn leave(&self, connection: ConnectionId) {
        self.lock().peers.remove(&connection);
        self.with(|core, now, _| core.disconnected(now, connection));
    }

    /// Invokes a command and waits for its outcome. Giving up the wait gives up the call.
    pub(super) async fn invoke(&self, address: &Address, request: &MethodCall) -> Outcome {
        let (sender, receiver) = oneshot::channel();
        let call = {
            let mut out = Vec::new();
            let now = self.now();
            let mut state = self.lock();
            let call = state.core.invoke(now, address, request, &mut out)?;
            state.callers.insert(call, sender);
            self.dispatch(&mut state, out);
            call
        };
        let _guard = Waiting { shared: self, call };
        let stopped = || Err(Fault::stopping());
        tokio::select! {
            outcome = receiver => outcome.unwrap_or_else(|_| stopped()),
            () = self.stop.cancelled() => stopped(),
        }
    }
}

/// Forgets a call when its caller stops waiting, for whatever reason.
struct Waiting<'a> {
    shared: &'a Shared,
    call: CallId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.callers.remove(&self.call);
        state.core.cancel_call(self.call);
    }
}
