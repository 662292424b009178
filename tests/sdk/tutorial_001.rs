//! The tutorial of the firmware update: its device on the Python device SDK, `envsim hub` as its back
//! end. The other way round is `python/firmware.py`.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use super::clouds::own;
use super::environment::{Language, scripts};
use super::support::Program;

const DEVICE: &str = "firmware-py";

/// Waits for the outcome twice: what stands there of the first time is not that of the second.
pub fn our_back_end_waits_for_the_tutorial_s_device(python: &Path) {
    let (cloud, _) = super::clouds::on_own_address();
    let script = scripts(Language::Python).join("firmware_device.py");
    let mut command = cloud.sandbox.other(python, &[&script.to_string_lossy()]);
    command.stdin(Stdio::piped());
    command.env("SSL_CERT_FILE", cloud.text("caFile"));
    command.env("IOTHUB_DEVICE_CONNECTION_STRING", "");
    let mut device = Program::start(command);
    device.event("ready");
}
