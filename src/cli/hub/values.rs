//! What a person typed, read, with words for what is wrong.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::durations;

/// Why a request cannot be made of what was typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Not JSON.
    #[error("--{option} is not JSON: {why}; text needs quotes of its own, as in --{option} '\"text\"'")]
    NotJson {
        /// Which option.
        option: &'static str,
        /// What the parser says.
        why: String,
    },
    /// JSON, but not an object.
    #[error("--{option} is not a JSON object, such as '{{\"brightness\": 80}}'")]
    NotObject {
        /// Which option.
        option: &'static str,
    },
    /// Faults that are not a JSON object.
    #[error("the faults are not a JSON object: {why}; give them as in '{{\"latency\": 500}}'")]
    Faults {
        /// What the parser says.
        why: String,
    },
    /// A name that only the hub itself writes.
    #[error("--{option} has the name `{name}`: names beginning with `$` are the hub's own")]
    Reserved {
        /// Which option.
        option: &'static str,
        /// The name.
        name: String,
    },
}

/// Any JSON.
pub fn json(option: &'static str, text: &str) -> Result<Value, InputError> {
    serde_json::from_str(text).map_err(|error| InputError::NotJson { option, why: error.to_string() })
}

/// A JSON object of names that are a service's to write.
pub fn object(option: &'static str, text: &str) -> Result<Map<String, Value>, InputError> {
    let Value::Object(members) = json(option, text)? else {
        return Err(InputError::NotObject { option });
    };
    match members.keys().find(|name| name.starts_with('$')) {
        Some(name) => Err(InputError::Reserved { option, name: name.clone() }),
        None => Ok(members),
    }
}

/// IoT Hub, "Understand and invoke direct methods": 5 to 300 s.
pub fn response_timeout(text: &str) -> Result<Duration, String> {
    whole_seconds(text, 5)
}

/// IoT Hub, as above: 0 to 300 s, and 0 asks for no waiting.
pub fn connect_timeout(text: &str) -> Result<Duration, String> {
    whole_seconds(text, 0)
}

fn whole_seconds(text: &str, least: u64) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.subsec_nanos() != 0 || !(least..=300).contains(&span.as_secs()) {
        return Err(format!("give whole seconds from {least}s to 300s"));
    }
    Ok(span)
}

/// IoT Hub, "Send cloud-to-device messages": two days at most.
pub fn life(text: &str) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.subsec_nanos() != 0 || !(1..=48 * 3600).contains(&span.as_secs()) {
        return Err("give whole seconds from 1s to 48h".to_owned());
    }
    Ok(span)
}

/// A property of a message.
pub fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give a name and a value, as in level=3".to_owned()),
    }
}

/// A span of time that is not nothing.
pub fn positive(text: &str) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.is_zero() { Err("give a time longer than nothing".to_owned()) } else { Ok(span) }
}
