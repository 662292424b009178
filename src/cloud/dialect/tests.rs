//! The dialect, to the letter.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::testing::{START, group, now, settings};
use crate::cloud::core::{Delivery, Settings};
use crate::device::RegistrationId;
use crate::wire::sas::Token;
use crate::wire::topic::filter;

fn core() -> Core {
    let settings = Settings { assigned_hub: "localhost:9999".to_owned(), retry_after: 3, ..settings() };
    let mut core = Core::new(settings, [1; 32]);
    core.create_derived(now(0), "d".parse().expect("an id")).expect("created");
    core
}

fn online(core: &mut Core) -> (ConnectionId, Address) {
    let address = Address::device("d".parse().expect("an id"));
    let mut out = Vec::new();
    let connection = core.connect(now(0), &address, true, None, &mut out).connection;
    core.subscribe(now(0), connection, filter::TWIN_ANSWERS, 0, &mut out);
    (connection, address)
}

fn publish(core: &mut Core, topic: &str, body: &str) -> Result<Option<(String, String)>, Unacceptable> {
    let (connection, address) = online(core);
    let body = Bytes::copy_from_slice(body.as_bytes());
    let answer = hub_publish(core, now(0), (connection, &address), topic, &body, false, &mut Vec::new())?;
    Ok(answer.map(|message| (message.topic, String::from_utf8_lossy(&message.body).into_owned())))
}

#[test]
fn a_twin_request_is_answered_to_the_letter() {
    assert_eq!(
        publish(&mut core(), "$iothub/twin/GET/?$rid=8f1c", " "),
        Ok(Some((
            "$iothub/twin/res/200/?$rid=8f1c".to_owned(),
            r#"{"desired":{"$version":1},"reported":{"$version":1}}"#.to_owned()
        )))
    );
    assert_eq!(
        publish(&mut core(), "$iothub/twin/PATCH/properties/reported/?$rid=6", r#"{"state":"true"}"#),
        Ok(Some(("$iothub/twin/res/204/?$rid=6&$version=2".to_owned(), String::new())))
    );
}

#[test]
fn a_refused_report_has_a_body_that_says_why() {
    let mut core = core();
    let answer =
        publish(&mut core, "$iothub/twin/PATCH/properties/reported/?$rid=7", "{").expect("an answer");
    let (topic, body) = answer.expect("an answer");
    assert_eq!(topic, "$iothub/twin/res/400/?$rid=7");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (&body["errorCode"], &body["timestampUtc"]),
        (&json!(400_004), &json!("2030-01-01T00:00:00Z"))
    );
    assert!(
        body["message"].as_str().is_some_and(|text| text.starts_with("the reported properties are not JSON"))
    );
}

#[test]
fn a_message_needs_its_own_devices_topic_and_a_readable_bag() {
    let mut core = core();
    assert_eq!(publish(&mut core, "devices/d/messages/events/a=1", "x"), Ok(None));
    assert_eq!(
        publish(&mut core, "devices/e/messages/events/", "x"),
        Err(Unacceptable::Foreign("e".to_owned()))
    );
    assert_eq!(publish(&mut core, "devices/d/messages/events/a=%FF", "x"), Err(Unacceptable::Bag));
    for topic in ["x", "$iothub/twin/GET/", "$dps/registrations/PUT/iotdps-register/?$rid=1"] {
        assert_eq!(publish(&mut core, topic, ""), Err(Unacceptable::Topic(topic.to_owned())));
    }
}

#[test]
fn a_property_is_added_to_any_bag() {
    assert_eq!(add_property("", "iothub-MessageType", "Will"), "iothub-MessageType=Will");
    assert_eq!(add_property("?a=1/", "b", "c d"), "a=1&b=c%20d");
}

