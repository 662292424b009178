//! The certificate authorities that the hub knows: `/envsim/certificates`, this cloud's own way to
//! do what Azure's portal does.
//!
//! `GET /envsim/certificates` lists names; `PUT`, `GET` and `DELETE /envsim/certificates/{name}`
//! write (PEM or DER), read (DER in base64) and delete one.

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Call;
use super::reply::{json as respond, no_content};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;

pub(super) fn list(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    let names: Vec<String> =
        call.shared.look(|core, _| core.authorities().names().map(str::to_owned).collect());
    Ok(respond(200, &json!(names)))
}

pub(super) fn show(call: &Call, name: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    let der = call.shared.look(|core, _| core.authorities().get(name).map(|der| STANDARD.encode(der)));
    let der = der.ok_or_else(|| Fault::unknown_authority(name))?;
    Ok(respond(200, &json!({"name": name, "certificate": der})))
}

pub(super) fn put(call: &Call, name: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryWrite)?;
    call.shared.change(|core, _, _| core.put_authority(name, &call.body))?;
    show(call, name)
}

pub(super) fn delete(call: &Call, name: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryWrite)?;
    call.shared.change(|core, _, _| core.remove_authority(name))?;
    Ok(no_content())
}
