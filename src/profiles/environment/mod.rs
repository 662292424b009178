//! The environmental sensor of the IoT Central tutorial: temperature, humidity, a light that
//! blinks, diagnostics that take a while, a name and a brightness to set, and a way to another
//! application.

mod model;

use std::time::Duration;

use serde_json::{Map, Value, json};

pub use self::model::MODEL;
use self::model::{DIAGNOSTICS, HUMIDITY, MOVE, TEMPERATURE};
use super::reading;
use crate::device::{
    Answer, CallId, Context, Field, IdScope, Job, Led, Millis, Model, Profile, Reading, Reply,
};
use crate::sensors::{Climate, Walk};

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
    moving: Option<Moving>,
}

/// A move to another ID scope that goes on.
#[derive(Debug)]
struct Moving {
    to: IdScope,
    since: Millis,
}

#[derive(Debug)]
struct Run {
    tag: u64,
    done: u32,
    since: Millis,
    until: Millis,
}

impl Run {
    fn begin(ctx: &mut Context<'_>, tag: u64) -> Self {
        let now = ctx.now.at;
        let mut run = Self { tag, done: 0, since: now, until: now };
        run.go_on(ctx);
        run
    }

    /// Begins the next step, later than planned when the device was away when the last one was to end.
    fn go_on(&mut self, ctx: &mut Context<'_>) {
        self.until = ctx.after(STEP, self.tag) + ctx.scaled(STEP * (STEPS - self.done - 1));
    }
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
            moving: None,
        }
    }

    fn walks(&self) -> [(&'static Field, &Walk); 2] {
        [(&MODEL.telemetry[0], &self.climate.temperature), (&MODEL.telemetry[1], &self.climate.humidity)]
    }
}

/// A command's name and what it does; the device has checked the request against the model.
type CommandRow = (&'static str, fn(&mut Environment, &mut Context<'_>, &Value) -> Reply);

const COMMANDS: &[CommandRow] = &[
    ("blink", blink),
    ("turnon", turn_on),
    ("turnoff", turn_off),
    (DIAGNOSTICS, run_diagnostics),
    (MOVE, move_to),
];

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
    sensor.runs.push(Run::begin(ctx, sensor.run_count));
    Reply::accepted()
}

/// IoT Central's device move: the request is the ID scope of the application that the device is to
/// belong to from now on.
fn move_to(sensor: &mut Environment, ctx: &mut Context<'_>, scope: &Value) -> Reply {
    let to: IdScope = match scope.as_str().unwrap_or_default().parse() {
        Ok(to) => to,
        Err(error) => return Reply::refused(400, error.to_string()),
    };
    if !ctx.provisioned {
        let reason = "this device goes straight to its hub, without a provisioning service, and so has no \
                      ID scope to move from";
        return Reply::refused(409, reason);
    }
    if let Some(Moving { to, .. }) = &sensor.moving {
        return Reply::refused(409, format!("the device is moving to the ID scope {to} already"));
    }
    sensor.moving = Some(Moving { to: to.clone(), since: ctx.now.at });
    ctx.move_to(to);
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
        self.walks().map(reading).into()
    }

    fn sample(&mut self, _: &mut Context<'_>) -> Map<String, Value> {
        let body = Reading::body(&self.readings());
        self.climate.step();
        body
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
        let run = &mut self.runs[place];
        run.done += 1;
        if run.done < STEPS {
            run.go_on(ctx);
        } else {
            self.runs.remove(place);
            let value = format!("Diagnostics run complete at {}.", ctx.date_time());
            ctx.report(json!({ DIAGNOSTICS: { "value": value } }));
        }
    }

    fn restarting(&mut self, _: &mut Context<'_>) {
        self.led = Led::Off;
    }

    fn restarted(&mut self, ctx: &mut Context<'_>) {
        self.started(ctx);
    }

    fn moved(&mut self, ctx: &mut Context<'_>, scope: &IdScope, outcome: Result<(), &str>) {
        if outcome.is_ok() {
            // The new application asked for no diagnostics.
            self.runs.clear();
        }
        // Another part of the device may have asked for it; then the outcome is that part's to tell.
        if self.moving.take_if(|moving| moving.to == *scope).is_none() {
            return;
        }
        let at = ctx.date_time();
        // The words are for people; a script tells by the status whether it worked.
        let (value, status) = match outcome {
            Ok(()) => (format!("Moved to the ID scope {scope} at {at}."), "completed"),
            Err(reason) => (format!("Not moved to the ID scope {scope}, back at {at}: {reason}."), "failed"),
        };
        ctx.report(json!({ MOVE: { "value": value, "status": status } }));
    }

    fn led(&self) -> Option<Led> {
        Some(self.led)
    }

    fn jobs(&self) -> Vec<Job> {
        let job = |run: &Run| Job {
            command: DIAGNOSTICS,
            phase: format!("{}/{STEPS} generating diagnostics", run.done + 1),
            done: run.done,
            steps: STEPS,
            since: run.since,
            until: Some(run.until),
        };
        let moving = self.moving.iter().map(|Moving { to, since }| Job {
            command: MOVE,
            phase: format!("moving to the ID scope {to}"),
            done: 0,
            steps: 1,
            since: *since,
            until: None,
        });
        self.runs.iter().map(job).chain(moving).collect()
    }
}
