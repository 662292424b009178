//! Messages that services send to devices. IoT Hub, "Send cloud-to-device messages from an IoT hub".

use bytes::Bytes;
use fe2o3_amqp::Receiver;
use fe2o3_amqp::types::definitions::{AmqpError, Error, ErrorCondition};
use fe2o3_amqp::types::messaging::{AmqpValue, Body, Message, MessageId};
use fe2o3_amqp::types::primitives::{SimpleValue, Symbol, Value};
use jiff::Timestamp;

use super::access::Access;
use super::address::Node;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::message::{Outgoing, guid};
use crate::device::DeviceId;
use crate::wire::percent;

/// Takes messages until the link ends.
pub(super) async fn serve(mut link: Receiver, access: &Access) {
    // An error is the link's end, from here or from the other side.
    while let Ok(delivery) = link.recv::<Body<Value>>().await {
        let resource = Node::DeviceBound.resource().unwrap_or_default();
        if let Err(error) = access.check(&resource) {
            let _ = link.close_with_error(error).await;
            return;
        }
        let settled = match take(access, delivery.message()) {
            Ok(()) => link.accept(&delivery).await,
            Err(fault) => {
                tracing::warn!("AMQP: a message for a device is rejected: {fault}");
                link.reject(&delivery, Some(rejection(&fault))).await
            }
        };
        if settled.is_err() {
            break;
        }
    }
    let _ = link.close().await;
}

fn take(access: &Access, message: &Message<Body<Value>>) -> Result<(), Fault> {
    let (device, sent) = outgoing(message)?;
    access.shared.change(|core, now, out| core.send_message(now, &device, sent, out))?;
    Ok(())
}

/// A message as it came, and for whom.
fn outgoing(message: &Message<Body<Value>>) -> Result<(DeviceId, Outgoing), Fault> {
    let given = message.properties.clone().unwrap_or_default();
    let Some(to) = given.to else {
        return Err(Fault::bad_request(
            "the message has no `to`: it has to be /devices/{id}/messages/devicebound",
        ));
    };
    let mut sent = Outgoing {
        message_id: given.message_id.map(identifier),
        correlation_id: given.correlation_id.map(identifier),
        user_id: given.user_id.and_then(|id| String::from_utf8(id.into_vec()).ok()),
        content_type: given.content_type.map(|kind| kind.as_str().to_owned()),
        content_encoding: given.content_encoding.map(|encoding| encoding.as_str().to_owned()),
        expiry: given.absolute_expiry_time.as_ref().map(|time| moment(time.milliseconds())).transpose()?,
        body: body(&message.body)?,
        ..Outgoing::default()
    };
    for (name, value) in message.application_properties.iter().flat_map(|properties| properties.0.iter()) {
        if let Some(value) = text(value)? {
            sent.property(name.clone(), value)?;
        }
    }
    Ok((destination(&to)?, sent))
}

fn identifier(id: MessageId) -> String {
    match id {
        MessageId::Ulong(number) => number.to_string(),
        MessageId::Uuid(uuid) => guid(u128::from_be_bytes(uuid.into_inner())),
        MessageId::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        MessageId::String(text) => text,
    }
}

fn moment(milliseconds: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(milliseconds)
        .map_err(|_| Fault::bad_expiry(format!("the expiry, {milliseconds} ms after 1970, is no moment")))
}

/// A property's value as text; the device gets nothing else over MQTT.
fn text(value: &SimpleValue) -> Result<Option<String>, Fault> {
    Ok(Some(match value {
        SimpleValue::Null => return Ok(None),
        SimpleValue::String(text) => text.clone(),
        SimpleValue::Symbol(symbol) => symbol.as_str().to_owned(),
        SimpleValue::Bool(value) => value.to_string(),
        SimpleValue::Ubyte(number) => number.to_string(),
        SimpleValue::Ushort(number) => number.to_string(),
        SimpleValue::Uint(number) => number.to_string(),
        SimpleValue::Ulong(number) => number.to_string(),
        SimpleValue::Byte(number) => number.to_string(),
        SimpleValue::Short(number) => number.to_string(),
        SimpleValue::Int(number) => number.to_string(),
        SimpleValue::Long(number) => number.to_string(),
        SimpleValue::Float(number) => number.to_string(),
        SimpleValue::Double(number) => number.to_string(),
        SimpleValue::Char(character) => character.to_string(),
        SimpleValue::Uuid(uuid) => guid(u128::from_be_bytes(uuid.clone().into_inner())),
        // uamqp for Python writes texts that it was given as bytes.
        SimpleValue::Binary(bytes) => String::from_utf8(bytes.to_vec())
            .map_err(|_| Fault::bad_request("a property of the message is not text"))?,
        SimpleValue::Timestamp(time) => moment(time.milliseconds())?.to_string(),
        _ => return Err(Fault::bad_request("a property of the message has a type that is no text")),
    }))
}

