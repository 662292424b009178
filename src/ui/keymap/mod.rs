//! Which key means what. One table feeds the dispatcher, the footer and the help, so that help
//! cannot lie.

use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::{Position, Rect};

use crate::app::{AppState, Edit, Intent, Mode, Motion, Overlay, PaneId};
use crate::device::Phase;
use crate::ui::layout;
use crate::ui::panes::devices;

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Whatever is on the screen.
    Always,
    /// While this pane has the keyboard; goes before [`Self::Global`].
    Pane(PaneId),
    /// While any pane has the keyboard.
    Global,
    /// While the devices lie over the panes, to choose one from; goes before [`Self::Overlay`].
    Devices,
    /// While something lies over the panes.
    Overlay,
    /// While a text is being edited; every character that no row names is inserted.
    Text,
}

/// A key with the modifiers that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Press {
    /// The key.
    pub code: KeyCode,
    /// Control, Alt, and Shift where the key itself does not say it.
    pub modifiers: KeyModifiers,
}

/// A row of the table.
#[derive(Debug)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// Keys that all mean the same, the one to be shown in the footer first.
    pub keys: &'static [Press],
    /// What they mean.
    pub intent: Intent,
    /// For the help. Neighbours with the same words are shown as one.
    pub help: &'static str,
    /// For the footer, where there is less room; empty to leave it out.
    pub short: &'static str,
    /// Whether they do anything at the moment.
    pub when: fn(&AppState) -> bool,
}

const fn key(code: KeyCode) -> Press {
    Press { code, modifiers: KeyModifiers::NONE }
}

const fn char(c: char) -> Press {
    key(KeyCode::Char(c))
}

const fn shift(code: KeyCode) -> Press {
    Press { code, modifiers: KeyModifiers::SHIFT }
}

