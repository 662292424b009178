//! One JSON object a line: `time` (RFC 3339, UTC), `event`, `device` (null where several
//! devices run and the fact is about none), and the fact's own fields.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::Of;
use crate::app::Entry;

/// Everything, routine traffic too.
pub fn line(entry: &Entry, of: Of<'_>, _zone: &TimeZone) -> Option<String> {
    let mut object = Map::new();
    object.insert("time".to_owned(), Value::String(format!("{:.3}", entry.now.wall)));
    object.insert("event".to_owned(), Value::String(entry.fact.name().to_owned()));
    // Facts name their own device where it matters to them; this is the one they happened to.
    let device = match of {
        Of::Only(device) | Of::One(device) => Value::String(device.to_owned()),
        Of::Program => Value::Null,
    };
    object.insert("device".to_owned(), device);
    object.extend(entry.fact.fields());
    serde_json::to_string(&object).ok()
}
