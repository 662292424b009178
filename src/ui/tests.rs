//! Screens as people see them, one for each pane, state and size that matters.

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{ColorDepth, Theme, draw, next_change, sample};
use crate::app::{AppState, Cursor, Edit, EntryId, Intent, Mode, Motion, Overlay, PaneId};
use crate::device::{Input, Millis, ProvisioningStep, RestartStyle};

pub(super) fn screen(state: &AppState, width: u16, height: u16) -> String {
    picture(state, &Theme::default(), width, height)
}

fn picture(state: &AppState, theme: &Theme, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| draw(state, theme, frame)).expect("a picture");
    let buffer = terminal.backend().buffer();
    let mut rows = String::new();
    for y in 0..height {
        let mut row = String::new();
        let mut skip = 0;
        for x in 0..width {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                row.push_str(symbol);
                skip = super::text::width(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        rows.push_str(row.trim_end());
        rows.push('\n');
    }
    rows
}

const SIZES: [(u16, u16); 5] = [(200, 60), (120, 40), (80, 24), (80, 50), (40, 10)];

fn check(name: &str, state: &AppState) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(state, width, height));
    }
}

#[test]
fn an_online_device_with_a_history() {
    check("online", &sample::online());
}

#[test]
fn a_device_that_has_not_begun() {
    check("fresh", &sample::fresh());
}

#[test]
fn a_lost_link_shows_its_cause_and_a_count_down() {
    check("down", &sample::down());
}

#[test]
fn running_diagnostics_show_their_progress() {
    check("diagnostics", &sample::diagnostics());
}

#[test]
fn a_refused_property_says_why() {
    check("refused", &sample::refused());
}

#[test]
fn every_pane_has_a_picture_of_its_own() {
    let mut state = sample::refused();
    for pane in state.panes() {
        state.ui.focus = pane;
        state.ui.zoomed = true;
        for (width, height) in [(120, 40), (80, 24), (40, 10)] {
            let name = format!("zoomed_{pane:?}_{width}x{height}").to_lowercase();
            insta::assert_snapshot!(name, screen(&state, width, height));
        }
    }
}

/// Sizes of a big, a middling, a usual and a tiny window.
const MODULE_SIZES: [(u16, u16); 4] = [(160, 45), (100, 30), (80, 24), (40, 10)];

#[test]
fn modules_are_shown_with_what_goes_through_them() {
    for (shown, name) in [(0, "edge_sensor"), (1, "edge_filter")] {
        let mut state = sample::edge(shown);
        for (width, height) in MODULE_SIZES {
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&state, width, height));
        }
        state.ui.focus = PaneId::Modules;
        insta::assert_snapshot!(format!("{name}_focused_80x24"), screen(&state, 80, 24));
    }
}

#[test]
fn several_devices_are_named_each_with_the_state_of_its_link() {
    let mut world = sample::three();
    for (width, height) in MODULE_SIZES {
        insta::assert_snapshot!(format!("three_{width}x{height}"), screen(&world.state, width, height));
    }
    world.want(Intent::Device(2));
    insta::assert_snapshot!("three_last_80x24", screen(&world.state, 80, 24));
    world.want(Intent::PickDevice);
    for (width, height) in [(80, 24), (40, 10)] {
        insta::assert_snapshot!(format!("three_list_{width}x{height}"), screen(&world.state, width, height));
    }
}

#[test]
fn a_restart_is_seen_going_on() {
    for (style, name) in [(RestartStyle::Held, "restarting"), (RestartStyle::Link, "restarting_link")] {
        let world = sample::restarting(style);
        for (width, height) in MODULE_SIZES {
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&world.state, width, height));
        }
        let next = next_change(&world.state).expect("a count-down");
        assert!(next.0 <= world.state.now.at.0 + 1_000, "{next:?}");
    }
}

#[test]
fn a_device_without_telemetry_begins_at_its_commands_and_says_what_can_be_done() {
    let world = sample::reboot();
    assert_eq!(world.state.ui.focus, PaneId::Commands);
    for (width, height) in [(100, 30), (80, 24)] {
        insta::assert_snapshot!(format!("reboot_{width}x{height}"), screen(&world.state, width, height));
    }
}

#[test]
fn what_is_hidden_of_the_properties_is_counted() {
    let mut state = sample::online();
    state.ui.focus = PaneId::Properties;
    state.ui.zoomed = true;
    let counted = |picture: &str| {
        picture.split('\u{2193}').skip(1).any(|behind| behind.starts_with(|c: char| c.is_ascii_digit()))
    };
    let (all, some) = (screen(&state, 80, 24), screen(&state, 80, 5));
    assert!(!counted(&all), "{all}");
    assert!(counted(&some), "{some}");
}

