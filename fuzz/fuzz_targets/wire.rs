//! Texts from the other side: user names, topics, bags, tokens, connection strings, bodies.
#![no_main]

use envsim::wire::bag::Bag;
use envsim::wire::connect::UserName;
use envsim::wire::connection_string::ConnectionString;
use envsim::wire::dps::OperationStatus;
use envsim::wire::enrolment::EnrolmentBody;
use envsim::wire::local::CloudMessage;
use envsim::wire::sas::Presented;
use envsim::wire::service::MethodCall;
use envsim::wire::topic::{FromDevice, ToDevice};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = UserName::parse(text);
    let _ = FromDevice::parse(text);
    let _ = ToDevice::parse(text, "d");
    let _ = Presented::parse(text);
    let _ = ConnectionString::parse(text);
    let _ = serde_json::from_str::<EnrolmentBody>(text);
    let _ = serde_json::from_str::<MethodCall>(text);
    let _ = serde_json::from_str::<CloudMessage>(text);
    let _ = serde_json::from_str::<OperationStatus>(text);
    if let Some(bag) = Bag::decode(text) {
        // What is written again reads the same.
        assert_eq!(Bag::decode(&bag.encode()), Some(bag));
    }
});
