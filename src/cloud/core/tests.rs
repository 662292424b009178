//! Whole stories of the core: provisioning, connecting, twins and commands, without sockets.

use serde_json::json;

use super::auth::Refusal;
use super::identities::Spec;
use super::provisioning::Presenting;
use super::registry::{Address, Precondition};
use super::service::Write;
use super::testing::{START, group, now, settings};
use super::twins::TwinUpdate;
use super::{Closing, Core, Delivery, Output, Settings};
use crate::device::{Millis, RegistrationId};
use crate::wire::SharedKey;
use crate::wire::sas::Token;
use crate::wire::service::{MethodCall, MethodResult};
use crate::wire::topic::filter;

/// A hub whose provisioning service has devices wait once.
fn core() -> Core {
    Core::new(Settings { waits: 1, ..settings() }, [7; 32])
}

fn with_device() -> (Core, Address) {
    let mut core = core();
    core.create_derived(now(0), "d".parse().expect("an id")).expect("created");
    (core, Address::device("d".parse().expect("an id")))
}

fn call(connect: Option<u64>) -> MethodCall {
    MethodCall {
        method_name: "blink".to_owned(),
        payload: Some(json!(5)),
        response_timeout_in_seconds: None,
        connect_timeout_in_seconds: connect,
    }
}

#[test]
fn a_device_registers_waits_and_is_assigned_under_its_derived_key() {
    let mut core = core();
    let id: RegistrationId = "sensor-01".parse().expect("an id");
    let key = group().derive("sensor-01");
    let token = Token::sign(&key, "0ne00ABCDEF/registrations/sensor-01", START + 60, Some("registration"));
    let presenting = Presenting { scope: "0ne00ABCDEF", id: &id, token: token.reveal(), peer: None };
    let attested = core.authorize_registration(now(0), presenting).expect("allowed");
    let body = br#"{"registrationId":"sensor-01","payload":{"modelId":"dtmi:x;1"}}"#;
    let operation = core.register(now(0), &attested, body).expect("begun").operation.clone();
    let mut out = Vec::new();
    assert!(!core.operation(now(1), &id, &operation, &mut out).expect("waiting").status.is_final());
    assert!(core.operation(now(2), &id, &operation, &mut out).expect("assigned").status.is_final());
    let device = core.device(&"sensor-01".parse().expect("an id")).expect("in the hub");
    assert_eq!(
        (device.authentication.keys().expect("keys").primary.clone(), device.model_id.as_deref()),
        (key.clone(), Some("dtmi:x;1"))
    );
    let token = Token::sign(&key, "localhost/devices/sensor-01", START + 60, None);
    let address = device.address.clone();
    assert_eq!(core.authorize_client(now(3), "localhost:9999", &address, token.reveal()), Ok(START + 60));
    // Registering again leaves the device as it is.
    let operation = core.register(now(4), &attested, b"").expect("begun").operation.clone();
    core.operation(now(5), &id, &operation, &mut out).expect("waiting");
    assert!(core.operation(now(6), &id, &operation, &mut out).expect("assigned").status.is_final());
    assert_eq!(out, []);
    assert_eq!(core.operation(now(7), &id, "4.x.y", &mut out).map_err(|fault| fault.status), Err(404));
}

