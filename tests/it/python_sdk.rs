//! Microsoft's own Python device SDK against `envsim cloud`: it cannot tell it from Azure.
//!
//! The SDK knows no port but 8883, so each cloud has an address of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::support::{CloudProcess, Program};

/// The version that the promise is made for.
const SDK: &str = "azure-iot-device==2.14.0";

const DEVICE: &str = "sensor-py";

/// The Python of an environment with the SDK in it, made by the first who asks and kept between
/// runs; or why there is none.
fn python() -> Result<&'static Path, &'static str> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON.get_or_init(make_environment).as_ref().map(PathBuf::as_path).map_err(String::as_str)
}

fn make_environment() -> Result<PathBuf, String> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-sdk");
    let (folder, python) = (parent.join(SDK), Path::new("bin/python"));
    if !folder.exists() {
        // Made under another name, so that what has the right one is whole, also after an interrupt
        // or when two runs make it at once.
        let draft = parent.join(format!("draft-{}", std::process::id()));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK];
        std::fs::create_dir_all(&parent).map_err(|error| error.to_string())?;
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&draft))
            .and_then(|()| run(Command::new(draft.join(python)).args(pip)))
            .map(|()| std::fs::rename(&draft, &folder));
        // It is still there when another run was faster, or when something failed.
        let _ = std::fs::remove_dir_all(&draft);
        made?.or_else(|error| if folder.exists() { Ok(()) } else { Err(error.to_string()) })?;
    }
    Ok(folder.join(python))
}

fn run(command: &mut Command) -> Result<(), String> {
    let done = command.stdin(Stdio::null()).output();
    let name = command.get_program().to_string_lossy();
    let done = done.map_err(|error| format!("{name} cannot be started: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{name} failed: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

/// A program on the SDK, started against a cloud; `None` where there is no Python for it.
fn start(cloud: &CloudProcess, key: &str, variables: &[(&str, &str)]) -> Option<Program> {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "CI must run the Python device SDK, and cannot: {why}"
            );
            return None;
        }
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/python/environmental_sensor.py");
    let mut command = cloud.sandbox.other(python, &[script]);
    command.stdin(Stdio::piped());
    command.env("SSL_CERT_FILE", cloud.text("caFile"));
    command.env("IOTHUB_DEVICE_DPS_ENDPOINT", cloud.text("hub"));
    command.env("IOTHUB_DEVICE_DPS_ID_SCOPE", cloud.text("idScope"));
    command.env("IOTHUB_DEVICE_DPS_DEVICE_ID", DEVICE);
    command.env("IOTHUB_DEVICE_DPS_DEVICE_KEY", key);
    command.envs(variables.iter().copied());
    Some(Program::start(command))
}

/// Says in the test's output that nothing was shown.
fn not_run() {
    let why = python().err().unwrap_or_default();
    // Past the capture of passing tests: somebody has to see it.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("NOT RUN: the Python device SDK: {why}\n").as_bytes(),
    );
}

#[test]
fn tutorial_004_s_program_works_unchanged() {
    let (cloud, address) = CloudProcess::on_own_address();
    let Some(mut device) = start(&cloud, &cloud.key(DEVICE), &[]) else { return not_run() };

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
    let events = watched.events();
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

#[test]
fn a_wrong_key_is_a_credential_error_at_dps_and_at_the_hub() {
    let (cloud, _) = CloudProcess::on_own_address();
    let wrong = cloud.key("somebody-else");
    let Some(device) = start(&cloud, &wrong, &[]) else { return not_run() };
    let refused = device.end().expect(3);
    assert_refused(&refused.events(), "dps");

    let Some(device) = start(&cloud, &cloud.key(DEVICE), &[("HUB_KEY", &wrong)]) else { return not_run() };
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

#[test]
fn a_device_that_does_not_answer_reads_differently_from_one_that_is_offline() {
    let (cloud, _) = CloudProcess::on_own_address();
    let Some(mut device) = start(&cloud, &cloud.key(DEVICE), &[]) else { return not_run() };
    device.event_where("sent", |event| event["count"] == 1);
    // The shortest time that a hub takes.
    let silent = cloud.hub(&["invoke", DEVICE, "silence", "--response-timeout", "5s"]).expect(1);
    assert!(silent.err.contains("did not answer in time"), "{}", silent.all());
}

#[test]
fn the_sdk_renews_its_token() {
    let (cloud, _) = CloudProcess::on_own_address();
    // The SDK renews two minutes before the end, here one second after it has connected.
    let Some(mut device) = start(&cloud, &cloud.key(DEVICE), &[("SAS_TTL", "121")]) else { return not_run() };
    device.event_where("connection", |event| event["connected"] == true);
    device.event_where("connection", |event| event["connected"] == false);
    device.event_where("connection", |event| event["connected"] == true);
    device.event("sent");
    device.close_input();
    device.event("disconnected");
    device.end().expect(0);
}
