//! Lines for people.

use jiff::tz::TimeZone;

use super::Speaker;
use crate::app::Entry;
use crate::device::Severity;

/// Time of day, device where there are several, part of the program, and the fact. Routine traffic is left out.
pub fn line(entry: &Entry, speaker: &Speaker<'_>, zone: &TimeZone) -> Option<String> {
    if entry.severity() == Severity::Trace {
        return None;
    }
    let time = entry.now.wall.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f");
    let mark = match entry.severity() {
        Severity::Warning => "warning: ",
        Severity::Error => "error: ",
        _ => "",
    };
    let label = speaker.label.map(|label| format!("{label}  ")).unwrap_or_default();
    Some(printable(&format!("{time} {label}{:<10} {mark}{}", entry.source().name(), entry.fact)))
}

/// Text with every control character replaced, since parts of it come from the network.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
