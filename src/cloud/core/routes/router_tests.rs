//! Every rule of routing, under a clock that only moves when it is told to.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::deployment::EDGE_HUB;
use super::queue::OVERHEAD;
use super::router::{BYTES, IN_FLIGHT, LOCK, MESSAGES};
use crate::cloud::core::auth::HubNames;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::identities::Spec;
use crate::cloud::core::message::LockToken;
use crate::cloud::core::quota::{Quota, Sku};
use crate::cloud::core::registry::{Address, Precondition};
use crate::cloud::core::service::Write;
use crate::cloud::core::twins::TwinUpdate;
use crate::cloud::core::{Core, Delivery, Output, Settings};
use crate::device::{Millis, Now};
use crate::wire::SharedKey;
use crate::wire::service::{EdgeRoute, EdgeStatus};
use crate::wire::topic::filter;

const START: i64 = 1_893_456_000;
const TO_FILTER: &str = "FROM /messages/modules/tempSensor/outputs/temperatureOutput INTO BrokeredEndpoint(\"/modules/filterModule/inputs/input1\")";
const TO_HUB: &str = "FROM /messages/modules/filterModule/outputs/output1 INTO $upstream";
const JSON: &str = "%24.ct=application%2Fjson&%24.ce=utf-8";

fn now(millis: u64) -> Now {
    let wall = START * 1000 + i64::try_from(millis).expect("a moment");
    Now { at: Millis(millis), wall: Timestamp::from_millisecond(wall).expect("a moment") }
}

fn address(module: &str) -> Address {
    Address::module("edge".parse().expect("a name"), module.parse().expect("a name"))
}

/// A hub with an IoT Edge device of three modules.
fn core() -> Core {
    let settings = Settings {
        names: HubNames { own: "localhost".to_owned(), aliases: vec![] },
        assigned_hub: "localhost".to_owned(),
        id_scope: "0ne00ABCDEF".parse().expect("a scope"),
        group_key: SharedKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key"),
        retry_after: 0,
        waits: 0,
        assigning_for: 0,
    };
    let mut core = Core::new(settings, [7; 32]);
    let device = address("m").of_device();
    core.create(now(0), Spec { edge: true, ..Spec::plain(device) }).expect("created");
    for module in ["tempSensor", "filterModule", "other"] {
        core.create(now(0), Spec::plain(address(module))).expect("created");
    }
    core
}

fn desire(core: &mut Core, at: u64, desired: &Value) {
    let update = TwinUpdate { tags: None, desired: desired.as_object().cloned() };
    let hub = address(EDGE_HUB);
    core.write_twin(now(at), &hub, &update, Write::Replace, &Precondition::Any, &mut Vec::new())
        .expect("written");
}

fn with_routes(routes: &Value) -> Core {
    let mut core = core();
    desire(&mut core, 0, &json!({"schemaVersion": "1.1", "routes": routes}));
    core
}

fn send(core: &mut Core, at: u64, module: &str, bag: &str, body: &str) -> Vec<Output> {
    let mut out = Vec::new();
    core.message(now(at), &address(module), bag, body.to_owned().into(), &mut out).expect("taken");
    out
}

fn measure(core: &mut Core, at: u64, body: &str) -> Vec<Output> {
    send(core, at, "tempSensor", &format!("%24.on=temperatureOutput&{JSON}"), body)
}

/// A module that listens to its inputs, with what it is handed at once.
fn listening(core: &mut Core, at: u64, module: &str, quality: u8) -> (ConnectionId, Vec<Output>) {
    let mut out = Vec::new();
    let connection = core.connect(now(at), &address(module), false, None, &mut out).connection;
    let [inputs, _] = filter::inputs("edge", module);
    core.subscribe(now(at), connection, &inputs, quality, &mut out);
    (connection, out)
}

