//! Responses and the two shapes of error bodies.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use crate::cloud::core::fault::Fault;
use crate::cloud::dialect::bodies::error_body;
use crate::cloud::shared::Shared;
use crate::wire::service::{DEVICE_NOT_ONLINE, ErrorBody, GATEWAY_TIMEOUT, MethodError};

/// A response with a JSON body.
pub(super) fn json(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The response that has nothing to tell: 204.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Adds the members of one JSON object to another, behind its own.
pub(super) fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(members), Value::Object(more)) = (object, more) {
        members.extend(more);
    }
}

/// Adds a header whose value is made of characters that a header takes.
pub(super) fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Adds an etag, in quotes.
pub(super) fn with_etag(mut response: Response<Body>, etag: &str) -> Response<Body> {
    set(&mut response, "etag", &format!("\"{etag}\""));
    response
}

/// A refusal by the hub's service side. Node's SDK reads the code from `ErrorCode:Name;…`.
pub(super) fn hub_error(shared: &Shared, fault: &Fault) -> Response<Body> {
    let (tracking, now) = shared.tracking();
    let message = format!("ErrorCode:{};{}", fault.name, fault.message);
    let exception_message = format!("Tracking ID:{tracking}-TimeStamp:{}", now.wall);
    let body = serde_json::to_value(ErrorBody { message, exception_message }).unwrap_or_default();
    let mut response = json(fault.status, &body);
    set(&mut response, "iothub-errorcode", fault.name);
    set(&mut response, "x-ms-request-id", &tracking);
    if fault.status == 429 {
        set(&mut response, "retry-after", "10");
    }
    response
}

/// A failed command. Those about time have their number and words inside of a JSON text.
pub(super) fn method_error(shared: &Shared, fault: &Fault) -> Response<Body> {
    if !matches!(fault.code, DEVICE_NOT_ONLINE | GATEWAY_TIMEOUT) {
        return hub_error(shared, fault);
    }
    let (tracking, now) = shared.tracking();
    let inner = MethodError {
        error_code: fault.code,
        tracking_id: tracking,
        message: fault.message.clone(),
        info: fault.waited.map_or_else(
            || serde_json::json!({}),
            |s| serde_json::json!({"timeout": format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)}),
        ),
        timestamp_utc: now.wall.to_string(),
    };
    let message = serde_json::to_string(&inner).unwrap_or_default();
    let body = ErrorBody { message, exception_message: String::new() };
    let mut response = json(fault.status, &serde_json::to_value(body).unwrap_or_default());
    set(&mut response, "iothub-errorcode", fault.name);
    response
}

/// A refusal by the provisioning service.
pub(super) fn dps_error(shared: &Shared, fault: &Fault) -> Response<Body> {
    let (tracking, now) = shared.tracking();
    let body = error_body(fault, &tracking, now.wall);
    let mut response = json(fault.status, &body);
    set(&mut response, "x-ms-error-code", &fault.code.to_string());
    if let Some(wait) = fault.retry_after {
        set(&mut response, "retry-after", &wait.to_string());
    }
    response
}
