//! Messages as they go to inputs of modules.

use super::Message;
use crate::cloud::core::registry::Address;
use crate::cloud::core::routes::message::Routed;
use crate::wire::topic;

/// A routed message; `None` for an address that is no module's, which has no inputs. As with
/// messages to devices, everything in the bag is encoded.
pub(super) fn module_bound(to: &Address, input: &str, message: &Routed, quality: u8) -> Option<Message> {
    let module = to.module.as_ref()?;
    let bag = message.for_input().encode();
    let topic = topic::input(to.device.as_str(), module.as_str(), input, &bag);
    Some(Message::new(topic, message.body.clone(), quality))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::cloud::core::routes::Origin;
    use crate::device::ModuleId;
    use crate::wire::bag::Bag;

    #[test]
    fn a_routed_message_is_written_to_the_letter() {
        let module = |name: &str| name.parse::<ModuleId>().expect("a name");
        let address = |name: &str| Address::module("edge-01".parse().expect("a name"), module(name));
        let bag = "%24.on=temperatureOutput&%24.cmid=forged&%24.mid=1&%24.ct=application%2Fjson&%24.ce=utf-8&a%20b=c%2Fd&flag";
        let mut message = Routed {
            from: address("tempSensor"),
            origin: Origin::Message {
                module: module("tempSensor"),
                output: Some("temperatureOutput".to_owned()),
            },
            bag: bag.to_owned(),
            properties: Bag::decode(bag).expect("a bag"),
            body: Bytes::from_static(b"{}"),
            model_id: None,
            at: jiff::Timestamp::from_second(1_893_456_000).expect("a moment"),
        };
        let written = module_bound(&address("filterModule"), "input1", &message, 1).expect("a message");
        assert_eq!(
            written.topic,
            "devices/edge-01/modules/filterModule/inputs/input1/%24.cdid=edge-01&%24.cmid=tempSensor&%24.mid=1&%24.ct=application%2Fjson&%24.ce=utf-8&a%20b=c%2Fd&flag"
        );
        assert_eq!((written.body.as_ref(), written.quality), (b"{}".as_slice(), 1));
        message.properties = Bag::default();
        let written = module_bound(&address("filterModule"), "i", &message, 0).expect("a message");
        assert_eq!(
            written.topic,
            "devices/edge-01/modules/filterModule/inputs/i/%24.cdid=edge-01&%24.cmid=tempSensor"
        );
        assert_eq!(module_bound(&address("m").of_device(), "i", &message, 0), None);
    }
}