/// Inputs, bodies and locks of what is handed over.
fn handed(out: &[Output]) -> Vec<(String, String, LockToken)> {
    let each = |output: &Output| match output {
        Output::Deliver(_, Delivery::Routed { input, lock, message, .. }) => {
            Some((input.to_string(), String::from_utf8_lossy(&message.body).into_owned(), *lock))
        }
        _ => None,
    };
    out.iter().filter_map(each).collect()
}

fn bodies(out: &[Output]) -> Vec<String> {
    handed(out).into_iter().map(|(_, body, _)| body).collect()
}

fn settle(core: &mut Core, at: u64, module: &str, lock: LockToken) -> Vec<Output> {
    let mut out = Vec::new();
    core.settle_routed(now(at), &address(module), lock, &mut out).expect("held");
    out
}

fn tick(core: &mut Core, at: u64) -> Vec<Output> {
    let mut out = Vec::new();
    core.tick(now(at), &mut out);
    out
}

/// The messages in the hub, with their modules.
fn upstream(core: &Core) -> Vec<(String, Value)> {
    let events = core.events(0, None, 10_000).events;
    let messages = events.into_iter().filter(|event| event.source == "Telemetry");
    messages.map(|event| (event.module_id.unwrap_or_default(), event.body)).collect()
}

fn status(core: &Core) -> EdgeStatus {
    core.edge_status(&address("m").device).expect("a device")
}

fn account(core: &Core, name: &str) -> (u64, usize, u64, u64) {
    let route = status(core).routes.into_iter().find(|route| route.name == name).expect("a route");
    (route.passed, route.queued, route.expired, route.dropped)
}

fn reported(core: &Core) -> Value {
    Value::Object(core.identity(&address(EDGE_HUB)).expect("a module").twin.reported.value.clone())
}

