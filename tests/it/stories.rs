//! Stories of a device and a cloud, told under a simulated clock.

mod firmware;

use envsim::device::{Input, Phase, RestartStyle};
use serde_json::json;

use crate::support::pair::Pair;

#[test]
fn a_new_device_is_told_to_wait_then_assigned_then_sends() {
    let mut pair = Pair::new();
    pair.feed(Input::Start);
    assert_eq!(*pair.device.phase(), Phase::Provisioning);
    pair.run_until(5_999);
    assert!(!pair.device.phase().is_online(), "the service asked for three seconds, twice");
    pair.run_until(6_000);
    assert!(pair.device.phase().is_online());
    assert_eq!(pair.reported()["state"], "true");
    pair.run_until(16_000);
    assert_eq!(pair.events("Telemetry"), 6, "at once, and every two seconds");
    let counters = pair.device.counters();
    assert_eq!((counters.sent, counters.acknowledged, counters.waiting), (6, 6, 0));
}

#[test]
fn commands_are_answered_while_diagnostics_run() {
    let mut pair = Pair::online();
    let began = pair.at;
    let diagnostics = pair.invoke("rundiagnostics", None);
    let blink = pair.invoke("blink", Some(json!(5)));
    let unknown = pair.invoke("selfdestruct", None);
    let wrong = pair.invoke("blink", Some(json!("fast")));
    assert_eq!(pair.answers[&diagnostics], json!({"status": 202, "payload": null}));
    assert_eq!(pair.answers[&blink]["payload"]["description"], "Blinking LED every 5 seconds");
    assert_eq!(pair.answers[&unknown]["status"], 404);
    assert_eq!(pair.answers[&wrong]["status"], 400);
    let sent = pair.events("Telemetry");
    pair.run_until(began + 5_999);
    assert!(pair.reported().get("rundiagnostics").is_none());
    assert!(pair.events("Telemetry") >= sent + 2, "telemetry goes on");
    pair.run_until(began + 6_000);
    let outcome = &pair.reported()["rundiagnostics"]["value"];
    assert!(outcome.as_str().is_some_and(|said| said.starts_with("Diagnostics run complete at 2030-01-01")));
}

#[test]
fn properties_are_acknowledged_in_the_convention_they_came_in() {
    let mut pair = Pair::online();
    let began = pair.at;
    pair.desire(json!({"name": {"value": "Kitchen"}, "brightness": 2}));
    pair.run_until(began + 1_000);
    assert_eq!(
        pair.reported()["name"],
        json!({"value": "Kitchen", "status": "completed", "desiredVersion": 2})
    );
    assert!(pair.reported().get("brightness").is_none());
    pair.run_until(began + 5_000);
    assert_eq!(pair.reported()["brightness"], json!({"value": 2, "ac": 200, "av": 2, "ad": "completed"}));
    pair.desire(json!({"brightness": 9}));
    pair.run_until(began + 10_000);
    assert_eq!(pair.reported()["brightness"]["ac"], 400);
    assert_eq!(pair.reported()["brightness"]["value"], 2, "what it holds");
}

#[test]
fn what_happens_while_the_link_is_down_is_caught_up_with() {
    let mut pair = Pair::online();
    let heard = pair.events("Telemetry");
    pair.break_link();
    pair.desire(json!({"name": "Attic"}));
    let offline_from = pair.at;
    pair.run_until(offline_from + 20_000);
    assert_eq!(pair.events("Telemetry"), heard);
    assert!(matches!(pair.device.phase(), Phase::Waiting { .. }));
    assert!(pair.device.counters().waiting >= 9, "readings wait for the link");
    pair.network = true;
    pair.run_until(offline_from + 90_000);
    assert_eq!(pair.reported()["name"], json!({"value": "Attic", "ac": 200, "av": 2, "ad": "completed"}));
    let counters = pair.device.counters();
    assert_eq!((counters.waiting, counters.dropped), (0, 0), "nothing is lost");
    assert_eq!(pair.events("Telemetry"), usize::try_from(counters.made).expect("a count"));
}

#[test]
fn a_device_that_has_gone_is_404103_and_one_that_is_cut_off_504101() {
    let mut pair = Pair::online();
    pair.break_link();
    // The hub has not noticed yet: it sends, and nobody answers.
    let unheard = pair.invoke("turnon", None);
    pair.run_until(pair.at + 31_000);
    assert_eq!(pair.answers[&unheard]["code"], 504_101);
    let mut pair = Pair::online();
    pair.feed(Input::Leave);
    assert_eq!(*pair.device.phase(), Phase::Left);
    let offline = pair.invoke("turnon", None);
    pair.run_until(pair.at + 1);
    assert_eq!(pair.answers[&offline]["code"], 404_103);
}

