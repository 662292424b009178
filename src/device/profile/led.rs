//! The indicator light.

use std::time::Duration;

use crate::device::Millis;

/// What the indicator light does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Led {
    /// Dark.
    Off,
    /// Lit.
    On,
    /// Half of each period lit, half dark, beginning lit.
    Blinking {
        /// When it began.
        since: Millis,
        /// One turn of lit and dark.
        period: Duration,
    },
}

impl Led {
    /// Whether it is lit at `now`.
    pub fn is_lit(self, now: Millis) -> bool {
        match self {
            Self::Off => false,
            Self::On => true,
            Self::Blinking { since, period } => {
                let half = (period.as_millis() / 2).max(1);
                (now.since(since).as_millis() / half).is_multiple_of(2)
            }
        }
    }

    /// When it will next change, if it does by itself.
    pub fn next_change(self, now: Millis) -> Option<Millis> {
        let Self::Blinking { since, period } = self else { return None };
        let half = period.div_f64(2.0).max(Duration::from_millis(1));
        let turns = now.since(since).as_millis() / half.as_millis().max(1) + 1;
        Some(since + half.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_blinks_at_its_real_period() {
        let led = Led::Blinking { since: Millis(1_000), period: Duration::from_secs(2) };
        let lit = [1_000, 1_999, 2_000, 2_999, 3_000].map(|at| led.is_lit(Millis(at)));
        assert_eq!(lit, [true, true, false, false, true]);
        assert_eq!(led.next_change(Millis(1_000)), Some(Millis(2_000)));
        assert_eq!(led.next_change(Millis(2_500)), Some(Millis(3_000)));
        assert_eq!(Led::On.next_change(Millis(0)), None);
    }
}
