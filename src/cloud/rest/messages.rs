//! Cloud-to-device messages from the service's side: sending, emptying a queue, and feedback.
//!
//! Azure takes messages over AMQP. The form with headers on `/messages/devicebound` is what it
//! once had over HTTPS; the one below `/envsim` is our own, and the only one that keeps capitals
//! in names of properties.

use axum::body::{Body, Bytes};
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::device_side::lock_token;
use super::message_headers as names;
use super::reply::{json as respond, no_content, with_etag};
use super::{Call, device_id};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::message::{Ack, Outgoing, Settle, moment};
use crate::cloud::core::reading;
use crate::device::DeviceId;
use crate::wire::local::{CloudMessage, SentMessage};
use crate::wire::percent;
use crate::wire::service::FEEDBACK_TYPE;

/// Empties a device's queue.
pub(super) fn purge(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()?;
    let device = device_id(id)?;
    let count = call.shared.change(|core, now, _| core.purge_messages(now, &device))?;
    Ok(respond(200, &json!({"totalMessagesPurged": count, "deviceId": device.as_str(), "moduleId": null})))
}

/// Takes a message as Azure once did: everything in headers.
pub(super) fn send(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()?;
    let text = |name| names::text(&call.headers, name);
    let Some(to) = text(names::TO)? else {
        return Err(Fault::bad_request(format!("the request has no header `{}`", names::TO)));
    };
    let device = destination(&to)?;
    let mut sent = Outgoing {
        message_id: text(names::MESSAGE_ID)?,
        correlation_id: text(names::CORRELATION_ID)?,
        user_id: text(names::USER_ID)?,
        content_type: text(names::CONTENT_TYPE)?,
        content_encoding: text(names::CONTENT_ENCODING)?,
        expiry: text(names::EXPIRY)?.map(|text| expiry(&text)).transpose()?,
        body: call.body.clone(),
        ..Outgoing::default()
    };
    for (name, value) in names::own(&call.headers)? {
        sent.property(name, value)?;
    }
    if let Some(text) = text(names::ACK)? {
        sent.ack = ack(&text)?;
    }
    let message = call.shared.change(|core, now, out| core.send_message(now, &device, sent, out))?;
    let mut response = no_content();
    names::set(&mut response, names::MESSAGE_ID, &message.id);
    Ok(response)
}

/// Takes a message as a JSON object.
pub(super) fn send_json(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    let device = device_id(id)?;
    // By way of an object, because a list of values would be read as one too.
    let request: CloudMessage = reading::from_value(Value::Object(call.object()?))
        .map_err(|error| Fault::bad_request(format!("the message cannot be read: {error}")))?;
    let message = call.shared.change(|core, now, out| {
        let sent = outgoing(request, now.wall)?;
        core.send_message(now, &device, sent, out)
    })?;
    let told = SentMessage {
        message_id: message.id.clone(),
        sequence_number: message.sequence,
        enqueued_time_utc: message.enqueued.to_string(),
        expiry_time_utc: message.expiry.to_string(),
    };
    Ok(respond(201, &serde_json::to_value(told).unwrap_or_default()))
}

fn outgoing(request: CloudMessage, now: Timestamp) -> Result<Outgoing, Fault> {
    let body = match (request.body, request.body_base64) {
        (Some(_), Some(_)) => {
            return Err(Fault::bad_request("the message has both `body` and `bodyBase64`"));
        }
        (None, None) => Bytes::new(),
        (Some(Value::String(text)), None) => text.into(),
        (Some(value), None) => value.to_string().into(),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map_err(|_| {
                Fault::bad_request("`bodyBase64` is not base64, or has the wrong number of `=` at its end")
            })?
            .into(),
    };
    let expiry = match (request.expiry, request.ttl_seconds) {
        (Some(_), Some(_)) => {
            return Err(Fault::bad_request("the message has both `expiry` and `ttlSeconds`"));
        }
        (None, None) => None,
        (Some(text), None) => Some(expiry(&text)?),
        (None, Some(seconds)) => {
            let life = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            let end = now.checked_add(life);
            Some(end.map_err(|_| Fault::bad_expiry(format!("`ttlSeconds` is {seconds}, two days at most")))?)
        }
    };
    let mut sent = Outgoing {
        message_id: request.message_id,
        correlation_id: request.correlation_id,
        user_id: request.user_id,
        content_type: request.content_type,
        content_encoding: request.content_encoding,
        expiry,
        body,
        ..Outgoing::default()
    };
    for (name, value) in request.properties {
        sent.property(name, value)?;
    }
    if let Some(text) = request.ack {
        sent.ack = ack(&text)?;
    }
    Ok(sent)
}

fn ack(text: &str) -> Result<Ack, Fault> {
    text.parse().map_err(|error| Fault::bad_request(format!("{error}")))
}

fn expiry(text: &str) -> Result<Timestamp, Fault> {
    moment(text).ok_or_else(|| {
        let message = format!("the expiry `{text}` is no moment such as 2030-01-01T00:00:00Z");
        Fault::bad_request(message)
    })
}

/// The device of `/devices/{d}/messages/devicebound`.
fn destination(to: &str) -> Result<DeviceId, Fault> {
    let segments: Vec<_> = to.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["devices", device, "messages", end] if end.eq_ignore_ascii_case("devicebound") => {
            device_id(&percent::decode(device).unwrap_or_default())
        }
        ["devices", _, "modules", ..] => Err(Fault::unsupported(
            "cloud-to-device messages are for devices: neither Azure nor envsim's local cloud has them for modules",
        )),
        _ => Err(Fault::bad_request(format!(
            "`{}` is `{to}`, it has to be `/devices/{{id}}/messages/devicebound`",
            names::TO
        ))),
    }
}

/// The oldest batch of feedback that nobody holds, for 60 s.
pub(super) fn feedback(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()?;
    let (held, hub) = call.shared.change(|core, now, _| {
        Ok::<_, Fault>((core.receive_feedback(now), core.settings().names.own.clone()))
    })?;
    let Some(held) = held else { return Ok(no_content()) };
    let records = serde_json::to_value(&*held.records).unwrap_or_default();
    let mut response = with_etag(respond(200, &records), &held.lock.to_string());
    for (name, value) in [
        (names::CONTENT_TYPE, FEEDBACK_TYPE),
        (names::USER_ID, hub.as_str()),
        (names::SEQUENCE, held.sequence.to_string().as_str()),
        (names::DELIVERIES, held.deliveries.to_string().as_str()),
        (names::ENQUEUED, held.enqueued.to_string().as_str()),
    ] {
        names::set(&mut response, name, value);
    }
    Ok(response)
}

/// Completes or abandons a batch of feedback.
pub(super) fn settle_feedback(call: &Call, lock: &str, settle: Settle) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()?;
    let lock = lock_token(lock)?;
    call.shared.change(|core, now, _| core.settle_feedback(now, lock, settle))?;
    Ok(no_content())
}
