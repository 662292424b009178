//! A value that wanders between two bounds and returns to its set point.

use rand::{Rng, RngExt as _};

/// A bounded random walk with a pull towards a set point, and a hand that can hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    low: f64,
    high: f64,
    home: f64,
    set_point: f64,
    value: f64,
    manual: bool,
    grain: f64,
}

/// The share of the way back to the set point that one step goes.
const PULL: f64 = 0.08;

impl Walk {
    /// A walk from `low` up to, not including, `high`, in steps of `grain`, that begins at and
    /// returns to `home`.
    pub fn new(low: f64, high: f64, home: f64, grain: f64) -> Self {
        let mut walk = Self { low, high, home, set_point: home, value: home, manual: false, grain };
        walk.value = walk.bound(home);
        walk
    }

    /// The value, a whole number of grains, within the bounds.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Where it returns to, or is held.
    pub fn set_point(&self) -> f64 {
        self.set_point
    }

    /// Whether a hand holds it.
    pub fn is_manual(&self) -> bool {
        self.manual
    }

    /// One step: the pull, and a push of `drive` standard steps. A held value stays.
    pub fn step(&mut self, rng: &mut impl Rng, drive: f64) {
        if self.manual {
            return;
        }
        // The sum of three even draws is close enough to a normal one and has no tails that could
        // jump across the range.
        let noise: f64 = (0..3).map(|_| rng.random_range(-1.0..1.0)).sum::<f64>() / 3.0;
        let span = self.high - self.low;
        let pull = (self.set_point - self.value) * PULL;
        self.value = self.bound(self.value + pull + span * 0.012 * (noise + drive));
    }

    /// A hand moves it and holds it there.
    pub fn turn(&mut self, by: f64) {
        if by.is_finite() {
            self.manual = true;
            self.value = self.bound(self.value + by);
            self.set_point = self.value;
        }
    }

    /// The hand lets go: it wanders around where it was left, or around its home.
    pub fn release(&mut self, home: bool) {
        self.manual = false;
        if home {
            self.set_point = self.home;
        }
    }

    fn bound(&self, value: f64) -> f64 {
        let grains = (value / self.grain).round();
        let most = (self.high / self.grain).ceil() - 1.0;
        let least = (self.low / self.grain).ceil();
        // Dividing by the inverse keeps 21.4 at 21.4 where multiplying by 0.1 does not.
        grains.clamp(least, most) / (1.0 / self.grain).round()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::ChaCha8Rng;

    fn temperature() -> Walk {
        Walk::new(1.0, 75.0, 22.0, 0.1)
    }

    proptest! {
        #[test]
        fn a_walk_stays_within_its_bounds(seed: u64, turns in prop::collection::vec(-200.0..200.0f64, 0..20)) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut walk = temperature();
            for by in turns {
                walk.turn(by);
                prop_assert!((1.0..75.0).contains(&walk.value()), "{}", walk.value());
                walk.release(false);
                for _ in 0..50 {
                    walk.step(&mut rng, 0.3);
                    prop_assert!((1.0..75.0).contains(&walk.value()), "{}", walk.value());
                }
            }
        }
    }

    #[test]
    fn a_manual_value_stays_put() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut walk = temperature();
        walk.turn(3.5);
        (0..100).for_each(|_| walk.step(&mut rng, 1.0));
        assert_eq!(walk.value(), 25.5);
    }

    #[test]
    fn a_released_value_wanders_around_where_it_was_left() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut walk = temperature();
        walk.turn(30.0);
        walk.release(false);
        let mean = (0..2_000)
            .map(|_| {
                walk.step(&mut rng, 0.0);
                walk.value()
            })
            .sum::<f64>()
            / 2_000.0;
        assert!((mean - 52.0).abs() < 3.0, "{mean}");
        walk.release(true);
        (0..200).for_each(|_| walk.step(&mut rng, 0.0));
        assert!((walk.value() - 22.0).abs() < 6.0, "{}", walk.value());
    }

    #[test]
    fn a_walk_is_alive_and_the_same_for_the_same_seed() {
        let run = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut walk = temperature();
            (0..20)
                .map(|_| {
                    walk.step(&mut rng, 0.0);
                    walk.value()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7).windows(2).filter(|pair| pair[0] != pair[1]).count() > 10);
    }

    #[test]
    fn values_are_whole_grains() {
        let mut walk = temperature();
        walk.turn(0.1);
        assert_eq!(walk.value().to_string(), "22.1");
        walk.turn(1_000.0);
        assert_eq!(walk.value().to_string(), "74.9");
        walk.turn(-1_000.0);
        assert_eq!(walk.value().to_string(), "1");
    }
}
