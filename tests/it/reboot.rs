//! A device that reboots, with the real program on both sides.

use super::support::{CloudProcess, Screen};

#[test]
fn a_device_asked_to_reboot_while_it_does_refuses_in_words() {
    let cloud = CloudProcess::start();
    // So slow that it does not come back while the test lasts.
    let mut device = cloud.run("env-sensor-01", &["--profile", "reboot", "--time-scale", "0.01"]);
    device.event("twin");
    let invoke = ["invoke", "env-sensor-01", "rebootDevice", "--payload", r#"{"method_number": "42"}"#];
    let _waiting = cloud.hub_start(&invoke);
    device.event_where("note", |event| event["text"] == "rebooting");
    let refused = cloud.hub(&[&invoke[..], &["--format", "json"]].concat()).expect(1).json();
    assert_eq!(refused["status"], 409);
    let said = refused["payload"]["error"].as_str().unwrap_or_default();
    assert!(said.starts_with("the device restarts, try again in "), "{said}");
}

#[test]
fn while_the_link_is_down_for_a_reboot_the_hub_says_that_the_device_is_not_connected() {
    let cloud = CloudProcess::start();
    let options = ["--profile", "environment,reboot", "--reboot-style", "link", "--time-scale", "0.01"];
    let mut device = cloud.run("env-sensor-01", &options);
    device.event("twin");
    let _waiting = cloud.hub_start(&["invoke", "env-sensor-01", "rebootDevice"]);
    device.event("disconnected");
    let offline = cloud.hub(&["invoke", "env-sensor-01", "turnon"]).expect(1);
    assert!(offline.err.contains("`env-sensor-01` is not connected"), "{}", offline.all());
    // And it can be ended while it is away.
    device.signal("INT");
    device.end().expect(130);
}

#[test]
fn the_screen_shows_the_device_going_away_and_coming_back() {
    for (profile, style) in [("reboot", "link"), ("environment,reboot", "hold")] {
        let args = ["run", "--profile", profile, "--reboot-style", style, "--time-scale", "5"];
        let mut screen = Screen::open(120, 40, &args);
        screen.wait_for("● online");
        let invoke = ["hub", "invoke", "env-sensor-01", "rebootDevice", "--format", "json"];
        let waiting = screen.sandbox.start(&invoke);
        screen.wait_until("a reboot that goes on", |screen| {
            screen.contains("restarting, back in") && screen.contains("rebooting")
        });
        screen.wait_until("a device that is back", |screen| {
            screen.contains("● online") && screen.contains("200 rebootDevice")
        });
        assert_eq!(waiting.end().expect(0).json()["status"], 200);
        screen.keys("q");
        assert_eq!(screen.end().0, 0);
    }
}
