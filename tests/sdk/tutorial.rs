//! The cases that are led from here: the whole of an unchanged tutorial's program on the Python
//! device SDK, with `envsim hub` on the other side.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::clouds::on_own_address;
use super::environment::{Language, scripts};
use super::support::{CloudProcess, Program};

const DEVICE: &str = "sensor-py";

/// A case, given the Python to run on.
pub type Story = fn(&Path);

/// Each by its name.
pub const STORIES: &[(&str, Story)] = &[
    ("tutorial_004_s_program_works_unchanged", tutorial_004_s_program_works_unchanged),
    (
        "a_wrong_key_is_a_credential_error_at_dps_and_at_the_hub",
        a_wrong_key_is_a_credential_error_at_dps_and_at_the_hub,
    ),
    (
        "a_device_that_does_not_answer_reads_differently_from_one_that_is_offline",
        a_device_that_does_not_answer_reads_differently_from_one_that_is_offline,
    ),
    ("the_program_renews_its_token", the_program_renews_its_token),
];

/// A program on the SDK, started against a cloud.
fn start(cloud: &CloudProcess, python: &Path, key: &str, variables: &[(&str, &str)]) -> Program {
    let script = scripts(Language::Python).join("environmental_sensor.py");
    let mut command = cloud.sandbox.other(python, &[&script.to_string_lossy()]);
    command.stdin(Stdio::piped());
    command.env("SSL_CERT_FILE", cloud.text("caFile"));
    command.env("IOTHUB_DEVICE_DPS_ENDPOINT", cloud.text("hub"));
    command.env("IOTHUB_DEVICE_DPS_ID_SCOPE", cloud.text("idScope"));
    command.env("IOTHUB_DEVICE_DPS_DEVICE_ID", DEVICE);
    command.env("IOTHUB_DEVICE_DPS_DEVICE_KEY", key);
    command.envs(variables.iter().copied());
    Program::start(command)
}

fn tutorial_004_s_program_works_unchanged(python: &Path) {
    let (cloud, address) = on_own_address();
    let mut device = start(&cloud, python, &cloud.key(DEVICE), &[]);

    let registered = device.event("registered");
    assert_eq!(registered["status"], "assigned");
    assert_eq!(registered["hub"], address.as_str());
    assert_eq!(registered["device"], DEVICE);
    device.event("connected");
    let twin = device.event("twin")["twin"].take();
    assert_eq!(twin["desired"]["$version"], 1, "{twin}");
    device.event("reported");
    device.event_where("sent", |event| event["count"] == 1);

    let invoke = |name, payload| {
        let args = ["invoke", DEVICE, name, "--payload", payload, "--format", "json"];
        cloud.hub(&args).expect(0).json()
    };
    let blink = invoke("blink", "5");
    assert_eq!(
        (&blink["status"], &blink["payload"]),
        (&json!(200), &json!({"description": "Blinking LED every 5 seconds"}))
    );
    assert_eq!(device.event("command")["payload"], 5);
    assert_eq!(invoke("turnon", "null")["status"], 200);
    assert_eq!(invoke("turnoff", "null")["status"], 200);

    let wait = ["invoke", DEVICE, "rundiagnostics", "--wait-for", "rundiagnostics", "--format", "json"];
    let waited = cloud.hub(&wait).expect(0).events();
    assert_eq!(waited[0]["status"], 202);
    let last = waited.last().expect("events");
    assert!(
        last["value"]["value"].as_str().is_some_and(|said| said.starts_with("Diagnostics run complete at"))
    );

    let desired = r#"{"name":{"value":"Ada"},"brightness":{"value":2},"unknown":{"value":1}}"#;
    cloud.hub(&["twin", "update", DEVICE, "--desired", desired]).expect(0);
    let patch = device.event("desired")["patch"].take();
    assert_eq!(
        patch,
        json!({"name": {"value": "Ada"}, "brightness": {"value": 2}, "unknown": {"value": 1}, "$version": 2})
    );
    device.event("acknowledged");
    device.event("acknowledged");

    let watched = cloud.hub(&["monitor", "--device", DEVICE, "--count", "4", "--format", "json"]).expect(0);
    let events = watched.heard();
    for event in &events {
        assert_eq!(event["deviceId"], DEVICE);
        assert_eq!(event["source"], "Telemetry", "{event}");
    }
    let typed = |event: &&Value| event["properties"]["$.ct"] == "application/json";
    let (with_type, without): (Vec<_>, Vec<_>) = events.iter().partition(typed);
    assert!(!with_type.is_empty() && !without.is_empty(), "{}", watched.all());
    assert!(with_type.iter().all(|event| event["properties"]["alert"] == "no, not yet"), "{}", watched.all());
    assert!(events.iter().all(|event| event["body"]["humid"] == 40), "{}", watched.all());

    device.close_input();
    let twin = device.event("twin")["twin"].take();
    let reported = &twin["reported"];
    assert_eq!(reported["state"], "true");
    assert_eq!(reported["name"], json!({"value": "Ada", "status": "completed", "desiredVersion": 2}));
    assert_eq!(reported["brightness"], json!({"value": 2, "status": "completed", "desiredVersion": 2}));
    assert!(reported.get("unknown").is_none(), "{twin}");
    device.event("disconnected");
    let outcome = device.end().expect(0);
    assert!(!outcome.out.contains("background-error"), "{}", outcome.all());

    let offline = cloud.hub(&["invoke", DEVICE, "blink", "--payload", "5"]).expect(1);
    assert!(offline.err.contains("not connected"), "{}", offline.all());
}

fn a_wrong_key_is_a_credential_error_at_dps_and_at_the_hub(python: &Path) {
    let (cloud, _) = on_own_address();
    let wrong = cloud.key("somebody-else");
    let device = start(&cloud, python, &wrong, &[]);
    let refused = device.end().expect(3);
    assert_refused(&refused.events(), "dps");

    let device = start(&cloud, python, &cloud.key(DEVICE), &[("HUB_KEY", &wrong)]);
    let refused = device.end().expect(4);
    assert_refused(&refused.events(), "hub");
}

#[track_caller]
fn assert_refused(events: &[Value], by: &str) {
    let refused = events.iter().find(|event| event["event"] == "refused").expect("a refusal");
    assert_eq!(refused["by"], by);
    if by == "hub" {
        assert_eq!(refused["kind"], "CredentialError");
    }
}

fn a_device_that_does_not_answer_reads_differently_from_one_that_is_offline(python: &Path) {
    let (cloud, _) = on_own_address();
    let mut device = start(&cloud, python, &cloud.key(DEVICE), &[]);
    device.event_where("sent", |event| event["count"] == 1);
    // The shortest time that a hub takes.
    let silent = cloud.hub(&["invoke", DEVICE, "silence", "--response-timeout", "5s"]).expect(1);
    assert!(silent.err.contains("did not answer in time"), "{}", silent.all());
}

fn the_program_renews_its_token(python: &Path) {
    let (cloud, _) = on_own_address();
    // The SDK renews two minutes before the end, here one second after it has connected.
    let mut device = start(&cloud, python, &cloud.key(DEVICE), &[("SAS_TTL", "121")]);
    device.event_where("connection", |event| event["connected"] == true);
    device.event_where("connection", |event| event["connected"] == false);
    device.event_where("connection", |event| event["connected"] == true);
    device.event("sent");
    device.close_input();
    device.event("disconnected");
    device.end().expect(0);
}
