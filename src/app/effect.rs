//! Everything the program can ask for.

use super::Slot;
use super::desk::DeskRequest;
use crate::device::{ImageOrder, Output};

/// One thing to be done by the runtime. Results come back as events.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// For a device's link.
    Link {
        /// Which device.
        slot: Slot,
        /// What.
        output: Output,
    },
    /// For the place where a device keeps its firmware images.
    Image {
        /// Which device.
        slot: Slot,
        /// What.
        order: ImageOrder,
    },
    /// For the operator's client.
    Desk(DeskRequest),
    /// Everything is said; end the loop.
    Exit,
}
