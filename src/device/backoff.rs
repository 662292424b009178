//! How long to wait before attempt number n.

use std::time::Duration;

/// Exponential back-off between two bounds, with jitter so that a thousand devices do not return
/// in the same second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest possible first delay.
    pub floor: Duration,
    /// The longest possible delay.
    pub ceiling: Duration,
}

impl Backoff {
    /// What links use: 1 s at first, a minute at most, as the official SDKs advise.
    pub const LINK: Self = Self { floor: Duration::from_secs(1), ceiling: Duration::from_secs(60) };

    /// The delay before attempt `n`, counted from zero: a value in the upper half of
    /// `floor * 2^n`, never over the ceiling. `jitter` is from 0 to 1.
    pub fn delay(self, n: u32, jitter: f64) -> Duration {
        let grown = self.floor.saturating_mul(1 << n.min(16));
        grown.min(self.ceiling).mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_and_never_exceeds_its_ceiling() {
        let got = [0, 1, 2, 6, 7, 40, u32::MAX].map(|n| Backoff::LINK.delay(n, 1.0).as_secs());
        assert_eq!(got, [1, 2, 4, 60, 60, 60, 60]);
    }

    #[test]
    fn jitter_takes_off_up_to_half() {
        assert_eq!(Backoff::LINK.delay(3, 0.0), Duration::from_secs(4));
        assert_eq!(Backoff::LINK.delay(3, 0.5), Duration::from_secs(6));
        assert_eq!(Backoff::LINK.delay(3, f64::from(7)), Duration::from_secs(8));
    }
}
