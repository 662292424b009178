//! What a hub of a size takes: so many operations a second, so many messages a day.
//!
//! IoT Hub, "Understand IoT Hub quotas and throttling", tables "Quotas" and "Operation throttles".
//! Off unless a size is asked for: a development machine is faster than the smallest hub.

use std::time::Duration;

use jiff::Timestamp;

use super::fault::Fault;
use crate::device::{Millis, Now};

/// The sizes in which Azure sells a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sku {
    /// Free: one unit, 8,000 messages of half a kilobyte a day.
    F1,
    /// 400,000 messages a day and unit.
    S1,
    /// 6,000,000 messages a day and unit.
    S2,
    /// 300,000,000 messages a day and unit.
    S3,
}

impl Sku {
    /// Every size, smallest first.
    pub const ALL: [Self; 4] = [Self::F1, Self::S1, Self::S2, Self::S3];

    /// Its name in Azure.
    pub fn name(self) -> &'static str {
        match self {
            Self::F1 => "F1",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
        }
    }

    /// The size of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sku| sku.name().eq_ignore_ascii_case(name))
    }

    /// The most units of this size that a hub has.
    pub fn most_units(self) -> u32 {
        match self {
            Self::F1 => 1,
            Self::S1 | Self::S2 => 200,
            Self::S3 => 10,
        }
    }

    fn messages_a_day(self) -> u64 {
        match self {
            Self::F1 => 8_000,
            Self::S1 => 400_000,
            Self::S2 => 6_000_000,
            Self::S3 => 300_000_000,
        }
    }

    /// A message counts once for each block of this many bytes.
    fn block(self) -> usize {
        if self == Self::F1 { 512 } else { 4096 }
    }
}

/// What is throttled, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A device or module connects.
    Connection,
    /// A device-to-cloud message of so many bytes.
    Message(usize),
    /// A cloud-to-device message is sent.
    CloudToDevice,
    /// A twin is read, by a device or a service.
    TwinRead,
    /// A twin is changed, by a device or a service.
    TwinUpdate,
    /// A command with a request of so many bytes.
    Method(usize),
    /// Identities are read or written.
    Registry,
    /// A query.
    Query,
    /// A job is made, read or cancelled.
    Job,
    /// A configuration is made, read or deleted.
    Configuration,
}

impl Operation {
    const COUNT: usize = 10;

    fn place(self) -> usize {
        match self {
            Self::Connection => 0,
            Self::Message(_) => 1,
            Self::CloudToDevice => 2,
            Self::TwinRead => 3,
            Self::TwinUpdate => 4,
            Self::Method(_) => 5,
            Self::Registry => 6,
            Self::Query => 7,
            Self::Job => 8,
            Self::Configuration => 9,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Connection => "new connections",
            Self::Message(_) => "device-to-cloud messages",
            Self::CloudToDevice => "cloud-to-device messages",
            Self::TwinRead => "reads of twins",
            Self::TwinUpdate => "changes of twins",
            Self::Method(_) => "commands",
            Self::Registry => "identity operations",
            Self::Query => "queries",
            Self::Job => "job operations",
            Self::Configuration => "configuration operations",
        }
    }

    /// What it takes out of its allowance: one, or bytes where bytes are counted.
    fn cost(self) -> f64 {
        match self {
            // Counted in kilobytes, at least one: the documentation rounds a command up to 4 KB.
            #[expect(clippy::cast_precision_loss, reason = "sizes here are far below 2^52")]
            Self::Method(bytes) => (bytes.div_ceil(4096).max(1) * 4) as f64,
            _ => 1.0,
        }
    }

