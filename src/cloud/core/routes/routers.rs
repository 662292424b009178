//! The routers of all IoT Edge devices: which messages wait for whom, until when, and what became of
//! them.
//!
//! Edge hub keeps what waits on a disk and refuses messages when that is full; here the newest is
//! dropped, and counted, when its route has as much as it may have.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::deployment::Deployment;
use super::kept::Kept;
use super::message::Routed;
use super::queue::{Entry, Held, Place, Queue};
use super::route::Sink;
use super::router::{Outcome, Router, Target};
use crate::cloud::core::changes::Changes;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::message::LockToken;
use crate::device::{DeviceId, Millis, ModuleId, Now};
use crate::wire::local::EdgeStatus;

/// Bytes that wait by all routes of all devices at most.
pub const ALL_BYTES: usize = 64 * 1024 * 1024;
/// Messages that a module has unacknowledged at most, over all its inputs. Edge hub's figure.
pub const IN_FLIGHT: usize = 16;
/// How long a module may take to acknowledge a message; then it has all it holds again, in order.
pub const LOCK: Duration = Duration::from_secs(60);
/// When the hub is asked again that did not take a message.
const AGAIN: Duration = Duration::from_secs(1);

/// A message in a module's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// On which input.
    pub input: Arc<str>,
    /// What [`Routers::settle`] is told.
    pub lock: LockToken,
    /// The message.
    pub message: Arc<Routed>,
}

/// The routers of all devices that have routes.
#[derive(Debug, Default)]
pub struct Routers {
    devices: HashMap<DeviceId, Router>,
    /// When time alone changes something: one entry for each message, and one for whoever is to be
    /// asked again.
    due: BTreeSet<(Millis, DeviceId, Target, Place)>,
    bytes: usize,
    last: u64,
}

/// Stands for no message: that the hub, or a module, is to be asked again.
const WAKE: Place = Place { priority: u8::MAX, sequence: u64::MAX };

impl Routers {
    /// Whether messages of the device's modules are routed.
    pub fn has(&self, device: &DeviceId) -> bool {
        self.devices.contains_key(device)
    }

    /// The version of the desired properties that was read last.
    pub fn version(&self, device: &DeviceId) -> Option<u64> {
        self.devices.get(device).map(|router| router.version)
    }

    /// Puts routes in the place of those before. What waits goes on waiting.
    pub fn deploy(&mut self, device: &DeviceId, version: u64, deployment: &Deployment) {
        self.devices.entry(device.clone()).or_default().deploy(version, deployment);
    }

    /// Notes why routes could not be taken. Those before stay in force.
    pub fn refuse(&mut self, device: &DeviceId, version: u64, why: String) {
        self.devices.entry(device.clone()).or_default().refuse(version, why);
    }

    /// Forgets a device's routes and all that waits.
    pub(in crate::cloud::core) fn forget(&mut self, changes: &mut Changes, device: &DeviceId) {
        let Some(router) = self.devices.remove(device) else { return };
        if let Some(until) = router.paused {
            self.due.remove(&(until, device.clone(), None, WAKE));
        }
        for (target, queue) in router.queues {
            for (place, entry) in queue.all() {
                self.bytes -= entry.size();
                self.due.remove(&(entry.due(), device.clone(), target.clone(), place));
                changes.waits_no_more(device, place);
            }
        }
    }

    /// Drops what waits for a module that is being deleted: one that is made anew under its name is
    /// another one.
    pub(in crate::cloud::core) fn forget_module(
        &mut self,
        changes: &mut Changes,
        device: &DeviceId,
        module: &ModuleId,
    ) {
        let target = Some(module.clone());
        let waiting: Vec<_> =
            self.queue(device, &target).into_iter().flat_map(Queue::all).map(|(place, _)| place).collect();
        for place in waiting {
            self.remove(changes, device, &target, place, Outcome::Dropped);
        }
    }

    /// Gives a message to the sinks of all routes that take it. Answers whom it waits for now.
    pub(super) fn route(&mut self, changes: &mut Changes, now: Now, message: Routed) -> Vec<Target> {
        let device = message.from.device.clone();
        let Some(router) = self.devices.get_mut(&device) else { return Vec::new() };
        let chosen = router.choose(&message);
        let message = Arc::new(message);
        let mut targets = Vec::new();
        for (name, declared) in chosen {
            let (target, input) = match &declared.route.sink {
                Sink::Upstream => (None, ""),
                Sink::Input { module, input } => (Some(module.clone()), input.as_str()),
            };
            self.last += 1;
            let place = Place { priority: declared.priority, sequence: self.last };
            let entry = Entry {
                message: Arc::clone(&message),
                input: input.into(),
                route: name,
                expires: now.at + declared.time_to_live,
                expiry: now.wall.checked_add(declared.time_to_live).unwrap_or(Timestamp::MAX),
                held: None,
            };
            if self.enqueue(&device, &target, place, entry) {
                changes.waits(&device, place);
                targets.push(target);
            }
        }
        targets
    }

