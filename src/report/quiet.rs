//! Only what needs a person, and the summary at the end.

use jiff::tz::TimeZone;

use super::Of;
use super::text::printable;
use crate::app::{Entry, Fact};
use crate::device::Severity;

/// Errors and the summary.
pub fn line(entry: &Entry, of: Of<'_>, _zone: &TimeZone) -> Option<String> {
    let speaks = entry.severity() == Severity::Error || matches!(entry.fact, Fact::Summary { .. });
    let device = of.prefix();
    speaks.then(|| printable(&format!("{device}{}", entry.fact)))
}
