//! Commands on the screen, from the call to the answer.

use serde_json::{Value, json};

use super::sample;
use super::tests::screen;
use crate::app::{EntryId, Intent, Motion, Overlay, PaneId};

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
    world.want(Intent::Move(Motion::Last));
    let picture = screen(&world.state, 40, 10);
    assert!(picture.contains("from the device"), "{picture}");
}