#[test]
fn the_tutorial_s_deployment_filters() {
    let mut core = with_routes(&json!({"sensorToFilter": TO_FILTER, "filterToIoTHub": TO_HUB}));
    let (connection, out) = listening(&mut core, 1, "filterModule", 1);
    assert_eq!(out, []);
    let out = measure(&mut core, 2, r#"{"machine":{"temperature":30}}"#);
    let [Output::Deliver(to, Delivery::Routed { quality: 1, module, input, lock, message })] = out.as_slice()
    else {
        panic!("{out:?}");
    };
    assert_eq!((*to, module, input.as_ref()), (connection, &address("filterModule"), "input1"));
    assert_eq!(message.from, address("tempSensor"));
    assert_eq!(upstream(&core), [], "it has gone to the module only");
    assert_eq!(account(&core, "sensorToFilter"), (0, 1, 0, 0));
    assert_eq!(settle(&mut core, 3, "filterModule", *lock), []);
    assert_eq!(account(&core, "sensorToFilter"), (1, 0, 0, 0));
    send(&mut core, 4, "filterModule", "%24.on=output1&MessageType=Alert", "{\"hot\":1}");
    assert_eq!(upstream(&core), [("filterModule".to_owned(), json!({"hot": 1}))]);
    let event = core.events(0, Some("edge"), 100).events.pop().expect("an event");
    assert_eq!(Value::Object(event.properties), json!({"$.on": "output1", "MessageType": "Alert"}));
    assert_eq!(account(&core, "filterToIoTHub"), (1, 0, 0, 0));
}

#[test]
fn what_no_route_takes_is_counted_and_dropped() {
    let mut core = with_routes(&json!({"sensorToFilter": TO_FILTER, "filterToIoTHub": TO_HUB}));
    assert_eq!(send(&mut core, 1, "tempSensor", "", "no output"), []);
    assert_eq!(send(&mut core, 1, "tempSensor", "%24.on=other", "another output"), []);
    assert_eq!((upstream(&core), status(&core).unrouted), (vec![], 2));
}

#[test]
fn without_a_deployment_messages_go_to_the_hub() {
    let mut core = core();
    send(&mut core, 1, "tempSensor", "%24.on=x", "1");
    assert_eq!(upstream(&core), [("tempSensor".to_owned(), json!(1))]);
    assert_eq!(status(&core), EdgeStatus { device_id: "edge".to_owned(), ..EdgeStatus::default() });
    // The device's own are none of a module's.
    desire(&mut core, 2, &json!({"routes": {}}));
    let device = address("m").of_device();
    core.message(now(3), &device, "", "2".into(), &mut Vec::new()).expect("taken");
    send(&mut core, 3, "tempSensor", "", "3");
    assert_eq!((upstream(&core).len(), status(&core).unrouted), (2, 1));
    // And none are routed any more when nothing is deployed any more.
    desire(&mut core, 4, &json!({}));
    send(&mut core, 5, "tempSensor", "", "4");
    assert_eq!(upstream(&core).len(), 3);
    assert_eq!(reported(&core), json!({}));
}

#[test]
fn a_real_edge_hub_that_is_connected_sees_to_its_routes_itself() {
    let mut core = with_routes(&json!({}));
    let connection = core.connect(now(1), &address(EDGE_HUB), true, None, &mut Vec::new()).connection;
    send(&mut core, 2, "tempSensor", "", "1");
    desire(&mut core, 2, &json!({"routes": {"bad": "FROM"}}));
    assert_eq!(upstream(&core).len(), 1);
    assert_eq!(reported(&core)["lastDesiredStatus"]["code"], 200, "it reports itself");
    core.disconnected(now(3), connection);
    send(&mut core, 4, "tempSensor", "", "2");
    assert_eq!(upstream(&core).len(), 1);
}

#[test]
fn what_cannot_be_taken_is_reported_and_the_routes_before_stay() {
    let mut core = with_routes(&json!({"up": "FROM /messages/* INTO $upstream"}));
    let ok = json!({"lastDesiredVersion": 2, "lastDesiredStatus": {"code": 200, "description": ""}});
    assert_eq!(reported(&core), ok);
    desire(&mut core, 1, &json!({"routes": {"up": "FROM /messages/* TO $upstream", "more": TO_HUB}}));
    let seen = reported(&core);
    assert_eq!((&seen["lastDesiredVersion"], &seen["lastDesiredStatus"]["code"]), (&json!(3), &json!(400)));
    let words = seen["lastDesiredStatus"]["description"].as_str().expect("words");
    assert!(
        words.contains("route `up`: cannot read the route at column 18: expected WHERE or INTO"),
        "{words}"
    );
    let seen = status(&core);
    assert_eq!((seen.desired_version, seen.routes.len()), (Some(3), 1));
    assert!(seen.refused.is_some_and(|why| why.contains("column 18")));
    send(&mut core, 2, "tempSensor", "", "1");
    assert_eq!(upstream(&core).len(), 1);
    desire(&mut core, 3, &json!({"routes": {"other": TO_HUB}}));
    assert_eq!(reported(&core)["lastDesiredStatus"], json!({"code": 200, "description": ""}));
    assert_eq!(status(&core).refused, None);
    // A write that does not touch the desired properties is no new deployment.
    let tags = TwinUpdate { tags: json!({"a": 1}).as_object().cloned(), desired: None };
    let before = reported(&core);
    let hub = address(EDGE_HUB);
    core.write_twin(now(4), &hub, &tags, Write::Merge, &Precondition::Any, &mut Vec::new()).expect("written");
    assert_eq!(reported(&core), before);
}

#[test]
fn conditions_look_at_bodies_and_properties() {
    let mut core = with_routes(&json!({
        "hot": "FROM /messages/* WHERE $body.machine.temperature > 25 INTO BrokeredEndpoint(\"/modules/other/inputs/hot\")",
        "alerts": "FROM /messages/modules/* WHERE MessageType = 'Alert' INTO $upstream",
        "own": "FROM /messages/* WHERE $connectionModuleId = 'tempSensor' INTO BrokeredEndpoint(\"/modules/other/inputs/own\")",
    }));
    listening(&mut core, 1, "other", 1);
    let out = measure(&mut core, 2, r#"{"machine":{"temperature":30}}"#);
    let inputs: Vec<_> = handed(&out).into_iter().map(|(input, ..)| input).collect();
    assert_eq!(inputs, ["hot", "own"]);
    let out = measure(&mut core, 3, r#"{"machine":{"temperature":25}}"#);
    assert_eq!(handed(&out)[0].0, "own");
    assert_eq!(send(&mut core, 4, "filterModule", "messagetype=Alert", "1"), []);
    assert_eq!(upstream(&core), [("filterModule".to_owned(), json!(1))]);
    assert_eq!(status(&core).unrouted, 0);
}

#[test]
fn one_sink_has_a_message_once_by_the_route_of_the_highest_priority() {
    let up = "FROM /messages/* INTO $upstream";
    let mut core = with_routes(&json!({
        "a": up, "b": {"route": up, "priority": 3}, "c": {"route": up, "priority": 1}, "d": {"route": up, "priority": 1},
    }));
    send(&mut core, 1, "tempSensor", "", "1");
    assert_eq!(upstream(&core).len(), 1);
    let passed: Vec<_> = status(&core).routes.iter().map(|route| route.passed).collect();
    assert_eq!(passed, [0, 0, 1, 0]);
}

#[test]
fn a_module_that_was_away_has_all_later_in_order_and_the_urgent_first() {
    let mut core = with_routes(&json!({
        "calm": "FROM /messages/* WHERE NOT urgent = 'yes' INTO BrokeredEndpoint(\"/modules/other/inputs/i\")",
        "plain": {"route": "FROM /messages/modules/filterModule/* INTO BrokeredEndpoint(\"/modules/other/inputs/i\")", "priority": 9},
        "urgent": {"route": "FROM /messages/* WHERE urgent = 'yes' INTO BrokeredEndpoint(\"/modules/other/inputs/i\")", "priority": 0},
    }));
    for (bag, body) in [("urgent=no", "1"), ("urgent=no", "2"), ("urgent=yes", "3"), ("urgent=yes", "4")] {
        assert_eq!(send(&mut core, 1, "tempSensor", bag, body), []);
    }
    send(&mut core, 1, "filterModule", "urgent=no", "5");
    assert_eq!(account(&core, "urgent"), (0, 2, 0, 0));
    // Connected is not subscribed.
    let connection = core.connect(now(2), &address("other"), false, None, &mut Vec::new()).connection;
    let mut out = Vec::new();
    core.subscribe(now(3), connection, &filter::inputs("edge", "other")[1], 1, &mut out);
    assert_eq!(bodies(&out), ["3", "4", "5", "1", "2"]);
    core.disconnected(now(4), connection);
    // Nothing was acknowledged: it has all of it again, in the same order, and unasked.
    let mut out = Vec::new();
    core.connect(now(5), &address("other"), false, None, &mut out);
    assert_eq!(bodies(&out), ["3", "4", "5", "1", "2"]);
    for (_, _, lock) in handed(&out) {
        settle(&mut core, 6, "other", lock);
    }
    assert_eq!(account(&core, "urgent"), (2, 0, 0, 0));
}

#[test]
fn a_module_holds_sixteen_at_most_and_has_them_again_in_order_when_it_is_silent() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    let (_, _) = listening(&mut core, 0, "filterModule", 1);
    let mut out = Vec::new();
    for n in 0..IN_FLIGHT + 4 {
        out.extend(measure(&mut core, 1, &n.to_string()));
    }
    let first = handed(&out);
    assert_eq!(first.len(), IN_FLIGHT);
    let out = settle(&mut core, 2, "filterModule", first[1].2);
    assert_eq!(bodies(&out), ["16"]);
    assert!(core.settle_routed(now(2), &address("filterModule"), first[1].2, &mut Vec::new()).is_err());
    assert!(core.settle_routed(now(2), &address("other"), first[0].2, &mut Vec::new()).is_err());
    let due = core.next_due().expect("a lock that ends");
    assert_eq!(due, now(1).at + LOCK);
    let out = tick(&mut core, due.0);
    let expected: Vec<_> = std::iter::once(0).chain(2..=16).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&out), expected);
    // An acknowledgement of the delivery before is one of the message.
    assert_eq!(bodies(&settle(&mut core, due.0 + 1, "filterModule", first[0].2)), ["17"]);
}

