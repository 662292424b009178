//! Messages as HTTP headers: system properties under names of their own, the application's behind
//! `iothub-app-`.
//!
//! IoT Hub REST, "Device - Send Device Event" and "Device - Receive Device Bound Notification".
//! HTTP does not tell capitals in header names apart, so that names of properties arrive in small
//! letters on this way.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::cloud::core::fault::Fault;

/// Message id.
pub(super) const MESSAGE_ID: &str = "iothub-messageid";
/// Correlation id.
pub(super) const CORRELATION_ID: &str = "iothub-correlationid";
/// User id.
pub(super) const USER_ID: &str = "iothub-userid";
/// Destination.
pub(super) const TO: &str = "iothub-to";
/// Which outcomes are to be told.
pub(super) const ACK: &str = "iothub-ack";
/// Absolute expiry.
pub(super) const EXPIRY: &str = "iothub-expiry";
/// When the hub took it.
pub(super) const ENQUEUED: &str = "iothub-enqueuedtime";
/// Its number in its queue.
pub(super) const SEQUENCE: &str = "iothub-sequencenumber";
/// How often it came back before.
pub(super) const DELIVERIES: &str = "iothub-deliverycount";
/// What the body is.
pub(super) const CONTENT_TYPE: &str = "content-type";
/// How the body is encoded.
pub(super) const CONTENT_ENCODING: &str = "content-encoding";

/// Before the names of the application's own properties.
const OWN: &str = "iothub-app-";

/// A header's value; `None` also when it is empty.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    Ok(Some(read(name, value)?).filter(|text| !text.is_empty()))
}

/// The application's own properties.
pub(super) fn own(headers: &HeaderMap) -> Result<Vec<(String, String)>, Fault> {
    let own = headers.iter().filter_map(|(name, value)| Some((name.as_str().strip_prefix(OWN)?, value)));
    own.map(|(name, value)| match name {
        "" => Err(Fault::bad_request(format!("the header `{OWN}` has no name of a property behind it"))),
        name => Ok((name.to_owned(), read(name, value)?)),
    })
    .collect()
}

fn read(name: &str, value: &HeaderValue) -> Result<String, Fault> {
    std::str::from_utf8(value.as_bytes())
        .map(str::to_owned)
        .map_err(|_| Fault::bad_request(format!("the header `{name}` is not UTF-8")))
}

/// Sets a header. What no header can hold is left out, and that is written to the log.
pub(super) fn set(response: &mut Response<Body>, name: &str, value: &str) {
    let header = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
    if let (Ok(name), Ok(value)) = header {
        response.headers_mut().insert(name, value);
    } else {
        tracing::warn!("the property {name:?} of a message cannot stand in a header and is left out");
    }
}

/// Sets the header of one of the application's own properties.
pub(super) fn set_own(response: &mut Response<Body>, name: &str, value: &str) {
    set(response, &format!("{OWN}{name}"), value);
}
