//! Deployments and queries by `envsim hub`.

use std::process::Stdio;

use serde_json::{Value, json};

use super::CloudProcess;
use crate::support::Program;

/// Tutorial 003's modules, threshold and routes.
fn deployment() -> Value {
    json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.0",
            "runtime": {"type": "docker", "settings": {"registryCredentials": {
                "r": {"address": "r.example", "username": "u", "password": "do-not-tell"}}}},
            "modules": {
                "tempSensor": {"type": "docker", "status": "running", "settings": {
                    "image": "microsoft/azureiotedge-simulated-temperature-sensor:1.0-preview"}},
                "filterModule": {"type": "docker", "status": "running", "settings": {"image": "filtermodule:0.0.1-amd64"}}}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.0", "routes": {
            "sensorToFilter": "FROM /messages/modules/tempSensor/outputs/temperatureOutput INTO BrokeredEndpoint(\"/modules/filterModule/inputs/input1\")",
            "filterToIoTHub": "FROM /messages/modules/filterModule/outputs/output1 INTO $upstream"}}},
        "filterModule": {"properties.desired": {"TemperatureThreshold": 25}}}})
}

#[test]
fn modules_and_routes_are_deployed_and_read_back() {
    let cloud = CloudProcess::start();
    cloud.hub(&["device", "create", "edge-1", "--edge"]).expect(0);
    let bare = cloud.sandbox.write("bare.json", &deployment().to_string()).display().to_string();
    let whole = json!({"id": "tutorial", "content": deployment()}).to_string();
    let whole = cloud.sandbox.write("whole.json", &whole).display().to_string();
    for file in [&bare, &whole] {
        let outcome = cloud.hub(&["deploy", "edge-1", file, "--format", "json"]).expect(0);
        assert!(!outcome.all().contains("do-not-tell"), "a password was told");
        let told = outcome.json();
        assert_eq!((&told["event"], &told["deployed"]), (&json!("deployment"), &json!(true)));
        let names: Vec<_> =
            told["modules"].as_array().into_iter().flatten().map(|it| &it["moduleId"]).collect();
        assert_eq!(names, ["$edgeAgent", "$edgeHub", "filterModule", "tempSensor"]);
        assert_eq!(told["modules"][2]["image"], "filtermodule:0.0.1-amd64");
        let routes: Vec<_> = told["routes"].as_array().into_iter().flatten().map(|it| &it["name"]).collect();
        assert_eq!(routes, ["sensorToFilter", "filterToIoTHub"]);
    }
    let shown = cloud.hub(&["deploy", "edge-1", "--show"]).expect(0).out;
    assert!(!shown.contains("not taken") && shown.contains("passed"), "{shown}");
    assert!(shown.contains("filterModule  running  filtermodule:0.0.1-amd64"), "{shown}");
    assert!(shown.contains("FROM /messages/modules/filterModule/outputs/output1 INTO $upstream"), "{shown}");
    let twin = cloud.hub(&["twin", "show", "edge-1", "--module", "filterModule", "--format", "json"]);
    assert_eq!(twin.expect(0).json()["properties"]["desired"]["TemperatureThreshold"], 25);
}

#[test]
fn routes_that_the_edge_hub_refuses_are_a_failure_with_its_reason() {
    let cloud = CloudProcess::start();
    cloud.hub(&["device", "create", "edge-1", "--edge"]).expect(0);
    let mut bad = deployment();
    bad["modulesContent"]["$edgeHub"]["properties.desired"]["routes"]["filterToIoTHub"] =
        json!("FROM /messages/* INTO");
    let file = cloud.sandbox.write("bad.json", &bad.to_string()).display().to_string();
    let refused = cloud.hub(&["deploy", "edge-1", &file, "--format", "json"]).expect(1);
    assert!(refused.err.contains("filterToIoTHub") && refused.err.contains("column 22"), "{}", refused.all());
    let told = refused.json();
    assert_eq!((&told["taken"], &told["inForce"]), (&json!(false), &json!([])));
}

