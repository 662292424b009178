//! What a profile offers, in tables.

use std::time::Duration;

use super::Schema;

/// Everything a profile offers, as data. Screens, help and checks read these tables; the DTDL in
/// `assets/models/` says the same, and a test holds the two together.
#[derive(Debug, PartialEq)]
pub struct Model {
    /// The name on the command line.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The digital twin model identifier announced to DPS and to the hub.
    pub model_id: &'static str,
    /// What a telemetry message holds.
    pub telemetry: &'static [Field],
    /// The module's output that telemetry goes through, by itself; without one, all profiles of a
    /// device share one message.
    pub output: Option<&'static str>,
    /// What can be adjusted by hand.
    pub knobs: &'static [Knob],
    /// What can be invoked.
    pub commands: &'static [CommandSpec],
    /// What the operator can set.
    pub properties: &'static [PropertySpec],
    /// Names of the properties that the device reports by itself.
    pub reports: &'static [&'static str],
}

/// A field of a telemetry message.
#[derive(Debug, PartialEq)]
pub struct Field {
    /// The member's name in the message; of an inner one, its path: `machine.temperature`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// For people: `°F`, `%`.
    pub unit: &'static str,
    /// The range of values, from the first up to, not including, the second.
    pub range: (f64, f64),
    /// Digits behind the point in messages and on the screen.
    pub digits: usize,
}

/// Something a person can turn.
#[derive(Debug, PartialEq)]
pub struct Knob {
    /// The telemetry field it moves, by name.
    pub field: &'static str,
    /// A small step, in the field's unit.
    pub step: f64,
    /// A large step.
    pub leap: f64,
}

/// A command.
#[derive(Debug, PartialEq)]
pub struct CommandSpec {
    /// The name on the wire.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// What the request may be; `None` when there is none.
    pub request: Option<Schema>,
    /// A request that works, as JSON text, to start editing from; empty when there is none.
    pub example: &'static str,
    /// Whether it answers 202 and reports the outcome later, under its own name.
    pub lasting: bool,
}

/// A writable property.
#[derive(Debug, PartialEq)]
pub struct PropertySpec {
    /// The name on the wire.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// What a value may be.
    pub schema: Schema,
    /// How long the device takes to apply it, before the time scale.
    pub takes: Duration,
}
