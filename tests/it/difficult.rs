//! Difficult on request: a device against a cloud on a bad day, made bad in every way there is.

use serde_json::{Value, json};

use super::support::{CloudProcess, Sandbox};

const PORTS: [&str; 4] = ["--mqtt-port", "0", "--https-port", "0"];

fn cloud(options: &[&str]) -> CloudProcess {
    CloudProcess::with(&[&PORTS[..], options].concat())
}

#[test]
fn a_device_comes_through_refusals_slow_answers_and_a_busy_service() {
    let cloud = cloud(&["--refuse", "2", "--latency", "50ms", "--dps-busy", "1", "--sku", "S1"]);
    assert_eq!(
        cloud.ready["faults"],
        json!({
            "latency": 50, "sku": "S1", "units": 1, "dpsBusy": {"times": 1, "retryAfter": 3},
            "refuse": {"returnCode": 3, "times": 2, "device": null},
        })
    );
    let device = cloud.run("env-sensor-01", &["--interval", "100ms", "--count", "2"]);
    let outcome = device.end().expect(0);
    let events = outcome.events();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(count("connected"), 1, "{}", outcome.all());
    let summary = events.last().expect("a summary");
    assert_eq!(summary["acknowledged"], 2, "{summary}");
    let shown = cloud.hub(&["faults", "show", "--format", "json"]).expect(0).json();
    assert_eq!([&shown["refuse"]["times"], &shown["dpsBusy"]["times"]], [&json!(0), &json!(0)], "{shown}");
    assert_eq!(cloud.hub(&["faults", "show"]).expect(0).out, "answers come 50 ms late");
}

#[test]
fn a_device_reconnects_however_often_it_is_dropped() {
    let cloud = cloud(&["--drop-every", "1s"]);
    let mut device = cloud.run("env-sensor-01", &["--interval", "100ms"]);
    for _ in 0..3 {
        device.event("connected");
        device.event("failed");
    }
    // The rest of the time it is a good cloud again.
    assert_eq!(cloud.hub(&["faults", "clear"]).expect(0).out, "nothing goes wrong on request");
    device.event("connected");
    device.event("acknowledged");
}

#[test]
fn trouble_is_made_shown_and_ended_from_another_terminal() {
    let cloud = CloudProcess::start();
    assert_eq!(cloud.ready.get("faults"), None);
    let mut device = cloud.run("env-sensor-01", &["--interval", "100ms"]);
    device.event("twin");
    let dropped: Value = cloud.hub(&["drop", "env-sensor-01", "--format", "json"]).expect(0).json();
    assert_eq!(dropped["connections"], 1);
    device.event("failed");
    device.event("connected");
    let slip = cloud.hub(&["drop", "nobody"]).expect(1);
    assert!(slip.err.contains("has no `nobody`"), "{}", slip.all());

    let set = cloud.hub(&["faults", "set", r#"{"refuse": {"times": 1}, "latency": 10}"#]).expect(0);
    assert_eq!(set.out, "answers come 10 ms late, the next connection is refused with code 3");
    cloud.hub(&["drop"]).expect(0);
    device.event("failed");
    device.event("connected");

    let doubtful = cloud.hub(&["faults", "set", r#"{"refuse": {"times": 1, "device": "nobody"}}"#]).expect(0);
    assert!(doubtful.err.contains("has no device `nobody`"), "{}", doubtful.all());
    let bad = cloud.hub(&["faults", "set", r#"{"latncy": 10}"#]).expect(1);
    assert!(bad.err.contains("there is no member `latncy`"), "{}", bad.all());
    let bad = cloud.hub(&["faults", "set", "latency"]).expect(2);
    assert!(bad.err.contains("the faults are not a JSON object"), "{}", bad.all());
}

#[test]
fn a_hub_in_azure_has_no_trouble_on_request() {
    let string = "HostName=h.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for verb in [&["faults", "show"][..], &["faults", "clear"], &["drop"]] {
        let args = [&["hub"], verb, &["--connection-string", string]].concat();
        let outcome = Sandbox::new().run(&args).expect(1);
        let said =
            "h.azure-devices.net cannot be asked for trouble: only envsim's local cloud makes it on request";
        assert!(outcome.err.contains(said), "{}", outcome.all());
    }
}
