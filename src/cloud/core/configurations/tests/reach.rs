//! Whom a configuration reaches, and which of several is in force.

use super::*;

#[test]
fn a_configuration_is_applied_to_whom_it_selects_and_pushed() {
    let mut core = with_devices(&["a", "b"]);
    write(&mut core, &device("a"), json!({"place": "here"}), json!({"own": 1, "chiller": {"mode": "x"}}));
    let mut out = Vec::new();
    let connection = core.connect(now(0), &device("a"), true, None, &mut out).connection;
    core.subscribe(now(0), connection, filter::DESIRED, 1, &mut out);
    let content = json!({"properties.desired.chiller": {"t": 5}, "properties.desired.a.b": [1]});
    put(&mut core, 1, "c", &simple("tags.place = 'here'", 0, content)).expect("taken");
    let out = run(&mut core, 2);
    let patch = json!({"chiller": {"t": 5}, "a": {"b": [1]}, "$version": 3});
    assert_eq!(out, [Output::Deliver(connection, Delivery::Desired { quality: 1, version: 3, patch })]);
    assert_eq!(
        desired(&core, &device("a")),
        json!({"own": 1, "chiller": {"mode": "x", "t": 5}, "a": {"b": [1]}})
    );
    assert_eq!(placed(&core, &device("a")), ["c Applied"]);
    assert_eq!((desired(&core, &device("b")), placed(&core, &device("b"))), (json!({}), vec![]));
    assert_eq!(metric(&core, "c", "/systemMetrics/results/targetedCount"), 1);
    assert_eq!(metric(&core, "c", "/systemMetrics/results/appliedCount"), 1);
    // Nothing is left to do, and nothing has been written twice.
    assert_eq!(core.next_due(), None);
    assert_eq!(core.identity(&device("a")).expect("a").twin.desired.version, 3);
}

