//! What people want, from whatever key it came.

use std::time::Duration;

use serde_json::json;
use tui_input::{Input as TextInput, InputRequest};

use super::{desk, device, ending};
use crate::app::{
    AppState, Cursor, Edit, Effect, Ending, EntryId, Fact, Intent, Mode, Motion, Overlay, PaneId, Slot,
};
use crate::device::property::Convention;
use crate::device::{Input, Phase};

/// The periods that keys go through.
const PERIODS: [Duration; 11] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(3600),
];

/// Somebody wants something.
pub(super) fn wanted(state: &mut AppState, intent: Intent, effects: &mut Vec<Effect>) {
    match intent {
        Intent::Quit => ending::begin(state, Ending::Done, effects),
        Intent::Interrupt => ending::begin(state, Ending::Interrupted, effects),
        Intent::Turn { knob, steps, leap } => turn(state, knob, steps, leap, effects),
        Intent::Automatic => release(state, Input::Automatic, effects),
        Intent::Home => release(state, Input::Home, effects),
        Intent::TogglePause => {
            let paused = !state.station().device.is_paused();
            tell(state, Fact::Paused(paused));
            to_device(state, Input::Pause(paused), effects);
        }
        Intent::Faster => set_period(state, false, effects),
        Intent::Slower => set_period(state, true, effects),
        Intent::RetryNow => {
            if matches!(state.station().device.phase(), Phase::Waiting { .. } | Phase::Stopped(_)) {
                to_device(state, Input::Start, effects);
            }
        }
        Intent::Focus(pane) => focus(state, pane),
        Intent::Device(slot) => show(state, slot),
        Intent::NextDevice => show(state, (state.ui.slot + 1) % state.stations.len().max(1)),
        Intent::PreviousDevice => {
            let count = state.stations.len().max(1);
            show(state, (state.ui.slot + count - 1) % count);
        }
        Intent::PickDevice => state.ui.overlay = Overlay::Devices(state.ui.slot),
        Intent::FocusNext => focus(state, neighbour(state, 1)),
        Intent::FocusPrevious => focus(state, neighbour(state, -1)),
        Intent::ToggleZoom => state.ui.zoomed = !state.ui.zoomed,
        Intent::ToggleHelp => {
            state.ui.overlay = match state.ui.overlay {
                Overlay::Help(_) => Overlay::None,
                _ => Overlay::Help(0),
            };
        }
        Intent::Move(motion) => move_cursor(state, motion),
        Intent::Scroll(line) => {
            if let Overlay::Help(from) | Overlay::Packet(_, from) | Overlay::Text(_, _, from) =
                &mut state.ui.overlay
            {
                *from = line;
            }
        }
        Intent::Open => open(state, effects),
        Intent::Back => back(state),
        Intent::EditFilter => {
            state.ui.overlay = Overlay::None;
            state.ui.focus = PaneId::Log;
            state.ui.mode = Mode::Filter;
        }
        Intent::Edit(edit) => edit_text(state, edit),
        Intent::Submit => match state.ui.mode {
            Mode::Form => desk::submit(state, effects),
            _ => state.ui.mode = Mode::Keys,
        },
        Intent::ToggleConvention => {
            state.desk.convention = match state.desk.convention {
                Convention::Current => Convention::Wrapped,
                Convention::Wrapped => Convention::Current,
            };
        }
    }
}

/// Passes an input to the device on the screen.
pub(super) fn to_device(state: &mut AppState, input: Input, effects: &mut Vec<Effect>) {
    device::happened(state, state.ui.slot, input, None, effects);
}

fn tell(state: &mut AppState, fact: Fact) {
    state.log.add(state.now, Some(state.ui.slot), fact, None);
}

fn turn(state: &mut AppState, knob: usize, steps: i32, leap: bool, effects: &mut Vec<Effect>) {
    let Some(spec) = state.station().device.knobs().nth(knob) else { return };
    let by = f64::from(steps) * if leap { spec.leap } else { spec.step };
    to_device(state, Input::Turn { knob, by }, effects);
    let reading = state.station().device.readings().into_iter().find(|r| r.field.name == spec.field);
    if let Some(reading) = reading {
        let fact = Fact::Turned { field: reading.field.name, unit: reading.field.unit, value: reading.value };
        tell(state, fact);
    }
}

fn release(state: &mut AppState, input: Input, effects: &mut Vec<Effect>) {
    to_device(state, input, effects);
    tell(state, Fact::Automatic);
}

fn set_period(state: &mut AppState, slower: bool, effects: &mut Vec<Effect>) {
    let period = state.station().device.period();
    let next = if slower {
        PERIODS.into_iter().find(|candidate| *candidate > period)
    } else {
        PERIODS.into_iter().rev().find(|candidate| *candidate < period)
    };
    if let Some(next) = next {
        to_device(state, Input::Period(next), effects);
        tell(state, Fact::Period(next));
    }
}

/// The pane so many places on, among those that have anything to show.
fn neighbour(state: &AppState, by: isize) -> PaneId {
    let panes = state.panes();
    let place = panes.iter().position(|one| *one == state.ui.focus).unwrap_or(0);
    let next = place.wrapping_add_signed(by).wrapping_add(panes.len()) % panes.len().max(1);
    panes.get(next).copied().unwrap_or(state.ui.focus)
}

