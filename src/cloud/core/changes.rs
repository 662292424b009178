//! Which records have changed since they were last stored.
//!
//! The core does not know how or whether it is kept. It notes the names of what has changed, and
//! whoever keeps it asks for them, reads the records, and stores them before anybody is told that
//! the change was made.

use std::collections::BTreeSet;

use super::registry::Address;

/// The name of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Record {
    /// An identity with its twin, or that it is gone.
    Identity(Address),
    /// What a client has subscribed to, for when it comes back.
    Session(Address),
    /// A certificate authority, or that it is gone.
    Authority(String),
}

/// What has changed.
#[derive(Debug, Default)]
pub struct Changes {
    wanted: bool,
    records: BTreeSet<Record>,
}

impl Changes {
    /// Begins to note changes. Until then nobody asks for them, and they would only pile up.
    pub fn begin(&mut self) {
        self.wanted = true;
    }

    /// Notes that a record has changed, was made, or is gone.
    pub fn note(&mut self, record: Record) {
        if self.wanted {
            self.records.insert(record);
        }
    }

    /// Notes that an identity has changed, was made, or is gone.
    pub fn identity(&mut self, address: &Address) {
        if self.wanted {
            self.records.insert(Record::Identity(address.clone()));
        }
    }

    /// Notes that a client's subscriptions have changed or are gone.
    pub fn session(&mut self, address: &Address) {
        if self.wanted {
            self.records.insert(Record::Session(address.clone()));
        }
    }

    /// Hands out what has changed and forgets it.
    pub fn take(&mut self) -> BTreeSet<Record> {
        std::mem::take(&mut self.records)
    }

    /// Whether anything has changed.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_noted_once_and_only_when_somebody_asks() {
        let address = Address::device("d".parse().expect("an id"));
        let mut changes = Changes::default();
        changes.identity(&address);
        assert!(changes.is_empty());
        changes.begin();
        changes.identity(&address);
        changes.identity(&address);
        changes.session(&address);
        assert_eq!(
            Vec::from_iter(changes.take()),
            [Record::Identity(address.clone()), Record::Session(address)]
        );
        assert!(changes.is_empty());
    }
}