#[test]
fn a_token_is_renewed_without_losing_a_message() {
    let mut pair = Pair::online();
    pair.run_until(2 * 3_600_000);
    let counters = pair.device.counters();
    assert_eq!(counters.made, counters.acknowledged);
    assert!(pair.device.phase().is_online());
    let Phase::Online { since, .. } = pair.device.phase() else { panic!("online") };
    assert!(since.0 > 3_600_000, "it has connected again since");
}

/// The whole of the reboot tutorial, both sides: a minute to answer, and the time in the twin.
fn tutorial_000(style: RestartStyle) -> Pair {
    let mut pair = Pair::of(&["reboot"], style).settled();
    let began = pair.at;
    assert!(pair.reported().get("rebootTime").is_none());
    let call = pair.invoke_within(60, "rebootDevice", Some(json!({"method_number": "42"})));
    assert_eq!(pair.device.jobs()[0].phase, "rebooting");
    pair.run_until(began + 19_999);
    assert!(!pair.answers.contains_key(&call));
    assert!(pair.reported().get("rebootTime").is_none());
    pair.run_until(began + 20_000);
    assert_eq!(
        pair.answers[&call],
        json!({"status": 200, "payload": {"Response": "This is the response from the device"}})
    );
    assert_eq!(pair.reported()["rebootTime"], "2030-01-01 00:00:30.000000");
    assert!(pair.device.phase().is_online() && pair.device.jobs().is_empty());
    pair
}

#[test]
fn a_device_reboots_on_request_and_answers_when_it_is_back() {
    let mut pair = tutorial_000(RestartStyle::Held);
    let Phase::Online { since, .. } = pair.device.phase() else { panic!("online") };
    assert!(since.0 < 10_000, "the link was held");
    // And once more; while it reboots, others are refused.
    let began = pair.at;
    let again = pair.invoke_within(60, "rebootDevice", Some(json!({"method_number": "42"})));
    pair.run_until(began + 5_000);
    let refused = pair.invoke_within(60, "rebootDevice", None);
    assert_eq!(pair.answers[&refused]["status"], 409);
    let said = &pair.answers[&refused]["payload"]["error"];
    assert_eq!(said, "the device restarts, try again in 15 s");
    pair.run_until(began + 20_000);
    assert_eq!(pair.answers[&again]["status"], 200);
    assert_eq!(pair.reported()["rebootTime"], "2030-01-01 00:00:50.000000");
}

#[test]
fn a_reboot_that_drops_the_link_is_answered_on_the_new_one() {
    let mut pair = tutorial_000(RestartStyle::Link);
    let Phase::Online { since, .. } = pair.device.phase() else { panic!("online") };
    assert_eq!(since.0, 30_000, "a new link");
    // While the link is away the hub itself refuses, unless the back end waits for the device.
    let began = pair.at;
    let again = pair.invoke_within(60, "rebootDevice", None);
    pair.run_until(began + 5_000);
    let offline = pair.invoke("rebootDevice", None);
    assert_eq!(pair.answers[&offline]["code"], 404_103);
    pair.run_until(began + 20_000);
    assert_eq!(pair.answers[&again]["status"], 200);
}

#[test]
fn a_sensor_that_reboots_falls_silent_and_catches_up_with_its_properties() {
    for style in [RestartStyle::Held, RestartStyle::Link] {
        let mut pair = Pair::of(&["environment", "reboot"], style).settled();
        let (began, heard) = (pair.at, pair.events("Telemetry"));
        let call = pair.invoke_within(60, "rebootDevice", None);
        pair.run_until(began + 1_000);
        pair.desire(json!({"name": "Attic"}));
        pair.run_until(began + 19_999);
        assert_eq!(pair.events("Telemetry"), heard, "{style:?}");
        assert!(pair.reported().get("name").is_none(), "{style:?}");
        pair.run_until(began + 30_000);
        assert_eq!(pair.answers[&call]["status"], 200, "{style:?}");
        assert_eq!(pair.reported()["name"]["ac"], 200, "{style:?}");
        assert_eq!(pair.events("Telemetry"), heard + 6, "at 20 s and every two seconds, {style:?}");
    }
}
