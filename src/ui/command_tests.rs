//! Commands on the screen, from the call to the answer.

use serde_json::json;

use super::sample;
use super::tests::screen;
use crate::app::{EntryId, Intent, Overlay, PaneId};

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
