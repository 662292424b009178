//! The firmware tutorial with its device on Microsoft's SDK, and `envsim hub` as its back end. The other
//! way round is `python/firmware.py`.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use super::clouds::on_own_address;
use super::environment::{Language, PYTHON_DEVICE, scripts};
use super::support::Program;
use super::tutorial::Story;

/// Each by its name, with the SDK that it is about.
pub const STORIES: &[(&str, &str, Story)] = &[(
    "our_operator_updates_a_device_on_the_sdk_twice",
    PYTHON_DEVICE,
    our_operator_updates_a_device_on_the_sdk_twice,
)];

const DEVICE: &str = "env-sensor-01";

fn our_operator_updates_a_device_on_the_sdk_twice(python: &Path) {
    let (cloud, hub) = on_own_address();
    // In the registry by having been provisioned once.
    cloud.run(DEVICE, &["--profile", "environment", "--count", "1"]).end().expect(0);
    let script = scripts(Language::Python).join("firmware_device.py");
    let mut command = cloud.sandbox.other(python, &[&script.to_string_lossy()]);
    command.stdin(Stdio::piped()).env("SSL_CERT_FILE", cloud.text("caFile"));
    let string = format!("HostName={hub};DeviceId={DEVICE};SharedAccessKey={}", cloud.key(DEVICE));
    command.env("IOTHUB_DEVICE_CONNECTION_STRING", string);
    let mut device = Program::start(command);
    device.event("ready");

    let payload = r#"{"fwPackageUri": "test.com"}"#;
    let invoke = ["invoke", DEVICE, "firmwareUpdate", "--payload", payload, "--response-timeout", "60s"];
    let wait = ["--wait-for", "firmwareStatus=completed", "--format", "json"];
    // The second time, `completed` stands there already, of the first.
    for _ in 0..2 {
        let told = cloud.hub(&[&invoke[..], &wait].concat()).expect(0).events();
        assert_eq!(told[0]["status"], 200);
        assert_eq!(told[0]["payload"], json!({"Response": "Firmware update started"}));
        assert_eq!(device.event("command")["payload"], json!({"fwPackageUri": "test.com"}));
        for status in ["downloading", "applying", "completed"] {
            assert_eq!(device.event("reporting")["status"], status);
        }
        let last = told.last().expect("events");
        assert_eq!((&last["event"], &last["state"]), (&json!("wait"), &json!("met")));
        assert_eq!(last["value"], "completed");
    }
    device.close_input();
    device.end().expect(0);
}
