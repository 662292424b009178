//! What a kind of record is to the store: a table of JSON documents, each under its name.

use std::fmt;

use super::{
    authority, configuration, enrolment, identity, job, mailbox, registration, routed, session, twin,
};
use crate::cloud::core::Core;
use crate::cloud::core::changes::Record;
use crate::cloud::core::registry::Address;
use crate::device::Now;

/// The name of a document in its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// A device, or whatever else the table is about.
    pub(super) name: String,
    /// The module on the device, or whatever else tells apart what is the device's, or nothing.
    pub(super) part: String,
}

impl Key {
    fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), part: String::new() }
    }

    fn address(address: &Address) -> Self {
        let part = address.module.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { name: address.device.to_string(), part }
    }

    /// The device or module of this name.
    pub(super) fn to_address(&self) -> Result<Address, String> {
        let device = self.name.parse().map_err(|error| format!("its device's name: {error}"))?;
        let module = Some(&self.part).filter(|part| !part.is_empty()).map(|part| part.parse());
        let module = module.transpose().map_err(|error| format!("its module's name: {error}"))?;
        Ok(Address { device, module })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.part.is_empty() { Ok(()) } else { write!(f, "/{}", self.part) }
    }
}

/// A kind of record.
pub(super) struct Table {
    /// Its table in the file.
    pub(super) name: &'static str,
    /// The document of this name as it stands in the core; `None` when there is none.
    pub(super) read: fn(&Core, &Key) -> Option<String>,
    /// Gives a document back to the core, or takes it out of there. Fails when it is not one.
    pub(super) restore: fn(&mut Core, Now, &Key, Option<&str>) -> Result<(), String>,
}

/// All kinds, in the order in which they are read: what others refer to comes first.
pub(super) const TABLES: &[Table] = &[
    identity::TABLE,
    twin::TABLE,
    session::TABLE,
    authority::TABLE,
    mailbox::TABLE,
    routed::TABLE,
    enrolment::INDIVIDUAL,
    enrolment::GROUP,
    registration::TABLE,
    job::TABLE,
    configuration::TABLE,
];

/// Where a record stands. A new or deleted identity means its twin too.
pub(super) fn tables_of(record: &Record) -> (&'static [Table], Key) {
    match record {
        Record::Identity(address) => (const { &[identity::TABLE, twin::TABLE] }, Key::address(address)),
        Record::Twin(address) => (const { &[twin::TABLE] }, Key::address(address)),
        Record::Authority(name) => (const { &[authority::TABLE] }, Key::plain(name)),
        Record::Job(id) => (const { &[job::TABLE] }, Key::plain(id)),
        Record::Configuration(id) => (const { &[configuration::TABLE] }, Key::plain(id)),
        Record::Mailbox(device) => (const { &[mailbox::TABLE] }, Key::plain(device.as_str())),
        Record::Routed(device, place) => {
            let key = Key { name: device.to_string(), part: place.to_string() };
            (const { &[routed::TABLE] }, key)
        }
        Record::Enrolment(name) => (const { &[enrolment::INDIVIDUAL] }, Key::plain(name)),
        Record::EnrolmentGroup(name) => (const { &[enrolment::GROUP] }, Key::plain(name)),
        Record::Registration(name) => (const { &[registration::TABLE] }, Key::plain(name)),
        Record::Session(address) => (const { &[session::TABLE] }, Key::address(address)),
    }
}
