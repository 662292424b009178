//! What the screen shows of the program: where the keyboard is, and every cursor.

use tui_input::Input as TextInput;

use super::{EntryId, Slot};

/// A pane of the screen, in the order of their keys 1 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaneId {
    /// Steps of provisioning and connecting.
    Connection,
    /// The chart and the values.
    Telemetry,
    /// Commands and their history.
    Commands,
    /// Desired and reported properties.
    Properties,
    /// The operator's desk.
    Operator,
    /// Everything that happened.
    Log,
    /// Modules with their inputs and outputs, where there are any.
    Modules,
}

impl PaneId {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Connection,
        Self::Telemetry,
        Self::Commands,
        Self::Properties,
        Self::Operator,
        Self::Log,
        Self::Modules,
    ];
}

/// What the screen shows: cursors are places in the content, never rows of the screen.
#[derive(Debug, Clone)]
pub struct UiState {
    /// Which device.
    pub slot: Slot,
    /// Which pane has the keyboard.
    pub focus: PaneId,
    /// Whether it has the whole screen.
    pub zoomed: bool,
    /// What lies over the panes.
    pub overlay: Overlay,
    /// What the keyboard does.
    pub mode: Mode,
    /// The log's filter.
    pub filter: TextInput,
    /// The log's cursor.
    pub log: Cursor<EntryId>,
    /// The command history's cursor: how many entries up from the newest.
    pub command: usize,
    /// How many steps up from the newest the connection pane shows.
    pub step: usize,
    /// The property the cursor is on.
    pub property: usize,
    /// The module the cursor is on, counted among those that have inputs or outputs.
    pub module: usize,
}

/// A place in a growing list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor<T> {
    /// Always the newest.
    Tail,
    /// This one.
    At(T),
}

/// What lies over the panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    None,
    /// The keys of the focused pane, from this row on.
    Help(usize),
    /// The devices to choose from, and the one the cursor is on.
    Devices(Slot),
    /// The raw message of a log entry, from this line on.
    Packet(EntryId, usize),
    /// A text to read, such as a twin: title, lines, and the first line shown.
    Text(String, Vec<String>, usize),
}

/// What the keyboard does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Keys are wishes.
    Keys,
    /// Keys go into the log's filter.
    Filter,
    /// Keys go into the operator's form.
    Form,
}

impl Default for UiState {
    fn default() -> Self {
        Self {
            slot: 0,
            focus: PaneId::Telemetry,
            zoomed: false,
            overlay: Overlay::None,
            mode: Mode::Keys,
            filter: TextInput::default(),
            log: Cursor::Tail,
            command: 0,
            step: 0,
            property: 0,
            module: 0,
        }
    }
}