#[test]
fn every_reason_to_refuse_a_device_is_told_apart() {
    let (mut core, d) = with_device();
    let key = group().derive("d");
    let check = |core: &Core, key: &SharedKey, resource: &str, at: u64, address: &Address| {
        let token = Token::sign(key, resource, START, None);
        core.authorize_client(now(at), "localhost", address, token.reveal())
    };
    let resource = "localhost/devices/d";
    assert_eq!(check(&core, &key, resource, 300_000, &d), Ok(START));
    assert_eq!(check(&core, &key, resource, 301_000, &d), Err(Refusal::Expired { ago: 301 }));
    assert_eq!(check(&core, &group(), resource, 0, &d), Err(Refusal::GroupKey));
    assert_eq!(check(&core, &group().derive("e"), resource, 0, &d), Err(Refusal::WrongSignature));
    assert!(matches!(check(&core, &key, "localhost/devices/e", 0, &d), Err(Refusal::WrongResource { .. })));
    assert!(matches!(check(&core, &key, "elsewhere/devices/d", 0, &d), Err(Refusal::WrongHub { .. })));
    let unknown = Address::device("nobody".parse().expect("an id"));
    assert_eq!(
        check(&core, &key, "localhost/devices/nobody", 0, &unknown),
        Err(Refusal::UnknownClient(unknown.clone()))
    );
    let spec = Spec { enabled: false, ..Spec::plain(d.clone()) };
    core.change(now(0), spec, &Precondition::Any, &mut Vec::new()).expect("disabled");
    assert_eq!(check(&core, &key, resource, 0, &d), Err(Refusal::Disabled("d".to_owned())));
}

#[test]
fn a_policys_token_may_connect_any_device() {
    let (core, d) = with_device();
    let sign = |policy: &str, resource: &str| {
        let key = core.policy_key(policy).expect("a policy");
        Token::sign(key, resource, START + 1, Some(policy))
    };
    let check = |token: Token| core.authorize_client(now(0), "localhost", &d, token.reveal());
    assert_eq!(check(sign("device", "localhost/devices")), Ok(START + 1));
    assert_eq!(check(sign("iothubowner", "localhost")), Ok(START + 1));
    assert!(matches!(check(sign("service", "localhost")), Err(Refusal::Right { .. })));
}

#[test]
fn a_changed_twin_is_pushed_to_who_listens_and_to_nobody_else() {
    let (mut core, d) = with_device();
    let mut out = Vec::new();
    let update = TwinUpdate { tags: None, desired: json!({"name": {"value": "x"}}).as_object().cloned() };
    let connection = core.connect(now(0), &d, false, None, &mut out).connection;
    core.write_twin(now(1), &d, &update, Write::Merge, &Precondition::Any, &mut out).expect("written");
    assert_eq!(out, [], "not subscribed");
    assert_eq!(core.subscribe(now(2), connection, filter::DESIRED, 1, &mut out), (1, true));
    core.write_twin(now(3), &d, &update, Write::Merge, &Precondition::Any, &mut out).expect("written");
    let patch = json!({"name": {"value": "x"}, "$version": 3});
    assert_eq!(out, [Output::Deliver(connection, Delivery::Desired { quality: 1, version: 3, patch })]);
    let stale = Precondition::Etag("AAAAAAAAAAE=".to_owned());
    let written = core.write_twin(now(4), &d, &update, Write::Merge, &stale, &mut out);
    assert_eq!(written.map(|_| ()).map_err(|fault| fault.status), Err(412));
}

#[test]
fn a_command_waits_for_connection_and_subscription_and_survives_a_reconnect() {
    let (mut core, d) = with_device();
    let mut out = Vec::new();
    let invoked = core.invoke(now(0), &d, &call(None), &mut out);
    assert_eq!(invoked.map_err(|fault| fault.code), Err(404_103));
    let id = core.invoke(now(0), &d, &call(Some(10)), &mut out).expect("waiting");
    let first = core.connect(now(1), &d, false, None, &mut out).connection;
    assert_eq!(out, []);
    core.subscribe(now(2), first, filter::METHODS, 0, &mut out);
    let method = Delivery::Method { quality: 0, call: id, name: "blink".to_owned(), payload: "5".to_owned() };
    assert_eq!(out, [Output::Deliver(first, method)]);
    assert_eq!(core.next_due(), Some(Millis(30_002)));
    core.disconnected(now(3), first);
    out.clear();
    assert!(core.connect(now(4), &d, false, None, &mut out).session_present);
    assert_eq!(out, [], "a command is sent once");
    assert!(core.method_answer(&d, &id.rid(), "200", b"null", &mut out));
    assert_eq!(out, [Output::Answer(id, Ok(MethodResult { status: 200, payload: json!(null) }))]);
    assert!(!core.method_answer(&d, &id.rid(), "200", b"null", &mut out));
}

