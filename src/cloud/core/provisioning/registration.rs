//! Registrations: what a device asks for, and how its asking stands.
//!
//! DPS, "Device registration": a registration is an operation that the device asks after until it
//! has ended.

use crate::cloud::core::reading;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::attestation::Credential;
use super::enrolment::{EnrolmentName, Kind};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::Keys;
use crate::device::{DeviceId, Millis, RegistrationId};
use crate::wire::SharedKey;
use crate::wire::enrolment::CertificateInfo;

/// How a registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The device has to ask again.
    Assigning,
    /// The device is in the hub.
    Assigned {
        /// By which name.
        device: DeviceId,
        /// How it came to be there.
        substatus: Substatus,
    },
    /// It cannot be.
    Failed {
        /// Azure's number for why.
        code: u32,
        /// Why, in words.
        message: String,
    },
    /// The enrolment is switched off.
    Disabled,
}

impl Status {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Assigning => "assigning",
            Self::Assigned { .. } => "assigned",
            Self::Failed { .. } => "failed",
            Self::Disabled => "disabled",
        }
    }

    /// Whether it has come to an end.
    pub fn is_final(&self) -> bool {
        *self != Self::Assigning
    }
}

/// How a device came to be in its hub. DPS REST, `ProvisioningSubstatus`: `deviceDataMigrated` is
/// for a device that comes from another hub, which cannot be where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Substatus {
    /// For the first time.
    InitialAssignment,
    /// Again, with its twin as it was.
    ReprovisionedToInitialAssignment,
    /// Again, with its twin as the enrolment begins it.
    DeviceDataReset,
}

impl Substatus {
    const ALL: [Self; 3] =
        [Self::InitialAssignment, Self::ReprovisionedToInitialAssignment, Self::DeviceDataReset];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::InitialAssignment => "initialAssignment",
            Self::ReprovisionedToInitialAssignment => "reprovisionedToInitialAssignment",
            Self::DeviceDataReset => "deviceDataReset",
        }
    }
}

/// One device's registration.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The name it was first registered by.
    pub id: RegistrationId,
    /// By which enrolment.
    pub enrolment: EnrolmentName,
    /// The enrolment's name as it is written.
    pub enrolment_id: String,
    /// What the device has proved that it holds.
    pub credential: Credential,
    /// The service's name for the latest attempt.
    pub operation: String,
    /// How often the device will be told to wait before the attempt is done.
    pub waits: u32,
    /// Until when it will be told to wait.
    pub until: Millis,
    /// How it stands.
    pub status: Status,
    /// Whether it has been assigned before.
    pub again: bool,
    /// What the device sent along.
    pub payload: Option<Value>,
    /// The model announced in the payload, now or before.
    pub model_id: Option<String>,
    /// When it was first registered.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Counts changes.
    pub revision: u64,
}

impl Registration {
    /// The name it is kept under: lower-case.
    pub fn key(&self) -> String {
        self.id.as_str().to_ascii_lowercase()
    }

    /// Eight bytes of the revision in base64.
    pub fn etag(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(self.revision.to_be_bytes())
    }

    /// Everything about it, keys too, for a store: [`Registration::from_record`] reads it back. An
    /// attempt that was under way is over its waiting when it is read back.
    pub fn record(&self) -> Value {
        let credential = match &self.credential {
            Credential::Keys(keys) => {
                json!({"primaryKey": keys.primary.reveal(), "secondaryKey": keys.secondary.reveal()})
            }
            Credential::Certificate(info) => json!({"certificate": info}),
        };
        let mut record = json!({
            "registrationId": self.id.as_str(), "enrollmentId": self.enrolment_id,
            "group": self.enrolment.kind == Kind::Group, "credential": credential,
            "operationId": self.operation, "status": self.status.name(), "again": self.again,
            "payload": self.payload, "modelId": self.model_id,
            "created": self.created.to_string(), "updated": self.updated.to_string(),
            "revision": self.revision,
        });
        match &self.status {
            Status::Assigned { device, substatus } => {
                record["deviceId"] = json!(device.as_str());
                record["substatus"] = json!(substatus.name());
            }
            Status::Failed { code, message } => {
                record["errorCode"] = json!(code);
                record["errorMessage"] = json!(message);
            }
            Status::Assigning | Status::Disabled => {}
        }
        record
    }

