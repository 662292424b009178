//! What happened, in order, as far back as memory is allowed to go.

use std::collections::VecDeque;

use super::{Fact, Slot, Source};
use crate::device::{Now, PacketView, Severity};

/// How many entries are kept: with a full raw message each, some megabytes at the very most.
const CAPACITY: usize = 2_000;

/// Names an entry for as long as it lives, and orders entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u64);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name and place.
    pub id: EntryId,
    /// When.
    pub now: Now,
    /// To which device; `None` for the program itself.
    pub slot: Option<Slot>,
    /// What.
    pub fact: Fact,
    /// The message on the wire that it came with.
    pub packet: Option<PacketView>,
}

impl Entry {
    /// Whether a person who filters by `words` wants to see this: every word must stand in the
    /// device's name, the source, the name or the text, without regard to case.
    pub fn matches(&self, device: &str, words: &str) -> bool {
        if words.trim().is_empty() {
            return true;
        }
        let hay =
            format!("{device} {} {} {}", self.source().name(), self.fact.name(), self.fact).to_lowercase();
        words.to_lowercase().split_whitespace().all(|word| hay.contains(word))
    }

    /// What part of the program it is about.
    pub fn source(&self) -> Source {
        self.fact.source()
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.fact.severity()
    }
}

/// The entries, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    count: u64,
}

impl Log {
    /// Adds an entry; the oldest goes when there are too many.
    pub fn add(&mut self, now: Now, slot: Option<Slot>, fact: Fact, packet: Option<PacketView>) {
        if self.entries.len() == CAPACITY {
            self.entries.pop_front();
        }
        self.count += 1;
        self.entries.push_back(Entry { id: EntryId(self.count), now, slot, fact, packet });
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// The entries after `id`, oldest first; all of them after `None`.
    pub fn since(&self, id: Option<EntryId>) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| Some(entry.id) <= id);
        self.entries.range(from..)
    }

    /// The entry called `id`, if it is still kept.
    pub fn get(&self, id: EntryId) -> Option<&Entry> {
        let place = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.entries.get(place)
    }

    /// The newest entry's name.
    pub fn newest(&self) -> Option<EntryId> {
        self.entries.back().map(|entry| entry.id)
    }
}
