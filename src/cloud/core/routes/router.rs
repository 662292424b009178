//! The router of one IoT Edge device: its routes, the queues behind them, and the account of each.
//!
//! As in Edge hub (`Evaluator`), a message goes to a sink once, by the route of the highest priority
//! that takes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::deployment::{Declared, Deployment, LOWEST};
use super::message::{Routed, View};
use super::queue::{Entry, Place, Queue};
use super::route::{Origin, Sink};
use crate::device::{Millis, ModuleId};
use crate::wire::local::{EdgeRoute, EdgeStatus};

/// Messages that wait by one route at most, those in a module's hands included.
pub const MESSAGES: usize = 1000;
/// Bytes of them at most.
pub const BYTES: usize = 4 * 1024 * 1024;

/// Whom messages are for: a module, or the hub.
pub(super) type Target = Option<ModuleId>;

/// How a message leaves its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Expired,
    Dropped,
    /// It never came: what was to be stored could not be.
    TakenBack,
}

/// What became of the messages of one route, by its name.
#[derive(Debug, Default)]
struct Account {
    /// `None` for a route that has been taken out while messages of it waited.
    declared: Option<Arc<Declared>>,
    passed: u64,
    expired: u64,
    dropped: u64,
    queued: usize,
    bytes: usize,
}

/// The router of one device.
#[derive(Debug, Default)]
pub(super) struct Router {
    /// The version of the desired properties read last, and why they could not be taken.
    pub(super) version: u64,
    refused: Option<String>,
    accounts: BTreeMap<Arc<str>, Account>,
    pub(super) queues: HashMap<Target, Queue>,
    unrouted: u64,
    /// Until when the hub is not asked again.
    pub(super) paused: Option<Millis>,
}

impl Router {
    /// Puts routes in the place of those before. What waits goes on waiting. A route with another
    /// text is another route, and what is counted of it begins anew.
    pub(super) fn deploy(&mut self, version: u64, deployment: &Deployment) {
        (self.version, self.refused) = (version, None);
        for (name, account) in &mut self.accounts {
            let declared = deployment.routes.get(name);
            let text = |declared: &Arc<Declared>| declared.text.clone();
            if account.declared.as_ref().map(text) != declared.map(text) {
                (account.passed, account.expired, account.dropped) = (0, 0, 0);
            }
            account.declared = None;
        }
        for (name, declared) in &deployment.routes {
            let account = self.accounts.entry(Arc::clone(name)).or_default();
            account.declared = Some(Arc::clone(declared));
        }
        self.accounts.retain(|_, account| account.declared.is_some() || account.queued > 0);
    }

    /// Notes why routes could not be taken. Those before stay in force.
    pub(super) fn refuse(&mut self, version: u64, why: String) {
        (self.version, self.refused) = (version, Some(why));
    }

    /// The routes by which a message goes, one for each sink. Counts it when there are none.
    pub(super) fn choose(&mut self, message: &Routed) -> Vec<(Arc<str>, Arc<Declared>)> {
        let view = View::of(message);
        let takes = |declared: &Declared| {
            let route = &declared.route;
            route.source.takes(&message.origin)
                && route.condition.as_ref().is_none_or(|condition| condition.selects(&view))
        };
        let mut chosen: BTreeMap<&Sink, (&Arc<str>, &Arc<Declared>)> = BTreeMap::new();
        for (name, account) in &self.accounts {
            let Some(declared) = &account.declared else { continue };
            if takes(declared) {
                let place = chosen.entry(&declared.route.sink).or_insert((name, declared));
                if declared.priority < place.1.priority {
                    *place = (name, declared);
                }
            }
        }
        // That a twin has changed is news for whoever asked for it, and no loss to anybody else.
        if chosen.is_empty() && matches!(message.origin, Origin::Message { .. }) {
            self.unrouted += 1;
        }
        chosen.into_values().map(|(name, declared)| (Arc::clone(name), Arc::clone(declared))).collect()
    }

    /// Lets a message wait, where its route has room, and all of them have so many bytes; else counts
    /// it as dropped. Answers whether there was room.
    pub(super) fn enqueue(&mut self, target: &Target, place: Place, entry: Entry, room: usize) -> bool {
        let account = self.accounts.entry(Arc::clone(&entry.route)).or_default();
        let size = entry.size();
        // The encoding of SDKs may be shorter than ours, and a topic has an end.
        let is_too_long = target.is_some() && !entry.message.fits_a_topic();
        if is_too_long || account.queued >= MESSAGES || account.bytes + size > BYTES || size > room {
            account.dropped += 1;
            return false;
        }
        self.insert(target, place, entry);
        true
    }

    /// Lets a message wait that there is room for.
    pub(super) fn insert(&mut self, target: &Target, place: Place, entry: Entry) {
        let account = self.accounts.entry(Arc::clone(&entry.route)).or_default();
        account.queued += 1;
        account.bytes += entry.size();
        self.queues.entry(target.clone()).or_default().insert(place, entry);
    }

    /// Takes a message out of its queue and puts down what became of it.
    pub(super) fn remove(&mut self, target: &Target, place: Place, outcome: Outcome) -> Option<Entry> {
        let queue = self.queues.get_mut(target)?;
        let entry = queue.remove(place)?;
        if queue.is_empty() {
            self.queues.remove(target);
        }
        if let Some(account) = self.accounts.get_mut(&entry.route) {
            account.queued -= 1;
            account.bytes -= entry.size();
            match outcome {
                Outcome::Passed => account.passed += 1,
                Outcome::Expired => account.expired += 1,
                Outcome::Dropped => account.dropped += 1,
                Outcome::TakenBack => {}
            }
            if account.declared.is_none() && account.queued == 0 {
                self.accounts.remove(&entry.route);
            }
        }
        Some(entry)
    }

    /// What there is to see of it.
    pub(super) fn status(&self, status: EdgeStatus) -> EdgeStatus {
        let routes = self.accounts.iter().filter_map(|(name, account)| {
            let declared = account.declared.as_ref()?;
            Some(EdgeRoute {
                name: name.to_string(),
                route: declared.text.clone(),
                priority: (declared.priority != LOWEST).then_some(declared.priority),
                time_to_live_secs: declared.time_to_live.as_secs(),
                passed: account.passed,
                queued: account.queued,
                expired: account.expired,
                dropped: account.dropped,
            })
        });
        EdgeStatus {
            desired_version: Some(self.version),
            refused: self.refused.clone(),
            unrouted: self.unrouted,
            routes: routes.collect(),
            ..status
        }
    }
}
