//! Only what needs a person, and the summary at the end.

use jiff::tz::TimeZone;

use super::text::printable;
use crate::app::{Entry, Fact};
use crate::device::Severity;

/// Errors and the summary.
pub fn line(entry: &Entry, _device: &str, _zone: &TimeZone) -> Option<String> {
    let speaks = entry.severity() == Severity::Error || matches!(entry.fact, Fact::Summary { .. });
    speaks.then(|| printable(&entry.fact.to_string()))
}