#[test]
fn messages_expire_by_their_route_s_time_to_live_but_not_in_a_module_s_hands() {
    let mut core = core();
    let short = json!({"route": TO_FILTER, "timeToLiveSecs": 10});
    let other = "FROM /messages/* INTO BrokeredEndpoint(\"/modules/other/inputs/i\")";
    let store = json!({"timeToLiveSecs": 100});
    desire(
        &mut core,
        0,
        &json!({"routes": {"short": short, "long": other}, "storeAndForwardConfiguration": store}),
    );
    measure(&mut core, 0, "1");
    assert_eq!(core.next_due(), Some(Millis(10_000)));
    tick(&mut core, 9_999);
    assert_eq!(account(&core, "short"), (0, 1, 0, 0));
    tick(&mut core, 10_000);
    assert_eq!(account(&core, "short"), (0, 0, 1, 0));
    assert_eq!(listening(&mut core, 10_001, "filterModule", 1).1, []);
    tick(&mut core, 100_000);
    assert_eq!(account(&core, "long"), (0, 0, 1, 0));
    // Handed over in time, and given back when it is over.
    let out = measure(&mut core, 200_000, "2");
    assert_eq!(bodies(&out), ["2"]);
    tick(&mut core, 210_000);
    assert_eq!(account(&core, "short"), (0, 1, 1, 0));
    let due = 200_000 + u64::try_from(LOCK.as_millis()).expect("short");
    assert_eq!(bodies(&tick(&mut core, due)), Vec::<String>::new());
    assert_eq!(account(&core, "short"), (0, 0, 2, 0));
    tick(&mut core, 400_000);
    assert_eq!(core.next_due(), None, "nothing is left behind");
}

