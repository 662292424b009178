//! Enrolments: who may register, how devices prove it, and what becomes of them.
//!
//! DPS, "Terminology: enrollment": one device by its registration id, or a group by a shared key or
//! authority. An enrolment is read from, and written as, the body of the service's REST side.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::mechanism::Attestation;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::Keys;
use crate::device::{DeviceId, RegistrationId};
use crate::wire::enrolment::{
    CapabilitiesBody, EnrolmentBody, InitialPropertiesBody, InitialTwinBody, ReprovisionBody,
};

/// The two kinds of enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One device.
    Individual,
    /// All devices with a key or certificate from the same source.
    Group,
}

/// The name of an enrolment. Names are compared without regard to case: this one is lower-case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnrolmentName {
    /// Of which kind.
    pub kind: Kind,
    /// The lower-case name.
    pub key: String,
}

impl EnrolmentName {
    /// The name of an enrolment of a kind.
    pub fn of(kind: Kind, id: &str) -> Self {
        Self { kind, key: id.to_ascii_lowercase() }
    }

    /// The name of an individual enrolment.
    pub fn individual(id: &str) -> Self {
        Self { kind: Kind::Individual, key: id.to_ascii_lowercase() }
    }

    /// The name of a group.
    pub fn group(id: &str) -> Self {
        Self { kind: Kind::Group, key: id.to_ascii_lowercase() }
    }
}

impl fmt::Display for EnrolmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Individual => write!(f, "the individual enrolment `{}`", self.key),
            Kind::Group => write!(f, "the enrolment group `{}`", self.key),
        }
    }
}

/// How a hub is chosen. With one hub they all choose the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Evenly.
    Hashed,
    /// The nearest.
    GeoLatency,
    /// As the enrolment says.
    Static,
}

impl Allocation {
    fn read(text: &str) -> Result<Self, Fault> {
        match text {
            "hashed" => Ok(Self::Hashed),
            "geoLatency" => Ok(Self::GeoLatency),
            "static" => Ok(Self::Static),
            "custom" => Err(Fault::unsupported(
                "this local cloud does not support the allocation policy `custom`, which calls a function \
                 in Azure: use `hashed` or `static`",
            )),
            other => Err(Fault::bad_request(format!(
                "the allocation policy `{other}` is not one of hashed, geoLatency, static, custom"
            ))),
        }
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hashed => "hashed",
            Self::GeoLatency => "geoLatency",
            Self::Static => "static",
        }
    }
}

/// An enrolment.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrolment {
    /// Its name as it was written.
    pub id: String,
    /// Of which kind it is.
    pub kind: Kind,
    /// The device's name in the hub, when it is another than the registration's.
    pub device: Option<DeviceId>,
    /// How devices prove who they are.
    pub attestation: Attestation,
    /// Whether devices may register.
    pub enabled: bool,
    /// Whether they are IoT Edge devices.
    pub edge: bool,
    /// The hub, in the older way of naming one.
    pub hub: Option<String>,
    /// The hubs to choose from.
    pub hubs: Option<Vec<String>>,
    /// How to choose.
    pub allocation: Option<Allocation>,
    /// Tags of a new device.
    pub tags: Option<Map<String, Value>>,
    /// Desired properties of a new device.
    pub desired: Option<Map<String, Value>>,
    /// What happens when a device registers again; `None` is as the default says.
    pub reprovision: Option<ReprovisionBody>,
    /// What the operator notes about the device.
    pub information: Option<Value>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Changes with every change.
    pub etag: String,
}

/// Whether what is secret, or only ever written, is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Keys and whole certificates too: to who has just written them, and to a store.
    Everything,
    /// Neither: as DPS answers whoever reads. Its keys are had from `attestationmechanism`.
    Public,
}

/// What a written enrolment is made with besides its body.
#[derive(Debug)]
pub struct Making<'a> {
    /// Of which kind it is.
    pub kind: Kind,
    /// The name in the path, or in a bulk request's body.
    pub id: &'a str,
    /// What is there already under that name.
    pub before: Option<&'a Enrolment>,
    /// Keys for where the body has none. Without them it has to have both.
    pub keys: Option<Keys>,
    /// The new etag.
    pub etag: String,
    /// When it is.
    pub wall: Timestamp,
}