#[test]
fn the_operators_desk_comes_to_the_front_when_it_has_the_keyboard() {
    let mut world = sample::world();
    world.want(Intent::Focus(PaneId::Operator));
    for _ in 0..2 {
        world.want(Intent::Move(Motion::Down));
        world.want(Intent::Open);
        world.run(world.state.now.at.0 + 40);
    }
    check("operator", &world.state);
    world.state.desk.closed = Some(
        "a real hub needs a service connection string: give --service-connection-string or IOTHUB_CONNECTION_STRING"
            .to_owned(),
    );
    insta::assert_snapshot!("operator_closed_80x24", screen(&world.state, 80, 24));
}

#[test]
fn trouble_on_request_stands_in_the_header() {
    let mut state = sample::online();
    assert!(!screen(&state, 120, 40).contains("trouble on request"));
    state.desk.troubled = true;
    for (width, height) in [(200, 60), (120, 40), (80, 24)] {
        let picture = screen(&state, width, height);
        assert!(
            picture.lines().next().is_some_and(|line| line.contains("▲ trouble on request")),
            "{picture}"
        );
    }
}

#[test]
fn the_scope_of_a_device_stands_in_the_header_before_all_when_it_has_moved() {
    let mut world = sample::world();
    let header =
        |world: &sample::World, width| screen(&world.state, width, 40).lines().next().map(str::to_owned);
    let has = |line: Option<String>, words: &str| line.is_some_and(|line| line.contains(words));
    assert!(has(header(&world, 120), "(local cloud)  scope 0ne00112233 "));
    assert!(has(header(&world, 80), "(local cloud)"));
    let (host, scope) = ("localhost".to_owned(), "0ne00445566".parse().expect("a scope"));
    world.input(118_100, Input::Provisioning(ProvisioningStep::Registering { host, scope }));
    assert!(has(header(&world, 120), "(local cloud)  scope 0ne00445566 "));
    assert!(has(header(&world, 80), "→ localhost:8883  scope 0ne00445566   token "));
}

#[test]
fn a_form_says_what_it_takes_and_what_is_wrong() {
    let mut world = sample::world();
    world.want(Intent::Focus(PaneId::Operator));
    world.want(Intent::Open);
    check("form", &world.state);
    world.want(Intent::Edit(Edit::Insert('x')));
    world.want(Intent::Submit);
    for (width, height) in [(80, 24), (40, 10)] {
        insta::assert_snapshot!(
            format!("form_problem_{width}x{height}"),
            screen(&world.state, width, height)
        );
    }
}

#[test]
fn help_shows_the_keys_of_the_focused_pane() {
    let mut state = sample::online();
    state.ui.overlay = Overlay::Help(0);
    check("help", &state);
    state.ui.focus = PaneId::Operator;
    insta::assert_snapshot!("help_operator_80x24", screen(&state, 80, 24));
    state.ui.overlay = Overlay::Help(60);
    insta::assert_snapshot!("help_end_40x10", screen(&state, 40, 10));
}

#[test]
fn the_raw_message_is_shown_on_demand() {
    let mut state = sample::online();
    let called = state.log.entries().find(|entry| entry.fact.name() == "command").map(|entry| entry.id);
    state.ui.overlay = Overlay::Packet(called.expect("a call"), 0);
    check("packet", &state);
    let sent = state.log.entries().find(|entry| entry.fact.name() == "sent").map(|entry| entry.id);
    state.ui.overlay = Overlay::Packet(sent.expect("a message"), 0);
    insta::assert_snapshot!("packet_sent_80x24", screen(&state, 80, 24));
    state.ui.overlay = Overlay::Packet(EntryId(1), 0);
    insta::assert_snapshot!("packet_none_80x24", screen(&state, 80, 24));
    let lines = (1..60).map(|n| format!("line {n}")).collect();
    state.ui.overlay = Overlay::Text("twin".to_owned(), lines, 9);
    insta::assert_snapshot!("text_80x24", screen(&state, 80, 24));
}

#[test]
fn a_filtered_log_says_so() {
    let mut state = sample::online();
    state.ui.focus = PaneId::Log;
    state.ui.filter = "command".into();
    insta::assert_snapshot!("filtered_80x24", screen(&state, 80, 24));
    state.ui.mode = Mode::Filter;
    insta::assert_snapshot!("filtering_80x24", screen(&state, 80, 24));
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let mut state = sample::diagnostics();
    let theme = Theme::choose(true, ColorDepth::None, true);
    insta::assert_snapshot!("ascii_80x24", picture(&state, &theme, 80, 24));
    state.ui.overlay = Overlay::Help(0);
    insta::assert_snapshot!("ascii_help_80x24", picture(&state, &theme, 80, 24));
}

