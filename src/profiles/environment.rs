//! The environmental sensor of the IoT Central tutorial: temperature, humidity, a light that
//! blinks, diagnostics that take a while, a name and a brightness to set.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::device::{
    Answer, CallId, CommandSpec, Context, Field, Job, Knob, Led, Millis, Model, Profile, PropertySpec,
    Reading, Reply, Schema,
};
use crate::sensors::{Climate, Walk};

const TEMPERATURE: Field =
    Field { name: "temp", title: "Temperature", unit: "°F", range: (1.0, 75.0), digits: 1 };
const HUMIDITY: Field = Field { name: "humid", title: "Humidity", unit: "%", range: (30.0, 99.0), digits: 1 };

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
            name: "rundiagnostics",
            title: "run diagnostics, the outcome is reported",
            request: None,
            example: "",
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

const DIAGNOSTICS: &str = "rundiagnostics";
const STEPS: u32 = 3;
const STEP: Duration = Duration::from_secs(2);

/// How many diagnostics may run at once. The tutorial's program queues them; more than this is a
/// back end gone wild.
const MOST_RUNS: usize = 16;

/// One environmental sensor.
#[derive(Debug)]
pub struct Environment {
    climate: Climate,
    led: Led,
    runs: Vec<Run>,
    run_count: u64,
}

#[derive(Debug)]
struct Run {
    tag: u64,
    done: u32,
    since: Millis,
    until: Millis,
}

impl Environment {
    /// A sensor whose values follow from `seed`.
    pub fn new(seed: u64) -> Self {
        let walk = |field: &Field, home| Walk::new(field.range.0, field.range.1, home, 0.1);
        Self {
            climate: Climate::new(seed, walk(&TEMPERATURE, 68.0), walk(&HUMIDITY, 45.0)),
            led: Led::Off,
            runs: Vec::new(),
            run_count: 0,
        }
    }

    fn walks(&self) -> [(&'static Field, &Walk); 2] {
        [(&MODEL.telemetry[0], &self.climate.temperature), (&MODEL.telemetry[1], &self.climate.humidity)]
    }
}

/// A command's name and what it does; the device has checked the request against the model.
type CommandRow = (&'static str, fn(&mut Environment, &mut Context<'_>, &Value) -> Reply);

const COMMANDS: &[CommandRow] =
    &[("blink", blink), ("turnon", turn_on), ("turnoff", turn_off), (DIAGNOSTICS, run_diagnostics)];

fn blink(sensor: &mut Environment, ctx: &mut Context<'_>, seconds: &Value) -> Reply {
    let period = Duration::from_secs_f64(seconds.as_f64().unwrap_or(1.0));
    sensor.led = Led::Blinking { since: ctx.now.at, period };
    Reply::ok(json!({ "description": format!("Blinking LED every {seconds} seconds") }))
}

fn turn_on(sensor: &mut Environment, _: &mut Context<'_>, _: &Value) -> Reply {
    sensor.led = Led::On;
    Reply::done()
}

fn turn_off(sensor: &mut Environment, _: &mut Context<'_>, _: &Value) -> Reply {
    sensor.led = Led::Off;
    Reply::done()
}

fn run_diagnostics(sensor: &mut Environment, ctx: &mut Context<'_>, _: &Value) -> Reply {
    if sensor.runs.len() == MOST_RUNS {
        return Reply::refused(429, format!("{MOST_RUNS} diagnostics are running already"));
    }
    sensor.run_count += 1;
    let tag = sensor.run_count;
    ctx.after(STEP, tag);
    let until = ctx.now.at + ctx.scaled(STEP * STEPS);
    sensor.runs.push(Run { tag, done: 0, since: ctx.now.at, until });
    Reply::accepted()
}

impl Profile for Environment {
    fn model(&self) -> &'static Model {
        &MODEL
    }

    fn started(&mut self, ctx: &mut Context<'_>) {
        // The tutorial's program reports the text, not the boolean that the model has.
        ctx.report(json!({ "state": "true" }));
    }

    fn readings(&self) -> Vec<Reading> {
        let reading = |(field, walk): (&'static Field, &Walk)| Reading {
            field,
            value: walk.value(),
            set_point: walk.set_point(),
            manual: walk.is_manual(),
        };
        self.walks().map(reading).into()
    }

    fn sample(&mut self, _: &mut Context<'_>) -> Map<String, Value> {
        let body = self.walks().map(|(field, walk)| (field.name.to_owned(), json!(walk.value())));
        self.climate.step();
        body.into_iter().collect()
    }

    fn turn(&mut self, knob: usize, by: f64) {
        match knob {
            0 => self.climate.temperature.turn(by),
            _ => self.climate.humidity.turn(by),
        }
    }

    fn release(&mut self, home: bool) {
        self.climate.temperature.release(home);
        self.climate.humidity.release(home);
    }

    // Name and brightness change nothing but themselves, and the device keeps their values.

    fn command(&mut self, ctx: &mut Context<'_>, _: CallId, name: &str, request: &Value) -> Answer {
        match COMMANDS.iter().find(|(own, _)| *own == name) {
            Some((_, run)) => run(self, ctx, request).into(),
            None => Reply::refused(404, format!("this device has no command `{name}`")).into(),
        }
    }

    fn timer(&mut self, ctx: &mut Context<'_>, tag: u64) {
        let Some(place) = self.runs.iter().position(|run| run.tag == tag) else { return };
        self.runs[place].done += 1;
        if self.runs[place].done < STEPS {
            ctx.after(STEP, tag);
        } else {
            self.runs.remove(place);
            let value = format!("Diagnostics run complete at {}.", ctx.date_time());
            ctx.report(json!({ DIAGNOSTICS: { "value": value } }));
        }
    }

    fn restarted(&mut self, ctx: &mut Context<'_>) {
        self.led = Led::Off;
        self.started(ctx);
    }

    fn led(&self) -> Option<Led> {
        Some(self.led)
    }

    fn jobs(&self) -> Vec<Job> {
        let job = |run: &Run| Job {
            command: DIAGNOSTICS,
            phase: format!("generating diagnostics, step {} of {STEPS}", run.done + 1),
            done: run.done,
            steps: STEPS,
            since: run.since,
            until: Some(run.until),
        };
        self.runs.iter().map(job).collect()
    }
}