impl Enrolment {
    /// A group with keys and nothing else.
    pub fn plain_group(id: &str, keys: Keys, etag: String, wall: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            kind: Kind::Group,
            device: None,
            attestation: Attestation::Keys(keys),
            enabled: true,
            edge: false,
            hub: None,
            hubs: None,
            allocation: None,
            tags: None,
            desired: None,
            reprovision: None,
            information: None,
            created: wall,
            updated: wall,
            etag,
        }
    }

    /// Its name.
    pub fn name(&self) -> EnrolmentName {
        EnrolmentName { kind: self.kind, key: self.id.to_ascii_lowercase() }
    }

    /// Reads what a service has written. Keys that are left out stay as they are, or are made.
    pub fn read(body: EnrolmentBody, making: Making<'_>) -> Result<Self, Fault> {
        let Making { kind, id, before, keys, etag, wall } = making;
        let named = match kind {
            Kind::Individual => body.registration_id.as_deref(),
            Kind::Group => body.enrollment_group_id.as_deref(),
        };
        if let Some(named) = named.filter(|named| !named.eq_ignore_ascii_case(id)) {
            return Err(Fault::bad_request(format!(
                "the body is about the enrolment `{named}`, the request about `{id}`"
            )));
        }
        // The characters and length of a registration id are those of a group's as well.
        let checked: RegistrationId = id.parse().map_err(|error| Fault::bad_request(format!("{error}")))?;
        let device = match (kind, body.device_id.filter(|id| !id.is_empty())) {
            (Kind::Individual, Some(device)) => {
                Some(device.parse().map_err(|error| Fault::bad_request(format!("{error}")))?)
            }
            (Kind::Group, Some(_)) => {
                return Err(Fault::bad_request(
                    "an enrolment group has no `deviceId`: it is for many devices",
                ));
            }
            (_, None) => None,
        };
        if body.custom_allocation_definition.is_some_and(|definition| !definition.is_null()) {
            Allocation::read("custom")?;
        }
        let enabled = match body.provisioning_status.as_deref() {
            None | Some("enabled") => true,
            Some("disabled") => false,
            Some(other) => {
                return Err(Fault::bad_request(format!(
                    "the provisioning status `{other}` is neither enabled nor disabled"
                )));
            }
        };
        let attestation = body
            .attestation
            .ok_or_else(|| Fault::bad_request("the enrolment has no `attestation`"))
            .and_then(|body| Attestation::read(body, kind, before.map(|before| &before.attestation), keys))?;
        let twin = body.initial_twin.unwrap_or_default();
        Ok(Self {
            id: before.map_or_else(|| checked.to_string(), |before| before.id.clone()),
            kind,
            device,
            attestation,
            enabled,
            edge: body.capabilities.is_some_and(|capabilities| capabilities.iot_edge),
            hub: body.iot_hub_host_name.filter(|hub| !hub.is_empty()),
            hubs: body.iot_hubs.filter(|hubs| !hubs.is_empty()),
            allocation: body.allocation_policy.as_deref().map(Allocation::read).transpose()?,
            tags: twin.tags,
            desired: twin.properties.and_then(|properties| properties.desired),
            reprovision: body.reprovision_policy,
            information: body.optional_device_information.filter(|value| !value.is_null()),
            created: before.map_or(wall, |before| before.created),
            updated: wall,
            etag,
        })
    }

    /// As a body.
    pub fn body(&self, show: Show) -> EnrolmentBody {
        let twin = (self.tags.is_some() || self.desired.is_some()).then(|| InitialTwinBody {
            tags: self.tags.clone(),
            properties: self.desired.clone().map(|desired| InitialPropertiesBody { desired: Some(desired) }),
        });
        let id = |wanted: Kind| (self.kind == wanted).then(|| self.id.clone());
        EnrolmentBody {
            registration_id: id(Kind::Individual),
            enrollment_group_id: id(Kind::Group),
            device_id: self.device.as_ref().map(ToString::to_string),
            attestation: Some(self.attestation.body(self.kind, show)),
            capabilities: Some(CapabilitiesBody { iot_edge: self.edge }),
            iot_hub_host_name: self.hub.clone(),
            iot_hubs: self.hubs.clone(),
            allocation_policy: self.allocation.map(|allocation| allocation.name().to_owned()),
            custom_allocation_definition: None,
            initial_twin: twin,
            provisioning_status: Some(if self.enabled { "enabled" } else { "disabled" }.to_owned()),
            reprovision_policy: Some(self.reprovision.unwrap_or_default()),
            optional_device_information: self.information.clone(),
            registration_state: None,
            etag: Some(self.etag.clone()),
            created_date_time_utc: Some(self.created.to_string()),
            last_updated_date_time_utc: Some(self.updated.to_string()),
        }
    }

    /// Everything about it, keys too, for a store: [`Enrolment::from_record`] reads it back.
    pub fn record(&self) -> Value {
        serde_json::to_value(self.body(Show::Everything)).unwrap_or_default()
    }

    /// Reads what [`Enrolment::record`] wrote.
    pub fn from_record(record: Value) -> Result<Self, Fault> {
        let damaged = |why: &str| Fault::bad_request(format!("the stored enrolment {why}"));
        let body: EnrolmentBody =
            serde_json::from_value(record).map_err(|error| damaged(&format!("cannot be read: {error}")))?;
        let (kind, id) = match (&body.registration_id, &body.enrollment_group_id) {
            (Some(id), None) => (Kind::Individual, id.clone()),
            (None, Some(id)) => (Kind::Group, id.clone()),
            _ => return Err(damaged("has no name, or two")),
        };
        let time = |text: &Option<String>| {
            text.as_deref().and_then(|text| text.parse().ok()).ok_or_else(|| damaged("has no time"))
        };
        let (created, wall) = (time(&body.created_date_time_utc)?, time(&body.last_updated_date_time_utc)?);
        let etag = body.etag.clone().ok_or_else(|| damaged("has no etag"))?;
        let making = Making { kind, id: &id, before: None, keys: None, etag, wall };
        Ok(Self { created, ..Self::read(body, making)? })
    }

    /// What happens when a device registers again.
    pub fn reprovisioning(&self) -> ReprovisionBody {
        self.reprovision.unwrap_or_default()
    }

    /// The hubs it names, when it names any.
    pub fn named_hubs(&self) -> impl Iterator<Item = &str> {
        self.hub.iter().chain(self.hubs.iter().flatten()).map(String::as_str)
    }
}