const fn ctrl(c: char) -> Press {
    Press { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
}

fn always(_: &AppState) -> bool {
    true
}

fn has_knob(state: &AppState, knob: usize) -> bool {
    state.station().device.knobs().nth(knob).is_some()
}

fn has_first_knob(state: &AppState) -> bool {
    has_knob(state, 0)
}

fn has_second_knob(state: &AppState) -> bool {
    has_knob(state, 1)
}

fn has_readings(state: &AppState) -> bool {
    !state.station().series.is_empty()
}

/// Whether a cursor can be moved in the focused pane.
fn has_rows(state: &AppState) -> bool {
    match state.ui.focus {
        PaneId::Telemetry => false,
        PaneId::Commands => state.station().commands.len() > 1,
        PaneId::Properties => state.station().device.properties().len() > 1,
        PaneId::Connection | PaneId::Operator | PaneId::Log | PaneId::Modules => true,
    }
}

fn is_down(state: &AppState) -> bool {
    matches!(state.station().device.phase(), Phase::Waiting { .. } | Phase::Stopped(_))
}

fn desk_sets_properties(state: &AppState) -> bool {
    desk_is_open(state) && !state.station().device.properties().is_empty()
}

fn desk_is_open(state: &AppState) -> bool {
    state.desk.closed.is_none()
}

fn opens_message(state: &AppState) -> bool {
    match state.ui.focus {
        PaneId::Log => state.filtered_log().next().is_some(),
        PaneId::Commands => !state.station().commands.is_empty(),
        _ => false,
    }
}

fn has_twin(state: &AppState) -> bool {
    state.station().device.twin().is_some()
}

fn has_several(state: &AppState) -> bool {
    state.has_several()
}

fn offers_telemetry(state: &AppState) -> bool {
    state.offers(PaneId::Telemetry)
}

fn offers_modules(state: &AppState) -> bool {
    state.offers(PaneId::Modules)
}

fn has_filter(state: &AppState) -> bool {
    !state.ui.filter.value().is_empty()
}

const fn row(
    context: Context,
    keys: &'static [Press],
    intent: Intent,
    help: &'static str,
    short: &'static str,
) -> Binding {
    Binding { context, keys, intent, help, short, when: always }
}

impl Binding {
    const fn when(self, when: fn(&AppState) -> bool) -> Self {
        Self { when, ..self }
    }
}

const fn turn(knob: usize, steps: i32, leap: bool) -> Intent {
    Intent::Turn { knob, steps, leap }
}

const TELEMETRY: Context = Context::Pane(PaneId::Telemetry);
const PROPERTIES: Context = Context::Pane(PaneId::Properties);
const OPERATOR: Context = Context::Pane(PaneId::Operator);
const LOG: Context = Context::Pane(PaneId::Log);
const MODULES: Context = Context::Pane(PaneId::Modules);

use Context::{Always, Global, Overlay as Over, Text};
use Intent as I;
use KeyCode::{
    BackTab, Backspace, Delete, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Tab, Up,
};

/// Words that stand for the name of the field that a knob turns.
pub(super) const FIRST: &str = "{first value}";
pub(super) const SECOND: &str = "{second value}";
pub(super) const FIRST_LEAP: &str = "{first value}, bigger steps";
pub(super) const SECOND_LEAP: &str = "{second value}, bigger steps";

/// Every key.
pub static KEYMAP: &[Binding] = &[
    row(TELEMETRY, &[key(Up), char('k')], turn(0, 1, false), FIRST, FIRST).when(has_first_knob),
    row(TELEMETRY, &[key(Down), char('j')], turn(0, -1, false), FIRST, FIRST).when(has_first_knob),
    row(TELEMETRY, &[key(Left), char('h')], turn(1, -1, false), SECOND, SECOND).when(has_second_knob),
    row(TELEMETRY, &[key(Right), char('l')], turn(1, 1, false), SECOND, SECOND).when(has_second_knob),
    row(TELEMETRY, &[shift(Up), char('K')], turn(0, 1, true), FIRST_LEAP, "").when(has_first_knob),
    row(TELEMETRY, &[shift(Down), char('J')], turn(0, -1, true), FIRST_LEAP, "").when(has_first_knob),
    row(TELEMETRY, &[shift(Left), char('H')], turn(1, -1, true), SECOND_LEAP, "").when(has_second_knob),
    row(TELEMETRY, &[shift(Right), char('L')], turn(1, 1, true), SECOND_LEAP, "").when(has_second_knob),
    row(OPERATOR, &[key(Enter)], I::Open, "do it, or enter what it needs", "do it").when(desk_is_open),
    row(OPERATOR, &[char('c')], I::ToggleConvention, "the other convention for properties", "convention")
        .when(desk_sets_properties),
    row(PROPERTIES, &[key(Enter)], I::Open, "the twin, as the device knows it", "twin").when(has_twin),
    row(MODULES, &[key(Enter)], I::Open, "show this module", "show it").when(has_several),
    row(LOG, &[key(Esc)], I::Back, "drop the filter, follow the newest", "drop filter").when(has_filter),
    row(Global, &[char('r')], I::RetryNow, "try to connect now", "try now").when(is_down),
    row(Global, &[key(Up), char('k')], I::Move(Motion::Up), "move", "move").when(has_rows),
    row(Global, &[key(Down), char('j')], I::Move(Motion::Down), "move", "move").when(has_rows),
    row(Global, &[key(PageUp)], I::Move(Motion::PageUp), "move ten rows", "").when(has_rows),
    row(Global, &[key(PageDown)], I::Move(Motion::PageDown), "move ten rows", "").when(has_rows),
    row(Global, &[key(Home), char('g')], I::Move(Motion::First), "to the first, to the last", "")
        .when(has_rows),
    row(Global, &[key(End), char('G')], I::Move(Motion::Last), "to the first, to the last", "")
        .when(has_rows),
    row(Global, &[key(Enter)], I::Open, "the raw message", "raw message").when(opens_message),
    row(Global, &[char(' ')], I::TogglePause, "pause telemetry, go on", "pause").when(has_readings),
    row(Global, &[char('[')], I::PreviousDevice, "device before, next device", "device").when(has_several),
    row(Global, &[char(']')], I::NextDevice, "device before, next device", "device").when(has_several),
    row(Global, &[char('d')], I::PickDevice, "all devices, to choose one", "devices").when(has_several),
    row(Global, &[key(Tab)], I::FocusNext, "next pane, pane before", "pane"),
    row(Global, &[key(BackTab)], I::FocusPrevious, "next pane, pane before", ""),
    row(Global, &[char('a')], I::Automatic, "values move by themselves, from here", "automatic")
        .when(has_readings),
    row(Global, &[char('A')], I::Home, "values return to where they began", "").when(has_readings),
    row(Global, &[char('i')], I::Faster, "shorter period, send more often", "period").when(has_readings),
    row(Global, &[char('I')], I::Slower, "longer period, send less often", "period").when(has_readings),
    row(Global, &[char('1')], I::Focus(PaneId::Connection), "go to a pane", ""),
    row(Global, &[char('2')], I::Focus(PaneId::Telemetry), "go to a pane", "").when(offers_telemetry),
    row(Global, &[char('3')], I::Focus(PaneId::Commands), "go to a pane", ""),
    row(Global, &[char('4')], I::Focus(PaneId::Properties), "go to a pane", ""),
    row(Global, &[char('5')], I::Focus(PaneId::Operator), "go to a pane", ""),
    row(Global, &[char('6')], I::Focus(PaneId::Log), "go to a pane", ""),
    row(Global, &[char('7')], I::Focus(PaneId::Modules), "go to a pane", "").when(offers_modules),
    row(Global, &[char('z')], I::ToggleZoom, "zoom the pane", "zoom"),
    row(Global, &[char('/')], I::EditFilter, "filter the log", "filter"),
    row(Global, &[key(Esc)], I::Back, "back to the whole picture", ""),
    row(Global, &[char('?')], I::ToggleHelp, "this help", "help"),
    row(Global, &[char('q'), char('Q')], I::Quit, "quit", "quit"),
    row(Context::Devices, &[key(Up), char('k')], I::Move(Motion::Up), "move", "move"),
    row(Context::Devices, &[key(Down), char('j')], I::Move(Motion::Down), "move", "move"),
    row(Context::Devices, &[key(Enter)], I::Open, "show this device", "show it"),
    row(Over, &[key(Esc), char('q'), char('Q'), char('?'), key(Enter)], I::Back, "close", "close"),
    row(Over, &[key(Up), char('k')], I::Move(Motion::Up), "scroll", "scroll"),
    row(Over, &[key(Down), char('j')], I::Move(Motion::Down), "scroll", "scroll"),
    row(Over, &[key(PageUp)], I::Move(Motion::PageUp), "scroll ten rows", ""),
    row(Over, &[key(PageDown), char(' ')], I::Move(Motion::PageDown), "scroll ten rows", ""),
    row(Over, &[key(Home), char('g')], I::Move(Motion::First), "to the top, to the end", ""),
    row(Over, &[key(End), char('G')], I::Move(Motion::Last), "to the top, to the end", ""),
    row(Text, &[key(Enter)], I::Submit, "done", "done"),
    row(Text, &[key(Esc)], I::Back, "leave", "leave"),
    row(Text, &[ctrl('u')], I::Edit(Edit::Clear), "empty the line", "clear"),
    row(Text, &[key(Backspace), ctrl('h')], I::Edit(Edit::Backspace), "delete before the cursor", ""),
    row(Text, &[key(Delete)], I::Edit(Edit::Delete), "delete under the cursor", ""),
    row(Text, &[key(Left)], I::Edit(Edit::Left), "move the cursor", ""),
    row(Text, &[key(Right)], I::Edit(Edit::Right), "move the cursor", ""),
    row(Text, &[key(Home), ctrl('a')], I::Edit(Edit::Home), "to the ends of the line", ""),
    row(Text, &[key(End), ctrl('e')], I::Edit(Edit::End), "to the ends of the line", ""),
    row(Always, &[ctrl('c')], I::Interrupt, "interrupt", ""),
];

/// The contexts that are open, the one that goes first first.
pub fn contexts(state: &AppState) -> Vec<Context> {
    if state.ui.mode != Mode::Keys {
        vec![Always, Text]
    } else if state.ui.overlay == Overlay::None {
        vec![Always, Context::Pane(state.ui.focus), Global]
    } else {
        match state.ui.overlay {
            Overlay::Devices(_) => vec![Always, Context::Devices, Over],
            _ => vec![Always, Over],
        }
    }
}

/// The rows that work now, those of the focused pane first. A row whose keys all mean something
/// else in a context before it is left out.
pub fn working(state: &AppState) -> Vec<&'static Binding> {
    working_in(state, &contexts(state))
}