/// Puts another device on the screen. No cursor points at what this one does not have; lists that
/// grow are followed again.
fn show(state: &mut AppState, slot: Slot) {
    if slot >= state.stations.len() {
        return;
    }
    state.ui.overlay = Overlay::None;
    state.ui.mode = Mode::Keys;
    state.desk.form = None;
    if slot == state.ui.slot {
        return;
    }
    state.ui.slot = slot;
    state.ui.command = 0;
    state.ui.step = 0;
    // Devices of one kind are often asked for the same, one after another.
    let properties = state.station().device.properties().len();
    state.ui.property = state.ui.property.min(properties.saturating_sub(1));
    let actions = state.desk.actions(state.station()).len();
    state.desk.cursor = state.desk.cursor.min(actions.saturating_sub(1));
    let place = state.modules().position(|(one, _)| one == slot);
    state.ui.module = place.unwrap_or(state.ui.module);
    state.refocus();
}

fn focus(state: &mut AppState, pane: PaneId) {
    if !state.offers(pane) {
        return;
    }
    state.ui.overlay = Overlay::None;
    state.ui.mode = Mode::Keys;
    state.ui.focus = pane;
}

/// A position that counts up from the newest row.
fn moved_from_newest(place: usize, count: usize, motion: Motion) -> usize {
    let last = count.saturating_sub(1);
    last - motion.moved(last.saturating_sub(place), count).min(last)
}

fn move_cursor(state: &mut AppState, motion: Motion) {
    match &mut state.ui.overlay {
        Overlay::None => {}
        Overlay::Devices(slot) => {
            *slot = motion.moved(*slot, state.stations.len());
            return;
        }
        // These are scrolled, from where they are laid out.
        Overlay::Help(_) | Overlay::Packet(..) | Overlay::Text(..) => return,
    }
    match state.ui.focus {
        PaneId::Connection => {
            state.ui.step = moved_from_newest(state.ui.step, state.station().steps.len(), motion);
        }
        PaneId::Commands => {
            state.ui.command = moved_from_newest(state.ui.command, state.station().commands.len(), motion);
        }
        PaneId::Properties => {
            state.ui.property = motion.moved(state.ui.property, state.station().device.properties().len());
        }
        PaneId::Operator => {
            let count = state.desk.actions(state.station()).len();
            state.desk.cursor = motion.moved(state.desk.cursor, count);
        }
        PaneId::Log => move_log(state, motion),
        PaneId::Modules => {
            let count = state.modules().count();
            state.ui.module = motion.moved(state.ui.module, count);
        }
        PaneId::Telemetry => {}
    }
}

fn move_log(state: &mut AppState, motion: Motion) {
    let shown: Vec<EntryId> = state.filtered_log().map(|entry| entry.id).collect();
    let place = match state.ui.log {
        Cursor::Tail => shown.len().saturating_sub(1),
        Cursor::At(id) => shown.partition_point(|one| *one < id).min(shown.len().saturating_sub(1)),
    };
    let next = motion.moved(place, shown.len());
    // At the end it follows again; a step up from the end holds still.
    state.ui.log = match shown.get(next) {
        Some(id) if next + 1 < shown.len() => Cursor::At(*id),
        _ => Cursor::Tail,
    };
}

fn open(state: &mut AppState, effects: &mut Vec<Effect>) {
    if let Overlay::Devices(slot) = state.ui.overlay {
        return show(state, slot);
    }
    match state.ui.focus {
        PaneId::Operator => desk::open(state, effects),
        PaneId::Modules => {
            let slot = state.modules().nth(state.ui.module).map(|(slot, _)| slot);
            if let Some(slot) = slot {
                show(state, slot);
            }
        }
        PaneId::Log => {
            let id = match state.ui.log {
                Cursor::At(id) => Some(id),
                Cursor::Tail => state.filtered_log().next_back().map(|entry| entry.id),
            };
            if let Some(id) = id {
                state.ui.overlay = Overlay::Packet(id, 0);
            }
        }
        PaneId::Commands => {
            let record = state.station().commands.iter().rev().nth(state.ui.command);
            if let Some(id) = record.and_then(|record| record.entry) {
                state.ui.overlay = Overlay::Packet(id, 0);
            }
        }
        PaneId::Properties => {
            if let Some(twin) = state.station().device.twin() {
                let sections = json!({ "desired": twin.desired, "reported": twin.reported });
                let text = format!("{sections:#}");
                let lines = text.lines().map(str::to_owned).collect();
                state.ui.overlay = Overlay::Text("twin, as the device knows it".to_owned(), lines, 0);
            }
        }
        PaneId::Connection | PaneId::Telemetry => state.ui.zoomed = !state.ui.zoomed,
    }
}

fn back(state: &mut AppState) {
    if state.ui.overlay != Overlay::None {
        state.ui.overlay = Overlay::None;
    } else if state.ui.mode == Mode::Form {
        state.desk.form = None;
        state.ui.mode = Mode::Keys;
    } else if state.ui.mode == Mode::Filter || !state.ui.filter.value().is_empty() {
        state.ui.mode = Mode::Keys;
        state.ui.filter = TextInput::default();
    } else {
        state.ui.zoomed = false;
        state.ui.log = Cursor::Tail;
    }
}

fn edit_text(state: &mut AppState, edit: Edit) {
    let request = match edit {
        Edit::Insert(c) => InputRequest::InsertChar(c),
        Edit::Backspace => InputRequest::DeletePrevChar,
        Edit::Delete => InputRequest::DeleteNextChar,
        Edit::Clear => InputRequest::DeleteLine,
        Edit::Left => InputRequest::GoToPrevChar,
        Edit::Right => InputRequest::GoToNextChar,
        Edit::Home => InputRequest::GoToStart,
        Edit::End => InputRequest::GoToEnd,
    };
    match (state.ui.mode, &mut state.desk.form) {
        (Mode::Filter, _) => {
            state.ui.filter.handle(request);
            state.ui.log = Cursor::Tail;
        }
        (Mode::Form, Some(form)) => {
            form.text.handle(request);
            form.problem = None;
        }
        _ => {}
    }
}
