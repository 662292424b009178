//! What is due when.

use std::collections::BTreeMap;

use super::Millis;

/// Things to come, in order of time; things due at the same moment keep the order they came in.
#[derive(Debug, Clone)]
pub struct Schedule<T> {
    due: BTreeMap<(Millis, u64), T>,
    count: u64,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), count: 0 }
    }
}

impl<T> Schedule<T> {
    /// Adds `thing`, due at `at`.
    pub fn add(&mut self, at: Millis, thing: T) {
        self.count += 1;
        self.due.insert((at, self.count), thing);
    }

    /// When the first thing is due.
    pub fn next(&self) -> Option<Millis> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Takes the first thing that is due by `now`.
    pub fn pop(&mut self, now: Millis) -> Option<T> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Keeps only what `wanted` says.
    pub fn retain(&mut self, wanted: impl Fn(&T) -> bool) {
        self.due.retain(|_, thing| wanted(thing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_in_order_of_time_then_of_arrival() {
        let mut schedule = Schedule::default();
        schedule.add(Millis(20), "late");
        schedule.add(Millis(10), "first");
        schedule.add(Millis(10), "second");
        assert_eq!(schedule.next(), Some(Millis(10)));
        assert_eq!(schedule.pop(Millis(9)), None);
        let taken: Vec<_> = std::iter::from_fn(|| schedule.pop(Millis(20))).collect();
        assert_eq!(taken, ["first", "second", "late"]);
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn what_is_not_wanted_any_more_does_not_come() {
        let mut schedule = Schedule::default();
        schedule.add(Millis(10), "unwanted");
        schedule.add(Millis(20), "wanted");
        schedule.retain(|thing| *thing == "wanted");
        assert_eq!((schedule.next(), schedule.pop(Millis(20))), (Some(Millis(20)), Some("wanted")));
    }
}
