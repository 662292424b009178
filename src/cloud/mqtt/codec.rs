//! rumqttc's codec, made strict where it is lenient and the standard is not.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Codec, Packet};
use rumqttc::mqttbytes::{self, QoS};
use tokio_util::codec::{Decoder, Encoder};

use crate::cloud::core::client::MESSAGE_LIMIT;

/// Larger packets end the connection: a message at its limit, its topic and its head.
const LARGEST: usize = MESSAGE_LIMIT + 4096;

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
        let flags = source.first().copied().unwrap_or_default();
        let Some(packet) = self.inner.decode(source)? else { return Ok(None) };
        self.connected = true;
        check(&packet, flags)?;
        Ok(Some(packet))
    }
}

impl Encoder<Packet> for Strict {
    type Error = PacketError;

    fn encode(&mut self, packet: Packet, into: &mut BytesMut) -> Result<(), PacketError> {
        Ok(self.inner.encode(packet, into)?)
    }
}

/// MQTT 3.1.1, section 3.1.2: level and flags, which the codec does not hand on.
fn check_connect(frame: &[u8]) -> Result<(), PacketError> {
    const SHORT: PacketError = PacketError::Forbidden("CONNECT is too short");
    let length = 1 + frame.iter().skip(1).take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let body = frame.get(length..).ok_or(SHORT)?;
    let [high, low, rest @ ..] = body else { return Err(SHORT) };
    let name = usize::from(u16::from_be_bytes([*high, *low]));
    match (rest.get(..name), rest.get(name), rest.get(name + 1)) {
        (Some(b"MQTT"), Some(4), Some(flags)) if flags & 1 == 0 => Ok(()),
        (Some(b"MQTT"), Some(4), Some(_)) => Err(PacketError::Forbidden("CONNECT has its reserved flag set")),
        (Some(b"MQTT" | b"MQIsdp"), Some(level), _) => Err(PacketError::Level(*level)),
        _ => Err(PacketError::Forbidden("CONNECT does not say MQTT")),
    }
}

/// MQTT 3.1.1 on packet ids, wildcards and reserved bits; IoT Hub on quality 2.
fn check(packet: &Packet, first: u8) -> Result<(), PacketError> {
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
            if first & 0x0f != 0x02 || subscribe.pkid == 0 || subscribe.filters.is_empty() {
                return forbidden("its SUBSCRIBE has no packet id, no filter or wrong flags");
            }
            if subscribe.filters.iter().any(|filter| filter.path.is_empty()) {
                return forbidden("its SUBSCRIBE has an empty filter");
            }
        }
        Packet::Unsubscribe(unsubscribe)
            if first & 0x0f != 0x02 || unsubscribe.pkid == 0 || unsubscribe.topics.is_empty() =>
        {
            return forbidden("its UNSUBSCRIBE has no packet id, no filter or wrong flags");
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
            ("too large", b"\x30\xff\xff\xff\x7f"),
        ] {
            assert!(second(bytes).is_err(), "{what}");
        }
        assert!(matches!(second(b"\x82\x06\x00\x01\x00\x01x\x01"), Ok(Some(Packet::Subscribe(_)))));
        assert!(matches!(second(b"\x30\x17\x00\x15devices/a#b+c/message"), Ok(Some(Packet::Publish(_)))));
    }
}