/// The rows that work in these contexts.
pub(super) fn working_in(state: &AppState, contexts: &[Context]) -> Vec<&'static Binding> {
    let mut rows: Vec<&'static Binding> = Vec::new();
    for context in contexts {
        let before = rows.len();
        for row in KEYMAP.iter().filter(|row| row.context == *context && (row.when)(state)) {
            let hidden = |key: &Press| rows[..before].iter().any(|earlier| earlier.keys.contains(key));
            if !row.keys.iter().all(hidden) {
                rows.push(row);
            }
        }
    }
    rows
}

/// What a key means now.
pub fn intent(state: &AppState, key: KeyEvent) -> Option<Intent> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let press = normal(key);
    for context in contexts(state) {
        let rows = KEYMAP.iter().filter(|row| row.context == context);
        if let Some(row) = rows.into_iter().find(|row| row.keys.contains(&press) && (row.when)(state)) {
            return Some(row.intent);
        }
    }
    let plain = !press.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER);
    match press.code {
        KeyCode::Char(c) if state.ui.mode != Mode::Keys && plain => Some(I::Edit(Edit::Insert(c))),
        _ => None,
    }
}

/// The same key reads the same from every terminal: some say Shift with a capital, some do not,
/// and some say Shift and a small letter.
fn normal(key: KeyEvent) -> Press {
    let KeyEvent { code, modifiers, .. } = key;
    let shifted = modifiers.contains(KeyModifiers::SHIFT);
    match code {
        // Escape and Ctrl-C that are read at once look as if Alt was held.
        KeyCode::Char('c' | 'C') if modifiers.contains(KeyModifiers::CONTROL) => ctrl('c'),
        KeyCode::Char(c) => {
            let code = if shifted { KeyCode::Char(c.to_ascii_uppercase()) } else { code };
            let code = match code {
                KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                    KeyCode::Char(c.to_ascii_lowercase())
                }
                other => other,
            };
            Press { code, modifiers: modifiers - KeyModifiers::SHIFT }
        }
        BackTab => Press { code: BackTab, modifiers: modifiers - KeyModifiers::SHIFT },
        Tab if shifted => Press { code: BackTab, modifiers: modifiers - KeyModifiers::SHIFT },
        _ => Press { code, modifiers },
    }
}

