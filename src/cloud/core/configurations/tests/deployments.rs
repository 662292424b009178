//! Deployments for IoT Edge devices, and content for a single one.

use super::*;

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
