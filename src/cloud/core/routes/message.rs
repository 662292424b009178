//! A message on its way through routes, and what conditions ask of it.

use std::borrow::Cow;
use std::cell::OnceCell;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Origin;
use crate::cloud::core::query::{Row, Step, lookup};
use crate::cloud::core::registry::Address;
use crate::wire::bag::{Bag, system};

/// The bag of a changed twin's message. Edge hub marks it by its schema.
pub const TWIN_CHANGE_BAG: &str = "%24.ct=application%2Fjson&%24.ce=utf-8&%24.schema=twinChangeNotification";

/// The most that properties may take in a topic: MQTT's strings end at 65,535 bytes, and names of the
/// device, of modules, and of the input need some of them.
const TOPIC_LIMIT: usize = 60_000;

/// A message of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Routed {
    /// Who sent it.
    pub from: Address,
    /// Where it comes from, as sources of routes name it.
    pub origin: Origin,
    /// Its properties as they came.
    pub bag: String,
    /// The same, read.
    pub properties: Bag,
    /// Its body.
    pub body: Bytes,
    /// The model that its sender announced.
    pub model_id: Option<String>,
    /// When it came.
    pub at: Timestamp,
}

impl Routed {
    /// A message as it comes from a module; `None` when that is none.
    pub fn message(
        from: &Address,
        bag: String,
        body: Bytes,
        model_id: Option<String>,
        at: Timestamp,
    ) -> Option<Self> {
        let module = from.module.clone()?;
        let properties = Bag::decode(&bag).unwrap_or_default();
        let output = properties.get(system::OUTPUT).filter(|name| !name.is_empty()).map(str::to_owned);
        let origin = Origin::Message { module, output };
        Some(Self { from: from.clone(), origin, bag, properties, body, model_id, at })
    }

    /// What tells that a module has changed its reported properties.
    pub fn twin_change(from: &Address, patch: Bytes, at: Timestamp) -> Option<Self> {
        let module = from.module.clone()?;
        Some(Self {
            from: from.clone(),
            origin: Origin::TwinChange { module },
            bag: TWIN_CHANGE_BAG.to_owned(),
            properties: Bag::decode(TWIN_CHANGE_BAG).unwrap_or_default(),
            body: patch,
            model_id: None,
            at,
        })
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        self.bag.len() + self.body.len()
    }

    /// The properties with which it goes to an input: who sent it, and all that it came with but
    /// the name of its output, and what its sender says of who sent it.
    pub fn for_input(&self) -> Bag {
        let device = self.from.device.as_str();
        let module = self.from.module.as_ref().map(|module| (system::CONNECTION_MODULE, module.as_str()));
        let mut bag = Bag::of([(system::CONNECTION_DEVICE, device)].into_iter().chain(module));
        let own = [system::OUTPUT, system::CONNECTION_DEVICE, system::CONNECTION_MODULE];
        let others = self.properties.0.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        bag.0.extend(others.cloned());
        bag
    }

    /// Whether its properties fit into the topic of an input. Encoding makes three bytes of one at
    /// most, so that they are nearly always known to.
    pub(super) fn fits_a_topic(&self) -> bool {
        self.bag.len() * 3 <= TOPIC_LIMIT || self.for_input().encode().len() <= TOPIC_LIMIT
    }

    /// JSON in UTF-8, when the message says that it is that: only then are bodies looked into. IoT
    /// Hub, "IoT Hub message routing query syntax", query based on message body.
    fn json(&self) -> Option<Value> {
        let content_type = self.properties.get(system::CONTENT_TYPE)?;
        let media = content_type.split(';').next().unwrap_or_default().trim();
        let encoding = self.properties.get(system::CONTENT_ENCODING)?;
        if !media.eq_ignore_ascii_case("application/json") || !encoding.eq_ignore_ascii_case("utf-8") {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// A system property by its name in conditions, in any case.
    fn system(&self, name: &str) -> Option<String> {
        let in_bag = |name: &str| self.properties.get(name).map(str::to_owned);
        match name.to_ascii_lowercase().as_str() {
            "connectiondeviceid" => Some(self.from.device.to_string()),
            "connectionmoduleid" => self.from.module.as_ref().map(ToString::to_string),
            "enqueuedtime" => Some(self.at.to_string()),
            "outputname" => match &self.origin {
                Origin::Message { output, .. } => output.clone(),
                Origin::TwinChange { .. } => None,
            },
            "messageid" => in_bag(system::MESSAGE_ID),
            "correlationid" => in_bag(system::CORRELATION_ID),
            "userid" => in_bag(system::USER_ID),
            "to" => in_bag(system::TO),
            "contenttype" => in_bag(system::CONTENT_TYPE),
            "contentencoding" => in_bag(system::CONTENT_ENCODING),
            "componentname" | "dt-subject" => in_bag(system::COMPONENT),
            "dt-dataschema" => self.model_id.clone(),
            "messageschema" => in_bag(system::SCHEMA),
            "creationtime" => in_bag(system::CREATION_TIME).or_else(|| in_bag("iothub-creation-time-utc")),
            _ => None,
        }
    }

    /// A property of the application, in any case; the last of a name counts.
    fn own(&self, name: &str) -> Option<&str> {
        let is = |own: &str| !own.starts_with("$.") && own.eq_ignore_ascii_case(name);
        self.properties.0.iter().rev().find(|(own, _)| is(own))?.1.as_deref()
    }
}

/// What conditions see of a message. Its body is read once, and only when one asks for it.
pub(super) struct View<'a> {
    message: &'a Routed,
    body: OnceCell<Option<Value>>,
}

impl<'a> View<'a> {
    pub(super) fn of(message: &'a Routed) -> Self {
        Self { message, body: OnceCell::new() }
    }

