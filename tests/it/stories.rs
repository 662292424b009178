//! Stories of a device and a cloud, told under a simulated clock.

mod firmware;

use envsim::device::{Input, Phase};
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
