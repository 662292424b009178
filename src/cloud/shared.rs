//! The one cloud that all connections and requests share, and the way its outputs take.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::LocalCloud;
use super::core::clients::{ConnectionId, Welcome};
use super::core::fault::Fault;
use super::core::methods::{CallId, Outcome};
use super::core::registry::Address;
use super::core::trouble::Trouble;
use super::core::{Core, Delivery, Output};
use super::store::{Keeper, Store, StoreError};
use crate::device::{Millis, Now};
use crate::wire::service::MethodCall;

/// Deliveries waiting for one connection. A client that leaves this many unread is not reading.
const QUEUE: usize = 256;
/// How long time's own work waits after it could not be stored.
const PAUSE: Duration = Duration::from_secs(1);

/// The cloud behind its lock. No method waits while it holds it.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    began: Instant,
    events: watch::Sender<u64>,
    feedback: watch::Sender<u64>,
    /// Whether anything goes wrong on request.
    trouble: watch::Sender<bool>,
    started: Timestamp,
    /// When the core has something to do next, for [`Shared::keep_time`].
    due: watch::Sender<Option<Millis>>,
    /// In milliseconds, how much later than possible answers go out. Outside of the lock, because
    /// every batch of packets looks at it.
    latency: AtomicU64,
    /// Cancelled when everything has to end.
    pub(super) stop: CancellationToken,
    /// The name that the cloud went by before, when it goes by another now.
    pub(super) name_before: Option<String>,
}

#[derive(Debug)]
struct State {
    core: Core,
    /// When the core has something to do next, as it was told last.
    due: Option<Millis>,
    keeper: Keeper,
    peers: HashMap<ConnectionId, Peer>,
    callers: HashMap<CallId, oneshot::Sender<Outcome>>,
}

#[derive(Debug)]
struct Peer {
    /// In boxes: a channel sets room for 32 of what it carries aside, for every connection.
    queue: mpsc::Sender<Box<Delivery>>,
    end: CancellationToken,
}

/// A connection's side of the switchboard.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) connection: ConnectionId,
    pub(super) session_present: bool,
    pub(super) queue: mpsc::Receiver<Box<Delivery>>,
    pub(super) end: CancellationToken,
}

impl Shared {
    /// A cloud that is not kept.
    pub(super) fn new(core: Core) -> Self {
        let state = State {
            core,
            due: None,
            keeper: Keeper::default(),
            peers: HashMap::new(),
            callers: HashMap::new(),
        };
        Self {
            state: Mutex::new(state),
            began: Instant::now(),
            events: watch::Sender::new(0),
            feedback: watch::Sender::new(0),
            trouble: watch::Sender::new(false),
            started: Timestamp::now(),
            due: watch::Sender::new(None),
            latency: AtomicU64::new(0),
            stop: CancellationToken::new(),
            name_before: None,
        }
    }

    /// The same, of a cloud that went by another name before.
    pub(super) fn once_called(self, name_before: Option<String>) -> Self {
        Self { name_before, ..self }
    }