#[test]
fn a_device_that_comes_to_match_is_configured_and_one_that_ceases_is_freed() {
    let mut core = with_devices(&["a"]);
    put(&mut core, 0, "c", &simple("tags.x = 1", 0, json!({"properties.desired.k.z": 1}))).expect("taken");
    run(&mut core, 10_000);
    write(&mut core, &device("a"), json!({"x": 1}), json!({"k": {"own": 2}}));
    run(&mut core, 20_000);
    assert_eq!(desired(&core, &device("a")), json!({"k": {"own": 2, "z": 1}}));
    write(&mut core, &device("a"), json!({"x": 2}), json!({}));
    run(&mut core, 30_000);
    assert_eq!(
        (desired(&core, &device("a")), placed(&core, &device("a"))),
        (json!({"k": {"own": 2}}), vec![])
    );
    // A device that is made with what is asked for: by reported properties too.
    core.create(now(0), Spec::plain(device("b"))).expect("created");
    put(&mut core, 0, "r", &simple("properties.reported.fw = '1'", 0, json!({"properties.desired.fw": "2"})))
        .expect("taken");
    run(&mut core, 40_000);
    core.report(now(40_000), &device("b"), br#"{"fw":"1"}"#, None, &mut Vec::new()).expect("reported");
    run(&mut core, 50_000);
    assert_eq!(desired(&core, &device("b")), json!({"fw": "2"}));
    core.report(now(50_000), &device("b"), br#"{"fw":"2"}"#, None, &mut Vec::new()).expect("reported");
    run(&mut core, 60_000);
    assert_eq!(desired(&core, &device("b")), json!({}));
}

#[test]
fn a_deleted_configuration_is_taken_back_everywhere() {
    let mut core = with_devices(&["a", "b"]);
    put(&mut core, 0, "c", &simple("*", 0, json!({"properties.desired.k": {"x": 1, "y": 2}})))
        .expect("taken");
    run(&mut core, 1);
    assert_eq!(desired(&core, &device("b")), json!({"k": {"x": 1, "y": 2}}));
    core.delete_configuration("c", &Precondition::Any).expect("deleted");
    run(&mut core, 2);
    for name in ["a", "b"] {
        assert_eq!((desired(&core, &device(name)), placed(&core, &device(name))), (json!({}), vec![]));
    }
    assert_eq!(core.next_due(), None);
    assert_eq!(core.configuration("c").map(|_| ()).map_err(|fault| fault.code), Err(404_301));
}

#[test]
fn the_higher_priority_wins_and_the_lower_comes_back_after_it() {
    let mut core = with_devices(&["a"]);
    put(&mut core, 1, "low", &simple("*", 1, json!({"properties.desired.k": {"x": 1, "y": 1}})))
        .expect("taken");
    put(&mut core, 1, "high", &simple("*", 2, json!({"properties.desired.k.x": 2}))).expect("taken");
    put(&mut core, 1, "none", &simple("*", 0, json!({"properties.desired.k.x": 3}))).expect("taken");
    run(&mut core, 2);
    assert_eq!(desired(&core, &device("a")), json!({"k": {"x": 2, "y": 1}}));
    assert_eq!(placed(&core, &device("a")), ["high Applied", "low Applied", "none Targeted"]);
    assert_eq!(metric(&core, "none", "/systemMetrics/results/targetedCount"), 1);
    assert_eq!(metric(&core, "none", "/systemMetrics/results/appliedCount"), 0);
    core.delete_configuration("high", &Precondition::Any).expect("deleted");
    run(&mut core, 10_000);
    assert_eq!(desired(&core, &device("a")), json!({"k": {"x": 1, "y": 1}}));
    // Of the same priority the younger wins.
    put(&mut core, 20_000, "young", &simple("*", 1, json!({"properties.desired.k": 9}))).expect("taken");
    run(&mut core, 30_000);
    assert_eq!(desired(&core, &device("a")), json!({"k": 9}));
}

#[test]
fn two_that_make_each_other_come_and_go_do_not_run_for_ever() {
    let mut core = with_devices(&["a"]);
    let flips = simple("NOT IS_DEFINED(properties.desired.x)", 0, json!({"properties.desired.x": 1}));
    put(&mut core, 0, "c", &flips).expect("taken");
    run(&mut core, 100_000);
    assert_eq!(core.next_due(), None);
}

#[test]
fn a_module_has_configurations_of_its_own() {
    let mut core = with_devices(&["a"]);
    core.create(now(0), Spec::plain(module("a", "m"))).expect("created");
    let content = json!({"moduleContent": {"properties.desired": {"k": 1}}});
    let request = |condition: &str| body(json!({"content": content, "targetCondition": condition}));
    assert_eq!(put(&mut core, 0, "c", &request("moduleId = 'm'")), Err((400, 400_004)));
    put(&mut core, 0, "c", &request("FROM devices.modules WHERE moduleId = 'm'")).expect("taken");
    run(&mut core, 1);
    assert_eq!(desired(&core, &module("a", "m")), json!({"k": 1}));
    assert_eq!(desired(&core, &device("a")), json!({}));
    assert_eq!(metric(&core, "c", "/systemMetrics/results/targetedCount"), 1);
    assert_eq!(metric(&core, "c", "/systemMetrics/results/appliedCount"), 1);
    let m = core.identity(&module("a", "m")).expect("a module");
    assert_eq!(
        crate::cloud::core::query::Row::whole(&crate::cloud::core::rows::IdentityRow(m))["configurations"]["c"]
            ["status"],
        "Applied"
    );
}

#[test]
fn an_empty_condition_selects_nobody() {
    let mut core = with_devices(&["a"]);
    put(&mut core, 0, "c", &simple("", 0, json!({"properties.desired.k": 1}))).expect("taken");
    run(&mut core, 1);
    assert_eq!(desired(&core, &device("a")), json!({}));
    assert_eq!(metric(&core, "c", "/systemMetrics/results/targetedCount"), 0);
}

#[test]
fn a_twin_that_is_full_is_only_targeted() {
    let mut core = with_devices(&["a"]);
    let large = "x".repeat(4000);
    let many: Map<String, Value> = (0..8).map(|n| (format!("k{n}"), json!(large))).collect();
    write(&mut core, &device("a"), json!({}), Value::Object(many));
    put(&mut core, 0, "c", &simple("*", 0, json!({"properties.desired.more": large}))).expect("taken");
    run(&mut core, 1);
    assert_eq!(placed(&core, &device("a")), ["c Targeted"]);
    assert!(desired(&core, &device("a")).get("more").is_none());
}

#[test]
fn many_identities_are_matched_in_parts() {
    let mut core = core();
    for number in 0..1200 {
        core.create(now(0), Spec::plain(device(&format!("d{number:04}")))).expect("created");
    }
    put(&mut core, 0, "c", &simple("*", 0, json!({"properties.desired.k": 1}))).expect("taken");
    core.tick(now(1), &mut Vec::new());
    assert_eq!(desired(&core, &device("d0499")), json!({"k": 1}));
    assert_eq!(desired(&core, &device("d0500")), json!({}));
    run(&mut core, 2);
    assert_eq!(metric(&core, "c", "/systemMetrics/results/appliedCount"), 1200);
}
