//! What the routes of an IoT Edge device do. The path is our own: in Azure an Edge hub has metrics.

use axum::body::Body;
use axum::http::Response;

use super::reply::json;
use super::{Call, device_id};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;

pub(super) fn show(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    let device = device_id(id)?;
    let status = call.shared.look(|core, _| core.edge_status(&device))?;
    let body = serde_json::to_value(status).map_err(|error| Fault::bad_request(error.to_string()))?;
    Ok(json(200, &body))
}