#[test]
fn the_footer_never_drops_help_and_quit() {
    for mut state in [sample::online(), sample::down()] {
        for focus in state.panes() {
            state.ui.focus = focus;
            for width in (14..24).chain((24..200).step_by(13)) {
                for height in [2, 10, 24] {
                    let picture = screen(&state, width, height);
                    let footer = picture.lines().last().unwrap_or("");
                    assert!(footer.ends_with("? help  q quit"), "{width}x{height}: {footer}");
                }
            }
        }
    }
}

#[test]
fn the_smallest_screens_still_tell_name_and_state() {
    let state = sample::online();
    for (width, height) in [(24, 1), (24, 2), (30, 4)] {
        let picture = screen(&state, width, height);
        assert!(picture.contains("env-sensor-01") && picture.contains("● online"), "{picture}");
    }
}

#[test]
fn nothing_from_the_network_reaches_the_terminal_as_a_control_character() {
    let mut state = sample::hostile();
    let check = |state: &AppState| {
        for (width, height) in SIZES {
            let picture = screen(state, width, height);
            let bad = picture.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(bad, None);
        }
    };
    check(&state);
    for entry in state.log.entries().rev().take(12).map(|entry| entry.id).collect::<Vec<_>>() {
        state.ui.overlay = Overlay::Packet(entry, 0);
        check(&state);
    }
}

#[test]
fn an_idle_device_wakes_the_screen_less_than_once_a_second() {
    let mut world = sample::World::new();
    world.connect();
    world.run(10_000);
    let next = next_change(&world.state).expect("the token runs down");
    assert!(next >= Millis(10_000 + 1_000), "{next:?}");
}

#[test]
fn a_blinking_light_and_a_count_down_wake_it() {
    let blinking = sample::online();
    let next = next_change(&blinking).expect("the light");
    assert!(next.0 - blinking.now.at.0 <= 1_500, "{next:?}");
    let down = sample::down();
    let mut next = next_change(&down).expect("a count-down").0;
    assert!(next > down.now.at.0 && next - down.now.at.0 <= 1_000);
    next = next_change(&sample::diagnostics()).expect("progress").0;
    assert!(next - sample::diagnostics().now.at.0 <= 250);
    assert_eq!(next_change(&sample::fresh()), None);
}

fn overlay(kind: u8, offset: usize) -> Overlay {
    match kind {
        0 => Overlay::Help(offset),
        3 => Overlay::Devices(offset),
        1 => Overlay::Packet(EntryId(offset as u64), offset),
        2 => Overlay::Text("twin".to_owned(), vec!["x".repeat(300); 40], offset),
        _ => Overlay::None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn drawing_never_panics(
        width in prop_oneof![0..=250_u16, 0..=20_u16],
        height in prop_oneof![0..=80_u16, 0..=8_u16],
        which in 0..10_u8,
        focus in 0..7_usize,
        zoomed: bool,
        kind in 0..6_u8,
        offset in 0..80_usize,
        filter in "[a-z /]{0,12}",
        mode in 0..3_u8,
        ascii: bool,
    ) {
        let mut state = match which {
            0 => sample::fresh(),
            1 => sample::down(),
            2 => sample::diagnostics(),
            3 => sample::refused(),
            4 => sample::hostile(),
            5 => sample::edge(0),
            6 => sample::edge(1),
            7 => sample::three().state,
            8 => sample::restarting(RestartStyle::Link).state,
            _ => sample::online(),
        };
        state.ui.focus = PaneId::ALL[focus];
        state.ui.zoomed = zoomed;
        state.ui.overlay = overlay(kind, offset);
        state.ui.filter = filter.into();
        state.ui.command = offset;
        state.ui.step = offset;
        state.ui.property = offset;
        state.ui.module = offset;
        state.desk.cursor = offset;
        state.ui.log = if offset % 2 == 0 { Cursor::Tail } else { Cursor::At(EntryId(offset as u64)) };
        if mode == 1 {
            state.ui.mode = Mode::Filter;
        } else if mode == 2 {
            let mut actions = state.desk.actions(state.station());
            let action = actions.swap_remove(offset % actions.len());
            let problem = (offset % 3 == 0).then(|| "a problem ".repeat(offset));
            state.desk.form = Some(crate::app::desk::Form { action, text: "日本語".repeat(offset).into(), problem });
            state.ui.mode = Mode::Form;
        }
        let theme = Theme::choose(ascii, ColorDepth::Full, ascii);
        let _ = picture(&state, &theme, width, height);
    }
}
