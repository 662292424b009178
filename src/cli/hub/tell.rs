//! What all verbs tell in the same way. One line for each thing told; [`super::which::Hub`] writes it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time of day, with milliseconds.
pub fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f").to_string()
}

/// Keeps what others wrote from moving the cursor of this terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A span for programs.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
