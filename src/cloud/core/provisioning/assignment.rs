//! What a device may ask of the provisioning service: to be registered, and how that stands.
//!
//! DPS, "How to reprovision devices", for what happens when a device registers again.

use super::registration::{Registration, RegistrationRequest, Status, Substatus};
use super::{Attested, Credential, Enrolment, Presenting};
use crate::cloud::core::auth::Refusal;
use crate::cloud::core::changes::Record;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::identities::{Proof, Spec};
use crate::cloud::core::registry::{Address, Authentication, Thumbprints};
use crate::cloud::core::twins::{Twin, TwinUpdate};
use crate::cloud::core::{Closing, Core, Output};
use crate::device::{DeviceId, IdScope, Millis, Now, RegistrationId};

/// There is no hub for the enrolment. Names and numbers as in the C SDK's `prov_device_client`.
const NO_HUB: u32 = 400_208;
/// The hub has refused the device.
const HUB_REFUSED: u32 = 400_209;

impl Core {
    /// Checks a device's credentials for the provisioning service.
    pub fn authorize_registration(&self, now: Now, presenting: Presenting<'_>) -> Result<Attested, Refusal> {
        let all = || std::iter::once(&self.settings.id_scope).chain(self.provisioning.other_scopes());
        let Some(scope) = all().find(|scope| scope.as_str() == presenting.scope) else {
            let own = all().map(ToString::to_string).collect();
            return Err(Refusal::WrongIdScope { presented: presenting.scope.to_owned(), own });
        };
        self.provisioning.attest(presenting, scope, &self.authorities, now.wall)
    }

    /// The ID scopes besides [`Settings::id_scope`](crate::cloud::core::Settings).
    pub fn other_scopes(&self) -> &[IdScope] {
        self.provisioning.other_scopes()
    }

    /// Serves `count` more ID scopes, named after the first one, so that whoever knows it knows
    /// them, also after the next start.
    pub fn set_more_scopes(&mut self, count: u32) {
        let own = &self.settings.id_scope;
        let scopes = (2..=count.saturating_add(1)).filter_map(|number| format!("{own}{number}").parse().ok());
        self.provisioning.set_other_scopes(scopes.collect());
    }

    /// Begins a registration of a device that has been checked.
    pub fn register(&mut self, now: Now, device: &Attested, body: &[u8]) -> Result<&Registration, Fault> {
        let request = RegistrationRequest::parse(body)?;
        let id = &device.id;
        if let Some(named) =
            request.registration_id.as_ref().filter(|named| !named.eq_ignore_ascii_case(id.as_str()))
        {
            return Err(Fault::bad_request(format!(
                "the body registers `{named}`, the request is for `{id}`"
            )));
        }
        // It may have been deleted since the device was checked.
        let enrolment_id = self.provisioning.need(&device.enrolment)?.id.clone();
        let name = self.random_name();
        // An outcome by another enrolment is of no concern to this one.
        let before = self.provisioning.registration(id.as_str()).ok();
        let before = before.filter(|before| before.enrolment == device.enrolment);
        let model_id = request.model_id().map(str::to_owned);
        let registration = Registration {
            id: before.map_or_else(|| id.clone(), |before| before.id.clone()),
            enrolment: device.enrolment.clone(),
            enrolment_id,
            credential: device.credential.clone(),
            operation: format!("4.{}.{}", &name[..16], &name[16..]),
            waits: self.settings.waits,
            until: Millis(now.at.0.saturating_add(self.settings.assigning_for)),
            status: Status::Assigning,
            again: before
                .is_some_and(|before| before.again || matches!(before.status, Status::Assigned { .. })),
            model_id: model_id.or_else(|| before.and_then(|before| before.model_id.clone())),
            payload: request.payload,
            created: before.map_or(now.wall, |before| before.created),
            updated: now.wall,
            revision: before.map_or(0, |before| before.revision) + 1,
        };
        let key = registration.key();
        self.provisioning.put_registration(registration)?;
        self.changes.note(Record::Registration(key));
        self.provisioning.registration(id.as_str())
    }

    /// Goes on with a registration: tells to wait, or brings it to its end.
    pub fn operation(
        &mut self,
        now: Now,
        id: &RegistrationId,
        operation: &str,
        out: &mut Vec<Output>,
    ) -> Result<Registration, Fault> {
        let found = self.provisioning.registration(id.as_str()).ok();
        let Some(mut registration) = found.filter(|own| own.operation == operation).cloned() else {
            return Err(Fault::unknown_operation(format!(
                "`{id}` has no operation `{operation}`: register again"
            )));
        };
        if registration.status.is_final() {
            return Ok(registration);
        }
        if registration.waits > 0 || now.at < registration.until {
            registration.waits = registration.waits.saturating_sub(1);
        } else {
            registration.status = self.decide(now, &registration, out)?;
            registration.updated = now.wall;
            registration.revision += 1;
            self.changes.note(Record::Registration(registration.key()));
        }
        self.provisioning.put_registration(registration.clone())?;
        Ok(registration)
    }

