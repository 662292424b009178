//! An event as readers of the Event Hubs compatible endpoint get it. IoT Hub, "Read device-to-cloud
//! messages from the built-in endpoint" and "IoT Hub support for non-telemetry event schemas".

use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{ApplicationProperties, Data, Message, MessageAnnotations, Properties};
use fe2o3_amqp::types::primitives::{Binary, SimpleValue, Symbol, Timestamp, Value};

use crate::cloud::core::capture::{Content, Told};
use crate::cloud::core::message::moment;
use crate::cloud::core::registry::Address;
use crate::wire::bag::{Bag, system};

/// Lays an event out.
pub(super) fn message(event: Told, hub: &str) -> Message<Data> {
    let mut sections = Sections::default();
    sections.annotate_event(&event);
    let body = match event.content {
        Content::Message { bag, body, model_id } => {
            sections.telemetry(&bag, model_id);
            body.to_vec()
        }
        Content::Twin(patch) => {
            let names = ["twinChangeEvents", "updateTwin", "twinChangeNotification"];
            sections.notification(names, &event.address, event.at, hub);
            patch.to_string().into_bytes()
        }
        Content::Connection { connected } => {
            let operation = if connected { "deviceConnected" } else { "deviceDisconnected" };
            let names = ["deviceConnectionStateEvents", operation, "deviceConnectionStateNotification"];
            sections.notification(names, &event.address, event.at, hub);
            let number = format!("{:064X}", event.sequence);
            serde_json::json!({"sequenceNumber": number}).to_string().into_bytes()
        }
    };
    sections.around(body)
}

/// What stands around the body of a message.
#[derive(Default)]
struct Sections {
    annotations: MessageAnnotations,
    properties: Properties,
    own: ApplicationProperties,
}

impl Sections {
    fn annotate(&mut self, name: &str, value: impl Into<Value>) {
        self.annotations.0.insert(OwnedKey::Symbol(Symbol::from(name)), value.into());
    }

    fn set(&mut self, name: &str, value: &str) {
        self.own.0.insert(name.to_owned(), SimpleValue::String(value.to_owned()));
    }

    /// What the hub knows of any event: its number, its time, and who sent it.
    fn annotate_event(&mut self, event: &Told) {
        let at = || Timestamp::from_milliseconds(event.at.as_millisecond());
        let number = i64::try_from(event.sequence).unwrap_or(i64::MAX);
        self.annotate("x-opt-sequence-number", Value::Long(number));
        self.annotate("x-opt-offset", event.sequence.to_string());
        self.annotate("x-opt-enqueued-time", at());
        self.annotate("iothub-connection-device-id", event.address.device.to_string());
        if let Some(module) = &event.address.module {
            self.annotate("iothub-connection-module-id", module.to_string());
        }
        if let Some((method, generation)) = &event.identity {
            let (kind, issuer) = if *method == "sas" { ("sas", "iothub") } else { ("x509", "external") };
            let scope = if event.address.module.is_some() { "module" } else { "device" };
            let method = format!(
                r#"{{"scope":"{scope}","type":"{kind}","issuer":"{issuer}","acceptingIpFilterRule":null}}"#
            );
            self.annotate("iothub-connection-auth-method", method);
            self.annotate("iothub-connection-auth-generation-id", generation.clone());
        }
        self.annotate("iothub-enqueuedtime", at());
    }

    /// A device's message: each of its properties has a place of its own.
    fn telemetry(&mut self, bag: &str, model_id: Option<String>) {
        self.annotate("iothub-message-source", "Telemetry");
        if let Some(model_id) = model_id {
            self.annotate("dt-dataschema", model_id);
        }
        for (name, value) in Bag::decode(bag).unwrap_or_default().0 {
            let value = value.unwrap_or_default();
            let properties = &mut self.properties;
            match name.as_str() {
                system::MESSAGE_ID => properties.message_id = Some(value.into()),
                system::CORRELATION_ID => properties.correlation_id = Some(value.into()),
                system::USER_ID => properties.user_id = Some(Binary::from(value.into_bytes())),
                system::TO => properties.to = Some(value),
                system::CONTENT_TYPE => properties.content_type = Some(Symbol::from(value)),
                system::CONTENT_ENCODING => properties.content_encoding = Some(Symbol::from(value)),
                system::EXPIRY => {
                    let time = moment(&value).map(|at| Timestamp::from_milliseconds(at.as_millisecond()));
                    properties.absolute_expiry_time = time;
                }
                system::CREATION_TIME => self.set("iothub-creation-time-utc", &value),
                system::OUTPUT => self.annotate("iothub-outputname", value),
                system::COMPONENT => self.annotate("dt-subject", value),
                // Azure's own for purposes that are nobody's here: diagnostics, interfaces.
                name if name.starts_with("$.") => {}
                name => self.set(name, &value),
            }
        }
    }

