//! `tempSensor`: a machine that gets warmer and warmer, and the room that it stands in.
//!
//! The values are those of Microsoft's simulated temperature sensor, which the tutorial deploys:
//! the machine from 21 °C up to 100 °C, where it stays; its pressure from 1 to 10 bar along with
//! it; the room at 21 °C and 24 to 26 % humidity.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};

use crate::device::{
    Answer, CallId, CommandSpec, Context, Field, Flow, Knob, Millis, Model, Port, Profile, Reading, Reply,
};

const COLD: f64 = 21.0;
const HOT: f64 = 100.0;
const PRESSURE: (f64, f64) = (1.0, 10.0);

const OUTPUT: &str = "temperatureOutput";
const RESET: &str = "reset";

/// Everything it offers.
pub const MODEL: Model = Model {
    name: "edge-filter",
    title: "Temperature sensor",
    model_id: "dtmi:envsim:EdgeTemperatureSensor;1",
    telemetry: &[
        Field {
            name: "machine.temperature",
            title: "Machine temperature",
            unit: "°C",
            range: (COLD, HOT),
            digits: 2,
        },
        Field {
            name: "machine.pressure",
            title: "Machine pressure",
            unit: "bar",
            range: PRESSURE,
            digits: 2,
        },
        Field {
            name: "ambient.temperature",
            title: "Ambient temperature",
            unit: "°C",
            range: (20.0, 22.0),
            digits: 2,
        },
        Field {
            name: "ambient.humidity",
            title: "Ambient humidity",
            unit: "%",
            range: (24.0, 26.0),
            digits: 0,
        },
    ],
    output: Some(OUTPUT),
    knobs: &[Knob { field: "machine.temperature", step: 0.5, leap: 5.0 }],
    commands: &[CommandSpec {
        name: RESET,
        title: "the machine is cold again",
        request: None,
        example: "",
        lasting: false,
    }],
    properties: &[],
    reports: &[],
};

/// One machine in its room.
#[derive(Debug)]
pub struct Sensor {
    rng: ChaCha8Rng,
    machine: f64,
    /// Whether a hand holds the machine's temperature.
    manual: bool,
    ambient: f64,
    humidity: f64,
    sent: u64,
    last: Option<(Millis, String)>,
}

impl Sensor {
    /// A cold machine whose values follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let mut sensor =
            Self { rng, machine: COLD, manual: false, ambient: COLD, humidity: 25.0, sent: 0, last: None };
        sensor.step();
        sensor
    }

    fn step(&mut self) {
        if !self.manual {
            let by = if self.machine >= HOT - 0.25 {
                self.rng.random_range(-0.5..0.0)
            } else {
                self.rng.random_range(-0.25..1.25)
            };
            self.machine = bound(self.machine + by);
        }
        self.ambient = hundredths(self.rng.random_range(20.5..21.5));
        self.humidity = f64::from(self.rng.random_range(24_u8..=25));
    }

    /// It follows the temperature, from end to end of both ranges.
    fn pressure(&self) -> f64 {
        let share = (self.machine - COLD) / (HOT - COLD);
        hundredths(PRESSURE.0 + share * (PRESSURE.1 - PRESSURE.0))
    }
}

/// Within the range that the table states, whose end is not part of it.
fn bound(temperature: f64) -> f64 {
    hundredths(temperature).clamp(COLD, HOT - 0.01)
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Profile for Sensor {
    fn model(&self) -> &'static Model {
        &MODEL
    }

    fn readings(&self) -> Vec<Reading> {
        let values = [self.machine, self.pressure(), self.ambient, self.humidity];
        let reading = |(place, (field, value)): (usize, (&'static Field, f64))| Reading {
            field,
            value,
            set_point: match place {
                0 if !self.manual => HOT,
                _ => value,
            },
            manual: place < 2 && self.manual,
        };
        MODEL.telemetry.iter().zip(values).enumerate().map(reading).collect()
    }

    fn sample(&mut self, ctx: &mut Context<'_>) -> Map<String, Value> {
        let mut body = Reading::body(&self.readings());
        body.insert("timeCreated".to_owned(), json!(format!("{:.3}", ctx.now.wall)));
        self.sent += 1;
        self.last = Some((ctx.now.at, json!(body).to_string()));
        self.step();
        body
    }

    fn turn(&mut self, _: usize, by: f64) {
        if by.is_finite() {
            self.manual = true;
            self.machine = bound(self.machine + by);
        }
    }

    fn release(&mut self, home: bool) {
        self.manual = false;
        if home {
            self.machine = COLD;
        }
    }

    fn command(&mut self, _: &mut Context<'_>, _: CallId, name: &str, _: &Value) -> Answer {
        if name != RESET {
            return Reply::refused(404, format!("this module has no method `{name}`")).into();
        }
        self.release(true);
        Reply::done().into()
    }

    fn ports(&self) -> Vec<Port> {
        vec![Port { name: OUTPUT, flow: Flow::Out, count: self.sent, last: self.last.clone() }]
    }
}
