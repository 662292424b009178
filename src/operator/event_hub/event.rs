//! A message of the endpoint as everybody sees it. IoT Hub, "Read device-to-cloud messages from the
//! built-in endpoint" and "IoT Hub support for non-telemetry event schemas".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{AmqpValue, Body, Message, MessageId, Properties};
use fe2o3_amqp::types::primitives::{Symbol, Value};
use jiff::Timestamp;
use serde_json::{Map, json};

use crate::operator::amqp::guid;
use crate::wire::bag::system;
use crate::wire::local::{self, HubEvent};

/// The number of an event within its partition.
pub(super) fn sequence_number(message: &Message<Body<Value>>) -> Option<i64> {
    match annotation(message, "x-opt-sequence-number")? {
        Value::Long(number) => Some(*number),
        Value::Int(number) => Some(i64::from(*number)),
        _ => None,
    }
}

/// The event. Its sequence number is the partition's own.
pub(super) fn event(message: &Message<Body<Value>>) -> HubEvent {
    let text = |name: &str| annotation(message, name).and_then(text);
    let enqueued = ["iothub-enqueuedtime", "x-opt-enqueued-time"].into_iter().find_map(text);
    let mut properties = Map::new();
    let system = message.properties.as_ref().map(system_properties).unwrap_or_default();
    let annotated = [
        ("iothub-outputname", system::OUTPUT),
        ("dt-subject", system::COMPONENT),
        ("dt-dataschema", "dt-dataschema"),
    ];
    let annotated = annotated.into_iter().filter_map(|(name, own)| Some((own, text(name)?)));
    for (name, value) in system.into_iter().chain(annotated) {
        properties.insert(name.to_owned(), json!(value));
    }
    for (name, value) in message.application_properties.iter().flat_map(|own| own.0.iter()) {
        let name = if name == "iothub-creation-time-utc" { system::CREATION_TIME } else { name.as_str() };
        properties.insert(name.to_owned(), json_of(&Value::from(value.clone())));
    }
    HubEvent {
        sequence: sequence_number(message).and_then(|number| u64::try_from(number).ok()).unwrap_or(0),
        enqueued_time: enqueued.unwrap_or_default(),
        source: text("iothub-message-source").unwrap_or_else(|| "Telemetry".to_owned()),
        device_id: text("iothub-connection-device-id").unwrap_or_default(),
        module_id: text("iothub-connection-module-id"),
        properties,
        body: body(&message.body),
    }
}

fn annotation<'a>(message: &'a Message<Body<Value>>, name: &str) -> Option<&'a Value> {
    message.message_annotations.as_ref()?.0.get(&OwnedKey::Symbol(Symbol::from(name)))
}