/// What a mouse event means on a screen of this size: a click shows a device, in the strip
/// or in the list, or gives a pane the keyboard, the wheel moves in the pane that has it.
pub fn mouse_intent(state: &AppState, area: Rect, event: MouseEvent) -> Option<Intent> {
    let motion = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => None,
        MouseEventKind::ScrollUp => Some(Motion::Up),
        MouseEventKind::ScrollDown => Some(Motion::Down),
        _ => return None,
    };
    if state.ui.mode == Mode::Form {
        return None;
    }
    match state.ui.overlay {
        Overlay::None => {}
        Overlay::Devices(cursor) if motion.is_none() => {
            let at = Position { x: event.column, y: event.row };
            return devices::listed_at(state, cursor, layout::over(area), at).map(I::Device);
        }
        _ => return motion.map(I::Move),
    }
    if let Some(slot) = layout::device_at(state, area, event.column, event.row) {
        return motion.is_none().then_some(I::Device(slot));
    }
    let pane = layout::pane_at(state, area, event.column, event.row)?;
    match motion {
        Some(motion) if pane == state.ui.focus => Some(I::Move(motion)),
        _ => Some(I::Focus(pane)),
    }
}

/// A key as people know it.
pub fn name(press: Press, ascii: bool) -> String {
    let arrow = |arrow: &str, word: &str| if ascii { word.to_owned() } else { arrow.to_owned() };
    let code = match press.code {
        Up => arrow("↑", "up"),
        Down => arrow("↓", "down"),
        Left => arrow("←", "left"),
        Right => arrow("→", "right"),
        PageUp => "PgUp".to_owned(),
        PageDown => "PgDn".to_owned(),
        Home => "Home".to_owned(),
        End => "End".to_owned(),
        Enter => "Enter".to_owned(),
        Esc => "Esc".to_owned(),
        Tab => "Tab".to_owned(),
        BackTab => "Shift-Tab".to_owned(),
        Backspace => "Backspace".to_owned(),
        Delete => "Del".to_owned(),
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) if press.modifiers.contains(KeyModifiers::CONTROL) => {
            c.to_ascii_uppercase().to_string()
        }
        KeyCode::Char(c) => c.to_string(),
        other => other.to_string(),
    };
    if press.modifiers.contains(KeyModifiers::CONTROL) {
        format!("Ctrl-{code}")
    } else if press.modifiers.contains(KeyModifiers::SHIFT) {
        format!("Shift-{code}")
    } else {
        code
    }
}

/// Help text with the names of this device's fields in it.
pub fn words(state: &AppState, text: &'static str) -> String {
    let title = |knob: usize| {
        let knob = state.station().device.knobs().nth(knob)?;
        let field = state.station().series.iter().find(|series| series.field.name == knob.field)?.field;
        Some(field.title.to_lowercase())
    };
    let name = |knob| title(knob).unwrap_or_else(|| "value".to_owned());
    text.replace(FIRST, &name(0)).replace(SECOND, &name(1))
}

#[cfg(test)]
mod tests;
