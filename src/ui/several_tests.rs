//! Screens of several devices: whatever they are called, each can be told from the others.

use std::collections::HashSet;

use super::sample;
use super::tests::screen;
use crate::app::{AppState, Intent, PaneId};

/// The words right before `mark`, in all the lines that have it.
fn named_before(picture: &str, mark: &str) -> HashSet<String> {
    let lines = picture.lines().filter_map(|line| line.split_once(mark));
    lines.filter_map(|(before, _)| before.split_whitespace().next_back()).map(str::to_owned).collect()
}

fn alike() -> Vec<Vec<String>> {
    let numbered = |before: &str, behind: &str| (1..=3).map(|n| format!("{before}{n:02}{behind}")).collect();
    vec![
        numbered("env-sensor-", ""),
        numbered("device-with-a-long-name-", ""),
        numbered(&"a".repeat(126), ""),
        numbered("", "-environment-sensor-in-the-kitchen"),
        numbered("building-with-many-floors-", "-environment-sensor-in-the-kitchen"),
    ]
}

fn world(names: &[String]) -> AppState {
    sample::named(names).state
}

#[test]
fn every_line_of_the_log_names_a_device_as_no_other() {
    for names in alike() {
        let mut state = world(&names);
        state.ui.filter = "connected link".into();
        state.ui.focus = PaneId::Log;
        for (width, height) in [(160, 45), (120, 40), (80, 24), (60, 20), (40, 10)] {
            state.ui.zoomed = width < 100;
            let picture = screen(&state, width, height);
            assert_eq!(named_before(&picture, " connected to ").len(), 3, "{names:?}\n{picture}");
        }
    }
}

#[test]
fn the_strip_names_every_device_as_no_other() {
    for names in alike() {
        let picture = screen(&world(&names), 120, 40);
        let strip = picture.lines().nth(2).expect("a strip");
        let named: HashSet<_> = strip.split('●').skip(1).map(str::trim).collect();
        assert_eq!(named.len(), 3, "{strip}");
    }
}

#[test]
fn the_list_names_every_device_as_no_other() {
    for names in alike() {
        let mut world = sample::named(&names);
        world.want(Intent::PickDevice);
        for (width, height) in [(120, 40), (40, 10)] {
            let picture = screen(&world.state, width, height);
            assert_eq!(named_before(&picture, "  online ").len(), 3, "{picture}");
        }
    }
}

#[test]
fn the_operators_answers_name_every_device_as_no_other() {
    for names in alike() {
        let mut world = sample::named(&names);
        world.want(Intent::Focus(PaneId::Operator));
        for slot in 0..3 {
            world.want(Intent::Device(slot));
            world.operate("invoke turnon");
        }
        let picture = screen(&world.state, 80, 24);
        assert_eq!(named_before(&picture, ": turnon ").len(), 3, "{picture}");
    }
}

#[test]
fn the_way_to_the_other_devices_is_always_named() {
    let mut state = sample::three().state;
    for pane in state.panes() {
        state.ui.focus = pane;
        for (width, height) in [(120, 40), (80, 24), (60, 20)] {
            let picture = screen(&state, width, height);
            let footer = picture.lines().last().unwrap_or_default();
            assert!(footer.contains("d devices  ? help  q quit"), "{pane:?} {footer}");
        }
    }
    let picture = screen(&sample::online(), 80, 24);
    assert!(!picture.contains("d devices"), "{picture}");
}