#[test]
fn deliveries_are_written_to_the_letter() {
    let desired = Delivery::Desired { quality: 1, version: 4, patch: json!({"name": "x", "$version": 4}) };
    let message = deliver(desired).expect("a message");
    assert_eq!(message.topic, "$iothub/twin/PATCH/properties/desired/?$version=4");
    assert_eq!(message.body, r#"{"name":"x","$version":4}"#);
}

#[test]
fn a_registration_over_mqtt_goes_as_documented() {
    let mut core = core();
    let id: RegistrationId = "sensor-01".parse().expect("an id");
    let token =
        Token::sign(&group().derive("sensor-01"), "0ne00ABCDEF/registrations/sensor-01", START + 60, None);
    let presenting = Presenting { scope: "0ne00ABCDEF", id: &id, token: token.reveal(), peer: None };
    let device = core.authorize_registration(now(0), presenting).expect("allowed");
    let mut say = |topic: &str, body: &str| {
        let said = dps_publish(&mut core, now(0), &device, topic, body.as_bytes(), &mut Vec::new())
            .expect("an answer");
        (said.topic, serde_json::from_slice::<Value>(&said.body).expect("JSON"))
    };
    let (topic, body) = say(
        "$dps/registrations/PUT/iotdps-register/?$rid=6a1b",
        r#"{"payload": null, "registrationId": "sensor-01"}"#,
    );
    assert_eq!(topic, "$dps/registrations/res/202/?$rid=6a1b&retry-after=3");
    let operation = body["operationId"].as_str().expect("a name");
    assert_eq!(body, json!({"operationId": operation, "status": "assigning"}));
    let (topic, body) = say(
        &format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=77c0&operationId={operation}"),
        " ",
    );
    assert_eq!(topic, "$dps/registrations/res/200/?$rid=77c0");
    assert_eq!(
        body["registrationState"],
        json!({
            "registrationId": "sensor-01",
            "createdDateTimeUtc": "2030-01-01T00:00:00Z",
            "lastUpdatedDateTimeUtc": "2030-01-01T00:00:00Z",
            "assignedHub": "localhost:9999", "deviceId": "sensor-01",
            "status": "assigned", "substatus": "initialAssignment",
            "symmetricKey": {"enrollmentGroupId": "envsim"},
            "etag": "AAAAAAAAAAI="
        })
    );
    let (topic, body) = say("$dps/registrations/PUT/iotdps-register/?$rid=1", r#"{"modelId": "dtmi:x;1"}"#);
    assert_eq!((topic.as_str(), &body["errorCode"]), ("$dps/registrations/res/400/?$rid=1", &json!(400_012)));
}

#[test]
fn a_connect_is_checked_by_user_name_client_id_and_token() {
    let mut core = core();
    let token = Token::sign(&group().derive("d"), "localhost/devices/d", START + 60, None);
    let user = "localhost/d/?api-version=2021-04-12&model-id=dtmi%3Ax%3B1";
    let role = connect(&mut core, now(0), "d", user, token.reveal(), None);
    assert!(
        matches!(role, Ok(Role::Hub { model_id: Some(model), expiry, .. }) if model == "dtmi:x;1" && expiry == START + 60)
    );
    assert!(matches!(
        connect(&mut core, now(0), "D", user, token.reveal(), None),
        Err(ConnectError::ClientId { .. })
    ));
    assert!(matches!(connect(&mut core, now(0), "d", "d", "", None), Err(ConnectError::UserName(_))));
    assert!(matches!(
        connect(&mut core, now(0), "d", user, "", None),
        Err(ConnectError::Refused(Refusal::NoToken))
    ));
    assert!(matches!(
        connect(&mut core, now(0), "d/m", "localhost/d/m/?api-version=1", token.reveal(), None),
        Err(ConnectError::Refused(Refusal::UnknownClient(_)))
    ));
    let token = Token::sign(&group().derive("s"), "0ne00ABCDEF/registrations/s", START + 60, None);
    let user = "0ne00ABCDEF/registrations/s/api-version=2019-03-31&ClientVersion=x";
    assert!(matches!(connect(&mut core, now(0), "s", user, token.reveal(), None), Ok(Role::Dps { .. })));
}