/// By the names that they have in a property bag.
fn system_properties(properties: &Properties) -> Vec<(&'static str, String)> {
    let id = |id: &MessageId| match id {
        MessageId::Ulong(number) => number.to_string(),
        MessageId::Uuid(uuid) => guid(uuid.clone().into_inner()),
        MessageId::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        MessageId::String(text) => text.clone(),
    };
    let user = properties.user_id.as_ref().map(|id| String::from_utf8_lossy(id).into_owned());
    [
        (system::MESSAGE_ID, properties.message_id.as_ref().map(id)),
        (system::CORRELATION_ID, properties.correlation_id.as_ref().map(id)),
        (system::USER_ID, user),
        (system::TO, properties.to.clone()),
        (system::CONTENT_TYPE, properties.content_type.as_ref().map(|kind| kind.as_str().to_owned())),
        (system::CONTENT_ENCODING, properties.content_encoding.as_ref().map(|kind| kind.as_str().to_owned())),
        (system::EXPIRY, properties.absolute_expiry_time.as_ref().map(|time| moment(time.milliseconds()))),
        (system::CREATION_TIME, properties.creation_time.as_ref().map(|time| moment(time.milliseconds()))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

fn body(body: &Body<Value>) -> serde_json::Value {
    match body {
        Body::Data(parts) => {
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.0.iter().copied()).collect();
            local::readable(&bytes)
        }
        Body::Value(AmqpValue(value)) => json_of(value),
        Body::Sequence(parts) => {
            parts.iter().map(|part| part.0.iter().map(json_of).collect::<Vec<_>>()).collect()
        }
        Body::Empty => serde_json::Value::Null,
    }
}

fn text(value: &Value) -> Option<String> {
    match json_of(value) {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// A value of AMQP in JSON.
fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => json!(value),
        Value::Ubyte(number) => json!(number),
        Value::Ushort(number) => json!(number),
        Value::Uint(number) => json!(number),
        Value::Ulong(number) => json!(number),
        Value::Byte(number) => json!(number),
        Value::Short(number) => json!(number),
        Value::Int(number) => json!(number),
        Value::Long(number) => json!(number),
        Value::Float(number) => json!(number.into_inner()),
        Value::Double(number) => json!(number.into_inner()),
        Value::Char(character) => json!(character),
        Value::Timestamp(time) => json!(moment(time.milliseconds())),
        Value::Uuid(uuid) => json!(guid(uuid.clone().into_inner())),
        Value::Binary(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({"base64": STANDARD.encode(bytes)}),
        },
        Value::String(text) => json!(text),
        Value::Symbol(symbol) => json!(symbol.as_str()),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(members) => members
            .iter()
            .map(|(name, value)| (text(name).unwrap_or_default(), json_of(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(json_of).collect(),
        Value::Described(described) => json_of(&described.value),
        _ => serde_json::Value::Null,
    }
}

/// RFC 3339, or the number where it is no moment.
fn moment(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::messaging::{ApplicationProperties, Data, MessageAnnotations};
    use fe2o3_amqp::types::primitives::{Binary, SimpleValue, Timestamp as Milliseconds};

    use super::*;

    /// As Azure lays out: annotations, application properties, a body.
    fn message(
        annotations: &[(&str, Value)],
        own: &[(&str, SimpleValue)],
        body: &[u8],
    ) -> Message<Body<Value>> {
        let mut noted = MessageAnnotations::default();
        for (name, value) in annotations {
            noted.0.insert(OwnedKey::Symbol(Symbol::from(*name)), value.clone());
        }
        let mut properties = ApplicationProperties::default();
        for (name, value) in own {
            properties.0.insert((*name).to_owned(), value.clone());
        }
        let body = Body::Data(vec![Data(Binary::from(body.to_vec()))].into());
        let mut message = Message::builder().body(body).build();
        message.message_annotations = Some(noted);
        message.application_properties = Some(properties).filter(|own| !own.0.is_empty());
        message
    }

    fn time() -> Value {
        Milliseconds::from_milliseconds(1_893_456_000_250).into()
    }

    #[test]
    fn telemetry_is_told_with_its_device_time_and_properties() {
        let mut it = message(
            &[
                ("x-opt-sequence-number", Value::Long(41)),
                ("x-opt-offset", "8589934592".into()),
                ("x-opt-enqueued-time", Milliseconds::from_milliseconds(0).into()),
                ("iothub-connection-device-id", "dev-01".into()),
                ("iothub-connection-module-id", "meter".into()),
                ("iothub-connection-auth-generation-id", "637".into()),
                ("iothub-enqueuedtime", time()),
                ("iothub-message-source", "Telemetry".into()),
                ("dt-dataschema", "dtmi:a;1".into()),
                ("dt-subject", "thermostat".into()),
            ],
            &[("alert", SimpleValue::String("high".to_owned())), ("level", SimpleValue::Int(3))],
            br#"{"temp":21.5}"#,
        );
        it.properties = Some(Properties {
            message_id: Some("m1".to_owned().into()),
            content_type: Some(Symbol::from("application/json")),
            content_encoding: Some(Symbol::from("utf-8")),
            ..Properties::default()
        });
        assert_eq!(sequence_number(&it), Some(41));
        assert_eq!(
            serde_json::to_value(event(&it)).expect("JSON"),
            json!({
                "sequence": 41, "enqueuedTime": "2030-01-01T00:00:00.25Z", "source": "Telemetry",
                "deviceId": "dev-01", "moduleId": "meter",
                "properties": {
                    "$.mid": "m1", "$.ct": "application/json", "$.ce": "utf-8", "$.sub": "thermostat",
                    "dt-dataschema": "dtmi:a;1", "alert": "high", "level": 3
                },
                "body": {"temp": 21.5}
            })
        );
    }

    #[test]
    fn a_twins_change_is_told_with_what_it_is() {
        let it = message(
            &[
                ("x-opt-sequence-number", Value::Long(0)),
                ("x-opt-enqueued-time", time()),
                // Ids as bytes, which some services write.
                ("iothub-connection-device-id", Value::Binary(Binary::from(b"dev-01".to_vec()))),
                ("iothub-message-source", "twinChangeEvents".into()),
            ],
            &[("opType", SimpleValue::String("updateTwin".to_owned()))],
            br#"{"version":13,"properties":{"reported":{"a":null}}}"#,
        );
        let told = event(&it);
        assert_eq!((told.source.as_str(), told.device_id.as_str()), ("twinChangeEvents", "dev-01"));
        assert_eq!(told.enqueued_time, "2030-01-01T00:00:00.25Z");
        assert_eq!(told.properties["opType"], "updateTwin");
        assert_eq!(told.body["properties"]["reported"], json!({"a": null}));
        assert_eq!((told.sequence, told.module_id), (0, None));
    }

    #[test]
    fn whatever_a_message_holds_it_is_told() {
        for (given, told) in [(&b"hello"[..], json!("hello")), (&[0xff, 0][..], json!({"base64": "/wA="}))] {
            assert_eq!(event(&message(&[], &[], given)).body, told);
        }
        let bare = Message::builder().body(Body::Value(AmqpValue(Value::Long(-7)))).build();
        let told = event(&bare);
        assert_eq!((told.body, told.sequence, told.device_id.as_str()), (json!(-7), 0, ""));
    }
}
