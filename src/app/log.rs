//! What happened, in order, as far back as memory is allowed to go.

use std::collections::VecDeque;

use super::{Fact, Slot, Source};
use crate::device::{Now, PacketView, Severity};

/// How many entries are kept at least, once there are so many, of what is routine and of what is not:
/// with a full raw message each, some megabytes at the very most. They are counted apart because many
/// devices send so much that a minute of it would push out everything else.
const CAPACITY: usize = 2_000;

/// How many more of either there may be before the oldest go, all in one pass.
const SURPLUS: usize = 256;

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
    /// How many of the entries are routine.
    routine: usize,
}

impl Log {
    /// Adds an entry; the oldest of its kind go when there are too many.
    pub fn add(&mut self, now: Now, slot: Option<Slot>, fact: Fact, packet: Option<PacketView>) {
        let routine = fact.is_routine();
        self.count += 1;
        self.entries.push_back(Entry { id: EntryId(self.count), now, slot, fact, packet });
        self.routine += usize::from(routine);
        let alike = if routine { self.routine } else { self.entries.len() - self.routine };
        if alike > CAPACITY + SURPLUS {
            self.drop_oldest(routine, alike - CAPACITY);
        }
    }

    fn drop_oldest(&mut self, routine: bool, count: usize) {
        let mut left = count;
        self.entries.retain(|entry| {
            let goes = left > 0 && entry.fact.is_routine() == routine;
            left -= usize::from(goes);
            !goes
        });
        if routine {
            self.routine -= count;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Millis;
    use std::time::Duration;

    fn add(log: &mut Log, facts: impl IntoIterator<Item = Fact>) {
        let now = Now { at: Millis(0), wall: jiff::Timestamp::UNIX_EPOCH };
        facts.into_iter().for_each(|fact| log.add(now, Some(0), fact, None));
    }

    fn started(seed: u64) -> Fact {
        let text = || String::new();
        Fact::Started { device: text(), profiles: text(), place: text(), seed }
    }

    fn message(message: u64) -> [Fact; 2] {
        let took = Duration::from_millis(3);
        [Fact::Sent { message, body: "{}".to_owned() }, Fact::Acknowledged { message, took }]
    }

    fn count(log: &Log, name: &str) -> usize {
        log.entries().filter(|entry| entry.fact.name() == name).count()
    }

    #[test]
    fn what_lasts_is_not_pushed_out_by_routine_nor_the_other_way_round() {
        let mut log = Log::default();
        add(&mut log, (0..60).map(started));
        add(&mut log, (0..50_000).flat_map(message));
        assert_eq!(count(&log, "started"), 60);
        assert!(count(&log, "sent") >= 900);
        add(&mut log, (0..50_000).map(started));
        assert!(count(&log, "sent") >= 900);
        assert!(log.entries().len() <= 5_000, "memory is bounded: {}", log.entries().len());
    }

    #[test]
    fn the_newest_are_kept_in_order_and_found_by_their_names() {
        let mut log = Log::default();
        let mut told = None;
        for round in 0..3_000 {
            add(&mut log, [started(round)]);
            add(&mut log, message(round));
            // Whoever reads on after every change misses nothing.
            assert_eq!(log.since(told).count(), 3, "{round}");
            told = log.newest();
        }
        let ids: Vec<_> = log.entries().map(|entry| entry.id).collect();
        assert!(ids.is_sorted() && ids.last().copied() == log.newest());
        assert!(ids.iter().all(|id| log.get(*id).is_some_and(|entry| entry.id == *id)));
        let newest =
            |name: &str| log.entries().rfind(|entry| entry.fact.name() == name).map(|it| it.fact.clone());
        assert_eq!(newest("started"), Some(started(2_999)));
        assert_eq!(newest("sent"), Some(message(2_999)[0].clone()));
    }
}
