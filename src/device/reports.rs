//! Reported patches on their way: kept in order until the hub has answered each.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value};

use super::backoff::Backoff;
use super::{Millis, Output, Ticket, twin};

/// How many patches are kept at most. They come from acknowledgements and finished jobs, a few a
/// minute; a device that cannot report this many has been cut off for very long.
const CAPACITY: usize = 256;

/// How many patches are handed to the link without an answer, at most, so that the queue to it
/// cannot overflow.
const WINDOW: usize = 32;

/// How long the hub may take to answer. It does so in milliseconds, and patches go out with QoS 0: one
/// without an answer was lost on the way.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq)]
struct Item {
    ticket: Ticket,
    /// What the link was given last.
    patch: Value,
    /// What of it would have to go out again: all that nothing newer sets.
    rest: Map<String, Value>,
    state: State,
    /// How often the hub was too busy for it.
    refusals: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Not handed over on this link, or lost there.
    Ready,
    /// On its way; lost if there is no answer by then.
    Handed { until: Millis },
    /// The hub was too busy for it; handed over again then.
    Resting { until: Millis },
}

/// The patches that the hub has not answered yet, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    items: VecDeque<Item>,
}

impl Reports {
    /// Takes a patch. When the queue is full the oldest goes for it.
    ///
    /// What it sets is taken out of what older ones still have to say: if one of those goes out after
    /// it, it must not overwrite what is newer.
    pub fn add(&mut self, ticket: Ticket, patch: Map<String, Value>) {
        self.items.retain_mut(|item| {
            take_out(&mut item.rest, &patch);
            matches!(item.state, State::Handed { .. }) || !item.rest.is_empty()
        });
        if self.items.len() == CAPACITY {
            self.items.pop_front();
        }
        self.items.push_back(Item {
            ticket,
            patch: Value::Null,
            rest: patch,
            state: State::Ready,
            refusals: 0,
        });
    }

    /// Hands over what is ready, as far as the window lets it.
    pub fn hand_out(&mut self, now: Millis, out: &mut Vec<Output>) {
        let is_handed = |item: &&Item| matches!(item.state, State::Handed { .. });
        let room = WINDOW.saturating_sub(self.items.iter().filter(is_handed).count());
        for item in self.items.iter_mut().filter(|item| item.state == State::Ready).take(room) {
            item.state = State::Handed { until: now + PATIENCE };
            item.patch = Value::Object(item.rest.clone());
            out.push(Output::Report { ticket: item.ticket, patch: item.patch.clone() });
        }
    }

    /// When [`wake`](Self::wake) has something to do.
    pub fn next_due(&self) -> Option<Millis> {
        let due = |item: &Item| match item.state {
            State::Ready => None,
            State::Handed { until } | State::Resting { until } => Some(until),
        };
        self.items.iter().filter_map(due).min()
    }

    /// What was lost, and what has rested, is ready to go out again.
    pub fn wake(&mut self, now: Millis) {
        self.make_ready(|state| match state {
            State::Ready => false,
            State::Handed { until } | State::Resting { until } => until <= now,
        });
    }

    /// The hub has answered; the patch, when it was still open.
    pub fn answered(&mut self, ticket: Ticket) -> Option<Value> {
        let place = self.items.iter().position(|item| item.ticket == ticket)?;
        self.items.remove(place).map(|item| item.patch)
    }

    /// The hub is busy: this one goes out again later, each time after a longer rest. `jitter` is from
    /// 0 to 1.
    pub fn refused(&mut self, now: Millis, ticket: Ticket, jitter: f64) {
        if let Some(item) = self.items.iter_mut().find(|item| item.ticket == ticket) {
            item.state = State::Resting { until: now + Backoff::LINK.delay(item.refusals, jitter) };
            item.refusals += 1;
        }
    }

    /// The link is gone: everything unanswered has to be handed out again, in order.
    pub fn link_lost(&mut self) {
        self.make_ready(|_| true);
    }

    /// What will stand in the twin under `name`, where `taken` stands now, when the hub has taken all.
    pub fn expected(&self, name: &str, taken: Option<&Value>) -> Option<Value> {
        let mut section = Map::new();
        section.extend(taken.map(|value| (name.to_owned(), value.clone())));
        for item in &self.items {
            let said = match item.state {
                State::Handed { .. } => item.patch.get(name),
                State::Ready | State::Resting { .. } => item.rest.get(name),
            };
            if let Some(value) = said {
                twin::merge(&mut section, &Map::from_iter([(name.to_owned(), value.clone())]));
            }
        }
        section.remove(name)
    }

    /// What has nothing left to say does not go out again.
    fn make_ready(&mut self, which: impl Fn(State) -> bool) {
        self.items.retain_mut(|item| {
            if which(item.state) {
                item.state = State::Ready;
            }
            item.state != State::Ready || !item.rest.is_empty()
        });
    }
}

