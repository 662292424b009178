//! The cases in which `envsim hub` is the operator, and the device or module is on the Python device
//! SDK. What it connects with is what `envsim hub` has written for it.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::clouds::on_own_address;
use super::environment::{Language, scripts};
use super::support::{CloudProcess, Outcome, Program};
use super::tutorial::Story;

const DEVICE: &str = "operated";

/// Each by its name.
pub const STORIES: &[(&str, Story)] = &[
    ("a_command_s_outcome_is_waited_for", a_command_s_outcome_is_waited_for),
    ("offline_and_silent_are_told_apart", offline_and_silent_are_told_apart),
    ("desired_properties_reach_the_device", desired_properties_reach_the_device),
    ("what_the_device_reports_is_watched", what_the_device_reports_is_watched),
    ("a_message_reaches_the_device", a_message_reaches_the_device),
    ("a_module_is_made_and_operated", a_module_is_made_and_operated),
];

/// The device or module that `create` makes, connected. `create` is of `device` or of `module`.
fn connected(cloud: &CloudProcess, python: &Path, create: &[&str]) -> Program {
    let file = cloud.sandbox.folder().join(format!("{}.txt", create.join("-"))).display().to_string();
    cloud.hub(&[create, &["--save-connection-string", &file]].concat()).expect(0);
    let script = scripts(Language::Python).join("operated.py");
    let mut command = cloud.sandbox.other(python, &[&script.to_string_lossy(), &file]);
    command.stdin(Stdio::piped()).env("SSL_CERT_FILE", cloud.text("caFile"));
    let mut program = Program::start(command);
    program.event("connected");
    program
}

/// A cloud, and a device of the SDK on it.
fn with_device(python: &Path) -> (CloudProcess, Program) {
    let (cloud, _) = on_own_address();
    let device = connected(&cloud, python, &["device", "create", DEVICE]);
    (cloud, device)
}

/// Closes its standard input, and sees it go.
fn end(mut device: Program) -> Outcome {
    device.close_input();
    device.event("disconnected");
    device.end().expect(0)
}