#[test]
fn a_deployment_comes_from_standard_input_too() {
    let cloud = CloudProcess::start();
    cloud.hub(&["device", "create", "edge-1", "--edge"]).expect(0);
    let deploy = |text: &str| {
        let mut command = cloud.sandbox.command(&["hub", "deploy", "edge-1", "-"]);
        let file = cloud.sandbox.write("in.json", text);
        command.stdin(Stdio::from(std::fs::File::open(file).expect("the file")));
        Program::start(command).end()
    };
    let outcome = deploy(&deployment().to_string()).expect(0);
    assert!(outcome.out.starts_with("deployed to edge-1; what stands now:"), "{}", outcome.all());
    let refused = deploy("{\n  nonsense").expect(2);
    assert!(
        refused.err.contains("standard input is not JSON") && refused.err.contains("line 2"),
        "{}",
        refused.all()
    );
}

#[test]
fn what_cannot_be_deployed_is_refused_with_what_to_do() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "plain"]);
    let file = cloud.sandbox.write("d.json", &deployment().to_string()).display().to_string();
    for args in [["deploy", "plain", &file], ["deploy", "plain", "--show"]] {
        let refused = cloud.hub(&args).expect(1);
        assert!(refused.err.contains("not an IoT Edge device"), "{}", refused.all());
        assert!(refused.err.contains("envsim hub device create plain --edge"), "{}", refused.all());
    }
    let unknown = cloud.hub(&["deploy", "nobody", &file]).expect(1);
    assert!(unknown.err.contains("has no `nobody`"), "{}", unknown.all());
    for (text, why) in [
        (r#"{"routes": {}}"#, "holds routes only"),
        (r#"{"modulesContent": {"$edgeHub": {"properties.desired": {}}}}"#, "has no routes"),
        ("[]", "is not a JSON object"),
    ] {
        let file = cloud.sandbox.write("bad.json", text).display().to_string();
        let refused = cloud.hub(&["deploy", "plain", &file]).expect(2);
        assert!(refused.err.contains(why), "{}", refused.all());
    }
    cloud.hub(&["deploy", "plain"]).expect(2);
    cloud.hub(&["deploy", "plain", &file, "--show"]).expect(2);
}

#[test]
fn a_query_is_answered_in_a_table_or_a_line_for_each_result() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--devices", "205"]);
    cloud.hub(&["twin", "update", "dev000007", "--tags", r#"{"floor": 2}"#]).expect(0);
    let query = |args: &[&str]| cloud.hub(&[&["query"], args].concat()).expect(0).out;
    let found = "SELECT deviceId, tags.floor AS floor FROM devices WHERE tags.floor = 2";
    assert_eq!(query(&[found]), "deviceId   floor\ndev000007  2");
    let line: Value = serde_json::from_str(&query(&[found, "--format", "json"])).expect("JSON");
    assert_eq!(line, json!({"deviceId": "dev000007", "floor": 2}));
    assert_eq!(query(&["SELECT COUNT() AS n FROM devices"]), "n\n205");
    let twins = query(&["SELECT * FROM devices WHERE tags.floor = 2"]);
    assert!(twins.starts_with("deviceId   status") && twins.contains(r#"{"floor":2}"#), "{twins}");
    assert_eq!(query(&["SELECT * FROM devices WHERE tags.floor = 3"]), "no results");
    // Over several pages, and as many as asked for.
    let all = "SELECT deviceId FROM devices";
    assert_eq!(query(&[all, "--format", "json"]).lines().count(), 205);
    assert_eq!(query(&[all]).lines().count(), 206);
    assert_eq!(query(&[all, "--top", "150", "--format", "json"]).lines().count(), 150);

    let refused = cloud.hub(&["query", "SELECT"]).expect(1);
    assert!(
        refused.err.contains("the query cannot be run") && refused.err.contains("column"),
        "{}",
        refused.all()
    );
    cloud.hub(&["query", ""]).expect(2);
    cloud.hub(&["query", all, "--top", "0"]).expect(2);
}
