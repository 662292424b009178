//! Lines for people.

use jiff::tz::TimeZone;

use super::Of;
use crate::app::Entry;
use crate::device::Severity;

/// Time of day, part of the program, which of several devices, and the fact. Routine traffic is left out.
pub fn line(entry: &Entry, of: Of<'_>, zone: &TimeZone) -> Option<String> {
    if entry.severity() == Severity::Trace {
        return None;
    }
    let time = entry.now.wall.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f");
    let mark = match entry.severity() {
        Severity::Warning => "warning: ",
        Severity::Error => "error: ",
        _ => "",
    };
    let device = of.prefix();
    Some(printable(&format!("{time} {:<10} {device}{mark}{}", entry.source().name(), entry.fact)))
}

/// Text with every control character replaced, since parts of it come from the network.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