    /// What the hub tells of itself, by the names of its source, of what happened, and of the schema.
    fn notification(
        &mut self,
        [source, operation, schema]: [&str; 3],
        from: &Address,
        at: jiff::Timestamp,
        hub: &str,
    ) {
        self.annotate("iothub-message-source", source);
        self.set("hubName", hub);
        self.set("deviceId", from.device.as_str());
        if let Some(module) = &from.module {
            self.set("moduleId", module.as_str());
        }
        self.set("operationTimestamp", &at.to_string());
        self.set("iothub-message-schema", schema);
        self.set("opType", operation);
        self.properties.content_type = Some(Symbol::from("application/json"));
        self.properties.content_encoding = Some(Symbol::from("utf-8"));
    }

    /// The message. Readers tell from a missing section that the device set nothing.
    fn around(self, body: Vec<u8>) -> Message<Data> {
        Message::builder()
            .message_annotations(self.annotations)
            .properties(Some(self.properties).filter(|properties| *properties != Properties::default()))
            .application_properties(Some(self.own).filter(|own| !own.0.is_empty()))
            .data(body)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content: Content) -> Told {
        Told {
            sequence: 7,
            at: jiff::Timestamp::from_second(1_893_456_000).expect("a moment"),
            address: Address::device("d".parse().expect("an id")),
            identity: Some(("sas", "g".to_owned())),
            content,
        }
    }

    fn annotation(message: &Message<Data>, name: &str) -> Option<Value> {
        let annotations = message.message_annotations.as_ref()?;
        annotations.0.get(&OwnedKey::Symbol(Symbol::from(name))).cloned()
    }

    fn content(bag: &str) -> Content {
        Content::Message { bag: bag.to_owned(), body: "7".into(), model_id: Some("dtmi:a;1".to_owned()) }
    }

    #[test]
    fn telemetry_has_its_annotations_and_the_bags_properties_in_their_sections() {
        let message = message(told(content("%24.ct=application%2Fjson&%24.mid=m&%24.sub=c&a=1")), "h");
        for (name, value) in [
            ("x-opt-sequence-number", Value::Long(7)),
            ("x-opt-offset", "7".into()),
            ("x-opt-enqueued-time", Timestamp::from_milliseconds(1_893_456_000_000).into()),
            ("iothub-enqueuedtime", Timestamp::from_milliseconds(1_893_456_000_000).into()),
            ("iothub-connection-device-id", "d".into()),
            ("iothub-connection-auth-generation-id", "g".into()),
            ("iothub-message-source", "Telemetry".into()),
            ("dt-dataschema", "dtmi:a;1".into()),
            ("dt-subject", "c".into()),
        ] {
            assert_eq!(annotation(&message, name), Some(value), "{name}");
        }
        assert_eq!(annotation(&message, "iothub-connection-module-id"), None);
        let properties = message.properties.expect("properties");
        assert_eq!(properties.content_type, Some(Symbol::from("application/json")));
        assert_eq!(properties.message_id, Some("m".to_owned().into()));
        let own = message.application_properties.expect("properties").0;
        assert_eq!((own.len(), own.get("a")), (1, Some(&SimpleValue::String("1".to_owned()))));
        assert_eq!(message.body.0.as_ref(), b"7");
    }

    #[test]
    fn sections_with_nothing_in_them_are_left_out() {
        let message = message(told(content("")), "h");
        assert_eq!((message.properties, message.application_properties), (None, None));
    }

    #[test]
    fn a_twins_change_says_what_it_is() {
        let patch = serde_json::json!({"properties": {"reported": {"a": null}}});
        let message = message(told(Content::Twin(patch)), "h");
        assert_eq!(annotation(&message, "iothub-message-source"), Some("twinChangeEvents".into()));
        assert_eq!(message.body.0.as_ref(), br#"{"properties":{"reported":{"a":null}}}"#);
        let own = message.application_properties.expect("properties").0;
        for (name, value) in [
            ("opType", "updateTwin"),
            ("hubName", "h"),
            ("deviceId", "d"),
            ("iothub-message-schema", "twinChangeNotification"),
            ("operationTimestamp", "2030-01-01T00:00:00Z"),
        ] {
            assert_eq!(own.get(name), Some(&SimpleValue::String(value.to_owned())), "{name}");
        }
    }
}
