//! Only what needs a person, and the summary at the end.

use jiff::tz::TimeZone;

use super::Speaker;
use super::text::printable;
use crate::app::{Entry, Fact};
use crate::device::Severity;

/// Errors and the summary.
pub fn line(entry: &Entry, speaker: &Speaker<'_>, _zone: &TimeZone) -> Option<String> {
    let speaks = entry.severity() == Severity::Error || matches!(entry.fact, Fact::Summary { .. });
    let label = speaker.label.map(|label| format!("{label}: ")).unwrap_or_default();
    speaks.then(|| printable(&format!("{label}{}", entry.fact)))
}
