use serde_json::{Map, Value, json};

use super::{CAPACITY, test_queries};
use crate::cloud::core::changes::Record;
use crate::cloud::core::identities::Spec;
use crate::cloud::core::registry::{Address, Precondition};
use crate::cloud::core::service::Write;
use crate::cloud::core::tests::{core, now};
use crate::cloud::core::twins::TwinUpdate;
use crate::cloud::core::{Core, Delivery, Output};
use crate::device::Millis;
use crate::wire::topic::filter;

fn device(name: &str) -> Address {
    Address::device(name.parse().expect("an id"))
}

fn module(device: &str, name: &str) -> Address {
    Address::module(device.parse().expect("an id"), name.parse().expect("an id"))
}

fn with_devices(names: &[&str]) -> Core {
    let mut core = core();
    for name in names {
        core.create(now(0), Spec::plain(device(name))).expect("created");
    }
    core
}

fn with_edge() -> Core {
    let mut core = core();
    core.create(now(0), Spec { edge: true, ..Spec::plain(device("edge")) }).expect("created");
    core
}

fn body(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// A configuration of devices.
fn simple(condition: &str, priority: u64, content: Value) -> Map<String, Value> {
    body(json!({"content": {"deviceContent": content}, "targetCondition": condition, "priority": priority}))
}

fn put(core: &mut Core, at: u64, id: &str, request: &Map<String, Value>) -> Result<String, (u16, u32)> {
    let put = core.put_configuration(now(at), id, request, None);
    put.map(|one| one.etag.clone()).map_err(|fault| (fault.status, fault.code))
}

/// Ticks while something is due by `at`.
fn run(core: &mut Core, at: u64) -> Vec<Output> {
    let (mut ticks, mut out) = (0, Vec::new());
    while core.next_due().is_some_and(|due| due <= Millis(at)) {
        core.tick(now(at), &mut out);
        ticks += 1;
        assert!(ticks < 10_000, "there is always something to do");
    }
    out
}

fn write(core: &mut Core, address: &Address, tags: Value, desired: Value) {
    let update = TwinUpdate { tags: Some(body(tags)), desired: Some(body(desired)) };
    core.write_twin(now(0), address, &update, Write::Merge, &Precondition::Any, &mut Vec::new())
        .expect("written");
}

fn desired(core: &Core, address: &Address) -> Value {
    Value::Object(core.identity(address).expect("an identity").twin.desired.value.clone())
}

fn placed(core: &Core, address: &Address) -> Vec<String> {
    let configurations = &core.identity(address).expect("an identity").configurations;
    configurations.iter().map(|(id, placed)| format!("{id} {}", placed.name())).collect()
}

fn metric(core: &Core, id: &str, pointer: &str) -> u64 {
    let told = core.configuration(id).expect("a configuration").told();
    told.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {told}"))
}

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

fn deployment(priority: u64, modules: Value) -> Map<String, Value> {
    body(json!({"content": {"modulesContent": modules}, "targetCondition": "*", "priority": priority}))
}

fn base(version: &str) -> Value {
    json!({
        "$edgeAgent": {"properties.desired": {"modules": {"m": {"version": version}}, "systemModules": {"edgeHub": {}}}},
        "m": {"properties.desired": {"k": version}},
    })
}

#[test]
fn of_deployments_one_base_is_in_force_and_layers_above_it() {
    let mut core = with_edge();
    let layer =
        |name: &str| json!({"$edgeAgent": {format!("properties.desired.modules.{name}"): {"version": "9"}}});
    put(&mut core, 0, "under", &deployment(1, layer("under"))).expect("taken");
    run(&mut core, 1);
    assert_eq!(placed(&core, &device("edge")), ["under Targeted"], "a layer needs a base");
    put(&mut core, 2, "old", &deployment(0, base("1"))).expect("taken");
    put(&mut core, 2, "new", &deployment(5, base("2"))).expect("taken");
    put(&mut core, 2, "over", &deployment(7, layer("over"))).expect("taken");
    run(&mut core, 10_000);
    assert_eq!(
        placed(&core, &device("edge")),
        ["new Applied", "old Targeted", "over Applied", "under Targeted"]
    );
    let agent = module("edge", "$edgeAgent");
    assert_eq!(desired(&core, &agent)["modules"], json!({"m": {"version": "2"}, "over": {"version": "9"}}));
    assert_eq!(placed(&core, &agent), ["new Applied", "old Targeted", "over Applied", "under Targeted"]);
    assert_eq!(desired(&core, &module("edge", "m")), json!({"k": "2"}));
    assert!(core.identity(&module("edge", "over")).is_ok(), "modules to run are created");
    assert!(core.identity(&module("edge", "under")).is_err());
    // What the agent reports is counted.
    let version = core.identity(&agent).expect("the agent").twin.desired.version;
    let report = json!({"lastDesiredVersion": version, "lastDesiredStatus": {"code": 200}}).to_string();
    core.report(now(20_000), &agent, report.as_bytes(), None, &mut Vec::new()).expect("reported");
    run(&mut core, 30_000);
    let of = |name: &str| metric(&core, "new", &format!("/systemMetrics/results/{name}"));
    let counts = ["targetedCount", "appliedCount", "reportedSuccessfulCount", "reportedFailedCount"].map(of);
    assert_eq!(counts, [1, 1, 1, 0]);
    core.delete_configuration("new", &Precondition::Any).expect("deleted");
    run(&mut core, 40_000);
    assert_eq!(desired(&core, &module("edge", "m")), json!({"k": "1"}), "the next one takes its place");
}

#[test]
fn custom_metrics_count_rows() {
    let mut core = with_devices(&["a", "b", "c"]);
    write(&mut core, &device("a"), json!({"x": 1}), json!({}));
    let mut request = simple("tags.x = 1", 0, json!({"properties.desired.k": 1}));
    let queries = json!({
        "pending": "SELECT deviceId FROM devices WHERE configurations.[[c]].status = 'Applied' AND NOT IS_DEFINED(properties.reported.k)",
        "all": "SELECT * FROM devices",
    });
    request.insert("metrics".to_owned(), json!({"queries": queries}));
    put(&mut core, 0, "c", &request).expect("taken");
    let told = core.configuration("c").expect("a configuration").told();
    assert_eq!(told["metrics"]["results"], json!({}), "nothing has been counted yet");
    run(&mut core, 1);
    assert_eq!(
        (metric(&core, "c", "/metrics/results/pending"), metric(&core, "c", "/metrics/results/all")),
        (1, 3)
    );
    core.report(now(2), &device("a"), br#"{"k":1}"#, None, &mut Vec::new()).expect("reported");
    run(&mut core, 2);
    assert_eq!(metric(&core, "c", "/metrics/results/pending"), 1, "counting pauses");
    run(&mut core, 2_000);
    assert_eq!(metric(&core, "c", "/metrics/results/pending"), 0);
    for query in
        ["SELECT COUNT() AS n FROM devices", "SELECT TOP 1 * FROM devices", "SELECT * FROM devices.jobs", "x"]
    {
        request.insert("metrics".to_owned(), json!({"queries": {"q": query}}));
        assert!(put(&mut core, 0, "d", &request).is_err(), "{query}");
    }
}

#[test]
fn etags_guard_changes_and_content_stays() {
    let mut core = with_devices(&["a"]);
    let mut request = simple("*", 0, json!({"properties.desired.k": 1}));
    let etag = put(&mut core, 0, "c", &request).expect("taken");
    assert_eq!(put(&mut core, 0, "c", &request), Err((409, 409_401)));
    let mut change = |request: &Map<String, Value>, etag: &str, id: &str| {
        let condition = Precondition::Etag(etag.to_owned());
        let put = core.put_configuration(now(5), id, request, Some(&condition));
        put.map(|one| (one.etag.clone(), one.priority)).map_err(|fault| fault.code)
    };
    request.insert("priority".to_owned(), json!(7));
    assert_eq!(change(&request, "other", "c"), Err(412_001));
    assert_eq!(change(&request, "other", "unknown"), Err(404_301));
    let (second, priority) = change(&request, &etag, "c").expect("changed");
    assert_eq!((second != etag, priority), (true, 7));
    let other = simple("*", 0, json!({"properties.desired.k": 2}));
    assert_eq!(change(&other, &second, "c"), Err(400_004));
    let told = core.configuration("c").expect("a configuration").told();
    assert_eq!(
        (&told["createdTimeUtc"], &told["lastUpdatedTimeUtc"]),
        (&json!("2030-01-01T00:00:00Z"), &json!("2030-01-01T00:00:00.005Z"))
    );
    let stale = core.delete_configuration("c", &Precondition::Etag(etag)).map_err(|fault| fault.status);
    assert_eq!(stale, Err(412));
}

#[test]
fn what_means_nothing_is_refused() {
    let mut core = with_devices(&["a"]);
    let with = |content: Value| body(json!({"content": content, "targetCondition": "*"}));
    for content in [
        json!({"deviceContent": {"properties.reported.k": 1}}),
        json!({"deviceContent": {"properties.desiredk": 1}}),
        json!({"deviceContent": {"properties.desired.": 1}}),
        json!({"deviceContent": {"properties.desired.$k": 1}}),
        json!({"deviceContent": {"properties.desired": 1}}),
        json!({"deviceContent": {"properties.desired.k": null}}),
        json!({"deviceContent": {"properties.desired.k": 1}, "modulesContent": {"m": {"properties.desired.k": 1}}}),
        json!({"deviceContent": 5}),
        json!({"modulesContent": {"m": 5}}),
        json!({"modulesContent": {"a b": {}}}),
        json!({"something": {}}),
    ] {
        assert_eq!(put(&mut core, 0, "c", &with(content.clone())), Err((400, 400_004)), "{content}");
    }
    let plain = || simple("*", 0, json!({"properties.desired.k": 1}));
    for (name, value) in [
        ("targetCondition", json!("tags.x =")),
        ("targetCondition", json!("FROM devices.modules WHERE moduleId = 'm'")),
        ("priority", json!(-1)),
        ("labels", json!({"x": 1})),
        ("id", json!("other")),
    ] {
        let mut request = plain();
        request.insert(name.to_owned(), value);
        assert_eq!(put(&mut core, 0, "c", &request), Err((400, 400_004)), "{name}");
    }
    assert!(put(&mut core, 0, "Capital", &plain()).is_err());
    for number in 0..CAPACITY {
        put(&mut core, 0, &format!("c{number}"), &plain()).expect("taken");
    }
    assert_eq!(put(&mut core, 0, "more", &plain()).map_err(|(status, _)| status), Err(429));
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
fn queries_are_tested_without_being_kept() {
    let request = json!({
        "targetCondition": "tags.x = ",
        "customMetricQueries": {"good": "SELECT deviceId FROM devices", "bad": "SELECT"},
    });
    let told = test_queries(&body(request)).expect("an answer");
    assert_ne!(told["targetConditionError"], "");
    let errors = told["customMetricQueryErrors"].as_object().expect("errors");
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["bad"]);
    let told = test_queries(&body(json!({"targetCondition": "deviceId = 'd'"}))).expect("an answer");
    assert_eq!(told, json!({"targetConditionError": "", "customMetricQueryErrors": {}}));
}

#[test]
fn content_is_set_on_one_edge_device_as_a_whole_or_not_at_all() {
    let mut core = with_edge();
    let apply = |core: &mut Core, device: &str, content: Value| {
        let id = device.parse().expect("an id");
        core.apply_content(now(1), &id, &body(content), &mut Vec::new()).map_err(|fault| fault.status)
    };
    let content = json!({"modulesContent": base("1"), "deviceContent": {"properties.desired.place": "x"}});
    apply(&mut core, "edge", content).expect("applied");
    assert_eq!(desired(&core, &module("edge", "m")), json!({"k": "1"}));
    assert_eq!(desired(&core, &device("edge")), json!({"place": "x"}));
    assert_eq!(core.identity(&module("edge", "m")).expect("a module").managed_by.as_deref(), Some("iotEdge"));
    apply(&mut core, "edge", json!({"modulesContent": {"m": {"properties.desired.a.b": 2}}}))
        .expect("applied");
    assert_eq!(desired(&core, &module("edge", "m")), json!({"k": "1", "a": {"b": 2}}), "a path is set");
    apply(&mut core, "edge", json!({"modulesContent": {"m": {"properties.desired": {"n": 1}}}}))
        .expect("applied");
    assert_eq!(desired(&core, &module("edge", "m")), json!({"n": 1}), "all of it is replaced");
    let large = "x".repeat(4000);
    let many: Map<String, Value> = (0..9).map(|n| (format!("k{n}"), json!(large))).collect();
    let too_much = json!({"modulesContent": {"m": {"properties.desired.ok": 1}, "$edgeHub": {"properties.desired": many}}});
    assert_eq!(apply(&mut core, "edge", too_much), Err(400));
    assert_eq!(desired(&core, &module("edge", "m")), json!({"n": 1}), "nothing is applied in part");
    core.create(now(0), Spec::plain(device("plain"))).expect("created");
    assert_eq!(
        apply(&mut core, "plain", json!({"modulesContent": {"m": {"properties.desired": {}}}})),
        Err(400)
    );
    assert_eq!(apply(&mut core, "edge", json!({"moduleContent": {"properties.desired.k": 1}})), Err(400));
    assert_eq!(apply(&mut core, "nobody", json!({})), Err(404));
    let modules: Map<String, Value> =
        (0..60).map(|n| (format!("m{n}"), json!({"properties.desired": {}}))).collect();
    assert_eq!(apply(&mut core, "edge", json!({"modulesContent": modules})), Err(413));
}

#[test]
fn a_configuration_that_a_store_has_kept_goes_on() {
    let mut core = with_devices(&["a"]);
    core.changes.begin();
    put(&mut core, 0, "c", &simple("*", 4, json!({"properties.desired.k": 1}))).expect("taken");
    assert!(core.changes.take().contains(&Record::Configuration("c".to_owned())));
    let record = core.configuration_record("c").expect("a record");
    let mut second = with_devices(&["b"]);
    second.restore_configuration(&record).expect("restored");
    run(&mut second, 1);
    assert_eq!(desired(&second, &device("b")), json!({"k": 1}));
    let (mut was, mut is) = (record, second.configuration_record("c").expect("a record"));
    for told in [&mut was, &mut is] {
        told["systemMetrics"]["results"] = Value::Null;
    }
    assert_eq!(was, is);
    assert_eq!(core.configuration_record("d"), None);
    assert!(second.restore_configuration(&json!({"id": "x"})).is_err());
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