#[test]
fn a_full_queue_drops_the_newest_of_its_route_and_counts_it() {
    let input = |name: &str| {
        format!("FROM /messages/modules/{name}/* INTO BrokeredEndpoint(\"/modules/other/inputs/i\")")
    };
    let mut core = with_routes(&json!({"a": input("tempSensor"), "b": input("filterModule")}));
    for n in 0..MESSAGES + 2 {
        send(&mut core, 1, "tempSensor", "", &n.to_string());
    }
    assert_eq!(account(&core, "a"), (0, MESSAGES, 0, 2));
    let large = "x".repeat(200_000);
    for _ in 0..BYTES / large.len() + 3 {
        send(&mut core, 1, "filterModule", "", &large);
    }
    let (_, queued, _, dropped) = account(&core, "b");
    assert_eq!(
        (queued, dropped),
        (BYTES / (large.len() + OVERHEAD), 3),
        "one route does not take another's room"
    );
    let (_, out) = listening(&mut core, 2, "other", 1);
    assert_eq!(bodies(&out)[0], "0", "the oldest stay");
}

#[test]
fn properties_that_no_topic_could_carry_are_dropped_before_they_wait() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    send(&mut core, 1, "tempSensor", &format!("%24.on=temperatureOutput&a={}", "'".repeat(25_000)), "");
    assert_eq!(account(&core, "in"), (0, 0, 0, 1));
    send(&mut core, 1, "tempSensor", &format!("%24.on=temperatureOutput&a={}", "a".repeat(25_000)), "");
    assert_eq!(account(&core, "in"), (0, 1, 0, 1));
}

