//! Bodies that the provisioning service answers with, the same over MQTT and HTTPS.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cloud::core::Settings;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::provisioning::{Credential, Enrolment, Kind, Registration, Status};
use crate::wire::dps::{OperationStatus, RegistrationState};

/// The body of a refusal by the provisioning service, and by the hub to a device.
pub fn error_body(fault: &Fault, tracking: &str, wall: Timestamp) -> Value {
    json!({
        "errorCode": fault.code,
        "trackingId": tracking,
        "message": fault.message,
        "info": {},
        "timestampUtc": wall.to_string(),
    })
}

/// The body that tells how a registration stands.
pub fn operation_body(registration: &Registration, settings: &Settings) -> Value {
    let status = OperationStatus {
        operation_id: registration.operation.clone(),
        status: registration.status.name().to_owned(),
        registration_state: None,
    };
    let mut body = json!({"operationId": status.operation_id, "status": status.status});
    // Python joins the members of this object as text, so it must not come with nulls in it: it
    // is left out until there is an outcome.
    if registration.status.is_final() {
        body["registrationState"] = registration_body(registration, settings);
    }
    body
}

/// The outcome of a registration.
pub fn registration_body(registration: &Registration, settings: &Settings) -> Value {
    let mut state = RegistrationState {
        registration_id: registration.id.to_string(),
        created_date_time_utc: registration.created.to_string(),
        last_updated_date_time_utc: registration.updated.to_string(),
        status: registration.status.name().to_owned(),
        etag: registration.etag(),
        ..RegistrationState::default()
    };
    match &registration.status {
        Status::Assigned { device, substatus } => {
            state.assigned_hub = Some(settings.assigned_hub.clone());
            state.device_id = Some(device.to_string());
            state.substatus = Some(substatus.name().to_owned());
            // In Azure it is what a custom allocation returns. There is none here, and a device
            // that reads it finds what it has sent.
            state.payload.clone_from(&registration.payload);
        }
        Status::Failed { code, message } => {
            state.error_code = Some(*code);
            state.error_message = Some(message.clone());
        }
        Status::Assigning | Status::Disabled => {}
    }
    let mut body = serde_json::to_value(state).unwrap_or_default();
    let group = (registration.enrolment.kind == Kind::Group).then_some(&registration.enrolment_id);
    match (&registration.credential, group) {
        (Credential::Keys(_), Some(group)) => body["symmetricKey"] = json!({"enrollmentGroupId": group}),
        (Credential::Keys(_), None) => {}
        (Credential::Certificate(info), group) => {
            body["x509"] = json!({"certificateInfo": info});
            if let Some(group) = group {
                body["x509"]["enrollmentGroupId"] = json!(group);
            }
        }
    }
    body
}

/// How the registration of a device stands that has not registered yet.
pub fn unassigned_body(enrolment: &Enrolment) -> Value {
    json!({
        "registrationId": enrolment.id,
        "createdDateTimeUtc": enrolment.created.to_string(),
        "lastUpdatedDateTimeUtc": enrolment.updated.to_string(),
        "status": "unassigned",
    })
}
