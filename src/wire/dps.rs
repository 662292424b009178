//! Bodies and paths of the Device Provisioning Service.
//!
//! DPS REST, "Runtime registration", api-version 2021-06-01.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::percent;

/// The api-version that our device uses.
pub const API_VERSION: &str = "2021-06-01";

/// The name of the policy in a device's token.
pub const POLICY: &str = "registration";

/// The path and query of a registration request.
pub fn register_path(scope: &str, registration: &str) -> String {
    format!("/{scope}/registrations/{}/register?api-version={API_VERSION}", percent::encode(registration))
}

/// The path and query of a question after a registration.
pub fn operation_path(scope: &str, registration: &str, operation: &str) -> String {
    format!(
        "/{scope}/registrations/{}/operations/{}?api-version={API_VERSION}",
        percent::encode(registration),
        percent::encode(operation)
    )
}

/// The body of a registration request, announcing a model inside `payload`, where IoT Central
/// looks for it.
pub fn register_body(registration: &str, model_id: Option<&str>) -> Value {
    match model_id {
        Some(model_id) => json!({"registrationId": registration, "payload": {"modelId": model_id}}),
        None => json!({"registrationId": registration}),
    }
}

/// What the service answers to both requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationStatus {
    /// The service's name for the registration.
    #[serde(default)]
    pub operation_id: String,
    /// `unassigned`, `assigning`, `assigned`, `failed` or `disabled`.
    pub status: String,
    /// The outcome, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_state: Option<RegistrationState>,
}

/// The outcome of a registration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistrationState {
    /// Who registered.
    pub registration_id: String,
    /// RFC 3339.
    pub created_date_time_utc: String,
    /// RFC 3339.
    pub last_updated_date_time_utc: String,
    /// The hub's host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_hub: Option<String>,
    /// The device's name in that hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// As in [`OperationStatus`].
    pub status: String,
    /// How it came to be assigned: `initialAssignment` and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substatus: Option<String>,
    /// Why it failed, as a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// Why it failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What a custom allocation returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// Changes with each registration.
    pub etag: String,
}

/// What the service answers when it refuses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorBody {
    /// For example 401002.
    pub error_code: u32,
    /// For the service's support.
    pub tracking_id: String,
    /// In words.
    pub message: String,
    /// RFC 3339.
    pub timestamp_utc: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_to_the_letter() {
        assert_eq!(
            register_path("0ne00ABCDEF", "sensor:lab"),
            "/0ne00ABCDEF/registrations/sensor%3Alab/register?api-version=2021-06-01"
        );
        assert_eq!(
            operation_path("0ne00ABCDEF", "s", "4.5cda-1"),
            "/0ne00ABCDEF/registrations/s/operations/4.5cda-1?api-version=2021-06-01"
        );
    }

    #[test]
    fn the_model_is_announced_inside_the_payload() {
        assert_eq!(
            register_body("sensor-01", Some("dtmi:com:contoso:EnvSensor;1")),
            json!({"registrationId": "sensor-01", "payload": {"modelId": "dtmi:com:contoso:EnvSensor;1"}})
        );
    }

    #[test]
    fn documented_answers_are_read() {
        let assigning: OperationStatus =
            serde_json::from_str(r#"{"operationId": "4.5cda.6c6a", "status": "assigning"}"#)
                .expect("an answer");
        assert_eq!(
            (assigning.operation_id.as_str(), assigning.status.as_str()),
            ("4.5cda.6c6a", "assigning")
        );
        let assigned: OperationStatus = serde_json::from_str(
            r#"{"operationId": "4.5", "status": "assigned", "registrationState": {
                "registrationId": "sensor-01", "createdDateTimeUtc": "2030-01-01T00:00:00.1234567Z",
                "assignedHub": "contoso-hub.azure-devices.net", "deviceId": "sensor-01", "status": "assigned",
                "substatus": "initialAssignment", "symmetricKey": {"enrollmentGroupId": "floor1"}}}"#,
        )
        .expect("an answer");
        let state = assigned.registration_state.expect("a state");
        assert_eq!(state.assigned_hub.as_deref(), Some("contoso-hub.azure-devices.net"));
        let error: ErrorBody = serde_json::from_str(
            r#"{"errorCode": 401002, "trackingId": "8ad0", "message": "Unauthorized", "info": {}, "timestampUtc": "2030"}"#,
        )
        .expect("an error");
        assert_eq!((error.error_code, error.message.as_str()), (401_002, "Unauthorized"));
    }
}
