//! Lines for people.

use jiff::tz::TimeZone;

use crate::app::Entry;
use crate::device::Severity;

/// Time of day, part of the program, and the fact. Routine traffic is left out.
pub fn line(entry: &Entry, _device: &str, zone: &TimeZone) -> Option<String> {
    if entry.severity() == Severity::Trace {
        return None;
    }
    let time = entry.now.wall.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f");
    let mark = match entry.severity() {
        Severity::Warning => "warning: ",
        Severity::Error => "error: ",
        _ => "",
    };
    Some(printable(&format!("{time} {:<10} {mark}{}", entry.source().name(), entry.fact)))
}

/// Text with every control character replaced, since parts of it come from the network.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
