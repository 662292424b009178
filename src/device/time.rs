//! Time as the device knows it: an argument, never a question.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds since the program began. Never goes back, so it orders and schedules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Millis {
    type Output = Self;

    /// A later moment. Saturates, so an absurd duration means "never" and not an overflow.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// One reading of both clocks, taken once for each event.
///
/// `at` schedules; `wall` is only ever shown or reported, because a person or an NTP server may
/// set it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since the program began.
    pub at: Millis,
    /// What the wall clock said at the same moment, in UTC.
    pub wall: Timestamp,
}

impl Now {
    /// The wall clock at `then`, as far as it can be told from this reading.
    pub fn wall_at(self, then: Millis) -> Timestamp {
        let ago = i64::try_from(self.at.0).unwrap_or(i64::MAX) - i64::try_from(then.0).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(self.wall.as_millisecond().saturating_sub(ago)).unwrap_or(self.wall)
    }

    /// The time that schedules, when the wall clock will say `then`. The past is now.
    pub fn at_wall(self, then: Timestamp) -> Millis {
        self.at + Duration::try_from(then.duration_since(self.wall)).unwrap_or_default()
    }
}

/// Divides every simulated duration: work that pretends to take time takes `1/scale` of it.
///
/// It never touches real periods, such as telemetry's or a token's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeScale(f64);

impl TimeScale {
    /// Real time.
    pub const ONE: Self = Self(1.0);

    /// A scale from 0.001 (a thousand times slower) to 1,000,000; `None` outside of that.
    pub fn new(factor: f64) -> Option<Self> {
        (0.001..=1_000_000.0).contains(&factor).then_some(Self(factor))
    }

    /// `span` as it lasts on this scale.
    pub fn apply(self, span: Duration) -> Duration {
        span.div_f64(self.0)
    }
}

/// Date and time of day in `zone`, with microseconds, as the tutorials' programs write them:
/// `2026-11-21 14:03:07.120000`.
pub fn local_date_time(wall: Timestamp, zone: &TimeZone) -> String {
    wall.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// A span in the words a person uses: `350 ms`, `2 s`, `1 min 05 s`, `1 h 02 min`.
pub struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let seconds = self.0.as_secs();
        match seconds {
            0 => write!(f, "{millis} ms"),
            1..=59 if millis % 1000 < 50 => write!(f, "{seconds} s"),
            1..=59 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            60..=3599 => write!(f, "{} min {:02} s", seconds / 60, seconds % 60),
            _ => write!(f, "{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_a_person_says_them() {
        let said = |ms| Spoken(Duration::from_millis(ms)).to_string();
        assert_eq!(said(0), "0 ms");
        assert_eq!(said(350), "350 ms");
        assert_eq!(said(2_000), "2 s");
        assert_eq!(said(2_500), "2.5 s");
        assert_eq!(said(65_000), "1 min 05 s");
        assert_eq!(said(3_725_000), "1 h 02 min");
    }

    #[test]
    fn adding_an_absurd_span_means_never() {
        assert_eq!(Millis(5) + Duration::MAX, Millis(u64::MAX));
    }

    #[test]
    fn a_scale_divides_and_refuses_nonsense() {
        let ten = TimeScale::new(10.0).expect("ten is a scale");
        assert_eq!(ten.apply(Duration::from_secs(20)), Duration::from_secs(2));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(TimeScale::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn local_time_is_written_as_the_tutorial_writes_it() {
        let wall: Timestamp = "2026-11-21T13:03:07.12Z".parse().expect("a timestamp");
        assert_eq!(
            local_date_time(wall, &TimeZone::fixed(jiff::tz::offset(1))),
            "2026-11-21 14:03:07.120000"
        );
    }

    #[test]
    fn a_past_moment_is_told_from_one_reading() {
        let now = Now { at: Millis(10_000), wall: "2026-11-21T13:00:10Z".parse().expect("a timestamp") };
        assert_eq!(now.wall_at(Millis(4_000)).to_string(), "2026-11-21T13:00:04Z");
    }
}
