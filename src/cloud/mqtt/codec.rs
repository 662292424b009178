//! rumqttc's codec, made strict where it is lenient and the standard is not.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Codec, Packet};
use rumqttc::mqttbytes::{self, QoS};
use tokio_util::codec::{Decoder, Encoder};

use crate::cloud::core::client::MESSAGE_LIMIT;

/// Larger packets end the connection: a message at its limit, its topic and its head.
const LARGEST: usize = MESSAGE_LIMIT + 4096;

// The kinds of packets whose heads are looked at. MQTT 3.1.1, table 2.1.
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBREL: u8 = 6;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

/// Why a packet cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PacketError {
    /// Not MQTT 3.1.1: answered with return code 1.
    #[error("it speaks MQTT level {0}, this service speaks 3.1.1, which is level 4")]
    Level(u8),
    /// Anything the standard forbids.
    #[error("{0}")]
    Forbidden(&'static str),
    /// What the codec could not read.
    #[error("a packet is malformed: {0}")]
    Malformed(#[from] mqttbytes::Error),
    /// The socket is gone.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Reads and writes packets of a client. The first one is checked more closely.
#[derive(Debug)]
pub(super) struct Strict {
    inner: Codec,
    connected: bool,
}

impl Strict {
    pub(super) fn new() -> Self {
        Self { inner: Codec { max_incoming_size: LARGEST, max_outgoing_size: LARGEST }, connected: false }
    }
}

impl Decoder for Strict {
    type Item = Packet;
    type Error = PacketError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Packet>, PacketError> {
        if !self.connected {
            // Told from the first byte, so that plain garbage does not wait for the time-out.
            if source.first().is_some_and(|byte| *byte != 0x10) {
                return Err(PacketError::Forbidden("the first packet is not CONNECT"));
            }
            match mqttbytes::check(source.iter(), LARGEST) {
                Ok(header) => check_connect(&source[..header.frame_length()])?,
                Err(mqttbytes::Error::InsufficientBytes(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        check_head(source)?;
        let Some(packet) = self.inner.decode(source)? else { return Ok(None) };
        self.connected = true;
        check(&packet)?;
        Ok(Some(packet))
    }
}

impl Encoder<Packet> for Strict {
    type Error = PacketError;

    fn encode(&mut self, packet: Packet, into: &mut BytesMut) -> Result<(), PacketError> {
        Ok(self.inner.encode(packet, into)?)
    }
}

/// What the codec does not look at: the flags of every kind of packet, MQTT 3.1.1, table 2.2; the
/// lengths of those that have only one; and the reserved bits of a SUBSCRIBE, [MQTT-3.8.3-4].
fn check_head(source: &[u8]) -> Result<(), PacketError> {
    let Some(first) = source.first() else { return Ok(()) };
    let (kind, flags) = (first >> 4, first & 0x0f);
    let wanted = match kind {
        PUBLISH => flags,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => 0x02,
        _ => 0,
    };
    if flags != wanted {
        return Err(PacketError::Forbidden("a packet has the wrong flags in its first byte"));
    }
    let only = match kind {
        PUBACK => Some(2),
        PINGREQ | DISCONNECT => Some(0),
        _ => None,
    };
    if let (Some(only), Some(length)) = (only, source.get(1))
        && only != *length
    {
        return Err(PacketError::Forbidden("a packet is longer or shorter than its kind is"));
    }
    if kind == SUBSCRIBE
        && let Ok(header) = mqttbytes::check(source.iter(), LARGEST)
        && let Some(frame) = source.get(..header.frame_length())
    {
        // Behind the packet id: filters, each with its length before it and a quality after it.
        let mut rest = content(frame).get(2..).unwrap_or_default();
        while let [high, low, behind @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            match behind.get(length) {
                Some(0..=2) => rest = &behind[length + 1..],
                Some(_) => return Err(PacketError::Forbidden("its SUBSCRIBE has a quality that is none")),
                // Cut short, of which the codec tells.
                None => break,
            }
        }
    }
    Ok(())
}

/// What follows a packet's kind and length.
fn content(frame: &[u8]) -> &[u8] {
    let more = frame.iter().skip(1).take_while(|byte| **byte & 0x80 != 0).count();
    frame.get(1 + more + 1..).unwrap_or_default()
}

/// MQTT 3.1.1, section 3.1.2: level and flags, which the codec does not hand on; and whether there
/// is more than they say.
fn check_connect(frame: &[u8]) -> Result<(), PacketError> {
    const SHORT: PacketError = PacketError::Forbidden("CONNECT is too short");
    let [high, low, rest @ ..] = content(frame) else { return Err(SHORT) };
    let name = usize::from(u16::from_be_bytes([*high, *low]));
    match (rest.get(..name), rest.get(name), rest.get(name + 1)) {
        (Some(b"MQTT"), Some(4), Some(flags)) if flags & 1 == 0 => check_fields(*flags, &rest[name + 2..]),
        (Some(b"MQTT"), Some(4), Some(_)) => Err(PacketError::Forbidden("CONNECT has its reserved flag set")),
        (Some(b"MQTT" | b"MQIsdp"), Some(level), _) => Err(PacketError::Level(*level)),
        _ => Err(PacketError::Forbidden("CONNECT does not say MQTT")),
    }
}

/// Section 3.1.3: client id, will, user name and password, as far as the flags announce them, and
/// nothing behind. `rest` begins with the keep-alive.
fn check_fields(flags: u8, rest: &[u8]) -> Result<(), PacketError> {
    const WILL: u8 = 0x04;
    const USER: u8 = 0x80;
    const PASSWORD: u8 = 0x40;
    // Two bytes of keep-alive, and as many fields with two bytes of length each.
    let fields = [(true, 1), (flags & WILL != 0, 2), (flags & USER != 0, 1), (flags & PASSWORD != 0, 1)];
    let count: usize = fields.into_iter().filter_map(|(there, count)| there.then_some(count)).sum();
    let mut rest = rest.get(2..);
    for _ in 0..count {
        rest = rest.and_then(|rest| {
            let [high, low, behind @ ..] = rest else { return None };
            behind.get(usize::from(u16::from_be_bytes([*high, *low]))..)
        });
    }
    match rest {
        Some([]) => Ok(()),
        Some(_) => Err(PacketError::Forbidden("CONNECT has more in it than its flags announce")),
        None => Err(PacketError::Forbidden("CONNECT is too short")),
    }
}

/// MQTT 3.1.1 on packet ids and wildcards; IoT Hub on quality 2.
fn check(packet: &Packet) -> Result<(), PacketError> {
    let forbidden = |why| Err(PacketError::Forbidden(why));
    match packet {
        Packet::Publish(publish) => {
            if publish.qos == QoS::ExactlyOnce {
                return forbidden("it published with QoS 2, which IoT Hub does not offer");
            }
            // `+` and `#` are characters of device ids too, and stand in `devices/{id}/…` as they
            // are; everywhere else they are wildcards.
            if !publish.topic.starts_with("devices/") && publish.topic.contains(['+', '#']) {
                return forbidden("it published to a topic with a wildcard");
            }
            if publish.topic.is_empty() || publish.topic.contains('\0') {
                return forbidden("it published to a topic that is empty or has a NUL");
            }
            if publish.qos == QoS::AtLeastOnce && publish.pkid == 0 {
                return forbidden("it published with packet id 0");
            }
        }
        Packet::Subscribe(subscribe) => {
            if subscribe.pkid == 0 || subscribe.filters.is_empty() {
                return forbidden("its SUBSCRIBE has no packet id or no filter");
            }
            if subscribe.filters.iter().any(|filter| filter.path.is_empty()) {
                return forbidden("its SUBSCRIBE has an empty filter");
            }
        }
        Packet::Unsubscribe(unsubscribe) if unsubscribe.pkid == 0 || unsubscribe.topics.is_empty() => {
            return forbidden("its UNSUBSCRIBE has no packet id or no filter");
        }
        Packet::PubAck(ack) if ack.pkid == 0 => return forbidden("it acknowledged packet id 0"),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn first(bytes: &[u8]) -> Result<Option<Packet>, PacketError> {
        Strict::new().decode(&mut BytesMut::from(bytes))
    }

    const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01d";

    fn second(bytes: &[u8]) -> Result<Option<Packet>, PacketError> {
        let mut codec = Strict::new();
        let mut source = BytesMut::from(CONNECT);
        assert!(matches!(codec.decode(&mut source), Ok(Some(Packet::Connect(_)))));
        codec.decode(&mut BytesMut::from(bytes))
    }

    #[test]
    fn another_level_is_told_from_garbage() {
        assert!(matches!(
            first(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x01d"),
            Err(PacketError::Level(5))
        ));
        assert!(matches!(
            first(b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01d"),
            Err(PacketError::Level(3))
        ));
        assert!(matches!(first(b"GET / HTTP/1.1\r\n\r\n"), Err(PacketError::Forbidden(_))));
        assert!(matches!(
            first(b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01d"),
            Err(PacketError::Forbidden(_))
        ));
        assert!(matches!(first(b"\x10\x02\x00\x04"), Err(PacketError::Forbidden(_))));
    }

    #[test]
    fn a_connect_holds_what_its_flags_announce_and_no_more() {
        for (what, bytes) in [
            ("more", b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x01dx".as_slice()),
            ("no client id", b"\x10\x0a\x00\x04MQTT\x04\x02\x00\x3c"),
            ("no keep-alive", b"\x10\x09\x00\x04MQTT\x04\x02\x00"),
            ("no user name", b"\x10\x0d\x00\x04MQTT\x04\x82\x00\x3c\x00\x01d"),
            ("half a will", b"\x10\x10\x00\x04MQTT\x04\x06\x00\x3c\x00\x01d\x00\x01t"),
            ("flags in its first byte", b"\x11\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01d"),
        ] {
            assert!(matches!(first(bytes), Err(PacketError::Forbidden(_))), "{what}");
        }
        let whole = b"\x10\x19\x00\x04MQTT\x04\xc6\x00\x3c\x00\x01d\x00\x01t\x00\x01m\x00\x01u\x00\x01p";
        assert!(matches!(first(whole), Ok(Some(Packet::Connect(_)))));
    }

    #[test]
    fn half_a_packet_waits_for_its_other_half() {
        for length in 0..CONNECT.len() {
            assert!(matches!(first(&CONNECT[..length]), Ok(None)), "{length}");
        }
    }

    #[test]
    fn what_the_standard_or_the_hub_forbids_is_refused() {
        for (what, bytes) in [
            ("QoS 2", b"\x34\x06\x00\x01x\x00\x01y".as_slice()),
            ("wildcard", b"\x30\x04\x00\x02#/"),
            ("packet id 0", b"\x32\x05\x00\x01x\x00\x00"),
            ("empty topic", b"\x30\x03\x00\x00y"),
            ("SUBSCRIBE 0", b"\x82\x06\x00\x00\x00\x01x\x01"),
            ("SUBSCRIBE flags", b"\x80\x06\x00\x01\x00\x01x\x01"),
            ("PUBACK 0", b"\x40\x02\x00\x00"),
            ("PUBACK flags", b"\x41\x02\x00\x01"),
            ("PUBACK of three bytes", b"\x40\x03\x00\x01\x00"),
            ("PUBACK of one byte", b"\x40\x01\x00"),
            ("PINGREQ flags", b"\xc1\x00"),
            ("PINGREQ content", b"\xc0\x01\x00"),
            ("DISCONNECT flags", b"\xe1\x00"),
            ("DISCONNECT content", b"\xe0\x01\x00"),
            ("SUBSCRIBE reserved bits", b"\x82\x06\x00\x01\x00\x01x\x81"),
            ("SUBSCRIBE reserved bits later", b"\x82\x0a\x00\x01\x00\x01x\x01\x00\x01y\x05"),
            ("SUBSCRIBE of nothing", b"\x82\x00"),
            ("SUBSCRIBE cut short", b"\x82\x05\x00\x01\x00\x02x"),
            ("too large", b"\x30\xff\xff\xff\x7f"),
        ] {
            assert!(second(bytes).is_err(), "{what}");
        }
        assert!(matches!(second(b"\x82\x06\x00\x01\x00\x01x\x01"), Ok(Some(Packet::Subscribe(_)))));
        assert!(matches!(second(b"\x30\x17\x00\x15devices/a#b+c/message"), Ok(Some(Packet::Publish(_)))));
    }
}
