//! Commands on the screen, from the call to the answer.

use serde_json::{Value, json};

use super::sample;
use super::tests::screen;
use crate::app::{EntryId, Intent, Motion, Overlay, PaneId};
use crate::device::{ImageNews, Input};

/// What Enter opens in the Commands pane.
fn opened(world: &mut sample::World) -> EntryId {
    world.want(Intent::Focus(PaneId::Commands));
    world.want(Intent::Open);
    match world.state.ui.overlay {
        Overlay::Packet(id, _) => id,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn the_message_of_a_call_is_opened_though_notes_follow_it() {
    let mut world = sample::reboot();
    world.call(8_000, "7", "rebootDevice", json!({"method_number": "42"}));
    let names = world.state.log.entries().rev().take(3).map(|entry| entry.fact.name());
    assert!(names.collect::<Vec<_>>().contains(&"note"), "nothing follows the call");
    let id = opened(&mut world);
    assert_eq!(world.state.log.get(id).map(|entry| entry.fact.name()), Some("command"));
    let picture = screen(&world.state, 80, 24);
    assert!(picture.contains("$iothub/methods/POST/rebootDevice/?$rid=7"), "{picture}");
}

#[test]
fn what_was_answered_stands_in_full_below_the_message_of_the_call() {
    let mut world = sample::reboot();
    world.call(8_000, "7", "rebootDevice", Value::Null);
    opened(&mut world);
    assert!(screen(&world.state, 80, 24).contains("Not answered yet"));
    world.run(29_000);
    let picture = screen(&world.state, 80, 24);
    assert!(picture.contains("Answered 200 after 20"), "{picture}");
    assert!(picture.contains("\"Response\": \"This is the response from the device\""), "{picture}");
    world.scroll((40, 10), Motion::Last);
    let picture = screen(&world.state, 40, 10);
    assert!(picture.contains("from the device"), "{picture}");
}

/// An update that is asked for, and has come to nothing.
fn failed_update() -> sample::World {
    let mut world = sample::firmware();
    world.call(8_000, "1", "firmwareUpdate", json!({"fwPackageUri": "https://localhost/sample-1.1.0.bin"}));
    let reason = "cannot download https://localhost/sample-1.1.0.bin: its certificate is signed by nobody who \
                  is trusted here; give its authority with --ca";
    world.input(9_000, Input::Image(ImageNews::Failed { run: 1, reason: reason.to_owned() }));
    world.run(9_500);
    world
}

#[test]
fn how_the_last_update_ended_stands_there_until_another_begins() {
    let mut world = failed_update();
    let picture = screen(&world.state, 120, 40);
    assert!(picture.contains("✗ firmware update failed while downloading"), "{picture}");
    world.call(10_000, "2", "firmwareUpdate", json!({"fwPackageUri": "test.com", "version": "3.0"}));
    let picture = screen(&world.state, 120, 40);
    assert!(!picture.contains("✗ firmware update failed"), "{picture}");
    world.run(60_000);
    for (width, height) in [(120, 40), (80, 24), (60, 20), (40, 10)] {
        let picture = screen(&world.state, width, height);
        assert!(picture.contains("✓ firmware update completed: 3.0"), "{picture}");
    }
}

#[test]
fn an_image_on_its_way_is_counted_and_why_it_did_not_stay_is_told() {
    let mut world = sample::firmware();
    let uri = "https://localhost/sample-1.1.0.bin";
    world.call(8_000, "1", "firmwareUpdate", json!({"fwPackageUri": uri, "version": "1.1.0"}));
    world.input(9_000, Input::Image(ImageNews::Progress { run: 1, received: 1 << 20, total: Some(4 << 20) }));
    let picture = screen(&world.state, 120, 40);
    assert!(picture.contains("25 % downloading 1.0 of 4.0 MiB"), "{picture}");
    let (size, sha256) = (4 << 20, "c1".repeat(32));
    world.input(10_000, Input::Image(ImageNews::Fetched { run: 1, size, sha256 }));
    let reason = "the disk is full".to_owned();
    world.input(11_000, Input::Image(ImageNews::Failed { run: 1, reason }));
    let picture = screen(&world.state, 120, 40);
    assert!(picture.contains("going back to the image before"), "{picture}");
    world.input(12_000, Input::Image(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() }));
    world.want(Intent::ToggleZoom);
    let picture = screen(&world.state, 120, 40);
    assert!(picture.contains("failed while applying: the disk is full; 1.0.0 stays"), "{picture}");
}

#[test]
fn what_is_done_and_how_long_it_takes_is_read_on_every_usual_screen() {
    let mut reboot = sample::reboot();
    reboot.call(8_000, "1", "rebootDevice", Value::Null);
    reboot.run(9_000);
    let mut update = sample::firmware();
    update.call(8_000, "1", "firmwareUpdate", json!({"fwPackageUri": "test.com"}));
    update.run(40_000);
    let mut download = sample::firmware();
    download.call(8_000, "1", "firmwareUpdate", json!({"fwPackageUri": "https://localhost/image.bin"}));
    let progress = ImageNews::Progress { run: 1, received: 1 << 20, total: Some(4 << 20) };
    download.input(9_000, Input::Image(progress));
    for (width, height) in [(200, 60), (120, 40), (80, 24), (60, 20), (40, 10)] {
        for (world, words) in [
            (&reboot, "rebooting, 19 s"),
            (&update, "3/3 applying, 13 s"),
            (&download, "downloading 1.0 of 4.0 MiB"),
        ] {
            let picture = screen(&world.state, width, height);
            assert!(picture.contains(words), "{picture}");
            assert!(!picture.contains("no telemetry"), "{picture}");
        }
    }
}

#[test]
fn why_an_update_failed_is_read_in_full_where_there_is_room() {
    let mut world = failed_update();
    for pane in [PaneId::Commands, PaneId::Properties] {
        world.want(Intent::Focus(pane));
        world.state.ui.zoomed = true;
        for (width, height) in [(120, 40), (80, 24)] {
            let picture = screen(&world.state, width, height);
            assert!(picture.contains("--ca"), "{picture}");
        }
        world.state.ui.zoomed = false;
        let picture = screen(&world.state, 120, 40);
        assert!(picture.contains("--ca"), "{picture}");
    }
}

#[test]
fn a_call_that_is_not_answered_yet_is_told_with_its_request() {
    let mut world = sample::reboot();
    world.call(8_000, "1", "rebootDevice", json!(42));
    for (width, height) in [(120, 40), (80, 24), (40, 10)] {
        let picture = screen(&world.state, width, height);
        assert!(picture.contains("…     rebootDevice 42"), "{picture}");
    }
    world.run(29_000);
    let picture = screen(&world.state, 120, 40);
    assert!(picture.contains("✓ 200 rebootDevice 42"), "{picture}");
}

#[test]
fn every_command_is_named_while_the_calls_leave_room() {
    let mut world = sample::world();
    world.want(Intent::Focus(PaneId::Commands));
    world.state.stations[0].commands.truncate(3);
    for (width, height) in [(80, 24), (60, 20)] {
        let picture = screen(&world.state, width, height);
        for name in ["blink", "turnon", "turnoff", "rundiagnostics", "DeviceMove"] {
            assert!(picture.contains(name), "{name} at {width}x{height}\n{picture}");
        }
    }
    // Calls go before names.
    let again = world.state.stations[0].commands[0].clone();
    world.state.stations[0].commands.push_back(again);
    let picture = screen(&world.state, 80, 24);
    assert_eq!(picture.matches("200 blink 5").count(), 2, "{picture}");
    assert!(picture.contains("rundiagn\u{2026}") && !picture.contains("DeviceMove"), "{picture}");
}
