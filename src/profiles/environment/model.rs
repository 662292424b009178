//! What an environmental sensor offers, as tables.

use std::time::Duration;

use crate::device::{CommandSpec, Field, Knob, Model, PropertySpec, Schema};

pub(super) const DIAGNOSTICS: &str = "rundiagnostics";
pub(super) const MOVE: &str = "DeviceMove";

pub(super) const TEMPERATURE: Field =
    Field { name: "temp", title: "Temperature", unit: "°F", range: (1.0, 75.0), digits: 1 };
pub(super) const HUMIDITY: Field =
    Field { name: "humid", title: "Humidity", unit: "%", range: (30.0, 99.0), digits: 1 };

/// Everything it offers.
pub const MODEL: Model = Model {
    name: "environment",
    title: "Environmental sensor",
    model_id: "dtmi:envsim:EnvironmentalSensor;1",
    telemetry: &[TEMPERATURE, HUMIDITY],
    output: None,
    knobs: &[Knob { field: "temp", step: 0.5, leap: 5.0 }, Knob { field: "humid", step: 0.5, leap: 5.0 }],
    commands: &[
        CommandSpec {
            name: "blink",
            title: "blink the light, every so many seconds",
            request: Some(Schema::Number { range: 0.1..=3600.0, unit: "seconds" }),
            example: "5",
            lasting: false,
        },
        CommandSpec {
            name: "turnon",
            title: "turn the light on",
            request: None,
            example: "",
            lasting: false,
        },
        CommandSpec {
            name: "turnoff",
            title: "turn the light off",
            request: None,
            example: "",
            lasting: false,
        },
        CommandSpec {
            name: DIAGNOSTICS,
            title: "run diagnostics, the outcome is reported",
            request: None,
            example: "",
            lasting: true,
        },
        CommandSpec {
            name: MOVE,
            title: "move to another ID scope, the outcome is reported",
            request: Some(Schema::IdScope),
            example: "\"0ne00000000\"",
            lasting: true,
        },
    ],
    properties: &[
        PropertySpec {
            name: "name",
            title: "customer name",
            schema: Schema::Text { most: 256 },
            takes: Duration::from_secs(1),
        },
        PropertySpec {
            name: "brightness",
            title: "brightness level",
            schema: Schema::Integer { range: 1..=3, labels: &[(1, "high"), (2, "medium"), (3, "low")] },
            takes: Duration::from_secs(5),
        },
    ],
    reports: &["state"],
};
