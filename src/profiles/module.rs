//! The module of the module twin tutorial: a machine's readings, and a period that its twin sets.

use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::reading;
use crate::device::{
    Answer, CallId, CommandSpec, Context, Field, Figure, Knob, Model, Profile, PropertySpec, Reading, Reply,
    Schema, Severity,
};
use crate::sensors::Walk;

const TEMPERATURE: Field = Field {
    name: "machineTemperature",
    title: "Machine temperature",
    unit: "°C",
    range: (20.0, 110.0),
    digits: 1,
};
const ROTATION: Field =
    Field { name: "rotation", title: "Rotation", unit: "rpm", range: (0.0, 3000.0), digits: 0 };

const INTERVAL: &str = "telemetryInterval";
const PING: &str = "ping";
const RESET: &str = "resetCounter";

/// Everything it offers.
pub const MODEL: Model = Model {
    name: "module",
    title: "Machine module",
    model_id: "dtmi:envsim:MachineModule;1",
    telemetry: &[TEMPERATURE, ROTATION],
    output: None,
    knobs: &[
        Knob { field: TEMPERATURE.name, step: 0.5, leap: 5.0 },
        Knob { field: ROTATION.name, step: 10.0, leap: 100.0 },
    ],
    commands: &[
        CommandSpec {
            name: PING,
            title: "answer with the time and the number of messages",
            request: None,
            example: "",
            lasting: false,
        },
        CommandSpec {
            name: RESET,
            title: "count messages from 0 again",
            request: None,
            example: "",
            lasting: false,
        },
    ],
    properties: &[PropertySpec {
        name: INTERVAL,
        title: "period of telemetry, in seconds",
        // A day is the longest period that the command line takes, too. A second is the shortest
        // whole number of them.
        schema: Schema::Integer { range: 1..=86_400, labels: &[] },
        takes: Duration::ZERO,
    }],
    reports: &[],
};

/// One machine.
#[derive(Debug)]
pub struct Machine {
    rng: ChaCha8Rng,
    temperature: Walk,
    rotation: Walk,
    interval: Option<i64>,
    messages: u64,
}

impl Machine {
    /// A machine whose values follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let walk = |field: &Field, home, grain| Walk::new(field.range.0, field.range.1, home, grain);
        let mut machine = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            temperature: walk(&TEMPERATURE, 65.0, 0.1),
            rotation: walk(&ROTATION, 1_450.0, 1.0),
            interval: None,
            messages: 0,
        };
        (0..25).for_each(|_| machine.step());
        machine
    }

    fn step(&mut self) {
        self.temperature.step(&mut self.rng, 0.0);
        self.rotation.step(&mut self.rng, 0.0);
    }

    fn walks(&self) -> [(&'static Field, &Walk); 2] {
        [(&MODEL.telemetry[0], &self.temperature), (&MODEL.telemetry[1], &self.rotation)]
    }
}

impl Profile for Machine {
    fn model(&self) -> &'static Model {
        &MODEL
    }

    fn readings(&self) -> Vec<Reading> {
        self.walks().map(reading).into()
    }

    fn sample(&mut self, _: &mut Context<'_>) -> Map<String, Value> {
        let body = Reading::body(&self.readings());
        self.step();
        self.messages += 1;
        body
    }

    fn turn(&mut self, knob: usize, by: f64) {
        match knob {
            0 => self.temperature.turn(by),
            _ => self.rotation.turn(by),
        }
    }

    fn release(&mut self, home: bool) {
        self.temperature.release(home);
        self.rotation.release(home);
    }

    fn command(&mut self, ctx: &mut Context<'_>, _: CallId, name: &str, _: &Value) -> Answer {
        match name {
            PING => Reply::ok(json!({"time": ctx.date_time(), "messages": self.messages})).into(),
            RESET => {
                self.messages = 0;
                Reply::done().into()
            }
            _ => Reply::refused(404, format!("this module has no method `{name}`")).into(),
        }
    }

    fn apply(&mut self, ctx: &mut Context<'_>, _: &str, value: &Value) {
        // Some services write whole numbers as `122.0`; the schema has taken both.
        let seconds = value.as_u64().map(Duration::from_secs);
        let seconds = seconds.or_else(|| Duration::try_from_secs_f64(value.as_f64()?).ok());
        let Some(period) = seconds else { return };
        ctx.set_period(period);
        self.interval = i64::try_from(period.as_secs()).ok();
        ctx.note(Severity::Info, format!("telemetry every {} s, as the twin wants it", period.as_secs()));
    }

    fn figures(&self) -> Vec<Figure> {
        let set = match self.interval {
            // A person may have turned the period itself since.
            Some(seconds) => format!("set to {seconds} s in the twin"),
            None => "not set in the twin".to_owned(),
        };
        vec![
            Figure { title: "interval", value: set },
            Figure { title: "messages", value: self.messages.to_string() },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::testing::Bench;

    fn module(desired: Value, reported: Value) -> Bench {
        Bench::online(Box::new(Machine::new(7)), desired, reported)
    }

    #[test]
    fn the_interval_changes_the_period_and_is_acknowledged() {
        let mut bench = module(json!({}), json!({}));
        bench.run_until(10_000);
        assert_eq!(bench.sent().len(), 6);
        bench.desire(&json!({"telemetryInterval": 122}));
        bench.run_until(10_001);
        assert_eq!(
            bench.reported(),
            json!({"telemetryInterval": {"value": 122, "ac": 200, "av": 2, "ad": "completed"}})
        );
        // The message that was due stands; the one after it comes 122 s later.
        bench.run_until(12_000 + 121_999);
        assert_eq!(bench.sent().len(), 1);
        bench.run_until(12_000 + 122_000);
        assert_eq!(bench.sent().len(), 1);
        bench.desire(&json!({"telemetryInterval": 1}));
        bench.run_until(144_000);
        assert_eq!(bench.sent().len(), 10);
        assert_eq!(bench.figure("interval"), "set to 1 s in the twin");
    }

    #[test]
    fn a_wrong_interval_is_refused_with_a_reason_and_changes_nothing() {
        for wrong in [json!(0), json!(86_401), json!(-1), json!(1.5), json!("122"), json!(null), json!([2])] {
            let mut bench = module(json!({}), json!({}));
            bench.desire(&json!({ "telemetryInterval": wrong }));
            bench.run_until(10_000);
            let ack = bench.reported()["telemetryInterval"].take();
            assert_eq!((&ack["ac"], &ack["av"]), (&json!(400), &json!(2)), "{wrong}");
            assert!(
                ack["ad"].as_str().is_some_and(|why| why.contains("a whole number from 1 to 86400")),
                "{ack}"
            );
            assert_eq!(bench.sent().len(), 6, "{wrong}");
        }
    }

    #[test]
    fn an_interval_in_the_twin_holds_from_the_start_also_after_a_restart() {
        let ack = json!({"telemetryInterval": {"value": 122, "ac": 200, "av": 1, "ad": "completed"}});
        for reported in [json!({}), ack] {
            let mut bench = module(json!({"telemetryInterval": 122}), reported);
            bench.run_until(121_999);
            assert!(bench.sent().len() <= 2);
            assert_eq!(bench.figure("interval"), "set to 122 s in the twin");
        }
    }

    #[test]
    fn its_methods_answer() {
        let mut bench = module(json!({}), json!({}));
        bench.run_until(4_000);
        assert_eq!(bench.call("ping").payload["messages"], 3);
        assert_eq!(bench.call("resetCounter").status, 200);
        assert_eq!(bench.call("ping").payload["messages"], 0);
        assert_eq!(bench.call("blink").status, 404);
    }
}