#[test]
fn with_quality_0_a_message_has_passed_when_it_was_written() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    listening(&mut core, 1, "filterModule", 0);
    let out = measure(&mut core, 2, "1");
    assert!(matches!(out.as_slice(), [Output::Deliver(_, Delivery::Routed { quality: 0, .. })]), "{out:?}");
}

#[test]
fn changes_of_twins_are_routed_too() {
    let mut core = with_routes(&json!({
        "twins": "FROM /twinChangeNotifications WHERE $body.level > 1 INTO BrokeredEndpoint(\"/modules/other/inputs/twins\")",
    }));
    listening(&mut core, 1, "other", 1);
    let report = |core: &mut Core, body: &str| {
        let mut out = Vec::new();
        core.report(now(2), &address("tempSensor"), body.as_bytes(), None, &mut out).expect("reported");
        bodies(&out)
    };
    assert_eq!(report(&mut core, "{\"level\":2}"), ["{\"level\":2}"]);
    assert_eq!(report(&mut core, "{\"level\":1}"), Vec::<String>::new());
}

#[test]
fn a_throttled_hub_is_asked_again_and_the_urgent_goes_first() {
    let up = |word: &str| format!("FROM /messages/* WHERE urgent = '{word}' INTO $upstream");
    let mut core = with_routes(&json!({"calm": up("no"), "urgent": {"route": up("yes"), "priority": 0}}));
    core.set_quota(Some(Quota::new(Sku::F1, 1)));
    let mut sent = 0;
    while account(&core, "calm").1 == 0 {
        send(&mut core, 1, "tempSensor", "urgent=no", "1");
        sent += 1;
        assert!(sent < 10_000, "no limit is ever reached");
    }
    send(&mut core, 1, "tempSensor", "urgent=yes", "2");
    assert_eq!(account(&core, "urgent"), (0, 1, 0, 0));
    let mut at = 1;
    while account(&core, "urgent").1 + account(&core, "calm").1 > 0 {
        at = core.next_due().expect("to be asked again").0;
        tick(&mut core, at);
        assert!(at < 60_000, "it is never taken");
    }
    let seen = upstream(&core);
    assert_eq!(seen.len(), sent + 1);
    assert_eq!(seen[sent - 1].1, json!(2), "it came last and went before the one that waited");
    assert!(at >= 1000);
}

#[test]
fn routes_that_are_taken_out_leave_what_waits_and_forgetting_leaves_nothing() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    measure(&mut core, 1, "1");
    desire(&mut core, 2, &json!({"routes": {"up": TO_HUB}}));
    assert_eq!(status(&core).routes.len(), 1);
    let (_, out) = listening(&mut core, 3, "filterModule", 1);
    assert_eq!(bodies(&out), ["1"]);
    core.delete(&address("m").of_device(), &Precondition::Any, &mut Vec::new()).expect("deleted");
    assert_eq!(core.next_due(), None);
    assert!(core.edge_status(&address("m").device).is_err());
}

#[test]
fn routes_are_taken_up_again_from_a_store() {
    let mut core = with_routes(&json!({"up": TO_HUB}));
    let twin = core.identity(&address(EDGE_HUB)).expect("a module").twin.clone();
    let mut other = self::core();
    assert!(other.restore_twin(&address(EDGE_HUB), twin));
    let mut seen = status(&other);
    assert_eq!(seen, status(&core));
    assert_eq!(
        seen.routes.pop().map(|EdgeRoute { name, route, priority, .. }| (name, route, priority)),
        Some(("up".to_owned(), TO_HUB.to_owned(), None))
    );
    send(&mut core, 1, "tempSensor", "", "1");
    assert_eq!(status(&core).unrouted, 1);
}

