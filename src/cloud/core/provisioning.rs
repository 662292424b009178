//! Registrations with the provisioning service: one enrolment group with a symmetric key.
//!
//! DPS, "Device registration": a registration is an operation that the device asks after until it
//! has ended.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::fault::Fault;
use super::registry::CAPACITY;
use crate::device::{DeviceId, RegistrationId};
use crate::wire::SharedKey;

/// One device's registration.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The name it was first registered by.
    pub id: RegistrationId,
    /// Its name in the hub.
    pub device: DeviceId,
    /// The service's name for the latest attempt.
    pub operation: String,
    /// How often the device will be told to wait before the attempt is done.
    pub waits: u32,
    /// Whether a hub has been assigned.
    pub assigned: bool,
    /// The device's key, derived from the group's.
    pub key: SharedKey,
    /// The model announced in the payload.
    pub model_id: Option<String>,
    /// When it was first registered.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Counts changes.
    pub revision: u64,
}

/// What a device asks to be registered with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegistrationRequest {
    /// The name in the body, which must be the one in the path.
    pub registration_id: Option<String>,
    /// The model in the payload.
    pub model_id: Option<String>,
}

impl RegistrationRequest {
    /// Reads a body. Azure refuses members it does not know, `modelId` outside of `payload` for
    /// one: found the hard way, it is the most frequent mistake.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Fault::undeserializable(format!("the registration is not JSON: {error}")))?;
        let Value::Object(members) = value else {
            return Err(Fault::undeserializable("the registration is not a JSON object"));
        };
        let mut request = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("registrationId", Value::String(id)) => request.registration_id = Some(id),
                ("payload", value) => {
                    request.model_id = value.get("modelId").and_then(Value::as_str).map(str::to_owned);
                }
                ("tpm", value) if !value.is_null() => {
                    return Err(Fault::unsupported("this local cloud does not support attestation by TPM"));
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
}

/// One attempt to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The service's name for it.
    pub operation: String,
    /// How often the device will be told to wait.
    pub waits: u32,
}

/// All registrations.
#[derive(Debug, Default)]
pub struct Provisioning {
    by_id: HashMap<String, Registration>,
}

impl Provisioning {
    fn name(id: &RegistrationId) -> String {
        id.as_str().to_ascii_lowercase()
    }

    /// Begins a registration, for the first time or again.
    pub fn begin(
        &mut self,
        id: &RegistrationId,
        key: SharedKey,
        request: RegistrationRequest,
        attempt: Attempt,
        now: Timestamp,
    ) -> Result<&Registration, Fault> {
        if let Some(named) =
            request.registration_id.as_ref().filter(|named| !named.eq_ignore_ascii_case(id.as_str()))
        {
            return Err(Fault::bad_request(format!(
                "the body registers `{named}`, the request is for `{id}`"
            )));
        }
        // Every registration id is a device id: the characters it takes are a subset.
        let device = id.as_str().parse().map_err(|error| Fault::bad_request(format!("{error}")))?;
        let Attempt { operation, waits } = attempt;
        let name = Self::name(id);
        if self.by_id.len() >= CAPACITY && !self.by_id.contains_key(&name) {
            return Err(Fault::throttled(format!("this service holds at most {CAPACITY} registrations")));
        }
        let registration = self.by_id.entry(name).or_insert_with(|| Registration {
            id: id.clone(),
            device,
            operation: String::new(),
            waits,
            assigned: false,
            key: key.clone(),
            model_id: None,
            created: now,
            updated: now,
            revision: 0,
        });
        registration.operation = operation;
        registration.waits = waits;
        registration.assigned = false;
        registration.key = key;
        registration.model_id = request.model_id.or(registration.model_id.take());
        registration.updated = now;
        registration.revision += 1;
        Ok(registration)
    }

    /// A registration.
    pub fn get(&self, id: &RegistrationId) -> Result<&Registration, Fault> {
        self.by_id
            .get(&Self::name(id))
            .ok_or_else(|| Fault::unknown_registration(format!("`{id}` has not been registered here")))
    }

    /// A registration's operation, to go on with it.
    pub fn operation(&mut self, id: &RegistrationId, operation: &str) -> Result<&mut Registration, Fault> {
        self.by_id.get_mut(&Self::name(id)).filter(|own| own.operation == operation).ok_or_else(|| {
            Fault::unknown_registration(format!("`{id}` has no operation `{operation}`: register again"))
        })
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
        assert_eq!((request.registration_id.as_deref(), request.model_id), (Some("sensor-01"), None));
        let body = json!({"registrationId": "s", "payload": {"modelId": "dtmi:com:contoso:EnvSensor;1"}});
        let request = parse(body).expect("a request");
        assert_eq!(request.model_id.as_deref(), Some("dtmi:com:contoso:EnvSensor;1"));
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