    /// A registration as it stands.
    pub fn registration(&self, id: &str) -> Result<&Registration, Fault> {
        self.provisioning.registration(id)
    }

    /// What becomes of a registration.
    fn decide(
        &mut self,
        now: Now,
        registration: &Registration,
        out: &mut Vec<Output>,
    ) -> Result<Status, Fault> {
        let enrolment = self.provisioning.need(&registration.enrolment)?.clone();
        if !enrolment.enabled {
            return Ok(Status::Disabled);
        }
        let named: Vec<_> = enrolment.named_hubs().collect();
        if !named.is_empty() && !named.iter().any(|hub| self.settings.names.includes(hub)) {
            let message = format!(
                "the enrolment is for the hub {}, and this service is linked to `{}` only",
                named.iter().map(|hub| format!("`{hub}`")).collect::<Vec<_>>().join(" or "),
                self.settings.names.own
            );
            return Ok(Status::Failed { code: NO_HUB, message });
        }
        let device = match &enrolment.device {
            Some(device) => device.clone(),
            // Every registration id is a device id: the characters it takes are a subset.
            None => {
                registration.id.as_str().parse().map_err(|error| Fault::bad_request(format!("{error}")))?
            }
        };
        Ok(match self.assign(now, registration, &enrolment, &device, out) {
            Ok(substatus) => Status::Assigned { device, substatus },
            Err(fault) => Status::Failed {
                code: HUB_REFUSED,
                message: format!("the hub refuses the device `{device}`: {fault}"),
            },
        })
    }

    /// Sees to it that the hub knows a registered device as its enrolment has it.
    fn assign(
        &mut self,
        now: Now,
        from: &Registration,
        enrolment: &Enrolment,
        device: &DeviceId,
        out: &mut Vec<Output>,
    ) -> Result<Substatus, Fault> {
        let address = Address::device(device.clone());
        let wanted = match &from.credential {
            Credential::Keys(keys) => Authentication::Sas(keys.clone()),
            Credential::Certificate(info) => Authentication::SelfSigned(Thumbprints {
                primary: Some(info.sha256_thumbprint.clone()),
                secondary: None,
            }),
        };
        // Before anything is made: a twin that the hub refuses makes no device.
        let twin = initial_twin(now, enrolment)?;
        let Some(identity) = self.registry.get_mut(&address) else {
            let spec =
                Spec { proof: Proof::Given(wanted), edge: enrolment.edge, ..Spec::plain(address.clone()) };
            self.create(now, spec)?;
            if let Some(identity) = self.registry.get_mut(&address) {
                identity.twin = twin;
                identity.model_id.clone_from(&from.model_id);
            }
            return Ok(Substatus::InitialAssignment);
        };
        self.changes.identity(&address);
        if from.model_id.is_some() {
            identity.model_id.clone_from(&from.model_id);
        }
        let policy = enrolment.reprovisioning();
        let substatus = if !from.again {
            Substatus::InitialAssignment
        } else if policy.update_hub_assignment && !policy.migrate_device_data {
            // "Reprovision and reset to initial configuration", which Azure documents for a factory
            // reset without a change of hubs too.
            identity.twin = twin;
            Substatus::DeviceDataReset
        } else {
            Substatus::ReprovisionedToInitialAssignment
        };
        if !takes(&identity.authentication, &wanted) {
            // The device was made by hand, or the enrolment has been changed. A registration writes
            // the enrolment's keys into the hub, and whoever holds the old ones is out.
            identity.authentication = wanted;
            let etag = self.random_name();
            if let Some(identity) = self.registry.get_mut(&address) {
                identity.etag = etag;
            }
            self.close(&address, Closing::CredentialsChanged, out);
        }
        Ok(substatus)
    }
}

/// Whether what a device has proved to hold is good for its identity as it is.
fn takes(has: &Authentication, wanted: &Authentication) -> bool {
    match (has, wanted) {
        (Authentication::Sas(has), Authentication::Sas(wanted)) => {
            has.primary == wanted.primary || has.secondary == wanted.primary
        }
        (has, wanted) => has == wanted,
    }
}

fn initial_twin(now: Now, enrolment: &Enrolment) -> Result<Twin, Fault> {
    let mut twin = Twin::new(now.wall);
    let update = TwinUpdate { tags: enrolment.tags.clone(), desired: enrolment.desired.clone() };
    if update != TwinUpdate::default() {
        twin.update(&update, now.wall)?;
    }
    Ok(twin)
}