    /// Lets a message wait, where there is room. Answers whether there was.
    fn enqueue(&mut self, device: &DeviceId, target: &Target, place: Place, entry: Entry) -> bool {
        let Some(router) = self.devices.get_mut(device) else { return false };
        let (size, due) = (entry.size(), entry.due());
        if !router.enqueue(target, place, entry, ALL_BYTES.saturating_sub(self.bytes)) {
            return false;
        }
        self.bytes += size;
        self.due.insert((due, device.clone(), target.clone(), place));
        true
    }

    /// Puts the next message into a module's hands, as far as it may have one more.
    pub fn take(
        &mut self,
        now: Now,
        device: &DeviceId,
        module: &ModuleId,
        by: ConnectionId,
    ) -> Option<Taken> {
        let target = Some(module.clone());
        let queue = self.devices.get_mut(device)?.queues.get_mut(&target)?;
        let place = match queue.next_again() {
            Some(place) => place,
            None if queue.held().count() >= IN_FLIGHT => return None,
            None => {
                let place = queue.first(now.at)?;
                self.hold(device, &target, place, Some(Held { by, until: now.at + LOCK }));
                place
            }
        };
        let entry = self.queue(device, &target)?.get(place)?;
        // A message has the same lock with every delivery: one that is acknowledged late has been
        // delivered all the same.
        let lock = LockToken(u128::from(place.sequence));
        Some(Taken { input: Arc::clone(&entry.input), lock, message: Arc::clone(&entry.message) })
    }

    /// A module has acknowledged a message. Answers whether it held it.
    pub(super) fn settle(
        &mut self,
        changes: &mut Changes,
        device: &DeviceId,
        module: &ModuleId,
        lock: LockToken,
    ) -> bool {
        let target = Some(module.clone());
        let queue = self.queue(device, &target);
        let sequence = u64::try_from(lock.0).ok();
        let place = queue.zip(sequence).and_then(|(queue, sequence)| queue.held_with(sequence));
        let Some(place) = place else { return false };
        self.remove(changes, device, &target, place, Outcome::Passed);
        true
    }

    /// Puts back what a connection held that has ended; what has expired meanwhile goes.
    pub(super) fn release(
        &mut self,
        changes: &mut Changes,
        now: Now,
        device: &DeviceId,
        module: &ModuleId,
        by: ConnectionId,
    ) {
        let target = Some(module.clone());
        let queue = self.queue(device, &target);
        let held: Vec<_> =
            queue.into_iter().flat_map(Queue::held).filter(|(_, held)| held.by == by).collect();
        for (place, _) in held {
            self.hold(device, &target, place, None);
            let entry = self.queue(device, &target).and_then(|queue| queue.get(place));
            if entry.is_some_and(|entry| entry.expires <= now.at) {
                self.remove(changes, device, &target, place, Outcome::Expired);
            }
        }
    }

    /// What waits for the hub, first to last; none while it is not to be asked.
    pub(super) fn next_upstream(&self, now: Now, device: &DeviceId) -> Option<(Place, Arc<Routed>)> {
        let router = self.devices.get(device)?;
        if router.paused.is_some() {
            return None;
        }
        let queue = router.queues.get(&None)?;
        let place = queue.first(now.at)?;
        Some((place, Arc::clone(&queue.get(place)?.message)))
    }

    /// The hub has taken a message.
    pub(super) fn passed_upstream(&mut self, changes: &mut Changes, device: &DeviceId, place: Place) {
        self.remove(changes, device, &None, place, Outcome::Passed);
    }

    /// The hub has not taken a message: it is asked again a little later.
    pub(super) fn pause_upstream(&mut self, now: Now, device: &DeviceId) {
        if let Some(router) = self.devices.get_mut(device) {
            let until = now.at + AGAIN;
            if let Some(before) = router.paused.replace(until) {
                self.due.remove(&(before, device.clone(), None, WAKE));
            }
            self.due.insert((until, device.clone(), None, WAKE));
        }
    }

    /// A message that waits, to be kept.
    pub(super) fn kept(&self, device: &DeviceId, place: Place) -> Option<Kept> {
        let queues = &self.devices.get(device)?.queues;
        let (target, entry) = queues.iter().find_map(|(target, queue)| Some((target, queue.get(place)?)))?;
        Some(Kept {
            target: target.clone(),
            input: Arc::clone(&entry.input),
            route: Arc::clone(&entry.route),
            expiry: entry.expiry,
            message: Arc::clone(&entry.message),
        })
    }

