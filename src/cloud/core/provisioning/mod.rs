//! The provisioning service: enrolments, and the registrations of devices by them.
//!
//! Never here: bodies and paths (`wire`), sockets, or what a hub does with a device once it is in.
//!
//! In reading order: [`certificate`], [`mechanism`], [`enrolment`], [`attestation`] (who may register),
//! [`registration`], then this file (all of them by name), [`assignment`] (what a device asks) and
//! [`service`] (what a back end asks).

pub mod assignment;
pub mod attestation;
pub mod certificate;
pub mod enrolment;
pub mod mechanism;
pub mod registration;
pub mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;

pub use self::attestation::{Attested, Credential, Presenting};
pub use self::enrolment::{Enrolment, EnrolmentName, Kind};
pub use self::registration::{Registration, Status, Substatus};
use super::fault::Fault;
use super::registry::CAPACITY;
use crate::device::IdScope;

/// The group that exists from the start.
pub const DEFAULT_GROUP: &str = "envsim";
/// The most groups. DPS, "Quotas and limits": 100 with keys and 100 with certificates.
pub const GROUPS: usize = 200;

/// All enrolments and registrations.
#[derive(Debug, Default)]
pub struct Provisioning {
    enrolments: BTreeMap<EnrolmentName, Enrolment>,
    /// By lower-case registration id.
    registrations: BTreeMap<String, Registration>,
    /// Besides the service's own one.
    other_scopes: Vec<IdScope>,
}

impl Provisioning {
    /// The ID scopes besides the service's own one.
    pub fn other_scopes(&self) -> &[IdScope] {
        &self.other_scopes
    }

    /// Serves these ID scopes too, as if each were another application with the same enrolments.
    pub fn set_other_scopes(&mut self, scopes: Vec<IdScope>) {
        self.other_scopes = scopes;
    }

    /// An enrolment.
    pub fn get(&self, name: &EnrolmentName) -> Option<&Enrolment> {
        self.enrolments.get(name)
    }

    /// An enrolment, or the fault that says that there is none.
    pub fn need(&self, name: &EnrolmentName) -> Result<&Enrolment, Fault> {
        self.get(name).ok_or_else(|| match name.kind {
            Kind::Individual => Fault::unknown_enrolment(&name.key),
            Kind::Group => Fault::unknown_group(&name.key),
        })
    }

    /// All groups by name.
    pub fn groups(&self) -> impl Iterator<Item = &Enrolment> {
        self.of_kind(Kind::Group, "")
    }

    /// The enrolments of a kind by name, from the first after `after` on.
    pub fn of_kind<'a>(&'a self, kind: Kind, after: &str) -> impl Iterator<Item = &'a Enrolment> + use<'a> {
        let after = EnrolmentName { kind, key: after.to_owned() };
        let range = self.enrolments.range((Bound::Excluded(after), Bound::Unbounded));
        range.take_while(move |(name, _)| name.kind == kind).map(|(_, enrolment)| enrolment)
    }

    /// Puts an enrolment in the place of whatever is there under its name.
    pub fn put(&mut self, enrolment: Enrolment) -> Result<(), Fault> {
        let name = enrolment.name();
        if !self.enrolments.contains_key(&name) {
            let (most, are) = match name.kind {
                Kind::Individual => (CAPACITY, self.enrolments.len()),
                Kind::Group => (GROUPS, self.groups().count()),
            };
            if are >= most {
                return Err(Fault::throttled(format!(
                    "this service holds at most {most} enrolments of this kind"
                )));
            }
        }
        self.enrolments.insert(name, enrolment);
        Ok(())
    }

    /// Removes an enrolment and its registrations, whose names it answers.
    pub fn remove(&mut self, name: &EnrolmentName) -> Vec<String> {
        self.enrolments.remove(name);
        let by_it = |registration: &Registration| registration.enrolment == *name;
        let ended: Vec<_> = match name.kind {
            // Its one registration bears its name.
            Kind::Individual => {
                let one = self.registrations.get(&name.key).filter(|one| by_it(one));
                one.map(Registration::key).into_iter().collect()
            }
            Kind::Group => self.registrations_of(name, "").map(Registration::key).collect(),
        };
        for key in &ended {
            self.registrations.remove(key);
        }
        ended
    }

    /// A registration.
    pub fn registration(&self, id: &str) -> Result<&Registration, Fault> {
        self.registrations
            .get(&id.to_ascii_lowercase())
            .ok_or_else(|| Fault::unknown_registration(format!("`{id}` has not been registered here")))
    }

    /// The registrations by an enrolment, from the first after `after` on.
    pub fn registrations_of<'a>(
        &'a self,
        name: &'a EnrolmentName,
        after: &str,
    ) -> impl Iterator<Item = &'a Registration> + use<'a> {
        let range = self.registrations.range((Bound::Excluded(after.to_owned()), Bound::Unbounded));
        range.map(|(_, registration)| registration).filter(move |one| one.enrolment == *name)
    }

    /// Puts a registration in the place of whatever is there under its name.
    pub fn put_registration(&mut self, registration: Registration) -> Result<(), Fault> {
        let key = registration.key();
        if self.registrations.len() >= CAPACITY && !self.registrations.contains_key(&key) {
            return Err(Fault::throttled(format!("this service holds at most {CAPACITY} registrations")));
        }
        self.registrations.insert(key, registration);
        Ok(())
    }

    /// Removes a registration by its lower-case name.
    pub fn remove_registration(&mut self, key: &str) {
        self.registrations.remove(key);
    }
}
