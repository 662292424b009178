//! The reboot tutorial, each of its sides once on Microsoft's SDK and once as it is here.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::clouds::on_own_address;
use super::environment::{Language, PYTHON_DEVICE, PYTHON_SERVICE, scripts};
use super::support::{CloudProcess, Outcome, Program};
use super::tutorial::Story;

/// Each by its name, with the SDK that it is about.
pub const STORIES: &[(&str, &str, Story)] = &[
    ("a_back_end_reboots_our_device", PYTHON_SERVICE, a_back_end_reboots_our_device),
    (
        "a_back_end_reboots_our_device_and_its_link",
        PYTHON_SERVICE,
        a_back_end_reboots_our_device_and_its_link,
    ),
    ("our_operator_reboots_a_device_on_the_sdk", PYTHON_DEVICE, our_operator_reboots_a_device_on_the_sdk),
];

const DEVICE: &str = "env-sensor-01";

/// A program of the tutorial's, started against a cloud.
fn start(cloud: &CloudProcess, python: &Path, file: &str, variables: &[(&str, &str)]) -> Program {
    let script = scripts(Language::Python).join(file);
    let mut command = cloud.sandbox.other(python, &[&script.to_string_lossy()]);
    command.stdin(Stdio::piped());
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        command.env(name, cloud.text("caFile"));
    }
    command.envs(variables.iter().copied());
    Program::start(command)
}

fn the_response() -> Value {
    json!({"Response": "This is the response from the device"})
}

/// The whole tutorial with our device; all that the device told.
fn reboot(python: &Path, options: &[&str]) -> Outcome {
    let (cloud, _) = on_own_address();
    let mut device = cloud.run(DEVICE, &[&["--profile", "reboot", "--time-scale", "10"], options].concat());
    device.event("twin");
    let service = cloud.text("serviceConnectionString");
    let variables = [("IOTHUB_CONNECTION_STRING", service), ("DEVICE", DEVICE)];
    let told = start(&cloud, python, "reboot_service.py", &variables).end().expect(0).events();
    let [before, answer, looked] = &told[..] else { panic!("{told:?}") };
    assert_eq!(before["rebootTime"], Value::Null);
    assert_eq!((&answer["status"], &answer["payload"]), (&json!(200), &the_response()));
    // Who has the answer finds the time in the twin at the first look.
    assert_eq!(looked["look"], 0);

    assert_eq!(device.event("command")["request"], r#"{"method_number":"42"}"#);
    let reporting = device.event_where("reporting", |event| event["patch"].get("rebootTime").is_some());
    assert_eq!(reporting["patch"]["rebootTime"], looked["rebootTime"]);
    assert_eq!(device.event("command-answered")["status"], 200);
    device.signal("INT");
    device.end().expect(130)
}

fn count(outcome: &Outcome, name: &str) -> usize {
    outcome.events().iter().filter(|event| event["event"] == name).count()
}

fn a_back_end_reboots_our_device(python: &Path) {
    let told = reboot(python, &[]);
    assert_eq!((count(&told, "connected"), count(&told, "failed")), (1, 0), "{}", told.all());
}

fn a_back_end_reboots_our_device_and_its_link(python: &Path) {
    let told = reboot(python, &["--reboot-style", "link"]);
    assert_eq!((count(&told, "connected"), count(&told, "failed")), (2, 0), "{}", told.all());
    assert_eq!(count(&told, "disconnected"), 2, "once to reboot, once at the end\n{}", told.all());
}

fn our_operator_reboots_a_device_on_the_sdk(python: &Path) {
    let (cloud, hub) = on_own_address();
    // In the registry by having been provisioned once.
    let once = ["--profile", "environment", "--count", "1"];
    cloud.run(DEVICE, &once).end().expect(0);
    let string = format!("HostName={hub};DeviceId={DEVICE};SharedAccessKey={}", cloud.key(DEVICE));
    let mut device =
        start(&cloud, python, "reboot_device.py", &[("IOTHUB_DEVICE_CONNECTION_STRING", &string)]);
    device.event("connected");

    let invoke = ["invoke", DEVICE, "rebootDevice", "--payload", r#"{"method_number": "42"}"#];
    let wait = ["--wait-for", "rebootTime", "--format", "json"];
    let told = cloud.hub(&[&invoke[..], &wait].concat()).expect(0).events();
    assert_eq!((&told[0]["status"], &told[0]["payload"]), (&json!(200), &the_response()));
    assert_eq!(device.event("command")["payload"], json!({"method_number": "42"}));
    let rebooted = device.event("rebooted");
    let last = told.last().expect("events");
    assert_eq!((&last["event"], &last["state"]), (&json!("wait"), &json!("met")));
    assert_eq!(last["value"], rebooted["rebootTime"]);
    device.close_input();
    device.end().expect(0);
}
