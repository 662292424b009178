//! Reported patches on their way: kept in order until the hub has answered each.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Output, Ticket};

/// How many patches are kept at most. They come from acknowledgements and finished jobs, a few a
/// minute; a device that cannot report this many has been cut off for very long.
const CAPACITY: usize = 256;

/// How many patches are handed to the link without an answer, at most, so that the queue to it
/// cannot overflow.
const WINDOW: usize = 32;

#[derive(Debug, Clone, PartialEq)]
struct Item {
    ticket: Ticket,
    patch: Value,
    handed: bool,
}

/// The patches that the hub has not answered yet, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    items: VecDeque<Item>,
}

impl Reports {
    /// Takes a patch; whether an older one had to go for it.
    ///
    /// What it sets is taken out of older ones: if one of those has to go out again, it must not
    /// overwrite what is newer.
    #[must_use]
    pub fn add(&mut self, ticket: Ticket, patch: Value) -> bool {
        if let Value::Object(newer) = &patch {
            self.items.retain_mut(|item| match &mut item.patch {
                Value::Object(older) => {
                    older.retain(|name, _| !newer.contains_key(name));
                    !older.is_empty()
                }
                _ => true,
            });
        }
        let full = self.items.len() == CAPACITY;
        if full {
            self.items.pop_front();
        }
        self.items.push_back(Item { ticket, patch, handed: false });
        full
    }

    /// Hands over what has not been handed over on this link, as far as the window lets it.
    pub fn hand_out(&mut self, out: &mut Vec<Output>) {
        let room = WINDOW.saturating_sub(self.items.iter().filter(|item| item.handed).count());
        for item in self.items.iter_mut().filter(|item| !item.handed).take(room) {
            item.handed = true;
            out.push(Output::Report { ticket: item.ticket, patch: item.patch.clone() });
        }
    }

    /// The hub has answered; the patch, when it was still open.
    pub fn answered(&mut self, ticket: Ticket) -> Option<Value> {
        let place = self.items.iter().position(|item| item.ticket == ticket)?;
        self.items.remove(place).map(|item| item.patch)
    }

    /// The hub is busy: hand this one out again later.
    pub fn again(&mut self, ticket: Ticket) {
        if let Some(item) = self.items.iter_mut().find(|item| item.ticket == ticket) {
            item.handed = false;
        }
    }

    /// The link is gone: everything unanswered has to be handed out again, in order.
    pub fn link_lost(&mut self) {
        for item in &mut self.items {
            item.handed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unanswered_patches_go_out_again_in_order_after_a_lost_link() {
        let mut reports = Reports::default();
        for n in 0..3 {
            assert!(!reports.add(Ticket(n), json!({ format!("p{n}"): n })));
        }
        let mut out = Vec::new();
        reports.hand_out(&mut out);
        assert_eq!(out.len(), 3);
        assert_eq!(reports.answered(Ticket(1)), Some(json!({"p1": 1})));
        assert_eq!(reports.answered(Ticket(1)), None);
        reports.link_lost();
        out.clear();
        reports.hand_out(&mut out);
        let tickets: Vec<_> =
            out.iter().map(|o| matches!(o, Output::Report { ticket, .. } if ticket.0 != 1)).collect();
        assert_eq!(tickets, [true, true]);
    }

    #[test]
    fn what_goes_out_again_does_not_overwrite_what_is_newer() {
        let mut reports = Reports::default();
        let mut out = Vec::new();
        let _ = reports.add(Ticket(1), json!({"brightness": 1, "name": "a"}));
        reports.hand_out(&mut out);
        let _ = reports.add(Ticket(2), json!({"brightness": 2}));
        reports.again(Ticket(1));
        out.clear();
        reports.hand_out(&mut out);
        assert_eq!(out[0], Output::Report { ticket: Ticket(1), patch: json!({"name": "a"}) });
        let _ = reports.add(Ticket(3), json!({"name": "b"}));
        assert_eq!(reports.items.len(), 2, "nothing is left of the first");
    }

    #[test]
    fn the_window_bounds_what_a_link_holds() {
        let mut reports = Reports::default();
        for n in 0..40 {
            let _ = reports.add(Ticket(n), json!({ format!("p{n}"): 1 }));
        }
        let mut out = Vec::new();
        reports.hand_out(&mut out);
        assert_eq!(out.len(), 32);
    }

    #[test]
    fn too_many_push_out_the_oldest_and_say_so() {
        let mut reports = Reports::default();
        let pushed = (0..257).filter(|n| reports.add(Ticket(*n), json!({ format!("p{n}"): 1 }))).count();
        assert_eq!((pushed, reports.items.len()), (1, 256));
    }
}