/// Takes out of a patch what a newer one sets, member by member, as patches are merged.
fn take_out(older: &mut Map<String, Value>, newer: &Map<String, Value>) {
    for (name, value) in newer {
        match (older.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => {
                take_out(inner, value);
                if inner.is_empty() {
                    older.remove(name);
                }
            }
            _ => {
                older.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patch(value: Value) -> Map<String, Value> {
        let Value::Object(patch) = value else { panic!("an object") };
        patch
    }

    fn add(reports: &mut Reports, ticket: u64, value: Value) {
        reports.add(Ticket(ticket), patch(value));
    }

    /// What goes out at a moment.
    fn out(reports: &mut Reports, at: u64) -> Vec<(u64, Value)> {
        let mut out = Vec::new();
        reports.wake(Millis(at));
        reports.hand_out(Millis(at), &mut out);
        let said = |output| match output {
            Output::Report { ticket, patch } => (ticket.0, patch),
            other => panic!("{other:?}"),
        };
        out.into_iter().map(said).collect()
    }

    #[test]
    fn unanswered_patches_go_out_again_in_order_after_a_lost_link() {
        let mut reports = Reports::default();
        (0..3).for_each(|n| add(&mut reports, n, json!({ format!("p{n}"): n })));
        assert_eq!(out(&mut reports, 0).len(), 3);
        assert_eq!(reports.answered(Ticket(1)), Some(json!({"p1": 1})));
        assert_eq!(reports.answered(Ticket(1)), None);
        assert_eq!(out(&mut reports, 1), []);
        reports.link_lost();
        assert_eq!(out(&mut reports, 2), [(0, json!({"p0": 0})), (2, json!({"p2": 2}))]);
    }

    #[test]
    fn what_is_not_answered_was_lost_and_goes_out_again() {
        let mut reports = Reports::default();
        add(&mut reports, 1, json!({"a": 1}));
        assert_eq!(out(&mut reports, 0).len(), 1);
        assert_eq!(reports.next_due(), Some(Millis(20_000)));
        assert_eq!(out(&mut reports, 19_999), []);
        assert_eq!(out(&mut reports, 20_000), [(1, json!({"a": 1}))]);
        reports.answered(Ticket(1));
        assert_eq!(reports.next_due(), None);
    }

    #[test]
    fn a_busy_hub_is_left_alone_ever_longer() {
        let mut reports = Reports::default();
        add(&mut reports, 1, json!({"a": 1}));
        let mut at = 0;
        for rest in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            assert_eq!(out(&mut reports, at).len(), 1);
            reports.refused(Millis(at), Ticket(1), 1.0);
            assert_eq!(reports.next_due(), Some(Millis(at + rest)));
            at += rest;
            assert_eq!(out(&mut reports, at - 1), []);
        }
    }

    #[test]
    fn what_goes_out_again_does_not_overwrite_what_is_newer() {
        let mut reports = Reports::default();
        add(&mut reports, 1, json!({"brightness": 1, "name": "a"}));
        assert_eq!(out(&mut reports, 0).len(), 1);
        add(&mut reports, 2, json!({"brightness": 2}));
        assert_eq!(out(&mut reports, 1), [(2, json!({"brightness": 2}))]);
        // Also when the newer one has been taken meanwhile.
        reports.answered(Ticket(2));
        reports.refused(Millis(1), Ticket(1), 1.0);
        assert_eq!(out(&mut reports, 1_001), [(1, json!({"name": "a"}))]);
        add(&mut reports, 3, json!({"name": "b"}));
        reports.link_lost();
        assert_eq!(out(&mut reports, 1_002), [(3, json!({"name": "b"}))], "nothing is left of the first");
    }

    #[test]
    fn what_is_on_its_way_is_answered_as_it_went_out() {
        let mut reports = Reports::default();
        add(&mut reports, 1, json!({"a": 1}));
        assert_eq!(out(&mut reports, 0).len(), 1);
        add(&mut reports, 2, json!({"a": 2}));
        assert_eq!(reports.answered(Ticket(1)), Some(json!({"a": 1})));
    }

    #[test]
    fn members_of_one_object_do_not_push_each_other_out() {
        let mut reports = Reports::default();
        add(&mut reports, 1, json!({"x": {"a": 1, "b": 1}, "y": {"c": 1}}));
        add(&mut reports, 2, json!({"x": {"a": 2}, "y": {"c": 2}}));
        add(&mut reports, 3, json!({"z": 3}));
        let first = json!({"x": {"b": 1}});
        assert_eq!(out(&mut reports, 0)[0], (1, first));
        reports.link_lost();
        add(&mut reports, 4, json!({"x": 4}));
        let numbers: Vec<_> = out(&mut reports, 1).into_iter().map(|(ticket, _)| ticket).collect();
        assert_eq!(numbers, [2, 3, 4]);
    }

    #[test]
    fn what_will_stand_in_the_twin_is_what_was_taken_and_all_that_is_under_way() {
        let mut reports = Reports::default();
        let taken = json!({"value": 1, "status": "completed"});
        assert_eq!(reports.expected("p", None), None);
        assert_eq!(reports.expected("p", Some(&taken)), Some(taken.clone()));
        add(&mut reports, 1, json!({"p": {"value": 2, "ac": 200}, "q": 1}));
        assert_eq!(out(&mut reports, 0).len(), 1);
        add(&mut reports, 2, json!({"p": {"status": null}}));
        assert_eq!(reports.expected("p", Some(&taken)), Some(json!({"value": 2, "ac": 200})));
    }

    #[test]
    fn the_window_bounds_what_a_link_holds() {
        let mut reports = Reports::default();
        (0..40).for_each(|n| add(&mut reports, n, json!({ format!("p{n}"): 1 })));
        assert_eq!(out(&mut reports, 0).len(), 32);
        assert_eq!(out(&mut reports, 1), []);
    }

    #[test]
    fn too_many_push_out_the_oldest() {
        let mut reports = Reports::default();
        (0..257).for_each(|n| add(&mut reports, n, json!({ format!("p{n}"): 1 })));
        assert_eq!((reports.items.len(), reports.items[0].ticket), (256, Ticket(1)));
    }
}
