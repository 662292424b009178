//! Messages as they stood on the wire, for people to look at.

use rumqttc::Publish;

use crate::device::PacketView;
use crate::device::discreet::discreet;
use crate::wire::bag::Bag;

/// What a person sees of a message.
pub(super) fn view(publish: &Publish, outbound: bool) -> PacketView {
    let topic = publish.topic.as_str();
    // Our own topics and the hub's carry their properties behind the last slash.
    let bag = topic.rsplit_once('/').map_or("", |(_, bag)| bag);
    let properties = Bag::decode(bag)
        .map(|bag| bag.0.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect())
        .unwrap_or_default();
    PacketView {
        outbound,
        topic: topic.to_owned(),
        properties,
        payload: discreet(&String::from_utf8_lossy(&publish.payload)),
        size: publish.payload.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::QoS;

    #[test]
    fn properties_are_read_from_the_topic() {
        let publish = Publish::new(
            "devices/d/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8",
            QoS::AtLeastOnce,
            "{}",
        );
        let view = view(&publish, true);
        assert_eq!(
            view.properties,
            [("$.ct", "application/json"), ("$.ce", "utf-8")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!((view.payload.as_str(), view.size), ("{}", 2));
    }

    #[test]
    fn a_payload_has_the_size_that_it_had_and_not_that_of_what_is_shown() {
        let sent: &[u8] = b"https://h/x?sig=SECRET\xff";
        let view = view(&Publish::new("$iothub/methods/POST/x/?$rid=1", QoS::AtMostOnce, sent), false);
        assert_eq!((view.payload.as_str(), view.size), ("https://h/x?\u{2026}", sent.len()));
    }

    #[test]
    fn request_ids_are_properties_too() {
        let publish = Publish::new("$iothub/methods/POST/blink/?$rid=1f", QoS::AtMostOnce, "5");
        assert_eq!(view(&publish, false).properties, [("$rid".to_owned(), "1f".to_owned())]);
    }
}