fn body(body: &Body<Value>) -> Result<Bytes, Fault> {
    match body {
        Body::Data(parts) => {
            Ok(parts.iter().flat_map(|part| part.0.iter().copied()).collect::<Vec<u8>>().into())
        }
        Body::Empty | Body::Value(AmqpValue(Value::Null)) => Ok(Bytes::new()),
        Body::Value(AmqpValue(Value::String(text))) => Ok(text.clone().into()),
        Body::Value(AmqpValue(Value::Binary(bytes))) => Ok(Bytes::copy_from_slice(bytes)),
        Body::Value(_) | Body::Sequence(_) => {
            Err(Fault::bad_request("the body of the message is neither data nor text: send bytes"))
        }
    }
}

/// The device of `/devices/{d}/messages/devicebound`.
fn destination(to: &str) -> Result<DeviceId, Fault> {
    let segments: Vec<_> = to.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["devices", device, "messages", end] if end.eq_ignore_ascii_case("devicebound") => {
            percent::decode(device)
                .unwrap_or_default()
                .parse()
                .map_err(|error| Fault::bad_request(format!("`to` is `{to}`: {error}")))
        }
        ["devices", _, "modules", ..] => Err(Fault::unsupported(
            "cloud-to-device messages are for devices: neither Azure nor envsim's local cloud has them for modules",
        )),
        _ => Err(Fault::bad_request(format!(
            "`to` is `{to}`, it has to be /devices/{{id}}/messages/devicebound"
        ))),
    }
}

/// A fault as AMQP says it. The first two are what Node's SDK makes its own classes of, in
/// `amqp_common_errors.js` and `amqp_service_errors.js`; the others are names of its, and of .NET's
/// `AmqpErrorMapper`.
fn rejection(fault: &Fault) -> Error {
    let own = |name: &str| ErrorCondition::Custom(Symbol::from(format!("com.microsoft:{name}")));
    let condition = match fault.code {
        404_001 => AmqpError::NotFound.into(),
        403_004 => AmqpError::ResourceLimitExceeded.into(),
        403_002 => own("quota-exceeded"),
        403_009 | 400_004 => own("argument-error"),
        413_001 => own("message-too-large"),
        _ if fault.status == 429 => own("device-container-throttled"),
        _ if fault.status == 501 => AmqpError::NotImplemented.into(),
        _ => AmqpError::InternalError.into(),
    };
    Error::new(condition, format!("{}: {}", fault.name, fault.message), None)
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::messaging::{ApplicationProperties, Properties};

    use super::*;

    fn message(to: &str, body: Body<Value>) -> Message<Body<Value>> {
        let properties = Properties { to: Some(to.to_owned()), ..Properties::default() };
        Message { properties: Some(properties), ..Message::builder().body(body).build() }
    }

    #[test]
    fn a_message_is_read_with_its_properties() {
        let mut given = message("/devices/d/messages/deviceBound", Body::Value(AmqpValue("hi".into())));
        let mut properties = ApplicationProperties::default();
        for (name, value) in [
            ("a", SimpleValue::Int(7)),
            ("iothub-ack", SimpleValue::String("full".to_owned())),
            ("none", SimpleValue::Null),
        ] {
            properties.0.insert(name.to_owned(), value);
        }
        given.application_properties = Some(properties);
        let (device, sent) = outgoing(&given).expect("a message");
        assert_eq!((device.as_str(), sent.body.as_ref()), ("d", b"hi".as_slice()));
        assert_eq!((sent.ack.name(), sent.properties), ("full", vec![("a".to_owned(), "7".to_owned())]));
    }

    #[test]
    fn what_is_no_message_for_a_device_is_rejected_with_a_reason() {
        for (to, body, status) in [
            ("/devices/d/messages/events", Body::Empty, 400),
            ("/devices/d/modules/m/messages/devicebound", Body::Empty, 501),
            ("/devices/a b/messages/devicebound", Body::Empty, 400),
            ("/devices/d/messages/devicebound", Body::Value(AmqpValue(Value::Long(1))), 400),
        ] {
            let fault = outgoing(&message(to, body)).expect_err(to);
            assert_eq!(fault.status, status, "{to}: {fault}");
        }
        let queue = rejection(&Fault::queue_full("d", 50));
        assert_eq!(queue.condition, AmqpError::ResourceLimitExceeded.into());
        assert_eq!(rejection(&Fault::unknown_device("d")).condition, AmqpError::NotFound.into());
    }
}
