//! The identity registry. IoT Hub REST, "Devices".

use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::reply::{json as respond, with_etag};
use super::{Call, device_id};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::{Identity, Keys, Precondition};
use crate::cloud::core::service::DeviceSpec;
use crate::wire::SharedKey;

/// The registry's word for "never".
pub(super) const NEVER: &str = "0001-01-01T00:00:00Z";

pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

pub(super) fn connection(identity: &Identity) -> &'static str {
    if identity.connected { "Connected" } else { "Disconnected" }
}

pub(super) fn status(identity: &Identity) -> &'static str {
    if identity.enabled { "enabled" } else { "disabled" }
}

fn told(identity: &Identity) -> Value {
    json!({
        "deviceId": identity.address.device.as_str(),
        "generationId": identity.generation,
        "etag": identity.etag,
        "connectionState": connection(identity),
        "status": status(identity),
        "statusReason": identity.status_reason,
        "connectionStateUpdatedTime": time(identity.connection_updated),
        "statusUpdatedTime": time(identity.status_updated),
        "lastActivityTime": time(identity.last_activity),
        "cloudToDeviceMessageCount": 0,
        "authentication": {
            "symmetricKey": {
                // Whoever has the right to read the registry has the right to the keys.
                "primaryKey": identity.keys.primary.reveal(),
                "secondaryKey": identity.keys.secondary.reveal(),
            },
            "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null},
            "type": "sas",
        },
        "capabilities": {"iotEdge": false},
    })
}

fn respond_with(identity: &Identity) -> Response<Body> {
    with_etag(respond(200, &told(identity)), &identity.etag)
}

pub(super) fn show(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    call.need_version()?;
    let device = device_id(id)?;
    call.shared.with(|core, _, _| core.device(&device).map(respond_with))
}

pub(super) fn list(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    call.need_version()?;
    let most = match call.query("top") {
        None => 1000,
        Some(text) => match text.parse() {
            Ok(number @ 1..=1000) => number,
            _ => return Err(Fault::bad_request(format!("`top` is `{text}`, it has to be 1 to 1000"))),
        },
    };
    let devices: Vec<_> = call.shared.with(|core, _, _| core.devices(most).into_iter().map(told).collect());
    Ok(respond(200, &Value::Array(devices)))
}

pub(super) fn put(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryWrite)?;
    call.need_version()?;
    let spec = spec(id, &call.object()?)?;
    match call.precondition()? {
        None => call.shared.with(|core, now, _| core.create_device(now, spec).map(respond_with)),
        Some(condition) => call
            .shared
            .with(|core, now, out| core.update_device(now, spec, &condition, out).map(respond_with)),
    }
}

pub(super) fn delete(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryWrite)?;
    call.need_version()?;
    let device = device_id(id)?;
    let condition = call.precondition()?.unwrap_or(Precondition::Any);
    call.shared.with(|core, _, out| core.delete_device(&device, &condition, out))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn spec(id: &str, body: &Map<String, Value>) -> Result<DeviceSpec, Fault> {
    let device = device_id(id)?;
    if let Some(named) = body.get("deviceId").and_then(Value::as_str).filter(|named| *named != id) {
        return Err(Fault::bad_request(format!("the body is about `{named}`, the path about `{id}`")));
    }
    let enabled = match body.get("status").and_then(Value::as_str) {
        None | Some("enabled") => true,
        Some("disabled") => false,
        Some(other) => {
            return Err(Fault::bad_request(format!(
                "`status` is `{other}`, it has to be enabled or disabled"
            )));
        }
    };
    let authentication = body.get("authentication");
    let kind = authentication.and_then(|a| a.get("type")).and_then(Value::as_str).unwrap_or("sas");
    if kind != "sas" {
        return Err(Fault::unsupported(format!(
            "envsim's local cloud does not support authentication of the type `{kind}`, only `sas`"
        )));
    }
    if body.get("capabilities").and_then(|c| c.get("iotEdge")) == Some(&Value::Bool(true)) {
        return Err(Fault::unsupported("envsim's local cloud does not support IoT Edge devices"));
    }
    let key = |name: &str| -> Result<Option<SharedKey>, Fault> {
        let text = authentication.and_then(|a| a.get("symmetricKey")?.get(name)?.as_str());
        // Empty means the same as absent: generate one.
        text.filter(|text| !text.is_empty())
            .map(|text| {
                SharedKey::from_base64(text).map_err(|why| Fault::bad_request(format!("`{name}` {why}")))
            })
            .transpose()
    };
    let keys = match (key("primaryKey")?, key("secondaryKey")?) {
        (Some(primary), Some(secondary)) => Some(Keys { primary, secondary }),
        (None, None) => None,
        _ => return Err(Fault::bad_request("give both keys, or none to have both generated")),
    };
    let status_reason = body.get("statusReason").and_then(Value::as_str).map(str::to_owned);
    Ok(DeviceSpec { device, keys, enabled, status_reason })
}
