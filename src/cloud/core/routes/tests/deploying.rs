//! How routes come into force, and out of it.

use super::*;

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
    assert_eq!(reported(&core)["lastDesiredStatus"]["code"], 400);
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
fn a_route_with_another_text_is_counted_anew() {
    let from_sensor = "FROM /messages/modules/tempSensor/* INTO $upstream";
    let mut core = with_routes(&json!({"a": from_sensor, "b": from_sensor}));
    measure(&mut core, 1, "1");
    assert_eq!((account(&core, "a").0, account(&core, "b").0), (1, 0));
    // Other settings are the same route.
    let again = json!({"a": {"route": from_sensor, "priority": 3}, "b": from_sensor});
    desire(&mut core, 2, &json!({"schemaVersion": "1.1", "routes": again}));
    assert_eq!(account(&core, "a").0, 1);
    let other = json!({"a": "FROM /messages/* INTO $upstream", "b": from_sensor});
    desire(&mut core, 3, &json!({"schemaVersion": "1.1", "routes": other}));
    assert_eq!(account(&core, "a"), (0, 0, 0, 0));
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
    // It has its Edge hub from a time when it was one.
    core.create(now(0), Spec { edge: true, ..Spec::plain(device.clone()) }).expect("created");
    core.create(now(0), Spec::plain(module("m"))).expect("created");
    core.change(now(0), Spec::plain(device.clone()), &Precondition::Any, &mut Vec::new()).expect("changed");
    let update = TwinUpdate { tags: None, desired: json!({"routes": {}}).as_object().cloned() };
    let hub = module(EDGE_HUB);
    core.write_twin(now(1), &hub, &update, Write::Merge, &Precondition::Any, &mut Vec::new())
        .expect("written");
    assert!(core.identity(&hub).expect("a module").twin.reported.value.is_empty());
    core.message(now(2), &module("m"), "", "1".into(), &mut Vec::new()).expect("taken");
    assert_eq!(upstream(&core).len(), 1);
}

#[test]
fn ids_of_an_edge_runtime_are_for_it_alone() {
    let mut core = core();
    let plain = Address::device("plain".parse().expect("a name"));
    core.create(now(0), Spec::plain(plain.clone())).expect("created");
    let on_plain = |name: &str| Address::module(plain.device.clone(), name.parse().expect("a name"));
    for address in [on_plain(EDGE_HUB), on_plain("$edgeAgent"), on_plain("$zzz"), self::address("$zzz")] {
        let fault = core.create(now(0), Spec::plain(address)).map(|_| ()).expect_err("reserved");
        assert_eq!(fault.status, 400, "{fault}");
        assert!(fault.to_string().contains("begins with `$`"), "{fault}");
    }
    // An IoT Edge device may get back what it had.
    let hub = self::address(EDGE_HUB);
    core.delete(&hub, &Precondition::Any, &mut Vec::new()).expect("deleted");
    core.create(now(0), Spec::plain(hub)).expect("created");
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
