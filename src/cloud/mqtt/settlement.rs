//! Which cloud-to-device and routed messages a connection has sent and not seen acknowledged.
//!
//! The core knows a delivery by its lock, the wire by a packet id that one connection uses. What is
//! left here when a connection ends the core puts back by itself.

use std::collections::VecDeque;

use crate::cloud::core::Delivery;
use crate::cloud::core::message::LockToken;

/// Entries kept. The core has [`crate::cloud::core::mailbox::IN_FLIGHT`] deliveries on their way at
/// a time; what is older is of deliveries whose time was over without an acknowledgement.
const MOST: usize = 256;

/// The deliveries of one connection that are to be settled, oldest first.
#[derive(Debug, Default)]
pub(super) struct Unsettled(VecDeque<(u16, LockToken)>);

impl Unsettled {
    /// What has to be settled when `delivery` is written.
    pub(super) fn lock_of(delivery: &Delivery) -> Option<LockToken> {
        match delivery {
            Delivery::Message { lock, .. } | Delivery::Routed { lock, .. } => Some(*lock),
            _ => None,
        }
    }

    /// A message has been written, under a packet id when it has quality 1. Answers what is settled
    /// by that alone: with quality 0 nobody will acknowledge it.
    pub(super) fn written(&mut self, packet: Option<u16>, lock: LockToken) -> Option<LockToken> {
        let Some(packet) = packet else { return Some(lock) };
        // Packet ids begin anew after 65,535: an entry that old is of a delivery that was given up.
        self.take(packet);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((packet, lock));
        None
    }

    /// A packet has been acknowledged. Answers what is settled by it.
    pub(super) fn acknowledged(&mut self, packet: u16) -> Option<LockToken> {
        self.take(packet)
    }

    fn take(&mut self, packet: u16) -> Option<LockToken> {
        let index = self.0.iter().position(|(own, _)| *own == packet)?;
        self.0.remove(index).map(|(_, lock)| lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_1_is_settled_by_its_acknowledgement_and_once() {
        let mut unsettled = Unsettled::default();
        assert_eq!(unsettled.written(Some(7), LockToken(1)), None);
        assert_eq!(unsettled.written(Some(8), LockToken(2)), None);
        assert_eq!(unsettled.acknowledged(8), Some(LockToken(2)), "in any order");
        assert_eq!(unsettled.acknowledged(7), Some(LockToken(1)));
        assert_eq!(unsettled.acknowledged(7), None);
        assert_eq!(unsettled.acknowledged(9), None, "somebody else's packet");
    }

    #[test]
    fn quality_0_is_settled_when_it_is_written() {
        assert_eq!(Unsettled::default().written(None, LockToken(1)), Some(LockToken(1)));
    }

    #[test]
    fn a_packet_id_that_comes_again_is_the_later_delivery_s() {
        let mut unsettled = Unsettled::default();
        unsettled.written(Some(1), LockToken(1));
        unsettled.written(Some(1), LockToken(2));
        assert_eq!(unsettled.acknowledged(1), Some(LockToken(2)));
        assert_eq!(unsettled.acknowledged(1), None);
    }

    #[test]
    fn a_client_that_never_acknowledges_does_not_make_it_grow() {
        let mut unsettled = Unsettled::default();
        for packet in 1..1000 {
            unsettled.written(Some(packet), LockToken(u128::from(packet)));
        }
        assert_eq!(unsettled.0.len(), MOST);
        assert_eq!(unsettled.acknowledged(999), Some(LockToken(999)));
        assert_eq!(unsettled.acknowledged(1), None);
    }
}
