//! Everything that can happen to the program.

use super::desk::DeskAnswer;
use super::{Ending, Intent, Slot};
use crate::device::{Input, PacketView};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something happened to a device.
    Device {
        /// Which.
        slot: Slot,
        /// What.
        input: Input,
        /// The message on the wire that it came with, for people to look at.
        packet: Option<PacketView>,
    },
    /// A person wants something.
    Intent(Intent),
    /// The operator's request was answered.
    Desk(DeskAnswer),
    /// The local cloud, or the program itself, has something to say.
    Remark {
        /// What.
        fact: super::Fact,
    },
    /// Something goes wrong on request in the local cloud from now on, or nothing any more.
    Trouble(bool),
    /// A moment that [`AppState::next_due`](super::AppState::next_due) asked for has come.
    Tick,
    /// The program is to end: by a signal, or because something it needs has broken.
    Stop(Ending),
}
