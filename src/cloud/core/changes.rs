//! Which records have changed since they were last stored, and which identities configurations
//! have to be matched with again.
//!
//! The core does not know how or whether it is kept. It notes the names of what has changed, and
//! whoever keeps it asks for them, reads the records, and stores them before anybody is told that
//! the change was made.

use std::collections::BTreeSet;

use super::registry::Address;
use super::routes::Place;
use crate::device::DeviceId;

/// The name of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Record {
    /// An identity with its twin, or that it is gone.
    Identity(Address),
    /// An identity's twin alone, which changes far more often than the identity.
    Twin(Address),
    /// What a client has subscribed to, for when it comes back.
    Session(Address),
    /// An individual enrolment by its lower-case name, or that it is gone.
    Enrolment(String),
    /// An enrolment group by its lower-case name, or that it is gone.
    EnrolmentGroup(String),
    /// A registration by its lower-case name, or that it is gone.
    Registration(String),
    /// A certificate authority, or that it is gone.
    Authority(String),
    /// A scheduled job, or that it is gone.
    Job(String),
    /// A configuration, or that it is gone.
    Configuration(String),
    /// The cloud-to-device messages of a device, or that they are gone with it.
    Mailbox(DeviceId),
    /// A message that waits for a module of an IoT Edge device, or for the hub, or that it is gone.
    Routed(DeviceId, Place),
}

/// What has changed.
#[derive(Debug, Default)]
pub struct Changes {
    wanted: bool,
    records: BTreeSet<Record>,
    /// Whether there are configurations that identities are matched with.
    matched: bool,
    touched: BTreeSet<Address>,
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
        self.touch(address);
    }

    /// Notes that conditions may answer something else for an identity than before.
    pub fn touch(&mut self, address: &Address) {
        if self.matched {
            self.touched.insert(address.clone());
        }
    }

    /// Begins or ceases to note identities for configurations.
    pub(super) fn match_configurations(&mut self, matched: bool) {
        self.matched = matched;
        if !matched {
            self.touched.clear();
        }
    }

    /// The next identity that configurations have to be matched with.
    pub(super) fn next_touched(&mut self) -> Option<Address> {
        self.touched.pop_first()
    }

    /// Forgets that an identity was touched: who touched it has seen to it.
    pub(super) fn untouch(&mut self, address: &Address) {
        self.touched.remove(address);
    }

    /// Whether any identity has to be matched.
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Notes that an identity's twin has changed, and nothing else of it.
    pub fn twin(&mut self, address: &Address) {
        if self.wanted {
            self.records.insert(Record::Twin(address.clone()));
        }
        self.touch(address);
    }

    /// Notes that a client's subscriptions have changed or are gone.
    pub fn session(&mut self, address: &Address) {
        if self.wanted {
            self.records.insert(Record::Session(address.clone()));
        }
    }

    /// Notes that a routed message has begun to wait.
    pub(super) fn waits(&mut self, device: &DeviceId, place: Place) {
        if self.wanted {
            self.records.insert(Record::Routed(device.clone(), place));
        }
    }

    /// Notes that a routed message waits no longer. It never changes while it waits, so that one that
    /// stands here has come in this very act: no store has it, and none is troubled with what passes
    /// at once.
    pub(super) fn waits_no_more(&mut self, device: &DeviceId, place: Place) {
        if self.wanted {
            let record = Record::Routed(device.clone(), place);
            if !self.records.remove(&record) {
                self.records.insert(record);
            }
        }
    }

    /// Notes that a store has what nobody wants, whether changes are noted already or not.
    pub(super) fn left_over(&mut self, record: Record) {
        self.records.insert(record);
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