    /// Takes up all that is kept in `store`, and keeps everything there from now on.
    pub(super) fn attach(&self, store: Store) -> Result<(), StoreError> {
        let now = self.now();
        let mut state = self.lock();
        let state = &mut *state;
        store.load(&mut state.core, now)?;
        state.keeper = Keeper::new(store, &mut state.core);
        // What was found to be left over goes. If it cannot, it stays, and has been logged.
        let _ = state.keeper.keep(&mut state.core, now);
        // What was loaded may have an end in time.
        self.dispatch(state, Vec::new());
        Ok(())
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

    /// Reads the core.
    pub(super) fn look<T>(&self, act: impl FnOnce(&Core, Now) -> T) -> T {
        let now = self.now();
        act(&self.lock().core, now)
    }

    /// Does something with the core. What it has changed is stored before its outputs go their way,
    /// in order, and before it is answered; what cannot be stored has not happened.
    ///
    /// There is no other way to a core that can be changed.
    pub(super) fn change<T, E: From<Fault>>(
        &self,
        act: impl FnOnce(&mut Core, Now, &mut Vec<Output>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact(|state, now, out| act(&mut state.core, now, out))
    }

    fn transact<T, E: From<Fault>>(
        &self,
        act: impl FnOnce(&mut State, Now, &mut Vec<Output>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut out = Vec::new();
        let now = self.now();
        let mut state = self.lock();
        let state = &mut *state;
        state.keeper.agree(&mut state.core, now)?;
        let before = state.core.last_event();
        let done = act(state, now, &mut out);
        match state.keeper.keep(&mut state.core, now) {
            Ok(()) => {
                self.dispatch(state, out);
                done
            }
            Err(fault) => {
                state.core.take_back_events(before);
                // Which identities it was that were matched in vain is not known any more.
                state.core.match_all();
                let out = unstored(&state.core, out, &fault);
                self.dispatch(state, out);
                Err(fault.into())
            }
        }
    }

    /// The store, to make a disk full in tests.
    #[cfg(test)]
    pub(super) fn store<T>(&self, act: impl FnOnce(&Store) -> T) -> Option<T> {
        self.lock().keeper.store().map(act)
    }

    /// Closes the data folder.
    pub(super) fn close(&self) {
        self.lock().keeper.close();
    }

    /// A name for an error, by which its log line is found, and the time.
    pub(super) fn tracking(&self) -> (String, Now) {
        let now = self.now();
        (self.lock().core.random_name(), now)
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
                    if peer.queue.try_send(Box::new(delivery)).is_err() {
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
        // Both are asked first, because telling costs and nearly every message would tell nobody
        // anything. Whoever begins to watch afterwards reads the core first.
        if self.events.receiver_count() > 0 {
            let last = state.core.last_event();
            self.events.send_if_modified(|seen| std::mem::replace(seen, last) != last);
        }
        if self.feedback.receiver_count() > 0 {
            let batch = state.core.last_feedback();
            self.feedback.send_if_modified(|seen| std::mem::replace(seen, batch) != batch);
        }
        if self.trouble.receiver_count() > 0 {
            let on = state.core.trouble().is_on();
            self.trouble.send_if_modified(|seen| std::mem::replace(seen, on) != on);
        }
        let due = state.core.next_due();
        if state.due != due {
            state.due = due;
            self.due.send_replace(due);
        }
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
                () = rest => {
                    let done = self.change(|core, now, out| {
                        core.tick(now, out);
                        Ok::<_, Fault>(())
                    });
                    if done.is_err() {
                        tokio::select! {
                            () = tokio::time::sleep(PAUSE) => {}
                            () = self.stop.cancelled() => return,
                        }
                    }
                }
            }
        }
    }

    /// Changes what goes wrong.
    pub(super) fn set_trouble(&self, trouble: Trouble) -> Result<(), Fault> {
        let latency = trouble.latency;
        self.change(|core, now, out| core.set_trouble(now, trouble, out))?;
        self.latency.store(latency, Ordering::Relaxed);
        Ok(())
    }

    /// Waits as long as answers are asked to be late, or until the cloud stops.
    pub(super) async fn be_late(&self) {
        let latency = self.latency.load(Ordering::Relaxed);
        if latency > 0 {
            // In a box, because every connection would have room for it and hardly any needs it.
            let wait = Box::pin(tokio::time::timeout(Duration::from_millis(latency), self.stop.cancelled()));
            let _ = wait.await;
        }
    }

    /// Wakes whoever reads events.
    pub(super) fn watch_events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// Wakes whoever reads feedback.
    pub(super) fn watch_feedback(&self) -> watch::Receiver<u64> {
        self.feedback.subscribe()
    }

    /// Whether anything goes wrong on request, now and from now on.
    pub(super) fn watch_trouble(&self) -> watch::Receiver<bool> {
        // Subscribed first: what changes between the two is told twice rather than never.
        let receiver = self.trouble.subscribe();
        self.trouble.send_replace(self.look(|core, _| core.trouble().is_on()));
        receiver
    }

    /// When the cloud was started.
    pub(super) fn began(&self) -> Timestamp {
        self.started
    }

    /// Brings a checked client in.
    pub(super) fn enter(
        &self,
        address: &Address,
        clean: bool,
        model_id: Option<String>,
    ) -> Result<Line, Fault> {
        let (sender, queue) = mpsc::channel(QUEUE);
        let end = self.stop.child_token();
        let mut entered = None;
        let welcome = self.transact(|state, now, out| {
            // Somebody may have been faster than the client, which was checked a moment ago.
            if !state.core.may_connect(address) {
                let message = format!("`{address}` has been deleted or disabled in this moment");
                return Err(Fault::unauthorized(message));
            }
            let welcome = state.core.connect(now, address, clean, model_id, out);
            state.peers.insert(welcome.connection, Peer { queue: sender, end: end.clone() });
            entered = Some(welcome.connection);
            Ok::<_, Fault>(welcome)
        });
        match (welcome, entered) {
            (Ok(Welcome { connection, session_present, .. }), _) => {
                Ok(Line { connection, session_present, queue, end })
            }
            (Err(fault), entered) => {
                if let Some(connection) = entered {
                    self.leave(connection);
                }
                Err(fault)
            }
        }
    }

    /// Takes a client out.
    pub(super) fn leave(&self, connection: ConnectionId) {
        self.lock().peers.remove(&connection);
        // Whether it can be stored or not: it is gone, and nobody waits for an answer.
        let gone = self.change(|core, now, _| Ok::<_, Fault>(core.disconnected(now, connection)));
        if let Some(address) = gone.ok().flatten().filter(Address::is_edge_hub) {
            tracing::info!(device = %address.device, "the Edge hub has left: the routes are this cloud's to follow again");
        }
    }

    /// Invokes a command and waits for its outcome. Giving up the wait gives up the call.
    pub(super) async fn invoke(&self, address: &Address, request: &MethodCall) -> Outcome {
        let (sender, receiver) = oneshot::channel();
        let call = self.transact(|state, now, out| {
            let call = state.core.invoke(now, address, request, out)?;
            state.callers.insert(call, sender);
            Ok::<_, Fault>(call)
        })?;
        let _guard = Waiting { shared: self, call };
        let stopped = || Err(Fault::stopping());
        tokio::select! {
            outcome = receiver => outcome.unwrap_or_else(|_| stopped()),
            () = self.stop.cancelled() => stopped(),
        }
    }
}

impl LocalCloud {
    /// Whether anything goes wrong on request, now and from now on.
    pub fn watch_trouble(&self) -> watch::Receiver<bool> {
        self.shared.watch_trouble()
    }
}

/// What is left to be said when an act could not be stored. What it would have told devices has
/// not happened. Connections that the core has let go of have to end all the same, and callers
/// whose calls it has ended must not wait for ever.
fn unstored(core: &Core, out: Vec<Output>, fault: &Fault) -> Vec<Output> {
    let left = |output| match output {
        Output::Deliver(connection, Delivery::Close(_)) if !core.is_online(connection) => Some(output),
        Output::Deliver(..) => None,
        Output::Answer(call, Err(_)) => Some(Output::Answer(call, Err(fault.clone()))),
        Output::Answer(_, Ok(_)) => Some(output),
    };
    out.into_iter().filter_map(left).collect()
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
        // No record: calls are not kept.
        state.core.cancel_call(self.call);
    }
}