    fn body(&self) -> Option<&Value> {
        self.body.get_or_init(|| self.message.json()).as_ref()
    }
}

impl Row for View<'_> {
    fn value(&self, path: &[Step]) -> Option<Cow<'_, Value>> {
        let (first, rest) = path.split_first()?;
        let name = first.name()?;
        let text = match name.strip_prefix('$') {
            Some(name) if name.eq_ignore_ascii_case("body") => {
                return lookup(self.body()?, rest).map(Cow::Borrowed);
            }
            Some(name) if rest.is_empty() => self.message.system(name),
            _ => None,
        };
        // "If an application property name begins with `$`", it is looked for in the system's first.
        let text = match text {
            Some(text) => text,
            None if rest.is_empty() => self.message.own(name)?.to_owned(),
            // A name of an application may have dots in it, and is one name all the same.
            None => {
                let names: Option<Vec<_>> = path.iter().map(Step::name).collect();
                self.message.own(&names?.join("."))?.to_owned()
            }
        };
        Some(Cow::Owned(Value::String(text)))
    }

    fn whole(&self) -> Value {
        let own = self.message.properties.0.iter().filter(|(name, _)| !name.starts_with("$."));
        let own = own.map(|(name, value)| (name.clone(), value.clone().map_or(Value::Null, Value::String)));
        let mut members: Map<_, _> = own.collect();
        members.insert("$body".to_owned(), self.body().cloned().unwrap_or_default());
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::core::query::Condition;
    use crate::cloud::core::query::ast::Dialect;

    fn holds(condition: &str, bag: &str) -> bool {
        let module: crate::device::ModuleId = "sensor".parse().expect("a name");
        let message = Routed {
            from: Address::module("edge".parse().expect("a name"), module.clone()),
            origin: Origin::Message { module, output: Some("out".to_owned()) },
            bag: bag.to_owned(),
            properties: Bag::decode(bag).expect("a bag"),
            body: Bytes::from_static(
                br#"{"machine":{"temperature":30.5},"Machine":1,"list":[{"a":"x"}],"my-key":1,"1st":2}"#,
            ),
            model_id: Some("dtmi:com:example:Sensor;1".to_owned()),
            at: Timestamp::from_second(1_893_456_000).expect("a moment"),
        };
        Condition::parse_as(condition, Dialect::Messages).expect(condition).selects(&View::of(&message))
    }

    #[test]
    fn bodies_are_looked_into_when_they_say_that_they_are_json() {
        const JSON: &str = "$.ct=application/json&$.ce=utf-8";
        assert!(holds("$body.machine.temperature > 25", JSON));
        assert!(holds("$BODY.list[0].a = 'x'", "$.ct=Application/JSON; charset=utf-8&$.ce=UTF-8"));
        assert!(!holds("$body.Machine.temperature > 25", JSON), "names in bodies have their case");
        for bag in [
            "",
            "$.ct=application/json",
            "$.ce=utf-8",
            "$.ct=text/plain&$.ce=utf-8",
            "$.ct=application/json&$.ce=utf-16",
        ] {
            assert!(!holds("IS_DEFINED($body.machine)", bag), "{bag}");
        }
    }

    #[test]
    fn properties_are_found_in_any_case_and_as_texts() {
        assert!(holds("messagetype = 'Alert'", "MessageType=Alert"));
        assert!(!holds("MessageType = 'alert'", "MessageType=Alert"));
        assert!(holds("as_number(level) >= 3 AND NOT level = 3", "level=3"));
        assert!(holds("a.b = 'c'", "a.b=c"));
        assert!(holds("a = '2'", "a=1&a=2"));
        assert!(!holds("IS_DEFINED(flag)", "flag"));
    }

    #[test]
    fn names_are_found_whatever_they_are_made_of() {
        let bag = "my-prop=x&1st=x&a+b=x&a#b=x&it's=x&a.b-c=x&%24sent=x&and=x&a:b=x&into=x&\
                   $.ct=application/json&$.ce=utf-8";
        for name in
            ["my-prop", "1st", "a+b", "a#b", "it's", "a.b-c", "$sent", "[[and]]", "[[a:b]]", "[[my-prop]]"]
        {
            assert!(holds(&format!("{name} = 'x'"), bag), "{name}");
            assert!(holds(&format!("{name}='x' AND IS_DEFINED({name})"), bag), "{name}");
            assert!(!holds(&format!("NOT IS_DEFINED({name})"), bag), "{name}");
        }
        assert!(holds("$body.my-key = 1 AND $body.1st = 2 AND $body.[[my-key]] = 1", bag));
        assert!(holds("$body.1st - $body.my-key = 1 AND - $body.1st = -2 AND .5 < $body.1st", bag));
    }

    #[test]
    fn system_properties_are_those_of_the_message_and_of_its_sender() {
        let bag = "$.mid=m&$.cid=c&$.ct=text/plain&connectionModuleId=forged";
        assert!(holds("$connectionModuleId = 'sensor' AND {$connectionDeviceId} = 'edge'", bag));
        assert!(holds("$messageId = 'm' AND $correlationid = 'c' AND $contentType = 'text/plain'", bag));
        assert!(holds("$dt-dataschema = 'dtmi:com:example:Sensor;1' AND $DT-Subject = 'c'", "$.sub=c"));
        assert!(holds("$to = 't' AND {$to} = 't'", "$.to=t&%24to=own"));
        assert!(holds("$outputName = 'out' AND $enqueuedTime = '2030-01-01T00:00:00Z'", bag));
        assert!(!holds("IS_DEFINED($userId) OR IS_DEFINED($nothing) OR IS_DEFINED($mid)", bag));
    }
}
