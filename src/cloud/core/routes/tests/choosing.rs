//! Which messages go where.

use super::*;

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
    assert_eq!(status(&core).unrouted, 0, "what nobody asked for is not lost");
}
