//! Property bags: what follows the last slash of a message topic.
//!
//! IoT Hub, "Communicate with your IoT hub by using the MQTT protocol", sending messages.

use super::percent;

/// Names of system properties in a bag.
pub mod system {
    /// Message id.
    pub const MESSAGE_ID: &str = "$.mid";
    /// Correlation id.
    pub const CORRELATION_ID: &str = "$.cid";
    /// User id.
    pub const USER_ID: &str = "$.uid";
    /// Destination of a cloud-to-device message.
    pub const TO: &str = "$.to";
    /// Content type.
    pub const CONTENT_TYPE: &str = "$.ct";
    /// Content encoding.
    pub const CONTENT_ENCODING: &str = "$.ce";
    /// Absolute expiry.
    pub const EXPIRY: &str = "$.exp";
    /// Which outcomes of a cloud-to-device message are told to its sender.
    pub const ACK: &str = "iothub-ack";
    /// Creation time.
    pub const CREATION_TIME: &str = "$.ctime";
    /// Device that sent a message to a module's input.
    pub const CONNECTION_DEVICE: &str = "$.cdid";
    /// Module that sent a message to a module's input.
    pub const CONNECTION_MODULE: &str = "$.cmid";
    /// What a message is.
    pub const SCHEMA: &str = "$.schema";
    /// Output of a module.
    pub const OUTPUT: &str = "$.on";
    /// Component of a digital twin.
    pub const COMPONENT: &str = "$.sub";
}

/// Properties in the order they stand; a name without `=` has no value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bag(pub Vec<(String, Option<String>)>);

impl Bag {
    /// A bag of names and values.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect())
    }

    /// The last value given for `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name)?.1.as_deref()
    }

    /// The application's own properties: those that are none of the system's.
    pub fn application(self) -> impl Iterator<Item = (String, String)> {
        let own = |name: &str| !name.starts_with("$.") && !name.starts_with("iothub-");
        self.0.into_iter().filter(move |(name, _)| own(name)).map(|(n, value)| (n, value.unwrap_or_default()))
    }

    /// As it stands in a topic, every reserved character encoded.
    pub fn encode(&self) -> String {
        let members: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{}={}", percent::encode(name), percent::encode(value)),
                None => percent::encode(name),
            })
            .collect();
        members.join("&")
    }

    /// Reads what stands in a topic: an optional `?` before and slash behind are dropped. `None`
    /// when something in it is not UTF-8.
    pub fn decode(text: &str) -> Option<Self> {
        let text = text.strip_prefix('?').unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        let mut bag = Vec::new();
        for member in text.split('&').filter(|member| !member.is_empty()) {
            let (name, value) = match member.split_once('=') {
                Some((name, value)) => (name, Some(percent::decode(value)?.into_owned())),
                None => (member, None),
            };
            bag.push((percent::decode(name)?.into_owned(), value));
        }
        Some(Self(bag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_official_bag_is_read() {
        let bag = Bag::decode(
            "%24.mid=id%2F1%2B2%203&%24.ct=application%2Fjson&%24.ce=utf-8&%24.sub=comp1&a%20b=c%2Fd%26e%3Df",
        )
        .expect("a bag");
        assert_eq!(
            bag,
            Bag::of([
                ("$.mid", "id/1+2 3"),
                ("$.ct", "application/json"),
                ("$.ce", "utf-8"),
                ("$.sub", "comp1"),
                ("a b", "c/d&e=f"),
            ])
        );
    }

    #[test]
    fn our_bag_is_written_as_the_sdks_write_theirs() {
        let bag = Bag::of([(system::CONTENT_TYPE, "application/json"), (system::CONTENT_ENCODING, "utf-8")]);
        assert_eq!(bag.encode(), "%24.ct=application%2Fjson&%24.ce=utf-8");
    }

    #[test]
    fn odd_bags_are_read_as_edge_hub_reads_them() {
        assert_eq!(Bag::decode(""), Some(Bag::default()));
        assert_eq!(Bag::decode("?a=1/"), Some(Bag::of([("a", "1")])));
        assert_eq!(
            Bag::decode("$.ct=x&flag&empty=").map(|bag| bag.0),
            Some(vec![
                ("$.ct".to_owned(), Some("x".to_owned())),
                ("flag".to_owned(), None),
                ("empty".to_owned(), Some(String::new())),
            ])
        );
        assert_eq!(Bag::decode("a=1&a=2").expect("a bag").get("a"), Some("2"));
        assert_eq!(Bag::decode("a=b=c").expect("a bag").get("a"), Some("b=c"));
        assert_eq!(Bag::decode("a=%FF"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(pairs in prop::collection::vec((".+", prop::option::of(".*")), 0..6)) {
            let bag = Bag(pairs);
            prop_assert_eq!(Bag::decode(&bag.encode()), Some(bag));
        }
    }
}