#[test]
fn a_kept_session_receives_waiting_commands_on_connecting() {
    let (mut core, d) = with_device();
    let mut out = Vec::new();
    let first = core.connect(now(0), &d, false, None, &mut out).connection;
    core.subscribe(now(0), first, filter::METHODS, 1, &mut out);
    core.disconnected(now(1), first);
    let id = core.invoke(now(2), &d, &call(Some(10)), &mut out).expect("waiting");
    let second = core.connect(now(3), &d, false, None, &mut out).connection;
    assert!(
        matches!(out.as_slice(), [Output::Deliver(to, Delivery::Method { call, .. })] if *to == second && *call == id)
    );
}

#[test]
fn deleting_a_device_ends_everything_of_it() {
    let (mut core, d) = with_device();
    let mut out = Vec::new();
    let connection = core.connect(now(0), &d, false, None, &mut out).connection;
    let id = core.invoke(now(0), &d, &call(Some(10)), &mut out).expect("waiting");
    core.delete(&d, &Precondition::Any, &mut out).expect("deleted");
    assert_eq!(out[0], Output::Deliver(connection, Delivery::Close(Closing::Deleted)));
    assert!(matches!(&out[1], Output::Answer(call, Err(fault)) if *call == id && fault.code == 404_001));
    assert_eq!(core.device_twin(&d).map_err(|fault| fault.status), Err(404));
    core.create_derived(now(1), d.device.clone()).expect("created again");
    assert!(!core.connect(now(2), &d, false, None, &mut out).session_present, "another device");
}

#[test]
fn a_second_connection_closes_the_first() {
    let (mut core, d) = with_device();
    let mut out = Vec::new();
    let first = core.connect(now(0), &d, false, None, &mut out).connection;
    core.connect(now(1), &d, false, None, &mut out);
    assert_eq!(out, [Output::Deliver(first, Delivery::Close(Closing::Replaced))]);
    core.disconnected(now(2), first);
    assert!(core.device(&d.device).expect("the device").connected);
}

