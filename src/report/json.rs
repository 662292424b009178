//! One JSON object a line: `time` (RFC 3339, UTC), `event`, `device`, `module` where it is one, and
//! the fact's own fields.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::Speaker;
use crate::app::Entry;

/// Everything, routine traffic too.
pub fn line(entry: &Entry, speaker: &Speaker<'_>, _zone: &TimeZone) -> Option<String> {
    let mut object = Map::new();
    object.insert("time".to_owned(), Value::String(format!("{:.3}", entry.now.wall)));
    object.insert("event".to_owned(), Value::String(entry.fact.name().to_owned()));
    // Facts name their own device where it matters to them; this is the one they happened to.
    object.insert("device".to_owned(), Value::String(speaker.device.to_owned()));
    if let Some(module) = speaker.module {
        object.insert("module".to_owned(), Value::String(module.to_owned()));
    }
    object.extend(entry.fact.fields());
    serde_json::to_string(&object).ok()
}
