//! Every row of the table does what it says, wherever it works.

use super::*;
use crate::ui::sample;
use crate::ui::tests::screen;
use std::collections::HashSet;

/// A state in which the row works.
fn state_for(row: &Binding) -> AppState {
    let mut state = match row.intent {
        Intent::RetryNow => sample::down(),
        Intent::NextDevice | Intent::PreviousDevice | Intent::PickDevice => sample::three().state,
        Intent::Focus(PaneId::Modules) => sample::edge(0),
        _ if row.context == MODULES => sample::edge(0),
        _ if row.context == Context::Devices => sample::three().state,
        _ => sample::online(),
    };
    match row.context {
        Context::Pane(pane) => state.ui.focus = pane,
        Context::Devices => state.ui.overlay = Overlay::Devices(1),
        Context::Overlay => state.ui.overlay = Overlay::Text("t".into(), vec!["x".into()], 0),
        Context::Text => state.ui.mode = Mode::Filter,
        Context::Global | Context::Always => state.ui.focus = PaneId::Log,
    }
    if row.context == LOG {
        state.ui.filter = "x".into();
    }
    state
}

#[test]
fn every_row_dispatches_to_its_intent() {
    for row in KEYMAP {
        let state = state_for(row);
        assert!((row.when)(&state), "{row:?}");
        for press in row.keys {
            let event = KeyEvent::new(press.code, press.modifiers);
            assert_eq!(intent(&state, event), Some(row.intent), "{press:?}");
        }
    }
}

#[test]
fn no_two_rows_of_one_context_share_a_key() {
    let mut seen = HashSet::new();
    for row in KEYMAP {
        for press in row.keys {
            assert!(seen.insert((row.context, *press)), "{press:?} in {:?}", row.context);
        }
    }
}

#[test]
fn shift_reads_the_same_from_every_terminal() {
    let state = sample::online();
    for (code, modifiers) in [
        (KeyCode::Char('K'), KeyModifiers::NONE),
        (KeyCode::Char('K'), KeyModifiers::SHIFT),
        (KeyCode::Char('k'), KeyModifiers::SHIFT),
        (KeyCode::Up, KeyModifiers::SHIFT),
    ] {
        assert_eq!(intent(&state, KeyEvent::new(code, modifiers)), Some(turn(0, 1, true)));
    }
    let back = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
    assert_eq!(intent(&state, back), Some(Intent::FocusPrevious));
}

#[test]
fn keys_for_several_devices_mean_nothing_with_one() {
    let (one, several) = (sample::online(), sample::three().state);
    for c in ['[', ']', 'd'] {
        let event = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
        assert_eq!(intent(&one, event), None, "{c}");
        assert!(intent(&several, event).is_some(), "{c}");
    }
    let seven = KeyEvent::new(KeyCode::Char('7'), KeyModifiers::NONE);
    assert_eq!(intent(&several, seven), None, "no module is there");
}

#[test]
fn a_click_on_a_name_shows_that_device() {
    let mut state = sample::three().state;
    for width in [40, 80, 160] {
        let area = Rect::new(0, 0, width, 24);
        for shown in 0..3 {
            state.ui.slot = shown;
            let strip = layout::screen(&state, area).devices;
            let found: Vec<_> = (0..strip.width)
                .filter_map(|column| {
                    let kind = MouseEventKind::Down(MouseButton::Left);
                    let event = MouseEvent { kind, column, row: strip.y, modifiers: KeyModifiers::NONE };
                    mouse_intent(&state, area, event)
                })
                .collect();
            // Those without room are reached by way of the nearest of them.
            for slot in shown.saturating_sub(1)..(shown + 2).min(3) {
                assert!(found.contains(&Intent::Device(slot)), "{width}: {shown} {slot}");
            }
        }
    }
}

#[test]
fn a_click_in_the_list_of_devices_shows_that_device() {
    let names: Vec<_> = (1..=30).map(|number| format!("device-{number:02}")).collect();
    let mut state = sample::named(&names).state;
    for (width, height) in [(120, 40), (80, 24), (40, 10)] {
        for cursor in [0, 15, 29] {
            state.ui.overlay = Overlay::Devices(cursor);
            let picture = screen(&state, width, height);
            let rows: Vec<_> = picture.lines().collect();
            let click = |column, row| {
                let kind = MouseEventKind::Down(MouseButton::Left);
                let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
                mouse_intent(&state, Rect::new(0, 0, width, height), event)
            };
            let mut clicked = 0;
            for (row, line) in (0..).zip(&rows) {
                // The frame of the list is the only heavy one that has a device in it.
                let number = line.split_once("┃ ● device-").and_then(|(_, behind)| behind.get(..2));
                let slot = number.and_then(|number| number.parse::<usize>().ok()).map(|number| number - 1);
                assert_eq!(click(width / 2, row), slot.map(Intent::Device), "{cursor} {row}\n{picture}");
                clicked += usize::from(slot.is_some());
            }
            assert!(clicked >= 7, "{picture}");
            assert_eq!(click(0, height - 1), None, "the footer lies under no list");
        }
    }
}

#[test]
fn while_a_text_is_edited_letters_are_letters() {
    let mut state = sample::online();
    state.ui.mode = Mode::Filter;
    for c in ['q', 'Q', '?', ' ', '1', 'ä'] {
        let event = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
        assert_eq!(intent(&state, event), Some(Intent::Edit(Edit::Insert(c))));
    }
    let event = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(intent(&state, event), Some(Intent::Interrupt));
}

#[test]
fn control_c_interrupts_whatever_else_is_held() {
    // Escape and Control-C read at once look like Alt, Control and c.
    for others in [KeyModifiers::ALT, KeyModifiers::SHIFT, KeyModifiers::SUPER] {
        let event = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL | others);
        assert_eq!(intent(&sample::online(), event), Some(Intent::Interrupt), "{others:?}");
    }
    let event = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::ALT);
    assert_eq!(intent(&sample::online(), event), None);
}

#[test]
fn a_click_gives_a_pane_the_keyboard_and_the_wheel_moves_in_it() {
    let mut state = sample::online();
    let area = Rect::new(0, 0, 120, 40);
    let panes = layout::panes(&state, area);
    let mouse = |kind, rect: Rect| MouseEvent {
        kind,
        column: rect.x + 1,
        row: rect.y + 1,
        modifiers: KeyModifiers::NONE,
    };
    for (pane, rect) in panes {
        let click = mouse(MouseEventKind::Down(MouseButton::Left), rect);
        assert_eq!(mouse_intent(&state, area, click), Some(Intent::Focus(pane)));
        state.ui.focus = pane;
        let wheel = mouse(MouseEventKind::ScrollUp, rect);
        assert_eq!(mouse_intent(&state, area, wheel), Some(Intent::Move(Motion::Up)));
    }
}
