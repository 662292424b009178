//! The tutorial of the firmware update, both sides, and the same with an image.

use envsim::device::{ImageNews, ImageOrder, Input, RestartStyle};
use serde_json::{Value, json};

use crate::support::pair::Pair;

/// A device that has told its version.
fn ready(profiles: &[&str], style: RestartStyle) -> Pair {
    let mut pair = Pair::of(profiles, style).settled();
    assert_eq!(std::mem::take(&mut pair.orders), [ImageOrder::Inspect]);
    pair.feed(Input::Image(ImageNews::Installed { version: "1.0.0".to_owned(), on_trial: false }));
    pair
}

/// Polls as the tutorial's back end does, every six seconds, and says what it says, each once.
fn back_end(pair: &mut Pair) -> Vec<&'static str> {
    let mut said = Vec::new();
    while said.last() != Some(&"Firmware applied") {
        let words = match pair.reported()["firmwareStatus"].as_str() {
            Some("standBy") => "Waiting on device...",
            Some("downloading") => "Downloading firmware...",
            Some("applying") => "Download complete, applying firmware...",
            Some("completed") => "Firmware applied",
            other => panic!("unknown status {other:?}"),
        };
        if said.last() != Some(&words) {
            said.push(words);
        }
        pair.run_until(pair.at + 6_000);
        assert!(pair.at < 600_000, "{said:?}");
    }
    said
}

#[test]
fn tutorial_001_is_told_from_stand_by_to_completed() {
    let mut pair = ready(&["firmware"], RestartStyle::Held);
    assert_eq!(pair.reported()["firmwareStatus"], "standBy");
    assert_eq!(pair.reported()["logTime"], "2030-01-01 00:00:06.000000");
    for round in 0..2 {
        let began = pair.at;
        let call = pair.invoke("firmwareUpdate", Some(json!({"fwPackageUri": "test.com"})));
        let started = json!({"status": 200, "payload": {"Response": "Firmware update started"}});
        assert_eq!(pair.answers[&call], started, "at once");
        let again = pair.invoke("firmwareUpdate", Some(json!({"fwPackageUri": "test.com"})));
        assert_eq!(pair.answers[&again]["status"], 409);
        let said = back_end(&mut pair);
        assert_eq!(
            said,
            [
                "Waiting on device...",
                "Downloading firmware...",
                "Download complete, applying firmware...",
                "Firmware applied"
            ],
            "round {round}"
        );
        assert!((began + 45_000..began + 60_000).contains(&pair.at));
        for name in ["downloadComplete", "startedApplyingImage", "lastFirmwareUpdate"] {
            assert!(pair.reported()[name].is_string(), "{name}");
        }
    }
}

#[test]
fn a_device_that_is_away_downloads_nothing_and_goes_on_when_it_is_back() {
    for style in [RestartStyle::Held, RestartStyle::Link] {
        let mut pair = ready(&["reboot", "firmware"], style);
        let began = pair.at;
        pair.invoke("firmwareUpdate", Some(json!({"fwPackageUri": "https://images/1.1.0.bin"})));
        let fetch = |pair: &Pair| matches!(pair.orders.last(), Some(ImageOrder::Fetch { run: 1, .. }));
        assert!(fetch(&pair));
        pair.run_until(began + 10_000);
        pair.invoke_within(60, "rebootDevice", None);
        assert_eq!(pair.orders.last(), Some(&ImageOrder::Pause { run: 1 }), "{style:?}");
        let reason = "the device is switched off".to_owned();
        pair.feed(Input::Image(ImageNews::Interrupted { run: 1, reason }));
        pair.run_until(began + 29_000);
        assert_eq!(pair.orders.len(), 2, "{style:?}: {:?}", pair.orders);
        pair.run_until(began + 32_000);
        assert!(fetch(&pair) && pair.orders.len() == 3, "{style:?}: {:?}", pair.orders);
        assert_eq!(pair.reported()["firmwareStatus"], "downloading");
    }
}

