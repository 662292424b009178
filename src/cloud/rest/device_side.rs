//! What devices may do over HTTPS instead of MQTT: send messages, and take those for them one by
//! one. IoT Hub REST, "Device".

use axum::body::Body;
use axum::http::{Response, header};

use super::message_headers as names;
use super::reply::{no_content, with_etag};
use super::{Call, Named, address, device_id};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::mailbox::Taken;
use crate::cloud::core::message::{LockToken, Settle};
use crate::cloud::core::registry::Address;
use crate::device::DeviceId;
use crate::wire::bag::{Bag, system};

/// What Azure's batches of messages say that they are.
const BATCH: &str = "application/vnd.microsoft.iothub.json";

/// Checks the token of the device or module itself, or the certificate that it has proved to hold.
pub(super) fn authorize(call: &Call, address: &Address) -> Result<(), Fault> {
    let host = call.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    call.shared
        .look(|core, now| match &call.peer {
            Some(peer) if call.token().is_empty() => core.authorize_certificate(now, host, address, peer),
            _ => core.authorize_client(now, host, address, call.token()).map(|_| ()),
        })
        .map_err(|refusal| Fault::unauthorized(refusal.to_string()))?;
    // What an Edge hub takes counts when it comes to the hub.
    if call.shared.look(|core, _| core.is_routed(address)) {
        return Ok(());
    }
    call.count()
}

/// A message to the hub: the same as over MQTT, its properties in headers.
pub(super) fn send(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    let address = address(id)?;
    authorize(call, &address)?;
    call.need_version()?;
    let text = |name| names::text(&call.headers, name);
    let content_type = text(names::CONTENT_TYPE)?;
    if content_type.as_deref() == Some(BATCH) {
        return Err(Fault::unsupported(format!(
            "envsim's local cloud does not support batches of messages ({BATCH}): send them one by one"
        )));
    }
    let system = [
        (system::MESSAGE_ID, text(names::MESSAGE_ID)?),
        (system::CORRELATION_ID, text(names::CORRELATION_ID)?),
        (system::USER_ID, text(names::USER_ID)?),
        (system::CONTENT_TYPE, content_type),
        (system::CONTENT_ENCODING, text(names::CONTENT_ENCODING)?),
    ];
    let system = system.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Some(value?))));
    let own = names::own(&call.headers)?.into_iter().map(|(name, value)| (name, Some(value)));
    let bag = Bag(system.chain(own).collect()).encode();
    call.shared.change(|core, now, out| core.message(now, &address, &bag, call.body.clone(), out))?;
    Ok(no_content())
}

/// The oldest message that waits, for 60 s.
pub(super) fn receive(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    let device = authorized(call, id)?;
    let taken = call.shared.change(|core, now, _| core.receive_message(now, &device))?;
    Ok(taken.map_or_else(no_content, |taken| told(&device, &taken)))
}

/// Completes, rejects or abandons it.
pub(super) fn settle(call: &Call, id: &str, lock: &str, settle: Settle) -> Result<Response<Body>, Fault> {
    let device = authorized(call, id)?;
    let lock = lock_token(lock)?;
    call.shared.change(|core, now, out| core.settle_message(now, &device, lock, settle, out))?;
    Ok(no_content())
}

/// Completes it, or rejects it with `?reject`.
pub(super) fn finish(call: &Call, id: &str, lock: &str) -> Result<Response<Body>, Fault> {
    let how = if call.query("reject").is_some() { Settle::Reject } else { Settle::Complete };
    settle(call, id, lock, how)
}

fn authorized(call: &Call, id: &str) -> Result<DeviceId, Fault> {
    let device = device_id(id)?;
    authorize(call, &Address::device(device.clone()))?;
    call.need_version()?;
    Ok(device)
}

/// A lock that nobody ever had is as good as one that is lost.
pub(super) fn lock_token(text: &str) -> Result<LockToken, Fault> {
    LockToken::parse(text).ok_or_else(|| Fault::lock_lost(format!("`{text}` is no lock of this hub")))
}

fn told(device: &DeviceId, taken: &Taken) -> Response<Body> {
    let (message, sent) = (&taken.message, &taken.message.sent);
    let mut response = with_etag(Response::new(Body::from(sent.body.clone())), &taken.lock.to_string());
    let to = format!("/devices/{device}/messages/deviceBound");
    for (name, value) in [
        (names::MESSAGE_ID, Some(message.id.as_str())),
        (names::CORRELATION_ID, sent.correlation_id.as_deref()),
        (names::USER_ID, sent.user_id.as_deref()),
        (names::CONTENT_TYPE, sent.content_type.as_deref()),
        (names::CONTENT_ENCODING, sent.content_encoding.as_deref()),
        (names::TO, Some(to.as_str())),
        (names::ACK, Some(sent.ack.name())),
        (names::SEQUENCE, Some(message.sequence.to_string().as_str())),
        (names::DELIVERIES, Some(taken.deliveries.to_string().as_str())),
        (names::ENQUEUED, Some(message.enqueued.to_string().as_str())),
        (names::EXPIRY, Some(message.expiry.to_string().as_str())),
    ] {
        if let Some(value) = value {
            names::set(&mut response, name, value);
        }
    }
    for (name, value) in &sent.properties {
        names::set_own(&mut response, name, value);
    }
    response
}