#[test]
fn events_tell_of_messages_twins_and_connections() {
    let (mut core, d) = with_device();
    let mut out = Vec::new();
    let connection = core.connect(now(0), &d, true, Some("dtmi:x;1".to_owned()), &mut out).connection;
    core.message(
        now(1),
        &d,
        "%24.ct=application%2Fjson",
        br#"{"temp":1}"#.as_slice().into(),
        &mut Vec::new(),
    )
    .expect("taken");
    core.report(now(2), &d, br#"{"state":"true","old":null}"#, None, &mut Vec::new()).expect("taken");
    core.disconnected(now(3), connection);
    let events = core.events(0, Some("d"), 10).events;
    let told: Vec<_> = events.iter().map(|event| (event.source.as_str(), &event.body)).collect();
    assert_eq!(
        told,
        [
            ("deviceConnectionStateEvents", &json!({"connected": true})),
            ("Telemetry", &json!({"temp": 1})),
            (
                "twinChangeEvents",
                &json!({"version": 3, "properties": {"reported": {"state": "true", "old": null, "$version": 2}}})
            ),
            ("deviceConnectionStateEvents", &json!({"connected": false})),
        ]
    );
    assert_eq!(events[1].properties["dt-dataschema"], "dtmi:x;1");
}

#[test]
fn the_same_seed_makes_the_same_cloud_and_its_debug_shows_no_key() {
    let (one, two) = (core(), core());
    let key = one.policy_key("iothubowner").expect("a policy");
    assert_eq!(Some(key), two.policy_key("iothubowner"));
    assert!(!format!("{one:?}").contains(&key.reveal()));
}

#[test]
fn a_module_connects_with_its_own_key_or_its_device_s_and_has_its_own_twin() {
    let (mut core, d) = with_device();
    let m = Address::module(d.device.clone(), "m".parse().expect("an id"));
    let spec = Spec::plain(m.clone());
    let orphan = Address::module("nobody".parse().expect("an id"), "m".parse().expect("an id"));
    assert_eq!(core.create(now(0), Spec::plain(orphan)).map_err(|fault| fault.code), Err(404_001));
    assert_eq!(core.identity(&m).map_err(|fault| fault.code), Err(404_010));
    let own =
        core.create(now(0), spec.clone()).expect("created").authentication.keys().expect("keys").clone();
    assert_eq!(core.create(now(0), spec).map_err(|fault| fault.code), Err(409_301));
    let check = |key: &SharedKey, resource| {
        let token = Token::sign(key, resource, START, None);
        core.authorize_client(now(0), "localhost", &m, token.reveal())
    };
    assert_eq!(check(&own.secondary, "localhost/devices/d/modules/m"), Ok(START));
    assert_eq!(check(&group().derive("d"), "localhost/devices/d"), Ok(START), "its device's token");
    assert!(matches!(
        check(&own.primary, "localhost/devices/d/modules/n"),
        Err(Refusal::WrongResource { .. })
    ));
    let token = Token::sign(&own.primary, "localhost/devices/d/modules/m", START, None);
    assert_eq!(
        core.authorize_client(now(0), "localhost", &d, token.reveal()),
        Err(Refusal::WrongSignature),
        "a module is not its device"
    );
    core.report(now(1), &m, br#"{"a":1}"#, None, &mut Vec::new()).expect("reported");
    assert_eq!(core.device_twin(&m).expect("a twin")["reported"]["a"], 1);
    assert!(core.device_twin(&d).expect("a twin")["reported"].get("a").is_none());
}

#[test]
fn a_disabled_device_takes_its_modules_with_it_and_a_deleted_one_too() {
    let (mut core, d) = with_device();
    let m = Address::module(d.device.clone(), "m".parse().expect("an id"));
    core.create(now(0), Spec::plain(m.clone())).expect("created");
    let mut out = Vec::new();
    let connection = core.connect(now(0), &m, false, None, &mut out).connection;
    let off = Spec { enabled: false, ..Spec::plain(d.clone()) };
    core.change(now(1), off, &Precondition::Any, &mut out).expect("disabled");
    assert_eq!(out, [Output::Deliver(connection, Delivery::Close(Closing::Disabled))]);
    let token = Token::sign(&group().derive("d"), "localhost/devices/d", START, None);
    assert_eq!(
        core.authorize_client(now(2), "localhost", &m, token.reveal()),
        Err(Refusal::Disabled("d".to_owned()))
    );
    core.delete(&d, &Precondition::Any, &mut out).expect("deleted");
    assert_eq!(out.last(), Some(&Output::Deliver(connection, Delivery::Close(Closing::Deleted))));
    assert_eq!(core.identity(&m).map_err(|fault| fault.code), Err(404_001));
}

#[test]
fn an_edge_device_has_its_two_modules_and_a_scope_from_the_beginning() {
    let mut core = core();
    let address = Address::device("edge".parse().expect("an id"));
    let spec = Spec { edge: true, ..Spec::plain(address.clone()) };
    let scope = core.create(now(0), spec).expect("created").scope.clone().expect("a scope");
    assert!(scope.starts_with("ms-azure-iot-edge://edge-"), "{scope}");
    let modules = core.modules(&address.device).expect("modules");
    let names: Vec<_> = modules.iter().map(|module| module.address.to_string()).collect();
    assert_eq!(names, ["edge/$edgeAgent", "edge/$edgeHub"]);
}

#[test]
fn an_ended_connection_speaks_for_nobody() {
    let (mut core, d) = with_device();
    let mut out = Vec::new();
    let connection = core.connect(now(0), &d, false, None, &mut out).connection;
    core.delete(&d, &Precondition::Any, &mut out).expect("deleted");
    assert!(!core.may_connect(&d));
    core.create_derived(now(1), d.device.clone()).expect("created again");
    let body = bytes::Bytes::from_static(b"{}");
    let to = (connection, &d);
    let topic = "devices/d/messages/events/";
    assert!(
        crate::cloud::dialect::hub_publish(&mut core, now(2), to, topic, &body, false, &mut out).is_err()
    );
    assert!(core.may_connect(&d));
}