#[test]
fn a_deployment_for_many_devices_brings_routes_as_one_for_a_single_device() {
    let mut core = core();
    let agent = json!({"properties.desired": {"schemaVersion": "1.1"}});
    let hub = json!({"properties.desired": {"schemaVersion": "1.1", "routes": {"up": TO_HUB}}});
    let put = |core: &mut Core, id: &str, content: Value, priority: u32| {
        let body = json!({
            "id": id, "content": {"modulesContent": content}, "targetCondition": "*", "priority": priority,
        });
        core.put_configuration(now(1), id, body.as_object().expect("an object"), None).expect("taken");
        while core.next_due().is_some_and(|due| due <= now(1).at) {
            tick(core, 1);
        }
    };
    put(&mut core, "base", json!({"$edgeAgent": agent, "$edgeHub": hub}), 1);
    let names = |core: &Core| status(core).routes.into_iter().map(|route| route.name).collect::<Vec<_>>();
    assert_eq!(names(&core), ["up"]);
    put(&mut core, "layer", json!({"$edgeHub": {"properties.desired.routes.down": TO_FILTER}}), 2);
    assert_eq!(names(&core), ["down", "up"]);
    assert_eq!(reported(&core)["lastDesiredStatus"]["code"], 200);
}

#[test]
fn a_device_that_is_no_edge_device_has_no_routes() {
    let mut core = core();
    let device = Address::device("plain".parse().expect("a name"));
    let module = |name: &str| Address::module(device.device.clone(), name.parse().expect("a name"));
    for address in [device.clone(), module(EDGE_HUB), module("m")] {
        core.create(now(0), Spec::plain(address)).expect("created");
    }
    let update = TwinUpdate { tags: None, desired: json!({"routes": {}}).as_object().cloned() };
    let hub = module(EDGE_HUB);
    core.write_twin(now(1), &hub, &update, Write::Merge, &Precondition::Any, &mut Vec::new())
        .expect("written");
    assert!(core.identity(&hub).expect("a module").twin.reported.value.is_empty());
    core.message(now(2), &module("m"), "", "1".into(), &mut Vec::new()).expect("taken");
    assert_eq!(upstream(&core).len(), 1);
}

#[test]
fn applying_content_deploys_modules_twins_and_routes_at_once() {
    let mut core = core();
    let content = json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {"made": {"version": "1.0"}}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {"up": TO_HUB}}},
        "filterModule": {"properties.desired": {"TemperatureThreshold": 25}},
    }});
    let device = address("m").device;
    core.apply_content(now(1), &device, content.as_object().expect("an object"), &mut Vec::new())
        .expect("applied");
    assert_eq!(core.identity(&address("made")).expect("made").managed_by.as_deref(), Some("iotEdge"));
    assert_eq!(
        core.identity(&address("filterModule")).expect("a module").twin.desired.value["TemperatureThreshold"],
        25
    );
    assert_eq!(reported(&core)["lastDesiredStatus"]["code"], 200);
    // One route by its path, as a layer has it, and the form of the first tutorials.
    let content = json!({"modulesContent": {"$edgeHub": {"properties.desired.routes.down": TO_FILTER}}});
    core.apply_content(now(2), &device, content.as_object().expect("an object"), &mut Vec::new())
        .expect("applied");
    assert_eq!(status(&core).routes.len(), 2);
    let content = json!({"moduleContent": {
        "$edgeAgent": {"properties.desired": {}}, "$edgeHub": {"properties.desired": {"routes": {"only": TO_HUB}}},
    }});
    core.apply_content(now(3), &device, content.as_object().expect("an object"), &mut Vec::new())
        .expect("applied");
    assert_eq!(status(&core).routes[0].name, "only");
    let content = json!({"id": "c", "content": {"modulesContent": {}}});
    let fault = core.apply_content(now(4), &device, content.as_object().expect("an object"), &mut Vec::new());
    assert!(fault.expect_err("wrapped").message.contains("`content`"));
}
