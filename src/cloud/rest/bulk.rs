//! Many identities in one request, and how many there are.
//!
//! IoT Hub REST, "Bulk Registry" and "Statistics".

use axum::body::Body;
use axum::http::Response;
use serde_json::{Map, Value, json};

use super::devices::spec;
use super::reply::json as respond;
use super::twins::update;
use super::{Call, address};
use crate::cloud::core::auth::Right;
use crate::cloud::core::bulk::{LIMIT, Step};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::reading;
use crate::cloud::core::registry::Precondition;

pub(super) fn change(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryWrite)?;
    call.need_version()?;
    let items: Vec<Map<String, Value>> = reading::from_slice(&call.body)
        .map_err(|error| Fault::bad_request(format!("the body is not an array of identities: {error}")))?;
    if items.is_empty() || items.len() > LIMIT {
        let message = format!("the request changes {} identities, it takes 1 to {LIMIT}", items.len());
        return Err(Fault::bad_request(message));
    }
    let errors: Vec<Value> = items
        .into_iter()
        .filter_map(|item| {
            let named = json!({"deviceId": item.get("id"), "moduleId": item.get("moduleId")});
            let done = step(item)
                .and_then(|step| call.shared.change(|core, now, out| core.take_step(now, step, out)));
            done.err().map(|fault| error(named, &fault))
        })
        .collect();
    let done = errors.is_empty();
    let body = json!({"isSuccessful": done, "errors": errors, "warnings": []});
    Ok(respond(if done { 200 } else { 400 }, &body))
}

fn error(mut named: Value, fault: &Fault) -> Value {
    named["errorCode"] = json!(fault.name);
    named["errorStatus"] = json!(fault.message);
    named
}

/// Reads one identity of the request. Its members are called a little otherwise than elsewhere.
fn step(item: Map<String, Value>) -> Result<Step, Fault> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = text("id").ok_or_else(|| Fault::bad_request("an identity has no `id`"))?;
    let address = address((id, text("moduleId")))?;
    let etag = |name: &str| match text(name) {
        None => Err(Fault::bad_request(format!("the import mode needs `{name}`"))),
        Some("*") => Ok(Precondition::Any),
        Some(etag) => Ok(Precondition::Etag(etag.trim_matches('"').to_owned())),
    };
    let spec = |item: &Map<String, Value>| spec(address.clone(), item);
    let mode = text("importMode").unwrap_or("create").to_owned();
    // Node's SDK begins most of them with a capital, Python's none.
    Ok(match mode.to_ascii_lowercase().as_str() {
        "create" => Step::Create(spec(&item)?, update(item)?),
        "update" => Step::Change(spec(&item)?, Precondition::Any),
        "updateifmatchetag" => Step::Change(spec(&item)?, etag("eTag")?),
        "delete" => Step::Delete(address, Precondition::Any),
        "deleteifmatchetag" => Step::Delete(address, etag("eTag")?),
        "updatetwin" => Step::Twin(address, update(item)?, Precondition::Any),
        "updatetwinifmatchetag" => {
            let condition = etag("twinETag")?;
            Step::Twin(address, update(item)?, condition)
        }
        _ => {
            return Err(Fault::bad_request(format!(
                "`importMode` is `{mode}`, it has to be one of create, update, updateIfMatchETag, delete, \
                 deleteIfMatchETag, updateTwin, updateTwinIfMatchETag"
            )));
        }
    })
}

pub(super) fn device_statistics(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    call.need_version()?;
    let (all, enabled) = call.shared.look(|core, _| core.count_devices());
    let body = json!({
        "totalDeviceCount": all,
        "enabledDeviceCount": enabled,
        "disabledDeviceCount": all - enabled,
    });
    Ok(respond(200, &body))
}

pub(super) fn service_statistics(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    call.need_version()?;
    let connected = call.shared.look(|core, _| core.count_connected());
    Ok(respond(200, &json!({"connectedDeviceCount": connected})))
}