    /// Reads what [`Registration::record`] wrote.
    pub fn from_record(record: &Value) -> Result<Self, Fault> {
        let damaged =
            |member: &str| Fault::bad_request(format!("the stored registration has no readable `{member}`"));
        let text = |member: &str| record[member].as_str().ok_or_else(|| damaged(member));
        let time = |member: &str| text(member)?.parse::<Timestamp>().map_err(|_| damaged(member));
        let enrolment_id = text("enrollmentId")?.to_owned();
        let is_group = record["group"].as_bool().ok_or_else(|| damaged("group"))?;
        let credential = &record["credential"];
        let credential = if credential["certificate"].is_object() {
            let info: CertificateInfo = serde_json::from_value(credential["certificate"].clone())
                .map_err(|_| damaged("credential"))?;
            Credential::Certificate(info)
        } else {
            let key = |member: &str| {
                let text = credential[member].as_str().unwrap_or_default();
                SharedKey::from_base64(text).map_err(|_| damaged("credential"))
            };
            Credential::Keys(Keys { primary: key("primaryKey")?, secondary: key("secondaryKey")? })
        };
        let status = match text("status")? {
            "assigning" => Status::Assigning,
            "disabled" => Status::Disabled,
            "failed" => Status::Failed {
                code: record["errorCode"].as_u64().and_then(|code| code.try_into().ok()).unwrap_or_default(),
                message: text("errorMessage")?.to_owned(),
            },
            "assigned" => {
                let name = text("substatus")?;
                let substatus = Substatus::ALL.into_iter().find(|known| known.name() == name);
                Status::Assigned {
                    device: text("deviceId")?.parse().map_err(|_| damaged("deviceId"))?,
                    substatus: substatus.ok_or_else(|| damaged("substatus"))?,
                }
            }
            _ => return Err(damaged("status")),
        };
        Ok(Self {
            id: text("registrationId")?.parse().map_err(|_| damaged("registrationId"))?,
            enrolment: if is_group {
                EnrolmentName::group(&enrolment_id)
            } else {
                EnrolmentName::individual(&enrolment_id)
            },
            enrolment_id,
            credential,
            operation: text("operationId")?.to_owned(),
            waits: 0,
            until: Millis(0),
            status,
            again: record["again"].as_bool().unwrap_or_default(),
            payload: record.get("payload").filter(|value| !value.is_null()).cloned(),
            model_id: record["modelId"].as_str().map(str::to_owned),
            created: time("created")?,
            updated: time("updated")?,
            revision: record["revision"].as_u64().ok_or_else(|| damaged("revision"))?,
        })
    }
}

/// What a device asks to be registered with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegistrationRequest {
    /// The name in the body, which must be the one in the path.
    pub registration_id: Option<String>,
    /// What the device sends along, whatever it is.
    pub payload: Option<Value>,
}

impl RegistrationRequest {
    /// Reads a body. Azure refuses members it does not know, `modelId` outside of `payload` for
    /// one: found the hard way, it is the most frequent mistake.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let value: Value = reading::from_slice(body)
            .map_err(|error| Fault::undeserializable(format!("the registration cannot be read: {error}")))?;
        let Value::Object(members) = value else {
            return Err(Fault::undeserializable("the registration is not a JSON object"));
        };
        let mut request = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("registrationId", Value::String(id)) => request.registration_id = Some(id),
                ("payload", value) => request.payload = Some(value).filter(|value| !value.is_null()),
                ("tpm", value) if !value.is_null() => {
                    return Err(Fault::unsupported(
                        "this local cloud does not support attestation by TPM: use symmetricKey or x509",
                    ));
                }
                ("registrationId" | "tpm", Value::Null) => {}
                ("registrationId", _) => {
                    return Err(Fault::undeserializable("`registrationId` is not a text"));
                }
                ("modelId", _) => {
                    return Err(Fault::undeserializable(
                        "the registration has the member `modelId`: it belongs inside of `payload`",
                    ));
                }
                _ => {
                    return Err(Fault::undeserializable(format!(
                        "the registration has the member `{name}`, which is not one of registrationId, \
                         payload, tpm"
                    )));
                }
            }
        }
        Ok(request)
    }

    /// The model that the payload announces, where IoT Central looks for it.
    pub fn model_id(&self) -> Option<&str> {
        self.payload.as_ref()?.get("modelId")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: Value) -> Result<RegistrationRequest, Fault> {
        RegistrationRequest::parse(body.to_string().as_bytes())
    }

    #[test]
    fn the_bodies_of_official_sdks_are_read() {
        let body = json!({"payload": null, "registrationId": "sensor-01"});
        let request = parse(body).expect("a request");
        assert_eq!((request.registration_id.as_deref(), request.payload), (Some("sensor-01"), None));
        let body = json!({"registrationId": "s", "payload": {"modelId": "dtmi:com:contoso:EnvSensor;1"}});
        let request = parse(body).expect("a request");
        assert_eq!(request.model_id(), Some("dtmi:com:contoso:EnvSensor;1"));
        assert_eq!(RegistrationRequest::parse(b" "), Ok(RegistrationRequest::default()));
    }

    #[test]
    fn an_unknown_member_is_refused_with_azures_number() {
        for body in
            [json!({"modelId": "dtmi:x;1"}), json!({"data": {}}), json!([]), json!({"registrationId": 1})]
        {
            assert_eq!(parse(body.clone()).map_err(|fault| fault.code), Err(400_012), "{body}");
        }
        assert_eq!(RegistrationRequest::parse(b"{").map_err(|fault| fault.code), Err(400_012));
        assert_eq!(parse(json!({"tpm": {}})).map_err(|fault| fault.status), Err(501));
    }
}
