//! Twins and commands. IoT Hub REST, "Twin" and "Invoke method".

use axum::body::Body;
use axum::http::Response;
use serde_json::{Map, Value, json};

use super::reply::{json as respond, method_error, with_etag};
use super::{Call, Named, address, device_side};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::query::Row as _;
use crate::cloud::core::reading;
use crate::cloud::core::registry::{Identity, Precondition};
use crate::cloud::core::rows::IdentityRow;
use crate::cloud::core::service::Write;
use crate::cloud::core::twins::TwinUpdate;
use crate::wire::service::{EDGE_MODULE_ID, MethodCall};

fn respond_with(identity: &Identity) -> Response<Body> {
    with_etag(respond(200, &IdentityRow(identity).whole()), &identity.twin.etag())
}

pub(super) fn show(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()?;
    let address = address(id)?;
    call.shared.look(|core, _| core.identity(&address).map(respond_with))
}

pub(super) fn patch(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    write(call, id, Write::Merge)
}

pub(super) fn replace(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    write(call, id, Write::Replace)
}

fn write(call: &Call, id: Named<'_>, write: Write) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()?;
    let address = address(id)?;
    let update = update(call.object()?)?;
    let condition = call.precondition()?.unwrap_or(Precondition::Any);
    call.shared.change(|core, now, out| {
        core.write_twin(now, &address, &update, write, &condition, out).map(respond_with)
    })
}

/// Only tags and desired properties are a service's to write; what else an SDK sends back of a
/// whole twin is passed over, as Azure does.
pub(super) fn update(mut body: Map<String, Value>) -> Result<TwinUpdate, Fault> {
    let tags = section("tags", body.remove("tags"))?;
    let desired = match section("properties", body.remove("properties"))? {
        Some(mut properties) => section("properties.desired", properties.remove("desired"))?,
        None => None,
    };
    Ok(TwinUpdate { tags, desired })
}

fn section(name: &str, value: Option<Value>) -> Result<Option<Map<String, Value>>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(Fault::bad_request(format!("`{name}` is not a JSON object"))),
    }
}

/// A command, from a service or from a module of the same device. In Azure it is an Edge hub that
/// modules ask: it takes their own credentials, with the module's name beside them.
pub(super) async fn invoke(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    let address = address(id)?;
    match call.headers.get(EDGE_MODULE_ID) {
        None => call.authorize(Right::ServiceConnect)?,
        Some(name) => {
            let caller = name.to_str().unwrap_or_default().split_once('/');
            let caller = caller.map(|(device, module)| self::address((device, Some(module))));
            let caller = caller.ok_or_else(|| {
                Fault::bad_request(format!("the header {EDGE_MODULE_ID} is not DEVICE/MODULE"))
            })??;
            device_side::authorize(call, &caller)?;
            if caller.device != address.device {
                return Err(Fault::unauthorized(format!(
                    "`{caller}` may call commands of its own device and the modules on it only, not of `{address}`"
                )));
            }
        }
    }
    call.need_version()?;
    let request: MethodCall = reading::from_slice(&call.body)
        .map_err(|error| Fault::bad_request(format!("the command cannot be read: {error}")))?;
    match call.shared.invoke(&address, &request).await {
        Ok(result) => Ok(respond(200, &json!({"status": result.status, "payload": result.payload}))),
        Err(fault) => Ok(method_error(&call.shared, &fault)),
    }
}