/// Takes an update with an image to the moment before the device is back.
fn until_the_restart(pair: &mut Pair) -> u64 {
    let began = pair.at;
    let request = json!({"fwPackageUri": "https://images/1.1.0.bin", "version": "1.1.0"});
    let call = pair.invoke("firmwareUpdate", Some(request));
    assert_eq!(pair.answers[&call]["status"], 200);
    assert!(matches!(pair.orders[..], [ImageOrder::Fetch { run: 1, .. }]), "{:?}", pair.orders);
    pair.run_until(began + 3_000);
    pair.feed(Input::Image(ImageNews::Progress { run: 1, received: 512, total: Some(1_024) }));
    assert_eq!(pair.reported()["downloadProgress"]["percent"], 50);
    pair.run_until(began + 5_000);
    pair.feed(Input::Image(ImageNews::Fetched { run: 1, size: 1_024, sha256: "0".repeat(64) }));
    pair.feed(Input::Image(ImageNews::Placed { run: 1 }));
    assert_eq!(pair.reported()["firmwareStatus"], "applying");
    pair.run_until(began + 19_999);
    assert_eq!(pair.orders.len(), 2, "{:?}", pair.orders);
    began + 20_000
}

fn reported(pair: &Pair, names: [&str; 2]) -> [Value; 2] {
    names.map(|name| pair.reported()[name].clone())
}

#[test]
fn an_image_is_confirmed_after_the_restart_whatever_becomes_of_the_link() {
    for style in [RestartStyle::Held, RestartStyle::Link] {
        let mut pair = ready(&["environment", "firmware"], style);
        let back = until_the_restart(&mut pair);
        let during = pair.invoke("firmwareUpdate", Some(json!({"fwPackageUri": "test.com"})));
        match style {
            RestartStyle::Held => assert_eq!(pair.answers[&during]["status"], 409),
            RestartStyle::Link => assert_eq!(pair.answers[&during]["code"], 404_103),
        }
        pair.run_until(back);
        assert_eq!(pair.orders.last(), Some(&ImageOrder::Confirm { run: 1 }));
        pair.feed(Input::Image(ImageNews::Confirmed { run: 1 }));
        let stands = reported(&pair, ["firmwareStatus", "firmwareVersion"]);
        assert_eq!(stands, ["completed", "1.1.0"], "{style:?}");
        assert_eq!(pair.reported()["state"], "true", "the other profile has come back as well");
    }
}

#[test]
fn an_update_that_ends_while_the_link_is_down_is_told_when_it_is_back() {
    let mut pair = ready(&["firmware"], RestartStyle::Held);
    let back = until_the_restart(&mut pair);
    pair.break_link();
    pair.run_until(back);
    pair.network = true;
    pair.run_until(back + 60_000);
    pair.feed(Input::Image(ImageNews::Failed { run: 1, reason: "the image does not start".to_owned() }));
    pair.feed(Input::Image(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() }));
    let stands = reported(&pair, ["firmwareStatus", "firmwareVersion"]);
    assert_eq!(stands, ["failed", "1.0.0"]);
    assert_eq!(pair.reported()["firmwareError"]["reason"], "the image does not start");
}

#[test]
fn a_reboot_that_somebody_asks_for_meanwhile_disturbs_no_update() {
    for (style, uri) in [
        (RestartStyle::Held, "https://images/1.1.0.bin"),
        (RestartStyle::Link, "https://images/1.1.0.bin"),
        (RestartStyle::Held, "test.com"),
        (RestartStyle::Link, "test.com"),
    ] {
        let mut pair = ready(&["reboot", "firmware"], style);
        let began = pair.at;
        pair.invoke("firmwareUpdate", Some(json!({ "fwPackageUri": uri, "version": "1.1.0" })));
        pair.run_until(began + 10_000);
        pair.invoke_within(60, "rebootDevice", None);
        pair.run_until(began + 12_000);
        if uri != "test.com" {
            // It has come while the device was away, which is on the new image when it is back.
            pair.feed(Input::Image(ImageNews::Fetched { run: 1, size: 1_024, sha256: "0".repeat(64) }));
            pair.feed(Input::Image(ImageNews::Placed { run: 1 }));
            pair.run_until(began + 40_000);
            assert_eq!(pair.orders.last(), Some(&ImageOrder::Confirm { run: 1 }), "{style:?}");
            pair.feed(Input::Image(ImageNews::Confirmed { run: 1 }));
        }
        pair.run_until(began + 60_000);
        let stands = reported(&pair, ["firmwareStatus", "firmwareVersion"]);
        assert_eq!(stands, ["completed", "1.1.0"], "{style:?} {uri}");
        assert!(pair.reported()["rebootTime"].is_string());
        for name in ["downloadComplete", "startedApplyingImage", "lastFirmwareUpdate"] {
            assert!(pair.reported()[name].is_string(), "{name}, {style:?} {uri}");
        }
    }
}
