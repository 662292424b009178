//! A cloud-to-device message: what a service sends, what is kept of it, and its limits.
//!
//! IoT Hub, "Send cloud-to-device messages from an IoT hub" and "Create and read IoT Hub messages".

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::fault::Fault;
use crate::wire::percent;

/// The most a message may hold: its body, the values of its system properties, and the names and
/// values of its own. IoT Hub, "Quotas and throttling": 64 KB.
pub const SIZE_LIMIT: usize = 64 * 1024;
/// How long a message waits that does not say so itself.
pub const TTL_DEFAULT: Duration = Duration::from_secs(3600);
/// How long a message may wait at most.
pub const TTL_LIMIT: Duration = Duration::from_secs(48 * 3600);
/// The most that the properties may take in a topic, percent-encoded: MQTT's strings end at 65,535
/// bytes, and the device's name and the system's own names need some of them.
const TOPIC_LIMIT: usize = 60_000;
/// The longest message id. IoT Hub, "Create and read IoT Hub messages": 128 characters.
const ID_LIMIT: usize = 128;

/// Which outcomes a sender wants to hear of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ack {
    /// None.
    #[default]
    None,
    /// That it was completed.
    Positive,
    /// That it was not.
    Negative,
    /// Either.
    Full,
}

impl Ack {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Full => "full",
        }
    }
}

/// Not one of the four.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the feedback asked for is `{0}`, it has to be none, positive, negative or full")]
pub struct UnknownAck(String);

impl FromStr for Ack {
    type Err = UnknownAck;

    fn from_str(text: &str) -> Result<Self, UnknownAck> {
        [Self::None, Self::Positive, Self::Negative, Self::Full]
            .into_iter()
            .find(|ack| text.eq_ignore_ascii_case(ack.name()))
            .ok_or_else(|| UnknownAck(text.to_owned()))
    }
}

/// What a service sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id; the hub makes one up when there is none.
    pub message_id: Option<String>,
    /// What it belongs to.
    pub correlation_id: Option<String>,
    /// Who sends it.
    pub user_id: Option<String>,
    /// What the body is.
    pub content_type: Option<String>,
    /// How the body is encoded.
    pub content_encoding: Option<String>,
    /// Which outcomes are to be told.
    pub ack: Ack,
    /// Until when it is worth delivering.
    pub expiry: Option<Timestamp>,
    /// The application's own properties.
    pub properties: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
}

impl Outgoing {
    /// Adds a property as it comes with a message; `iothub-ack` asks for feedback.
    ///
    /// Python's `send_c2d_message` passes whatever it is given as an application property, so that
    /// `ack` with one of the four words is taken for the same. Any other `ack` is the
    /// application's.
    pub fn property(&mut self, name: String, value: String) -> Result<(), Fault> {
        let ack = value.parse();
        match (name.as_str(), ack) {
            ("iothub-ack" | "ack", Ok(ack)) => self.ack = ack,
            ("iothub-ack", Err(error)) => return Err(Fault::bad_request(error.to_string())),
            _ => self.properties.push((name, value)),
        }
        Ok(())
    }

    /// Its size, as the limit counts it.
    pub fn size(&self) -> usize {
        self.body.len() + self.texts().map(str::len).sum::<usize>()
    }

    /// The values of its system properties, and the names and values of its own.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let system = [
            &self.message_id,
            &self.correlation_id,
            &self.user_id,
            &self.content_type,
            &self.content_encoding,
        ];
        let own = self.properties.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        system.into_iter().flatten().map(String::as_str).chain(own)
    }

    /// Checks it against the limits. Answers until when it is worth delivering.
    pub(super) fn check(&self, now: Timestamp) -> Result<Timestamp, Fault> {
        if self.size() > SIZE_LIMIT {
            return Err(Fault::too_large(format!(
                "the message has {} bytes with its properties, the most is {SIZE_LIMIT}",
                self.size()
            )));
        }
        // One more for the `=` or the `&` behind each.
        let encoded: usize = self.texts().map(|text| percent::encode(text).len() + 1).sum();
        if encoded > TOPIC_LIMIT {
            return Err(Fault::too_large(format!(
                "the properties of the message have {encoded} bytes as they would stand in a topic, the most is \
                 {TOPIC_LIMIT}"
            )));
        }
        if self.message_id.as_ref().is_some_and(|id| id.chars().count() > ID_LIMIT) {
            return Err(Fault::bad_request(format!("the message id has more than {ID_LIMIT} characters")));
        }
        if self.properties.iter().any(|(name, _)| name.is_empty()) {
            return Err(Fault::bad_request("a property of the message has no name"));
        }
        let latest = now + TTL_LIMIT;
        match self.expiry {
            None => Ok(now + TTL_DEFAULT),
            // What Azure does with a time that is over is not published. Nobody could ever get the
            // message, so that its sender is better told.
            Some(expiry) if expiry <= now => {
                Err(Fault::bad_expiry(format!("the message expired at {expiry}, it is {now} now")))
            }
            Some(expiry) if expiry > latest => Err(Fault::bad_expiry(format!(
                "the message expires at {expiry}, the latest is two days from now: {latest}"
            ))),
            Some(expiry) => Ok(expiry),
        }
    }
}