    /// Puts a message back that a store has kept: it waits in nobody's hands, and whom it is for is
    /// asked again soon. Answers whether there are routes to it. It had its room before, so that it
    /// is not asked whether there is any.
    pub(super) fn restore(
        &mut self,
        changes: &mut Changes,
        now: Now,
        device: &DeviceId,
        place: Place,
        kept: Kept,
    ) -> bool {
        self.take_back(changes, device, place);
        let Some(router) = self.devices.get_mut(device) else { return false };
        let Kept { target, input, route, expiry, message } = kept;
        let entry = Entry { message, input, route, expires: now.at_wall(expiry), expiry, held: None };
        self.last = self.last.max(place.sequence);
        self.bytes += entry.size();
        self.due.insert((entry.due(), device.clone(), target.clone(), place));
        self.due.insert((now.at + AGAIN, device.clone(), target.clone(), WAKE));
        router.insert(&target, place, entry);
        true
    }

    /// Takes a message out that is not stored: it has never come.
    pub(super) fn take_back(&mut self, changes: &mut Changes, device: &DeviceId, place: Place) {
        if let Some(Kept { target, .. }) = self.kept(device, place) {
            self.remove(changes, device, &target, place, Outcome::TakenBack);
        }
    }

    /// When [`Routers::tick`] has something to do next.
    pub fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(at, ..)| *at)
    }

    /// Ends messages and locks whose time is over. Answers for whom there may be something again.
    pub(super) fn tick(&mut self, changes: &mut Changes, now: Now) -> BTreeSet<(DeviceId, Target)> {
        let mut again = BTreeSet::new();
        while let Some((at, device, target, place)) = self.due.first() {
            if *at > now.at {
                break;
            }
            let (device, target, place) = (device.clone(), target.clone(), *place);
            if place == WAKE {
                self.due.pop_first();
                if let Some(router) = self.devices.get_mut(&device) {
                    router.paused = router.paused.filter(|until| *until > now.at);
                }
                again.insert((device, target));
                continue;
            }
            let queue = self.queue(&device, &target);
            match queue.and_then(|queue| queue.get(place)).map(|entry| entry.held.is_some()) {
                Some(true) => {
                    self.repeat(changes, now, &device, &target);
                    again.insert((device, target));
                }
                Some(false) => self.remove(changes, &device, &target, place, Outcome::Expired),
                None => {
                    self.due.pop_first();
                }
            }
        }
        again
    }

    /// What there is to see of a device's routes.
    pub fn status(&self, device: &DeviceId) -> EdgeStatus {
        let status = EdgeStatus { device_id: device.to_string(), ..EdgeStatus::default() };
        match self.devices.get(device) {
            Some(router) => router.status(status),
            None => status,
        }
    }

    fn queue(&self, device: &DeviceId, target: &Target) -> Option<&Queue> {
        self.devices.get(device)?.queues.get(target)
    }

    /// Has a module handed once more all that it holds, because what came later must not come
    /// earlier; what has expired in its hands goes.
    fn repeat(&mut self, changes: &mut Changes, now: Now, device: &DeviceId, target: &Target) {
        let held: Vec<_> = self.queue(device, target).into_iter().flat_map(Queue::held).collect();
        for (place, held) in held {
            self.hold(device, target, place, Some(Held { until: now.at + LOCK, ..held }));
            let queue = self.devices.get_mut(device).and_then(|router| router.queues.get_mut(target));
            let Some(queue) = queue else { continue };
            if queue.get(place).is_some_and(|entry| entry.expires <= now.at) {
                self.remove(changes, device, target, place, Outcome::Expired);
            } else {
                queue.repeat(place);
            }
        }
    }

    fn hold(&mut self, device: &DeviceId, target: &Target, place: Place, held: Option<Held>) {
        let queue = self.devices.get_mut(device).and_then(|router| router.queues.get_mut(target));
        let Some(queue) = queue else { return };
        let due = |queue: &Queue| {
            queue.get(place).map(|entry| (entry.due(), device.clone(), target.clone(), place))
        };
        if let Some(before) = due(queue) {
            self.due.remove(&before);
        }
        queue.hold(place, held);
        self.due.extend(due(queue));
    }

    fn remove(
        &mut self,
        changes: &mut Changes,
        device: &DeviceId,
        target: &Target,
        place: Place,
        outcome: Outcome,
    ) {
        let entry = self.devices.get_mut(device).and_then(|router| router.remove(target, place, outcome));
        let Some(entry) = entry else { return };
        self.due.remove(&(entry.due(), device.clone(), target.clone(), place));
        self.bytes -= entry.size();
        changes.waits_no_more(device, place);
    }
}
