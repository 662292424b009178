//! Trouble on request: what this cloud has of its own under `/envsim/`.
//!
//! `GET`, `PUT` and `DELETE /envsim/faults` read, replace and end what goes wrong;
//! `POST /envsim/connections/drop[?device=ID]` drops connections at once; `GET /envsim/quota` tells
//! the hub's size and what is used of it. All of them need a service's token.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::reply::json as respond;
use super::{Call, device_id};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::quota::Operation;
use crate::cloud::core::reading;
use crate::cloud::core::trouble::Trouble;

pub(super) fn show(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    told(call)
}

fn told(call: &Call) -> Result<Response<Body>, Fault> {
    let trouble = call.shared.look(|core, _| serde_json::to_value(core.trouble()));
    let trouble = trouble.map_err(|error| Fault::bad_request(error.to_string()))?;
    Ok(respond(200, &trouble))
}

pub(super) fn replace(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    // Taken as an object first: `[5]` would be read as a latency of 5.
    let trouble: Trouble = reading::from_value(Value::Object(call.object()?))
        .map_err(|error| Fault::bad_request(format!("the faults cannot be read: {error}")))?;
    call.shared.set_trouble(trouble)?;
    told(call)
}

pub(super) fn end(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.shared.set_trouble(Trouble::default())?;
    told(call)
}

pub(super) fn drop_connections(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    let device = call.query("device").map(|device| device_id(&device)).transpose()?;
    let dropped = call.shared.change(|core, _, out| core.drop_connections(device.as_ref(), out))?;
    Ok(respond(200, &json!({"dropped": dropped})))
}

pub(super) fn quota(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    let quota = call.shared.look(|core, _| core.quota().map(|quota| (quota.size(), quota.messages())));
    let body = quota.map_or(Value::Null, |((sku, units), (used, most))| {
        json!({"sku": sku.name(), "units": units, "messagesToday": used, "messagesPerDay": most})
    });
    Ok(respond(200, &body))
}

/// What a request is counted as, where a hub's size limits it.
pub(super) fn operation(method: &str, segments: &[&str], body: usize) -> Option<Operation> {
    Some(match (method, segments) {
        (_, ["devices", "query"]) => Operation::Query,
        ("POST", ["devices", _, "applyConfigurationContent"]) | (_, ["configurations", ..]) => {
            Operation::Configuration
        }
        (_, ["jobs", ..]) => Operation::Job,
        (_, ["twins", .., "methods"]) => Operation::Method(body),
        ("GET", ["twins", ..]) => Operation::TwinRead,
        (_, ["twins", ..]) => Operation::TwinUpdate,
        (
            "POST",
            ["devices", _, "messages", "events"] | ["devices", _, "modules", _, "messages", "events"],
        ) => Operation::Message(body),
        (_, ["devices", _, "messages", ..] | ["messages", ..]) => return None,
        (_, ["devices" | "statistics", ..]) => Operation::Registry,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_as_the_documentation_counts_them() {
        for (method, path, operation_of) in [
            ("PUT", "devices/d", Some(Operation::Registry)),
            ("GET", "devices/d/modules/m", Some(Operation::Registry)),
            ("POST", "devices/query", Some(Operation::Query)),
            ("GET", "twins/d", Some(Operation::TwinRead)),
            ("PATCH", "twins/d/modules/m", Some(Operation::TwinUpdate)),
            ("POST", "twins/d/methods", Some(Operation::Method(9))),
            ("POST", "twins/d/modules/m/methods", Some(Operation::Method(9))),
            ("PUT", "jobs/v2/j", Some(Operation::Job)),
            ("POST", "devices/d/applyConfigurationContent", Some(Operation::Configuration)),
            ("POST", "devices/d/messages/events", Some(Operation::Message(9))),
            ("POST", "devices/d/modules/m/messages/events", Some(Operation::Message(9))),
            ("POST", "messages/devicebound", None),
            ("POST", "messages/deviceBound", None),
            ("GET", "devices/d/messages/deviceBound", None),
            ("GET", "health", None),
            ("PUT", "scope/registrations/d/register", None),
        ] {
            let segments: Vec<_> = path.split('/').collect();
            assert_eq!(operation(method, &segments, 9), operation_of, "{method} {path}");
        }
    }
}
