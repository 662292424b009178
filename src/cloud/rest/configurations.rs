//! Configurations. IoT Hub REST, "Configuration".

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;

use super::reply::{json as respond, no_content, with_etag};
use super::{Call, device_id};
use crate::cloud::core::auth::Right;
use crate::cloud::core::configurations::{CAPACITY, Configuration, test_queries};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::Precondition;

fn check(call: &Call, right: Right) -> Result<(), Fault> {
    call.authorize(right)?;
    call.need_version()
}

fn respond_with(configuration: &Configuration) -> Response<Body> {
    with_etag(respond(200, &configuration.told()), &configuration.etag)
}

pub(super) fn list(call: &Call) -> Result<Response<Body>, Fault> {
    check(call, Right::RegistryRead)?;
    let most = match call.query("top") {
        None => CAPACITY,
        // More than there can be is the same as all. IoT Hub REST, "Get Configurations".
        Some(text) => text.parse().ok().filter(|most| *most > 0).ok_or_else(|| {
            Fault::bad_request(format!("`top` is `{text}`, it has to be a whole number from 1"))
        })?,
    };
    let all = call.shared.look(|core, _| core.configurations().take(most).map(Configuration::told).collect());
    Ok(respond(200, &Value::Array(all)))
}

pub(super) fn show(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    check(call, Right::RegistryRead)?;
    call.shared.look(|core, _| core.configuration(id).map(respond_with))
}

pub(super) fn put(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    check(call, Right::RegistryWrite)?;
    let body = call.object()?;
    let condition = call.precondition()?;
    call.shared
        .change(|core, now, _| core.put_configuration(now, id, &body, condition.as_ref()).map(respond_with))
}

pub(super) fn delete(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    check(call, Right::RegistryWrite)?;
    let condition = call.precondition()?.unwrap_or(Precondition::Any);
    call.shared.change(|core, _, _| core.delete_configuration(id, &condition))?;
    Ok(no_content())
}

pub(super) fn test(call: &Call) -> Result<Response<Body>, Fault> {
    check(call, Right::RegistryRead)?;
    Ok(respond(200, &test_queries(&call.object()?)?))
}

/// Sets content on one IoT Edge device.
pub(super) fn apply(call: &Call, device: &str) -> Result<Response<Body>, Fault> {
    check(call, Right::RegistryWrite)?;
    let device = device_id(device)?;
    let body = call.object()?;
    call.shared.change(|core, now, out| core.apply_content(now, &device, &body, out))?;
    Ok(no_content())
}
