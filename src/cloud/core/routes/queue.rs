//! What waits for one module, or for the hub: by priority, then as it came.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use super::message::Routed;
use crate::cloud::core::clients::ConnectionId;
use crate::device::Millis;

/// About what a message takes in memory besides its properties and its body, which are shared.
pub(super) const OVERHEAD: usize = 512;

/// Where a message stands in a queue: what is smaller goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The route's.
    pub priority: u8,
    /// Counts all that ever waited, on whatever device.
    pub sequence: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.priority, self.sequence)
    }
}

/// Not a place in a queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place in a queue: priority, a dot, and number")]
pub struct NoPlace(String);

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let read = || {
            let (priority, sequence) = text.split_once('.')?;
            Some(Self { priority: priority.parse().ok()?, sequence: sequence.parse().ok()? })
        };
        read().ok_or_else(|| NoPlace(text.to_owned()))
    }
}

/// In whose hands a message is, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) by: ConnectionId,
    pub(super) until: Millis,
}

/// A message that waits.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) message: Arc<Routed>,
    /// The input; nothing for the hub.
    pub(super) input: Arc<str>,
    /// By which route it came.
    pub(super) route: Arc<str>,
    pub(super) expires: Millis,
    /// The same by the wall clock, which goes on while the cloud does not.
    pub(super) expiry: Timestamp,
    pub(super) held: Option<Held>,
}

impl Entry {
    /// When time alone changes something. A message does not expire in somebody's hands.
    pub(super) fn due(&self) -> Millis {
        self.held.map_or(self.expires, |held| held.until)
    }

    /// What it takes of its route's room, with something for what is around it.
    pub(super) fn size(&self) -> usize {
        self.message.size() + OVERHEAD
    }
}

/// The messages for one module, or for the hub.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<Place, Entry>,
    held: BTreeSet<Place>,
    /// Of those that are held: to be handed over once more.
    again: BTreeSet<Place>,
}

impl Queue {
    pub(super) fn insert(&mut self, place: Place, entry: Entry) {
        self.entries.insert(place, entry);
    }

    pub(super) fn get(&self, place: Place) -> Option<&Entry> {
        self.entries.get(&place)
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Entry> {
        self.held.remove(&place);
        self.again.remove(&place);
        self.entries.remove(&place)
    }

    /// The first that nobody holds and that is worth delivering. Few are held at a time.
    pub(super) fn first(&self, now: Millis) -> Option<Place> {
        let free = |(_, entry): &(&Place, &Entry)| entry.held.is_none() && entry.expires > now;
        self.entries.iter().find(free).map(|(place, _)| *place)
    }

    /// Puts a message into somebody's hands, or back.
    pub(super) fn hold(&mut self, place: Place, held: Option<Held>) {
        if let Some(entry) = self.entries.get_mut(&place) {
            entry.held = held;
            if held.is_some() {
                self.held.insert(place);
            } else {
                self.held.remove(&place);
                self.again.remove(&place);
            }
        }
    }

    /// Has a message that is held handed over once more.
    pub(super) fn repeat(&mut self, place: Place) {
        if self.held.contains(&place) {
            self.again.insert(place);
        }
    }

    /// The first that is to be handed over once more, which it then is.
    pub(super) fn next_again(&mut self) -> Option<Place> {
        self.again.pop_first()
    }

    /// What is in somebody's hands, first to last.
    pub(super) fn held(&self) -> impl Iterator<Item = (Place, Held)> {
        self.held.iter().filter_map(|place| Some((*place, self.entries.get(place)?.held?)))
    }

    /// The message of this number in somebody's hands.
    pub(super) fn held_with(&self, sequence: u64) -> Option<Place> {
        self.held.iter().copied().find(|place| place.sequence == sequence)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Place, &Entry)> {
        self.entries.iter().map(|(place, entry)| (*place, entry))
    }
}
