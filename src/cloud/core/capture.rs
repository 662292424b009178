//! What the hub has heard: messages, twin changes and connections, the latest of them.
//!
//! In Azure these leave by Event Hubs. Here they wait in a ring, and whoever reads too slowly is
//! told how many it missed.

use std::collections::VecDeque;

use base64::Engine as _;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::registry::Address;
use crate::wire::bag::Bag;
use crate::wire::service::HubEvent;

/// Where the ring stops growing: events, and bytes of their bodies.
const MOST_EVENTS: usize = 4096;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What an event tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A device-to-cloud message as it came.
    Message {
        /// Its properties, still encoded.
        bag: String,
        /// Its body.
        body: Bytes,
        /// The model that the device announced.
        model_id: Option<String>,
    },
    /// A change of a twin: the patch by section.
    Twin(Value),
    /// A device came or went.
    Connection {
        /// Which of the two.
        connected: bool,
    },
}

#[derive(Debug)]
struct Captured {
    sequence: u64,
    at: Timestamp,
    address: Address,
    content: Content,
    size: usize,
}

/// The latest events.
#[derive(Debug, Default)]
pub struct Capture {
    ring: VecDeque<Captured>,
    bytes: usize,
    last: u64,
}

/// A batch of events for a reader.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    /// How many events, of all devices, were gone before they could be read.
    pub missed: u64,
    /// The events, oldest first.
    pub events: Vec<HubEvent>,
    /// Where to go on.
    pub last: u64,
}

impl Capture {
    /// The number of the latest event.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Adds an event, dropping the oldest when the ring is full.
    pub fn push(&mut self, at: Timestamp, address: &Address, content: Content) {
        self.last += 1;
        let size = match &content {
            Content::Message { bag, body, .. } => bag.len() + body.len(),
            Content::Twin(patch) => patch.to_string().len(),
            Content::Connection { .. } => 0,
        };
        self.bytes += size;
        self.ring.push_back(Captured { sequence: self.last, at, address: address.clone(), content, size });
        while self.ring.len() > MOST_EVENTS || (self.bytes > MOST_BYTES && self.ring.len() > 1) {
            if let Some(old) = self.ring.pop_front() {
                self.bytes -= old.size;
            }
        }
    }

    /// Takes back what was added after number `last`: it has not happened.
    pub fn take_back(&mut self, last: u64) {
        while self.ring.back().is_some_and(|event| event.sequence > last) {
            self.bytes -= self.ring.pop_back().map_or(0, |event| event.size);
        }
        self.last = self.last.min(last);
    }

    /// At most `most` events after number `after`, of one device or of all.
    pub fn after(&self, after: u64, device: Option<&str>, most: usize) -> Batch {
        let first = self.ring.front().map_or(self.last + 1, |event| event.sequence);
        let missed = first.saturating_sub(after.saturating_add(1));
        let skip = usize::try_from(after.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        let mut batch = Batch { missed, events: Vec::new(), last: after.max(first.saturating_sub(1)) };
        for event in self.ring.iter().skip(skip) {
            if batch.events.len() >= most {
                break;
            }
            batch.last = event.sequence;
            if device.is_none_or(|device| event.address.device.as_str() == device) {
                batch.events.push(event.told());
            }
        }
        batch
    }
}

impl Captured {
    fn told(&self) -> HubEvent {
        let mut properties = Map::new();
        let (source, body) = match &self.content {
            Content::Message { bag, body, model_id } => {
                let bag = Bag::decode(bag).unwrap_or_default();
                for (name, value) in bag.0 {
                    properties.insert(name, value.map_or(Value::Null, Value::String));
                }
                if let Some(model_id) = model_id {
                    properties.insert("dt-dataschema".to_owned(), json!(model_id));
                }
                ("Telemetry", readable(body))
            }
            Content::Twin(patch) => ("twinChangeEvents", patch.clone()),
            Content::Connection { connected } => {
                let operation = if *connected { "deviceConnected" } else { "deviceDisconnected" };
                properties.insert("opType".to_owned(), json!(operation));
                ("deviceConnectionStateEvents", json!({"connected": connected}))
            }
        };
        HubEvent {
            sequence: self.sequence,
            enqueued_time: self.at.to_string(),
            source: source.to_owned(),
            device_id: self.address.device.to_string(),
            module_id: self.address.module.as_ref().map(ToString::to_string),
            properties,
            body,
        }
    }
}

/// JSON when it is, else text, else base64.
fn readable(body: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(body) {
        return value;
    }
    match std::str::from_utf8(body) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => json!({"base64": base64::engine::general_purpose::STANDARD.encode(body)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(device: &str) -> Address {
        Address::device(device.parse().expect("an id"))
    }

    fn message(bag: &str, body: &[u8]) -> Content {
        Content::Message { bag: bag.to_owned(), body: Bytes::copy_from_slice(body), model_id: None }
    }

    fn moment() -> Timestamp {
        Timestamp::from_second(1_893_456_000).expect("a moment")
    }

    #[test]
    fn a_message_is_told_with_its_properties() {
        let mut capture = Capture::default();
        capture.push(
            moment(),
            &address("d"),
            message("%24.ct=application%2Fjson&a=1&flag", br#"{"temp":7}"#),
        );
        let batch = capture.after(0, None, 10);
        assert_eq!(
            serde_json::to_value(&batch.events).expect("JSON"),
            json!([{
                "sequence": 1, "enqueuedTime": "2030-01-01T00:00:00Z", "source": "Telemetry", "deviceId": "d",
                "properties": {"$.ct": "application/json", "a": "1", "flag": null}, "body": {"temp": 7}
            }])
        );
    }

    #[test]
    fn bodies_are_json_or_text_or_base64() {
        assert_eq!(readable(b"[1]"), json!([1]));
        assert_eq!(readable(b"hello"), json!("hello"));
        assert_eq!(readable(&[0xff, 0]), json!({"base64": "/wA="}));
    }

    #[test]
    fn a_reader_goes_on_where_it_was_and_sees_one_device_only() {
        let mut capture = Capture::default();
        for n in 0..10 {
            capture.push(moment(), &address(if n % 2 == 0 { "even" } else { "odd" }), message("", b"1"));
        }
        let batch = capture.after(0, Some("odd"), 3);
        assert_eq!(batch.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [2, 4, 6]);
        let batch = capture.after(batch.last, Some("odd"), 3);
        assert_eq!(batch.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [8, 10]);
        assert_eq!(capture.after(10, None, 3), Batch { missed: 0, events: vec![], last: 10 });
    }

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let mut capture = Capture::default();
        for _ in 0..MOST_EVENTS + 5 {
            capture.push(moment(), &address("d"), message("", b"1"));
        }
        let batch = capture.after(2, None, 1);
        assert_eq!((batch.missed, batch.events[0].sequence), (3, 6));
    }

    #[test]
    fn large_bodies_do_not_make_it_grow() {
        let mut capture = Capture::default();
        for _ in 0..100 {
            capture.push(moment(), &address("d"), message("", &vec![b'x'; 200_000]));
        }
        assert!(capture.bytes <= MOST_BYTES);
        assert_eq!(capture.last(), 100);
    }
}