    /// How much of it a hub takes a second; for commands in kilobytes.
    fn rate(self, sku: Sku, units: u32) -> f64 {
        let units = f64::from(units);
        let small = |fixed: f64, each: f64| f64::max(fixed, each * units);
        match (self, sku) {
            (Self::Connection | Self::Message(_), Sku::F1 | Sku::S1) => small(100.0, 12.0),
            (Self::Connection | Self::Message(_), Sku::S2) => 120.0 * units,
            (Self::Connection | Self::Message(_), Sku::S3) => 6_000.0 * units,
            (Self::CloudToDevice | Self::Registry | Self::Job, Sku::S3) => 5_000.0 / 60.0 * units,
            (Self::CloudToDevice | Self::Registry | Self::Job, _) => 100.0 / 60.0 * units,
            (Self::TwinRead, Sku::S3) => 500.0 * units,
            (Self::TwinRead, Sku::S2) => small(100.0, 10.0),
            (Self::TwinRead, _) => 100.0,
            (Self::TwinUpdate, Sku::S3) => 250.0 * units,
            (Self::TwinUpdate, Sku::S2) => small(50.0, 5.0),
            (Self::TwinUpdate, _) => 50.0,
            (Self::Method(_), Sku::F1 | Sku::S1) => 160.0 * units,
            (Self::Method(_), Sku::S2) => 480.0 * units,
            (Self::Method(_), Sku::S3) => 24_000.0 * units,
            (Self::Query, Sku::S3) => 1_000.0 / 60.0 * units,
            (Self::Query | Self::Configuration, _) => 20.0 / 60.0 * units,
        }
    }
}

/// What is left of an allowance that fills up again as time goes by.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Millis,
}

/// The allowances of one hub.
#[derive(Debug, Clone)]
pub struct Quota {
    sku: Sku,
    units: u32,
    /// `None` for what has not been used yet.
    buckets: [Option<Bucket>; Operation::COUNT],
    /// The day, counted from 1970, and the messages counted on it.
    day: (i64, u64),
}

/// Allowances that are stated by the minute may be used up at once; those by the second may run
/// ahead by this much.
const BURST: Duration = Duration::from_secs(1);

impl Quota {
    /// The allowances of a hub of this size, all unused.
    pub fn new(sku: Sku, units: u32) -> Self {
        let units = units.clamp(1, sku.most_units());
        Self { sku, units, buckets: [None; Operation::COUNT], day: (0, 0) }
    }

    /// Its size.
    pub fn size(&self) -> (Sku, u32) {
        (self.sku, self.units)
    }

    /// Messages counted today, and how many a day may have.
    pub fn messages(&self) -> (u64, u64) {
        (self.day.1, self.sku.messages_a_day() * u64::from(self.units))
    }

    /// Takes an operation out of its allowance, or refuses it.
    pub fn take(&mut self, now: Now, operation: Operation) -> Result<(), Fault> {
        let blocks = match operation {
            Operation::Message(bytes) => self.blocks_left(now.wall, bytes)?,
            _ => 0,
        };
        let rate = operation.rate(self.sku, self.units);
        let cost = operation.cost();
        // One operation must fit however slow the rate is, or it would never be taken.
        let by_minute = matches!(
            operation,
            Operation::Query
                | Operation::Configuration
                | Operation::Registry
                | Operation::CloudToDevice
                | Operation::Job
        );
        let burst = if by_minute { rate * 60.0 } else { rate * BURST.as_secs_f64() };
        let most = burst.max(cost);
        let place = &mut self.buckets[operation.place()];
        let bucket = place.get_or_insert(Bucket { left: most, at: now.at });
        bucket.left = (bucket.left + rate * now.at.since(bucket.at).as_secs_f64()).min(most);
        bucket.at = now.at;
        if bucket.left < cost {
            let (name, units, words) = (self.sku.name(), self.units, operation.words());
            return Err(Fault::throttled(format!(
                "a hub of {units} unit(s) {name} does not take more {words} now: slow down, or try again later"
            )));
        }
        bucket.left -= cost;
        self.day.1 += blocks;
        Ok(())
    }

