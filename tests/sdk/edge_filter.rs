//! The Edge filter tutorial with its modules on Microsoft's SDK, and `envsim hub` as its back end. The
//! other way round is `python/seats.py`.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::clouds::on_own_address;
use super::environment::{Language, scripts};
use super::support::{CloudProcess, Program};
use super::tutorial::Story;

const DEVICE: &str = "edge-01";

/// Each by its name.
pub const STORIES: &[(&str, Story)] =
    &[("our_operator_deploys_to_modules_on_the_sdk", our_operator_deploys_to_modules_on_the_sdk)];

/// What the hub has from the device: the temperatures of three events, each of which has to be an alert.
fn alerts(cloud: &CloudProcess) -> Vec<Value> {
    let monitor = ["monitor", "--device", DEVICE, "--count", "3", "--for", "20s", "--format", "json"];
    let events = cloud.hub(&monitor).expect(0).heard();
    for event in &events {
        assert_eq!((&event["moduleId"], &event["source"]), (&json!("filterModule"), &json!("Telemetry")));
        assert_eq!(event["properties"]["MessageType"], "Alert", "{event}");
    }
    events.iter().map(|event| event["body"]["machine"]["temperature"].clone()).collect()
}

/// The modules' program, with what `envsim hub` has written for it.
fn modules(cloud: &CloudProcess, python: &Path) -> Program {
    let strings = ["tempSensor", "filterModule"].map(|module| {
        let file = cloud.sandbox.folder().join(format!("{module}.txt")).display().to_string();
        let create = ["module", "create", DEVICE, module, "--or-show", "--save-connection-string", &file];
        cloud.hub(&create).expect(0);
        file
    });
    let script = scripts(Language::Python).join("edge_modules.py");
    let mut command = cloud.sandbox.other(python, &[&script.to_string_lossy(), &strings[0], &strings[1]]);
    command.stdin(Stdio::piped()).env("SSL_CERT_FILE", cloud.text("caFile"));
    Program::start(command)
}

fn our_operator_deploys_to_modules_on_the_sdk(python: &Path) {
    let (cloud, _) = on_own_address();
    let deployment = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/deployments/edge-filter.json");
    cloud.hub(&["device", "create", DEVICE, "--edge"]).expect(0);
    cloud.hub(&["deploy", DEVICE, deployment]).expect(0);
    // The deployment has made the modules, so that their keys only have to be fetched.
    let mut modules = modules(&cloud, python);
    assert_eq!(modules.event("connected")["threshold"], 25);
    let seen = alerts(&cloud);
    assert!(seen.iter().all(|it| it == 30 || it == 40), "{seen:?}");

    let desired = r#"{"TemperatureThreshold": 35}"#;
    cloud.hub(&["twin", "update", DEVICE, "--module", "filterModule", "--desired", desired]).expect(0);
    assert_eq!(modules.event("threshold")["value"], 35);
    let held_back = modules.event_where("heard", |event| event["temperature"] == 30);
    assert_eq!((&held_back["input"], &held_back["passes"]), (&json!("input1"), &json!(false)));
    assert_eq!(alerts(&cloud), [40, 40, 40]);
    modules.close_input();
    modules.end().expect(0);
}
