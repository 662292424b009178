//! Where there is little room: what is offered works, and what is left out is told.

use serde_json::json;

use super::sample;
use super::tests::screen;
use crate::app::{AppState, Intent, Motion, Overlay, PaneId};

/// The last row of a screen so wide that no hint has to give way.
fn footer(state: &AppState, height: u16) -> String {
    screen(state, 200, height).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn what_does_nothing_on_this_device_is_not_offered() {
    let mut world = sample::reboot();
    let check = |world: &sample::World, hints: &[&str], offered: bool| {
        let footer = footer(&world.state, 60);
        for hint in hints {
            assert_eq!(footer.contains(hint), offered, "{hint}: {footer}");
        }
    };
    check(&world, &["space pause", "Enter raw message", "move"], false);
    world.call(8_000, "1", "rebootDevice", json!(1));
    check(&world, &["Enter raw message"], true);
    world.want(Intent::Focus(PaneId::Operator));
    check(&world, &["c convention"], false);
    assert!(!screen(&world.state, 200, 60).contains("sets properties"));
    let mut world = sample::world();
    check(&world, &["space pause"], true);
    world.want(Intent::Focus(PaneId::Operator));
    check(&world, &["c convention"], true);
    assert!(screen(&world.state, 200, 60).contains("sets properties to x"));
}

#[test]
fn scrolling_is_offered_only_where_there_is_more_than_is_shown() {
    let mut state = sample::online();
    let lines: Vec<_> = (0..15).map(|n| format!("line {n}")).collect();
    state.ui.overlay = Overlay::Text("twin".to_owned(), lines, 0);
    assert!(!footer(&state, 24).contains("scroll"));
    assert!(footer(&state, 16).contains("scroll"));
    state.ui.overlay = Overlay::Help(0);
    assert!(!footer(&state, 60).contains("scroll"));
    assert!(footer(&state, 10).contains("scroll"));
}

#[test]
fn help_says_what_the_pane_is_about_on_every_screen() {
    for focus in [PaneId::Modules, PaneId::Operator] {
        let mut state = sample::edge(0);
        state.ui.focus = focus;
        state.ui.overlay = Overlay::Help(0);
        let said = if focus == PaneId::Modules { "Every module here" } else { "The other side" };
        for height in 20..40 {
            let begins = screen(&state, 80, height);
            state.ui.overlay = Overlay::Help(60);
            let ends = screen(&state, 80, height);
            state.ui.overlay = Overlay::Help(0);
            assert!(begins.contains(said) || ends.contains(said), "{height}\n{begins}");
            if !begins.contains(said) {
                assert!(begins.contains("\u{2193}"), "what is below is counted: {begins}");
            }
        }
    }
}

#[test]
fn the_twin_is_read_in_full_from_the_properties() {
    let mut world = sample::world();
    let reason = "a reason of many words ".repeat(20) + "that ends here";
    world.desire(119_000, 6, json!({ "name": reason }));
    world.run(126_000);
    world.want(Intent::Focus(PaneId::Properties));
    assert!(footer(&world.state, 24).contains("Enter twin"));
    world.want(Intent::Open);
    for (width, height) in [(120, 40), (80, 24), (40, 10)] {
        let mut seen = String::new();
        world.scroll((width, height), Motion::First);
        for _ in 0..120 {
            seen += &screen(&world.state, width, height);
            world.scroll((width, height), Motion::Down);
        }
        for words in ["\"desired\"", "that ends here", "\"reported\"", "\"brightness\""] {
            assert!(seen.contains(words), "{words} at {width}x{height}");
        }
    }
}

#[test]
fn steps_of_connecting_that_have_no_room_are_counted() {
    let mut state = sample::restarting(crate::device::RestartStyle::Link).state;
    state.ui.focus = PaneId::Connection;
    state.ui.zoomed = true;
    // One row is the header's, one the names of the panes, one the footer's.
    for rows in 2..state.station().steps.len() {
        let mark = format!("\u{2191}{}\n", state.station().steps.len() - rows);
        let picture = screen(&state, 80, u16::try_from(rows + 3).expect("a small number"));
        assert!(picture.contains(&mark), "{picture}");
    }
    let picture = screen(&state, 80, 15);
    assert!(!picture.contains("\u{2191}1\n"), "{picture}");
}

#[test]
fn a_module_is_named_in_full_before_it_is_said_where_it_is() {
    let mut state = sample::edge(0);
    state.stations.truncate(1);
    state.stations[0].name = "myFirstDevice".to_owned();
    state.stations[0].module = Some("myFirstModule".parse().expect("a module id"));
    let picture = screen(&state, 80, 24);
    assert!(picture.starts_with("myFirstDevice/myFirstModule  "), "{picture}");
}

#[test]
fn the_smallest_screen_names_a_device_that_restarts() {
    let mut state = sample::restarting(crate::device::RestartStyle::Held).state;
    state.stations[0].name = "env-sensor-01".to_owned();
    let picture = screen(&state, 40, 10);
    assert!(picture.starts_with("env-sensor"), "{picture}");
}

#[test]
fn one_step_back_from_the_end_is_seen() {
    let mut world = sample::world();
    world.want(Intent::Focus(PaneId::Properties));
    let overlays: [fn(&mut sample::World); 3] = [
        |world| world.want(Intent::Open),
        |world| world.want(Intent::ToggleHelp),
        |world| {
            let sent = world.state.log.entries().find(|entry| entry.fact.name() == "sent");
            world.state.ui.overlay = Overlay::Packet(sent.expect("a message").id, 0);
        },
    ];
    for (width, height) in [(100, 14), (60, 12), (40, 10)] {
        for open in overlays {
            open(&mut world);
            let begins = screen(&world.state, width, height);
            for _ in 0..200 {
                world.scroll((width, height), Motion::Down);
            }
            let ends = screen(&world.state, width, height);
            assert_ne!(begins, ends);
            world.scroll((width, height), Motion::First);
            world.scroll((width, height), Motion::Last);
            assert_eq!(screen(&world.state, width, height), ends);
            world.scroll((width, height), Motion::Up);
            assert_ne!(screen(&world.state, width, height), ends);
            world.want(Intent::Back);
        }
    }
}