    /// As how many messages one of so many bytes counts, when the day has that many left.
    fn blocks_left(&mut self, wall: Timestamp, bytes: usize) -> Result<u64, Fault> {
        let today = wall.as_second().div_euclid(24 * 3600);
        if self.day.0 != today {
            self.day = (today, 0);
        }
        let (_, most) = self.messages();
        let blocks = u64::try_from(bytes.div_ceil(self.sku.block()).max(1)).unwrap_or(u64::MAX);
        if self.day.1.saturating_add(blocks) > most {
            return Err(Fault::quota_exceeded(format!(
                "the day's {most} messages of a hub of {} unit(s) {} are used up: they begin anew at midnight UTC",
                self.units,
                self.sku.name()
            )));
        }
        Ok(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(millis: u64) -> Now {
        let wall = Timestamp::from_millisecond(1_893_456_000_000 + i64::try_from(millis).expect("a moment"));
        Now { at: Millis(millis), wall: wall.expect("a moment") }
    }

    /// How many operations are taken at one moment.
    fn taken(quota: &mut Quota, at: u64, operation: Operation) -> usize {
        (0..1_000_000).take_while(|_| quota.take(now(at), operation).is_ok()).count()
    }

    #[test]
    fn the_rates_are_the_documentation_s() {
        for (sku, units, operation, a_second) in [
            (Sku::F1, 1, Operation::Message(1), 100),
            (Sku::S1, 1, Operation::Connection, 100),
            (Sku::S1, 20, Operation::Connection, 240),
            (Sku::S2, 3, Operation::Message(1), 360),
            (Sku::S3, 2, Operation::Message(1), 12_000),
            (Sku::S1, 1, Operation::TwinRead, 100),
            (Sku::S2, 20, Operation::TwinUpdate, 100),
            (Sku::S3, 1, Operation::TwinUpdate, 250),
            (Sku::S1, 1, Operation::Method(1), 40),
            (Sku::S1, 1, Operation::Method(5000), 20),
        ] {
            let mut quota = Quota::new(sku, units);
            assert_eq!(taken(&mut quota, 0, operation), a_second, "{sku:?} {operation:?}");
            assert_eq!(taken(&mut quota, 500, operation), a_second / 2, "{sku:?} {operation:?}, later");
        }
        for (sku, operation, a_minute) in [
            (Sku::S1, Operation::Registry, 100),
            (Sku::S3, Operation::Registry, 5_000),
            (Sku::S1, Operation::Query, 20),
            (Sku::S1, Operation::CloudToDevice, 100),
            (Sku::S1, Operation::Configuration, 20),
        ] {
            assert_eq!(taken(&mut Quota::new(sku, 1), 0, operation), a_minute, "{sku:?} {operation:?}");
        }
    }

    #[test]
    fn a_free_hub_takes_eight_thousand_half_kilobytes_a_day() {
        let mut quota = Quota::new(Sku::F1, 7);
        assert_eq!(quota.size(), (Sku::F1, 1), "there is no more than one unit of it");
        let mut at = 0;
        let mut count = 0;
        let over = loop {
            match quota.take(now(at), Operation::Message(513)) {
                Ok(()) => count += 1,
                Err(fault) => break fault,
            }
            at += 10;
        };
        assert_eq!((count, over.code, over.status), (4_000, 403_002, 403));
        assert_eq!(quota.take(now(24 * 3_600_000), Operation::Message(1)), Ok(()));
    }

    #[test]
    fn what_is_over_the_rate_is_refused_with_429_and_comes_back_with_time() {
        let mut quota = Quota::new(Sku::S1, 1);
        taken(&mut quota, 0, Operation::Query);
        let refused = quota.take(now(0), Operation::Query).expect_err("over the rate");
        assert_eq!((refused.status, refused.code), (429, 429_001));
        assert_eq!(quota.take(now(2_000), Operation::Query).map_err(|fault| fault.status), Err(429));
        assert_eq!(quota.take(now(3_001), Operation::Query), Ok(()));
        assert_eq!(quota.take(now(3_001), Operation::TwinRead), Ok(()), "each by itself");
    }

    #[test]
    fn what_is_refused_does_not_count_against_the_day() {
        let mut quota = Quota::new(Sku::F1, 1);
        assert_eq!(taken(&mut quota, 0, Operation::Message(1)), 100);
        for _ in 0..10_000 {
            assert_eq!(quota.take(now(0), Operation::Message(1)).map_err(|fault| fault.status), Err(429));
        }
        assert_eq!(quota.messages().0, 100);
    }
}
