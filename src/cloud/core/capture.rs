//! What the hub has heard: messages, twin changes and connections, the latest of them.
//!
//! In Azure these leave by Event Hubs. Here they wait in a ring, and whoever reads too slowly is
//! told how many it missed.

use std::collections::VecDeque;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::registry::Address;
use crate::wire::bag::Bag;
use crate::wire::local::{self, HubEvent};

/// Where the ring stops growing: events, and bytes of their bodies.
const MOST_EVENTS: usize = 4096;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Partitions of a hub's events: as many as a new hub has.
pub const PARTITIONS: u8 = 4;

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

/// An event as the hub noted it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Counts all events of the hub up.
    pub sequence: u64,
    /// When the hub heard it.
    pub at: Timestamp,
    /// Whose it is.
    pub address: Address,
    /// How the identity proves who it is, and its generation, while it is there.
    pub identity: Option<(&'static str, String)>,
    /// What it tells.
    pub content: Content,
}

impl Told {
    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        self.content.size()
    }
}

/// Events of one partition for a reader.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// How many events, of all partitions, were gone before they could be read.
    pub missed: u64,
    /// The events, oldest first.
    pub events: Vec<Told>,
    /// Where to go on.
    pub last: u64,
    /// Whether there is no more for now.
    pub is_all: bool,
}

/// What is known of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionFacts {
    /// The number of its oldest event, or of the next when there is none.
    pub first: u64,
    /// The number of its latest event, and when it came.
    pub last: Option<(u64, Timestamp)>,
}

/// The partition of a device's events: always the same. FNV-1a, folded so that every bit counts.
fn partition(device: &str, partitions: u8) -> u8 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = device.bytes().fold(0x811c_9dc5, step);
    let [a, b, c, d] = hash.to_be_bytes();
    (a ^ b ^ c ^ d) % partitions.max(1)
}

impl Content {
    fn size(&self) -> usize {
        match self {
            Self::Message { bag, body, .. } => bag.len() + body.len(),
            Self::Twin(patch) => patch.to_string().len(),
            Self::Connection { .. } => 0,
        }
    }
}

impl Capture {
    /// At most `most` events after number `after` of one of so many partitions. Who they are from
    /// is for the caller to look up.
    pub fn of_partition(&self, after: u64, number: u8, partitions: u8, most: usize) -> Page {
        let first = self.ring.front().map_or(self.last + 1, |event| event.sequence);
        let skip = usize::try_from(after.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        let missed = first.saturating_sub(after.saturating_add(1));
        // A number from another run of the cloud may be ahead of all there is: its reader waits.
        let mut page =
            Page { missed, events: Vec::new(), last: after.max(first.saturating_sub(1)), is_all: true };
        for event in self.ring.iter().skip(skip) {
            if page.events.len() >= most {
                page.is_all = false;
                break;
            }
            page.last = event.sequence;
            if partition(event.address.device.as_str(), partitions) == number {
                page.events.push(Told {
                    sequence: event.sequence,
                    at: event.at,
                    address: event.address.clone(),
                    identity: None,
                    content: event.content.clone(),
                });
            }
        }
        page
    }

    /// What is known of one of so many partitions.
    pub fn facts(&self, number: u8, partitions: u8) -> PartitionFacts {
        let is_of = |event: &&Captured| partition(event.address.device.as_str(), partitions) == number;
        PartitionFacts {
            first: self.ring.iter().find(is_of).map_or(self.last + 1, |event| event.sequence),
            last: self.ring.iter().rev().find(is_of).map(|event| (event.sequence, event.at)),
        }
    }

    /// The number of the latest event.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Adds an event, dropping the oldest when the ring is full.
    pub fn push(&mut self, at: Timestamp, address: &Address, content: Content) {
        self.last += 1;
        let size = content.size();
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
                ("Telemetry", local::readable(body))
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
    fn a_partition_has_all_events_of_its_devices_and_no_others() {
        let mut capture = Capture::default();
        for n in 0..40 {
            capture.push(moment(), &address(&format!("d{}", n % 20)), message("", b"1"));
        }
        let mut seen = 0;
        for number in 0..4 {
            let (mut after, mut devices) = (0, Vec::new());
            loop {
                let page = capture.of_partition(after, number, 4, 3);
                devices.extend(page.events.iter().map(|event| event.address.device.to_string()));
                assert!(page.events.iter().all(|event| event.sequence > after));
                after = page.last;
                if page.is_all {
                    break;
                }
            }
            let facts = capture.facts(number, 4);
            assert_eq!(facts.last.is_some(), !devices.is_empty());
            seen += devices.len();
            assert!(devices.iter().all(|device| partition(device, 4) == number), "{devices:?}");
            assert!(!devices.is_empty(), "20 devices leave no partition empty");
        }
        assert_eq!(seen, 40);
        // One that has read further than there is waits.
        let page = capture.of_partition(100, 0, 4, 3);
        assert_eq!(page, Page { missed: 0, events: vec![], last: 100, is_all: true });
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
