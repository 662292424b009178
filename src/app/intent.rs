//! Everything a person can want.

use super::{PaneId, Slot};

/// One wish, whatever key or mouse button it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    /// End the program.
    Quit,
    /// Interrupt: Ctrl-C, which ends with another exit code.
    Interrupt,
    /// Turn a knob by so many steps; a leap is the knob's large step.
    Turn {
        /// Position in the device's list of knobs.
        knob: usize,
        /// How many steps, down when negative.
        steps: i32,
        /// Whether they are large.
        leap: bool,
    },
    /// Values move by themselves, around where they were left.
    Automatic,
    /// Values move by themselves, around the profile's own set points.
    Home,
    /// Pause telemetry, or go on.
    TogglePause,
    /// Send twice as often.
    Faster,
    /// Send half as often.
    Slower,
    /// Try again at once, instead of waiting or after having given up.
    RetryNow,
    /// Give the keyboard to a pane.
    Focus(PaneId),
    /// The next pane.
    FocusNext,
    /// The pane before.
    FocusPrevious,
    /// One pane on the whole screen, or all of them again.
    ToggleZoom,
    /// Show another device.
    Device(Slot),
    /// Show the next device.
    NextDevice,
    /// Show the device before.
    PreviousDevice,
    /// Show all devices, to choose one from.
    PickDevice,
    /// Explain the keys, or stop explaining.
    ToggleHelp,
    /// Move within the focused pane.
    Move(Motion),
    /// Show what lies over the panes to be read from this line on: only where it is laid out is known
    /// how many lines there are.
    Scroll(usize),
    /// Do what stands under the cursor: show a raw message, run an operator's action.
    Open,
    /// Leave what is open: an overlay, a text being edited, a filter.
    Back,
    /// Begin to edit the log's filter.
    EditFilter,
    /// Change a text that is being edited.
    Edit(Edit),
    /// A text that is being edited is finished.
    Submit,
    /// Send properties in the other generation of the convention from now on.
    ToggleConvention,
}

/// A movement of a cursor. Pages are a fixed number of rows, so that nobody needs to know how
/// tall a pane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// Ten rows up.
    PageUp,
    /// Ten rows down.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

/// How many rows a page is.
const PAGE: usize = 10;

impl Motion {
    /// A position that counts from the first row, moved within `count` rows.
    pub fn moved(self, place: usize, count: usize) -> usize {
        let last = count.saturating_sub(1);
        match self {
            Self::Up => place.saturating_sub(1),
            Self::Down => (place + 1).min(last),
            Self::PageUp => place.saturating_sub(PAGE),
            Self::PageDown => (place + PAGE).min(last),
            Self::First => 0,
            Self::Last => last,
        }
    }
}

/// A change of a text that is being edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edit {
    /// Insert.
    Insert(char),
    /// Delete the character before the cursor.
    Backspace,
    /// Delete the character under the cursor.
    Delete,
    /// Delete everything.
    Clear,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// Cursor to the beginning.
    Home,
    /// Cursor to the end.
    End,
}
