//! The hub's topics: messages, twins, commands.

use bytes::Bytes;

use super::bodies::error_body;
use super::device_bound::device_bound;
use super::module_bound::module_bound;
use super::{Message, Unacceptable};
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::quota::Operation;
use crate::cloud::core::registry::Address;
use crate::cloud::core::{Core, Delivery, Output};
use crate::device::{ModuleId, Now};
use crate::wire::bag::Bag;
use crate::wire::topic::{self, FromDevice};

/// Where a device sends a message to, and with which properties: also for its will.
pub fn event_bag<'a>(topic: &'a str, address: &Address) -> Result<&'a str, Unacceptable> {
    match FromDevice::parse(topic) {
        Some(FromDevice::Event { device, module, bag }) => {
            if device != address.device.as_str() || module != address.module.as_ref().map(ModuleId::as_str) {
                return Err(Unacceptable::Foreign(device.to_owned()));
            }
            Bag::decode(bag).map(|_| bag).ok_or(Unacceptable::Bag)
        }
        _ => Err(Unacceptable::Topic(topic.to_owned())),
    }
}

/// Adds a property to a bag as it stands in a topic.
pub fn add_property(bag: &str, name: &str, value: &str) -> String {
    let bag = bag.strip_prefix('?').unwrap_or(bag);
    let bag = bag.strip_suffix('/').unwrap_or(bag);
    let added = Bag::of([(name, value)]).encode();
    if bag.is_empty() { added } else { format!("{bag}&{added}") }
}

/// Takes a publish of a hub's client. Answers what goes back to it, if anything.
pub fn hub_publish(
    core: &mut Core,
    now: Now,
    (connection, address): (ConnectionId, &Address),
    topic: &str,
    body: &Bytes,
    retain: bool,
    out: &mut Vec<Output>,
) -> Result<Option<Message>, Unacceptable> {
    // Its end may be on the way: the identity deleted, or another connection in its place.
    if !core.is_online(connection) {
        return Err(Unacceptable::Fault(Fault::unauthorized("on a connection that has been ended")));
    }
    match FromDevice::parse(topic) {
        Some(FromDevice::Event { .. }) => {
            let bag = event_bag(topic, address)?;
            // IoT Hub never retains: it says so to whoever reads the message.
            // What an Edge hub takes counts when it comes to the hub.
            if !core.is_routed(address) {
                core.allow(now, Operation::Message(bag.len() + body.len())).map_err(Unacceptable::Fault)?;
            }
            let marked = retain.then(|| add_property(bag, "mqtt-retain", "true"));
            core.message(now, address, marked.as_deref().unwrap_or(bag), body.clone(), out)
                .map_err(Unacceptable::Fault)?;
            Ok(None)
        }
        Some(FromDevice::MethodAnswer { status, rid }) => {
            if !core.method_answer(address, rid, status, body, out) {
                tracing::debug!(device = %address, rid, "an answer to a command that nobody waits for any more");
            }
            Ok(None)
        }
        Some(FromDevice::TwinGet { rid }) => {
            let allowed = core.allow(now, Operation::TwinRead);
            let answer = allowed.and_then(|()| core.device_twin(address));
            Ok(twin_answer(
                core,
                now,
                connection,
                address,
                rid,
                answer.map(|twin| (200, None, twin.to_string())),
            ))
        }
        Some(FromDevice::TwinPatch { rid, version }) => {
            let allowed = core.allow(now, Operation::TwinUpdate);
            let answer = allowed.and_then(|()| core.report(now, address, body, version, out));
            let answer = answer.map(|version| (204, Some(version), String::new()));
            Ok(twin_answer(core, now, connection, address, rid, answer))
        }
        Some(FromDevice::DpsRegister { .. } | FromDevice::DpsStatus { .. }) | None => {
            Err(Unacceptable::Topic(topic.to_owned()))
        }
    }
}

fn twin_answer(
    core: &mut Core,
    now: Now,
    connection: ConnectionId,
    address: &Address,
    rid: &str,
    answer: Result<(u16, Option<u64>, String), Fault>,
) -> Option<Message> {
    let Some(quality) = core.subscriptions(connection).twin_answers else {
        tracing::warn!(device = %address, "a twin request goes unanswered: {} is not subscribed", topic::filter::TWIN_ANSWERS);
        return None;
    };
    let (status, version, body) = answer.unwrap_or_else(|fault| {
        tracing::warn!(device = %address, status = fault.status, "a twin request is refused: {fault}");
        (fault.status, None, error_body(&fault, &core.random_name(), now.wall).to_string())
    });
    Some(Message::new(topic::twin_answer(status, rid, version), body, quality))
}

/// What a delivery is on the wire; `None` for the end of the connection, which has no packet.
pub fn deliver(delivery: Delivery) -> Option<Message> {
    match delivery {
        Delivery::Desired { quality, version, patch } => {
            Some(Message::new(topic::desired(version), patch.to_string(), quality))
        }
        Delivery::Method { quality, call, name, payload } => {
            Some(Message::new(topic::method_call(&name, &call.rid()), payload, quality))
        }
        Delivery::Message { quality, device, message, .. } => Some(device_bound(&device, &message, quality)),
        Delivery::Routed { quality, module, input, message, .. } => {
            module_bound(&module, &input, &message, quality)
        }
        Delivery::Close(_) => None,
    }
}