/// Reads a moment as senders write it: RFC 3339, or without a zone, which means UTC.
pub fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// A message in a queue. It does not change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Counts up from 1 within a device's queue.
    pub sequence: u64,
    /// When the hub took it.
    pub enqueued: Timestamp,
    /// Until when it is delivered, whether its sender said so or not.
    pub expiry: Timestamp,
    /// What was sent.
    pub sent: Outgoing,
}

/// Names one delivery of a message, so that an outcome of an earlier one is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockToken(pub u128);

impl LockToken {
    /// Reads a token, with or without quotes around it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        // `from_str_radix` would take a sign.
        let plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| u128::from_str_radix(&digits, 16).ok().map(Self))?
    }
}

impl fmt::Display for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&guid(self.0))
    }
}

/// A number in the form of a GUID.
pub fn guid(number: u128) -> String {
    let text = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// It is done, and the message with it.
    Complete,
    /// The message is not wanted.
    Reject,
    /// The message goes back to the queue.
    Abandon,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall() -> Timestamp {
        Timestamp::from_second(1_893_456_000).expect("a moment")
    }

    #[test]
    fn a_message_lives_for_an_hour_or_as_it_says_but_two_days_at_most() {
        let check = |expiry: Option<i64>| {
            let expiry = expiry.map(|s| wall() + Duration::from_secs(0) + jiff::SignedDuration::from_secs(s));
            Outgoing { expiry, ..Outgoing::default() }
                .check(wall())
                .map(|expiry| expiry.as_second() - wall().as_second())
                .map_err(|fault| (fault.status, fault.code, fault.name))
        };
        let refused = Err((403, 403_009, "InvalidMessageExpiryTime"));
        assert_eq!(check(None), Ok(3600));
        assert_eq!(check(Some(1)), Ok(1));
        assert_eq!(check(Some(172_800)), Ok(172_800));
        assert_eq!(check(Some(172_801)), refused);
        assert_eq!(check(Some(0)), refused);
    }

    #[test]
    fn the_size_counts_body_and_properties() {
        let mut sent = Outgoing { body: Bytes::from(vec![b'x'; SIZE_LIMIT - 8]), ..Outgoing::default() };
        sent.message_id = Some("abcd".to_owned());
        sent.property("ab".to_owned(), "cd".to_owned()).expect("a property");
        assert_eq!(sent.size(), SIZE_LIMIT);
        assert!(sent.check(wall()).is_ok());
        sent.property("e".to_owned(), String::new()).expect("a property");
        assert_eq!(sent.check(wall()).map_err(|fault| fault.code), Err(413_001));
    }

    #[test]
    fn properties_have_to_fit_into_a_topic() {
        let with =
            |value: String| Outgoing { properties: vec![("a".to_owned(), value)], ..Outgoing::default() };
        assert!(with("x".repeat(50_000)).check(wall()).is_ok());
        // Each of these takes three bytes when it is encoded.
        let fault = with("/".repeat(25_000)).check(wall()).expect_err("too large");
        assert_eq!((fault.status, fault.code), (413, 413_001));
        assert!(fault.message.contains("in a topic"), "{fault}");
    }

    #[test]
    fn feedback_is_asked_for_by_either_name() {
        let mut sent = Outgoing::default();
        for (name, value, ack) in [
            ("iothub-ack", "full", Ack::Full),
            ("ack", "Negative", Ack::Negative),
            ("ack", "yes", Ack::Negative),
        ] {
            sent.property(name.to_owned(), value.to_owned()).expect("a property");
            assert_eq!(sent.ack, ack, "{name}={value}");
        }
        assert_eq!(sent.properties, [("ack".to_owned(), "yes".to_owned())]);
        assert!(sent.property("iothub-ack".to_owned(), "yes".to_owned()).is_err());
    }

    #[test]
    fn moments_are_read_with_and_without_a_zone() {
        for text in [
            "2030-01-01T00:00:00Z",
            "2030-01-01T01:00:00+01:00",
            "2030-01-01T00:00:00",
            " 2030-01-01T00:00:00.000Z ",
        ] {
            assert_eq!(moment(text), Some(wall()), "{text}");
        }
        assert_eq!(moment("tomorrow"), None);
    }

    #[test]
    fn a_lock_token_is_read_as_it_is_written() {
        let token = LockToken(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(token.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(LockToken::parse("\"01234567-89ab-cdef-0123-456789abcdef\""), Some(token));
        for text in ["", "1", "+1234567-89ab-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(LockToken::parse(text), None, "{text}");
        }
    }
}
