//! Messages that wait, as a store keeps them: each by itself, because a queue may hold a thousand and
//! changes with every message.
//!
//! In whose hands a message is, is not kept: after a start nobody holds anything, and what was not
//! acknowledged is handed over again.

use std::sync::Arc;

use jiff::Timestamp;

use super::message::Routed;
use super::queue::Place;
use crate::cloud::core::Core;
use crate::cloud::core::changes::Record;
use crate::device::{DeviceId, ModuleId, Now};

/// A message that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// For which module; `None` for the hub.
    pub target: Option<ModuleId>,
    /// On which of its inputs; nothing for the hub.
    pub input: Arc<str>,
    /// By which route it came.
    pub route: Arc<str>,
    /// Until when it is worth delivering.
    pub expiry: Timestamp,
    /// The message.
    pub message: Arc<Routed>,
}

impl Core {
    /// A message that waits, named by [`Record::Routed`]. `None` when it waits no longer.
    pub fn routed(&self, device: &DeviceId, place: Place) -> Option<Kept> {
        self.routers.kept(device, place)
    }

    /// Puts back a message that a store has kept. The routes of its device have to be there before
    /// it: without any it is dropped, and noted so that the store forgets it too. It comes to that
    /// when routes were taken away while an Edge hub of its own was connected, which had to see to
    /// them, and the cloud ended before it did. What has expired meanwhile goes with the next
    /// [`Core::tick`].
    pub fn restore_routed(&mut self, now: Now, device: &DeviceId, place: Place, kept: Kept) {
        if !self.routers.restore(&mut self.changes, now, device, place, kept) {
            self.changes.left_over(Record::Routed(device.clone(), place));
        }
    }

    /// Takes out a message that is not stored.
    pub fn forget_routed(&mut self, device: &DeviceId, place: Place) {
        self.routers.take_back(&mut self.changes, device, place);
    }
}