fn a_command_s_outcome_is_waited_for(python: &Path) {
    let (cloud, device) = with_device(python);
    let invoke = ["invoke", DEVICE, "report", "--wait-for", "firmware.status=done", "--format", "json"];
    let report = |status: &str| format!(r#"{{"firmware": {{"status": "{status}"}}}}"#);
    let done = cloud.hub(&[&invoke[..], &["--payload", &report("done")]].concat()).expect(0).events();
    assert_eq!((&done[0]["status"], &done[0]["payload"]), (&json!(200), &json!({"done": true})));
    let last = done.last().expect("events");
    assert_eq!((&last["state"], &last["value"]), (&json!("met"), &json!("done")));

    let failed = report("failed");
    let other = cloud.hub(&[&invoke[..], &["--timeout", "1s", "--payload", &failed]].concat()).expect(1);
    assert!(other.err.contains("the twin shows \"failed\""), "{}", other.all());
    let refused = cloud.hub(&["invoke", DEVICE, "dance"]).expect(1);
    assert!(refused.out.contains("  dance answered 404 after "), "{}", refused.all());
    end(device);
}

fn offline_and_silent_are_told_apart(python: &Path) {
    let (cloud, device) = with_device(python);
    // The shortest time that a hub takes.
    let silent = cloud.hub(&["invoke", DEVICE, "silence", "--response-timeout", "5s"]).expect(1);
    assert!(silent.err.contains("got the command and did not answer in time (504101)"), "{}", silent.all());
    assert!(silent.err.contains("--response-timeout more than 5 s"), "{}", silent.all());
    end(device);
    let offline = cloud.hub(&["invoke", DEVICE, "report"]).expect(1);
    assert!(offline.err.contains("is not connected to the hub"), "{}", offline.all());
    assert!(offline.err.contains("404103") && offline.err.contains("--connect-timeout"), "{}", offline.all());
}

fn desired_properties_reach_the_device(python: &Path) {
    let (cloud, mut device) = with_device(python);
    cloud.hub(&["twin", "update", DEVICE, "--desired", r#"{"interval": 5, "mode": "a"}"#]).expect(0);
    assert_eq!(device.event("desired")["patch"], json!({"interval": 5, "mode": "a", "$version": 2}));
    cloud.hub(&["twin", "update", DEVICE, "--desired", r#"{"mode": null}"#]).expect(0);
    assert_eq!(device.event("desired")["patch"], json!({"mode": null, "$version": 3}));
    cloud.hub(&["twin", "replace", DEVICE, "--desired", r#"{"other": 1}"#]).expect(0);
    let replaced = device.event("desired")["patch"].take();
    assert_eq!((&replaced["other"], &replaced["$version"]), (&json!(1), &json!(4)));
    end(device);
}

fn what_the_device_reports_is_watched(python: &Path) {
    let (cloud, device) = with_device(python);
    let watch = ["twin", "watch", DEVICE, "--interval", "100ms", "--format", "json"];
    let mut watch = cloud.hub_start(&watch);
    watch.event("watching");
    let report = |value: &str| {
        cloud
            .hub(&["invoke", DEVICE, "report", "--payload", &format!(r#"{{"temp": {{"max": {value}}}}}"#)])
            .expect(0);
    };
    report("20");
    let path = |event: &Value| event["path"] == "properties.reported.temp.max";
    let first = watch.event_where("changed", path);
    assert_eq!((&first["old"], &first["new"]), (&Value::Null, &json!(20)));
    report("21");
    let second = watch.event_where("changed", path);
    assert_eq!((&second["old"], &second["new"]), (&json!(20), &json!(21)));
    assert!(second["version"].as_u64() > first["version"].as_u64(), "{second}");
    end(device);
    let away = watch.event_where("changed", |event| event["path"] == "connectionState");
    assert_eq!(away["new"], "Disconnected");
    watch.signal("INT");
    watch.end().expect(130);
}

fn a_message_reaches_the_device(python: &Path) {
    let (cloud, mut device) = with_device(python);
    let first = ["send", DEVICE, r#"{"on": true}"#, "--property", "Level=3", "--message-id", "m1"];
    cloud.hub(&[&first[..], &["--content-type", "application/json"]].concat()).expect(0);
    let message = device.event("message");
    assert_eq!(
        (&message["body"], &message["properties"], &message["id"], &message["type"]),
        (&json!(r#"{"on": true}"#), &json!({"Level": "3"}), &json!("m1"), &json!("application/json"))
    );

    // As to a hub in Azure.
    let port = cloud.ready["amqpPort"].to_string();
    let more = ["--content-type", "text/plain", "--ack", "full", "--ttl", "1m", "--amqp-port", &port];
    let second = ["send", DEVICE, "hello, äöü", "--property", "Level=a b&c", "--message-id", "m2"];
    let sent = cloud.hub(&[&second[..], &more, &["--format", "json"]].concat()).expect(0).json();
    let message = device.event("message");
    assert_eq!(
        (&message["body"], &message["properties"], &message["id"], &message["type"], &message["ack"]),
        (
            &json!("hello, äöü"),
            &json!({"Level": "a b&c"}),
            &json!("m2"),
            &json!("text/plain"),
            &json!("full")
        )
    );
    let moment = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    assert!(moment(&sent["expiryTimeUtc"]).is_some(), "{sent}");
    assert_eq!(moment(&message["expiry"]), moment(&sent["expiryTimeUtc"]));
    end(device);
}

fn a_module_is_made_and_operated(python: &Path) {
    let (cloud, device) = with_device(python);
    let mut module = connected(&cloud, python, &["module", "create", DEVICE, "meter"]);
    cloud
        .hub(&["twin", "update", DEVICE, "--module", "meter", "--desired", r#"{"telemetryInterval": 3}"#])
        .expect(0);
    assert_eq!(module.event("desired")["patch"], json!({"telemetryInterval": 3, "$version": 2}));
    let invoke = ["invoke", DEVICE, "report", "--module", "meter", "--payload", r#"{"ready": true}"#];
    cloud.hub(&[&invoke[..], &["--wait-for", "ready=true"]].concat()).expect(0);
    assert_eq!(module.event("command")["payload"], json!({"ready": true}));
    let list = cloud.hub(&["module", "list", DEVICE, "--format", "json"]).expect(0).json();
    assert_eq!((&list["moduleId"], &list["connectionState"]), (&json!("meter"), &json!("Connected")));
    end(module);
    let heard = end(device);
    assert!(!heard.out.contains("telemetryInterval"), "{}", heard.all());
}
