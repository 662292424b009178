//! What a back end may ask of the provisioning service, and what a store keeps of it.
//!
//! DPS REST, "Individual Enrollment", "Enrollment Group", "Device Registration State".

use super::enrolment::Making;
use super::mechanism::Attestation;
use super::registration::Registration;
use super::{DEFAULT_GROUP, Enrolment, EnrolmentName, Kind};
use crate::cloud::core::Core;
use crate::cloud::core::changes::Record;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::{Keys, Precondition};
use crate::device::Now;
use crate::wire::SharedKey;
use crate::wire::enrolment::EnrolmentBody;

/// What a write of an enrolment expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expecting {
    /// Nothing: it is to be made. Azure answers 409 when there is one, as users report of its SDKs
    /// (azure-iot-sdk-csharp, issue 3076), whatever the operation is called.
    Nothing,
    /// One that it replaces.
    Something(Precondition),
}

impl Core {
    /// An enrolment.
    pub fn enrolment(&self, name: &EnrolmentName) -> Result<&Enrolment, Fault> {
        self.provisioning.need(name)
    }

    /// The first `most` enrolments of a kind after `after`, a lower-case name or nothing.
    pub fn enrolments(&self, kind: Kind, after: &str, most: usize) -> Vec<&Enrolment> {
        self.provisioning.of_kind(kind, after).take(most).collect()
    }

    /// Makes or replaces an enrolment.
    pub fn write_enrolment(
        &mut self,
        now: Now,
        kind: Kind,
        id: &str,
        body: EnrolmentBody,
        expecting: &Expecting,
    ) -> Result<&Enrolment, Fault> {
        let name = EnrolmentName { kind, key: id.to_ascii_lowercase() };
        let (etag, keys) = (self.random_name(), Some(self.random_keys()));
        let before = match expecting {
            Expecting::Nothing => match self.provisioning.get(&name) {
                Some(_) => return Err(Fault::enrolment_exists(&name)),
                None => None,
            },
            Expecting::Something(condition) => {
                let before = self.provisioning.need(&name)?;
                condition.check(&before.etag)?;
                Some(before)
            }
        };
        let making = Making { kind, id, before, keys, etag, wall: now.wall };
        let enrolment = Enrolment::read(body, making)?;
        self.check_references(&enrolment)?;
        self.provisioning.put(enrolment)?;
        self.changes.note(record(&name));
        self.provisioning.need(&name)
    }

    fn check_references(&self, enrolment: &Enrolment) -> Result<(), Fault> {
        let Attestation::References { primary, secondary } = &enrolment.attestation else { return Ok(()) };
        let mut names = [primary, secondary].into_iter().flatten();
        match names.find(|name| self.authorities.get(name).is_none()) {
            Some(unknown) => Err(Fault::bad_request(format!(
                "the enrolment refers to the authority `{unknown}`, which is not registered here: \
                 PUT its certificate to /envsim/certificates/{unknown} first"
            ))),
            None => Ok(()),
        }
    }

    /// Deletes an enrolment and its registrations. Devices stay in the hub, as in Azure.
    pub fn delete_enrolment(&mut self, name: &EnrolmentName, condition: &Precondition) -> Result<(), Fault> {
        condition.check(&self.provisioning.need(name)?.etag)?;
        self.drop_enrolment(name);
        Ok(())
    }

    fn drop_enrolment(&mut self, name: &EnrolmentName) {
        let ended = self.provisioning.remove(name);
        self.changes.note(record(name));
        for key in ended {
            self.changes.note(Record::Registration(key));
        }
    }

    /// The first `most` registrations by an enrolment, after `after`, a lower-case name or nothing.
    pub fn registrations_of<'a>(
        &'a self,
        name: &'a EnrolmentName,
        after: &str,
        most: usize,
    ) -> Result<Vec<&'a Registration>, Fault> {
        self.provisioning.need(name)?;
        Ok(self.provisioning.registrations_of(name, after).take(most).collect())
    }

    /// Deletes the record of a registration. The device stays in the hub, as in Azure.
    pub fn delete_registration(&mut self, id: &str, condition: &Precondition) -> Result<(), Fault> {
        let registration = self.provisioning.registration(id)?;
        condition.check(&registration.etag())?;
        let key = registration.key();
        self.provisioning.remove_registration(&key);
        self.changes.note(Record::Registration(key));
        Ok(())
    }

    /// The first key of the group that exists from the start, while it is there and has keys.
    pub fn group_key(&self) -> SharedKey {
        self.group_keys().primary
    }

    /// The keys of the group that exists from the start; what it began with when it has none now.
    pub(in crate::cloud::core) fn group_keys(&self) -> Keys {
        let group = self.provisioning.get(&EnrolmentName::group(DEFAULT_GROUP));
        if let Some(Attestation::Keys(keys)) = group.map(|group| &group.attestation) {
            return keys.clone();
        }
        let key = &self.settings.group_key;
        Keys { primary: key.clone(), secondary: key.clone() }
    }

    /// Forgets the group that exists from the start. For whoever restores what was stored, before
    /// anything else: that group may have been deleted.
    pub fn forget_default_group(&mut self) {
        self.provisioning.remove(&EnrolmentName::group(DEFAULT_GROUP));
    }

    /// The record of the group that exists from the start, for whoever begins to store.
    pub fn default_group_record() -> Record {
        record(&EnrolmentName::group(DEFAULT_GROUP))
    }

    /// Puts an enrolment back that was stored as its [`Enrolment::record`].
    pub fn restore_enrolment(&mut self, enrolment: Enrolment) -> Result<(), Fault> {
        self.provisioning.put(enrolment)
    }

    /// Takes an enrolment out that is not stored.
    pub fn forget_enrolment(&mut self, name: &EnrolmentName) {
        self.provisioning.remove(name);
    }

    /// Takes a registration out that is not stored.
    pub fn forget_registration(&mut self, id: &str) {
        self.provisioning.remove_registration(id);
    }

    /// Puts a registration back that was stored as its [`Registration::record`].
    pub fn restore_registration(&mut self, registration: Registration) -> Result<(), Fault> {
        self.provisioning.put_registration(registration)
    }
}

/// The name under which a change of an enrolment is noted.
fn record(name: &EnrolmentName) -> Record {
    match name.kind {
        Kind::Individual => Record::Enrolment(name.key.clone()),
        Kind::Group => Record::EnrolmentGroup(name.key.clone()),
    }
}
