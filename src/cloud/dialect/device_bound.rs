//! Cloud-to-device messages as they go to a device.

use super::Message;
use crate::cloud::core::message::{self, Ack};
use crate::device::DeviceId;
use crate::wire::bag::{Bag, system};
use crate::wire::topic;

/// A cloud-to-device message. The C SDK knows system properties in their encoded form only, and
/// Python splits the topic at slashes, so that everything in the bag is encoded.
pub(super) fn device_bound(device: &DeviceId, message: &message::Message, quality: u8) -> Message {
    let sent = &message.sent;
    // In this case, while the topic has `devicebound`: so Azure writes them.
    let to = format!("/devices/{device}/messages/deviceBound");
    let expiry = sent.expiry.map(|expiry| expiry.to_string());
    let ack = (sent.ack != Ack::None).then(|| sent.ack.name());
    let system = [
        (system::MESSAGE_ID, Some(message.id.as_str())),
        (system::CORRELATION_ID, sent.correlation_id.as_deref()),
        (system::USER_ID, sent.user_id.as_deref()),
        (system::TO, Some(to.as_str())),
        (system::CONTENT_TYPE, sent.content_type.as_deref()),
        (system::CONTENT_ENCODING, sent.content_encoding.as_deref()),
        (system::EXPIRY, expiry.as_deref()),
        (system::ACK, ack),
    ];
    let system = system.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let own = sent.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let bag = Bag::of(system.chain(own)).encode();
    Message::new(topic::device_bound(device.as_str(), &bag), sent.body.clone(), quality)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_cloud_to_device_message_is_written_to_the_letter() {
        let sent = message::Outgoing {
            content_type: Some("application/json".to_owned()),
            content_encoding: Some("utf-8".to_owned()),
            ack: Ack::Full,
            properties: vec![("level".to_owned(), "3".to_owned())],
            body: Bytes::from_static(b"{}"),
            ..message::Outgoing::default()
        };
        let wall = jiff::Timestamp::from_second(1_893_456_000).expect("a moment");
        let mut queued =
            message::Message { id: "7c1f".to_owned(), sequence: 1, enqueued: wall, expiry: wall, sent };
        let device: DeviceId = "dev-01".parse().expect("an id");
        let written = device_bound(&device, &queued, 1);
        assert_eq!(
            written.topic,
            "devices/dev-01/messages/devicebound/%24.mid=7c1f&%24.to=%2Fdevices%2Fdev-01%2Fmessages%2FdeviceBound&%24.ct=application%2Fjson&%24.ce=utf-8&iothub-ack=full&level=3"
        );
        assert_eq!((written.body.as_ref(), written.quality), (b"{}".as_slice(), 1));
        queued.sent = message::Outgoing {
            correlation_id: Some("c/1".to_owned()),
            user_id: Some("u".to_owned()),
            expiry: Some(wall),
            properties: vec![("a b".to_owned(), "c/d&e=f".to_owned())],
            ..message::Outgoing::default()
        };
        assert_eq!(
            device_bound(&device, &queued, 0).topic,
            "devices/dev-01/messages/devicebound/%24.mid=7c1f&%24.cid=c%2F1&%24.uid=u&%24.to=%2Fdevices%2Fdev-01%2Fmessages%2FdeviceBound&%24.exp=2030-01-01T00%3A00%3A00Z&a%20b=c%2Fd%26e%3Df"
        );
    }
}
