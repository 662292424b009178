//! Telemetry on its way: what waits, what is written, what is acknowledged, what was given up.
//!
//! MQTT's QoS 1 promises "at least once", so a message is kept until its PUBACK has come and is
//! sent again on the next connection otherwise.

use std::collections::VecDeque;

use super::{Message, Output, Ticket};

/// How many messages wait at most: about half an hour at one every two seconds. When it is full
/// the oldest goes, because the newest reading is the one worth having.
const CAPACITY: usize = 1_000;

/// How many messages are handed to the link without an acknowledgement, at most. Bounds what a
/// link has to hold, and is far above what one device needs.
const WINDOW: usize = 32;

/// What has become of the messages so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Made by the device.
    pub made: u64,
    /// Written to a socket at least once.
    pub sent: u64,
    /// Acknowledged by the hub.
    pub acknowledged: u64,
    /// Given up because too many were waiting.
    pub dropped: u64,
    /// Neither written nor given up yet.
    pub waiting: u64,
    /// Written, and neither acknowledged nor given up: nobody knows whether the hub has them.
    pub unacknowledged: u64,
    /// Written more than once, because a link was lost before the acknowledgement.
    pub repeated: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Item {
    ticket: Ticket,
    message: Message,
    handed: bool,
    written: bool,
}

/// The messages that are not acknowledged yet, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    items: VecDeque<Item>,
    counters: Counters,
}

impl Outbox {
    /// Takes a message.
    pub fn add(&mut self, ticket: Ticket, message: Message) {
        self.counters.made += 1;
        if self.items.len() == CAPACITY
            // One that is on the link keeps its place there: dropping it would let another one out.
            && let place = self.items.iter().position(|item| !item.handed).unwrap_or(0)
            && let Some(oldest) = self.items.remove(place)
        {
            // One that was written is lost only if its acknowledgement never came; it is counted
            // all the same, because nobody will know.
            self.counters.dropped += 1;
            self.counters.waiting -= u64::from(!oldest.written);
            self.counters.unacknowledged -= u64::from(oldest.written);
        }
        self.counters.waiting += 1;
        self.items.push_back(Item { ticket, message, handed: false, written: false });
    }

    /// Hands over what the window lets through.
    pub fn hand_out(&mut self, out: &mut Vec<Output>) {
        let room = WINDOW.saturating_sub(self.items.iter().filter(|item| item.handed).count());
        for item in self.items.iter_mut().filter(|item| !item.handed).take(room) {
            item.handed = true;
            out.push(Output::Send { ticket: item.ticket, message: item.message.clone() });
        }
    }

    /// A message has been written to the socket.
    pub fn written(&mut self, ticket: Ticket) {
        if let Some(item) = self.items.iter_mut().find(|item| item.ticket == ticket) {
            if item.written {
                self.counters.repeated += 1;
            } else {
                item.written = true;
                self.counters.sent += 1;
                self.counters.waiting -= 1;
                self.counters.unacknowledged += 1;
            }
        }
    }

    /// A message has been acknowledged. What comes a second time, or late, changes nothing.
    pub fn acknowledged(&mut self, ticket: Ticket) {
        let Some(place) = self.items.iter().position(|item| item.ticket == ticket) else { return };
        let written = self.items.remove(place).is_some_and(|item| item.written);
        self.counters.acknowledged += 1;
        // An acknowledgement can overtake the news that its message was written.
        if written {
            self.counters.unacknowledged -= 1;
        } else {
            self.counters.sent += 1;
            self.counters.waiting -= 1;
        }
    }

    /// The link is gone: everything that is not acknowledged has to be handed out again.
    pub fn link_lost(&mut self) {
        for item in &mut self.items {
            item.handed = false;
        }
    }

    /// What has become of the messages so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(count: u64) -> Outbox {
        let mut outbox = Outbox::default();
        (0..count).for_each(|n| outbox.add(Ticket(n), Message::of(format!("{n}"))));
        outbox
    }

    fn handed(outbox: &mut Outbox) -> Vec<u64> {
        let mut out = Vec::new();
        outbox.hand_out(&mut out);
        out.iter()
            .map(|output| match output {
                Output::Send { ticket, .. } => ticket.0,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_window_bounds_what_a_link_holds() {
        let mut outbox = outbox(40);
        assert_eq!(handed(&mut outbox), (0..32).collect::<Vec<_>>());
        assert!(handed(&mut outbox).is_empty());
        outbox.written(Ticket(0));
        outbox.acknowledged(Ticket(0));
        assert_eq!(handed(&mut outbox), [32]);
    }

    #[test]
    fn a_lost_link_hands_out_again_in_order_and_counts_honestly() {
        let mut outbox = outbox(3);
        handed(&mut outbox);
        outbox.written(Ticket(0));
        outbox.written(Ticket(1));
        outbox.acknowledged(Ticket(1));
        outbox.link_lost();
        assert_eq!(handed(&mut outbox), [0, 2]);
        outbox.written(Ticket(0));
        outbox.written(Ticket(2));
        let counters = outbox.counters();
        assert_eq!((counters.made, counters.sent, counters.acknowledged), (3, 3, 1));
        assert_eq!(counters.unacknowledged, 2);
        assert_eq!((counters.waiting, counters.repeated, counters.dropped), (0, 1, 0));
    }

    #[test]
    fn the_oldest_goes_when_too_many_wait_and_is_counted() {
        let mut outbox = outbox(1_005);
        assert_eq!(outbox.counters().dropped, 5);
        assert_eq!(outbox.counters().waiting, 1_000);
        assert_eq!(handed(&mut outbox)[0], 5);
    }

    #[test]
    fn an_acknowledgement_that_overtakes_the_news_of_writing_counts_as_sent() {
        let mut outbox = outbox(1);
        outbox.acknowledged(Ticket(0));
        outbox.written(Ticket(0));
        let counters = outbox.counters();
        assert_eq!((counters.sent, counters.acknowledged, counters.waiting), (1, 1, 0));
    }

    #[test]
    fn an_acknowledgement_counts_once() {
        let mut outbox = outbox(1);
        outbox.acknowledged(Ticket(0));
        outbox.acknowledged(Ticket(0));
        assert_eq!(outbox.counters().acknowledged, 1);
    }
}
