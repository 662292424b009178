//! What a profile shows of itself.

use serde_json::{Map, Value};

use super::Field;
use crate::device::Millis;

/// A telemetry field as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is.
    pub field: &'static Field,
    /// What the next message will hold.
    pub value: f64,
    /// Where the value tends to, or where it was put.
    pub set_point: f64,
    /// Whether a person put it there and it stays.
    pub manual: bool,
}

impl Reading {
    /// A message of these readings, each at its field's path.
    pub fn body(readings: &[Self]) -> Map<String, Value> {
        let mut body = Map::new();
        for reading in readings {
            put(&mut body, reading.field.name, reading.value);
        }
        body
    }
}

fn put(body: &mut Map<String, Value>, path: &str, value: f64) {
    let Some((outer, rest)) = path.split_once('.') else {
        body.insert(path.to_owned(), Value::from(value));
        return;
    };
    if let Value::Object(inner) = body.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
        put(inner, rest, value);
    }
}

/// Work that goes on after its command was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The command that began it.
    pub command: &'static str,
    /// What it does at the moment, for people.
    pub phase: String,
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub steps: u32,
    /// When it began.
    pub since: Millis,
    /// When it will end, as far as it knows.
    pub until: Option<Millis>,
}

/// What came of work that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In a sentence, for people.
    pub text: String,
    /// Whether it is what was wanted.
    pub good: bool,
}

/// Which way messages go through a [`Port`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Into the module.
    In,
    /// Out of it.
    Out,
}

/// An input or an output of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Its name, as in routes.
    pub name: &'static str,
    /// Which way.
    pub flow: Flow,
    /// How many messages went through it.
    pub count: u64,
    /// When the last one did, and what it held.
    pub last: Option<(Millis, String)>,
}

/// Something worth a line on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What it is: `threshold`, `held back`.
    pub title: &'static str,
    /// How much, with its unit.
    pub value: String,
}
