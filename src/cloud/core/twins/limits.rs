//! What may stand in a twin, and how much of it.

use serde_json::{Map, Value};

use crate::cloud::core::fault::Fault;

/// The most that `desired` and `reported` may hold, in the documentation's count.
pub const SECTION_LIMIT: usize = 32 * 1024;
/// The most that `tags` may hold.
pub const TAGS_LIMIT: usize = 8 * 1024;
const DEPTH_LIMIT: usize = 10;
const KEY_LIMIT: usize = 1024;
const STRING_LIMIT: usize = 4096;
/// Whole numbers lie in -2^52 ..= 2^52-1.
const INTEGER_LIMIT: i64 = 1 << 52;

pub(super) fn check(section: &str, patch: &Map<String, Value>) -> Result<(), Fault> {
    check_object(section, patch, 1)
}

fn check_object(path: &str, members: &Map<String, Value>, depth: usize) -> Result<(), Fault> {
    if depth > DEPTH_LIMIT + 1 {
        return Err(Fault::bad_request(format!("`{path}` is nested deeper than {DEPTH_LIMIT} levels")));
    }
    for (key, value) in members {
        if key.is_empty() || key.len() > KEY_LIMIT {
            return Err(Fault::bad_request(format!(
                "a key in `{path}` has {} bytes, it has to have 1 to {KEY_LIMIT}",
                key.len()
            )));
        }
        if let Some(bad) = key.chars().find(|c| c.is_control() || ".$# ".contains(*c)) {
            return Err(Fault::bad_request(format!("the key `{key}` in `{path}` has the character {bad:?}")));
        }
        check_value(&format!("{path}.{key}"), value, depth)?;
    }
    Ok(())
}

fn check_value(path: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    match value {
        Value::Object(members) => check_object(path, members, depth + 1),
        Value::Array(items) => {
            if depth > DEPTH_LIMIT {
                return Err(Fault::bad_request(format!(
                    "`{path}` is nested deeper than {DEPTH_LIMIT} levels"
                )));
            }
            items.iter().try_for_each(|item| match item {
                Value::Null => Err(Fault::bad_request(format!("the array `{path}` holds null"))),
                item => check_value(path, item, depth + 1),
            })
        }
        Value::String(text) if text.len() > STRING_LIMIT => {
            Err(Fault::bad_request(format!("the text `{path}` has more than {STRING_LIMIT} bytes")))
        }
        Value::Number(number) => {
            let fits = match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => (-INTEGER_LIMIT..INTEGER_LIMIT).contains(&whole),
                (None, Some(_)) => false,
                (None, None) => true,
            };
            if fits {
                Ok(())
            } else {
                Err(Fault::bad_request(format!(
                    "the number `{path}` lies outside of -2^52 to 2^52-1: send it as text"
                )))
            }
        }
        _ => Ok(()),
    }
}

pub(super) fn check_size(section: &str, members: &Map<String, Value>, most: usize) -> Result<(), Fault> {
    let size = size_of(members);
    if size > most {
        let message = format!("`{section}` would hold {size} bytes, the most is {most}");
        return Err(Fault::bad_request(message));
    }
    Ok(())
}

/// The documentation's count: characters of keys and texts without control characters, 8 for a
/// number, 4 for a truth value.
fn size_of(members: &Map<String, Value>) -> usize {
    members.iter().map(|(key, value)| text_size(key) + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(items) => items.iter().map(value_size).sum(),
        Value::Object(members) => size_of(members),
    }
}

fn text_size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}
