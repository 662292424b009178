//! `filterModule`: what is above the threshold is an alert and goes on.
//!
//! The tutorial says two things. Its text: only what is above goes on, marked. Its program: what
//! is above is marked, and everything goes on. The text is what this does unless it is told
//! otherwise.

use serde_json::Value;

use crate::device::{
    Context, Figure, Flow, Inbound, Message, Millis, Model, Port, Profile, PropertySpec, Schema, Severity,
};

const INPUT: &str = "input1";
const OUTPUT: &str = "output1";
const THRESHOLD: &str = "TemperatureThreshold";
const MARK: (&str, &str) = ("MessageType", "Alert");

/// How much of a message is kept to be looked at, in characters.
const KEPT: usize = 512;

/// Everything it offers.
pub const MODEL: Model = Model {
    name: "edge-filter",
    title: "Temperature filter",
    model_id: "dtmi:envsim:EdgeTemperatureFilter;1",
    telemetry: &[],
    output: None,
    knobs: &[],
    commands: &[],
    properties: &[PropertySpec {
        name: THRESHOLD,
        title: "what is above is an alert",
        // Far beyond what any machine stands, and still a number that can be drawn.
        schema: Schema::Number { range: -1_000.0..=10_000.0, unit: "degrees Celsius" },
        takes: std::time::Duration::ZERO,
    }],
    reports: &[],
};

/// One filter.
#[derive(Debug)]
pub struct Filter {
    threshold: f64,
    forward_all: bool,
    passed: u64,
    alerts: u64,
    held: u64,
    unreadable: u64,
    received: Count,
    sent: Count,
}

#[derive(Debug, Default)]
struct Count {
    count: u64,
    last: Option<(Millis, String)>,
}

impl Count {
    fn add(&mut self, ctx: &Context<'_>, body: &str) {
        self.count += 1;
        self.last = Some((ctx.now.at, body.chars().take(KEPT).collect()));
    }

    fn port(&self, name: &'static str, flow: Flow) -> Port {
        Port { name, flow, count: self.count, last: self.last.clone() }
    }
}

impl Filter {
    /// A filter with the tutorial's threshold.
    pub fn new(forward_all: bool) -> Self {
        Self {
            threshold: 25.0,
            forward_all,
            passed: 0,
            alerts: 0,
            held: 0,
            unreadable: 0,
            received: Count::default(),
            sent: Count::default(),
        }
    }
}

/// The machine's temperature in a message, or why there is none.
fn temperature(body: &str) -> Result<f64, &'static str> {
    let body: Value = serde_json::from_str(body).map_err(|_| "is not JSON")?;
    let machine = body.get("machine").ok_or("has no `machine`")?;
    machine.get("temperature").and_then(Value::as_f64).ok_or("has no number `machine.temperature`")
}

impl Profile for Filter {
    fn model(&self) -> &'static Model {
        &MODEL
    }

    fn apply(&mut self, ctx: &mut Context<'_>, _: &str, value: &Value) {
        let Some(threshold) = value.as_f64() else { return };
        self.threshold = threshold;
        ctx.note(Severity::Info, format!("what is above {threshold} °C is an alert"));
    }

    fn received(&mut self, ctx: &mut Context<'_>, input: &str, message: &Inbound) {
        if input != INPUT {
            let text = format!("a message came to the input `{input}`, but this module has only `{INPUT}`");
            return ctx.note(Severity::Warning, text);
        }
        self.received.add(ctx, &message.body);
        let temperature = match temperature(&message.body) {
            Ok(temperature) => temperature,
            Err(why) => {
                self.unreadable += 1;
                let text = format!("message {} on {INPUT} {why}; not sent on", self.received.count);
                return ctx.note(Severity::Warning, text);
            }
        };
        let mut properties = message.properties.clone();
        let is_alert = temperature > self.threshold;
        if is_alert {
            self.alerts += 1;
            properties.retain(|(name, _)| name != MARK.0);
            properties.push((MARK.0.to_owned(), MARK.1.to_owned()));
        } else if !self.forward_all {
            self.held += 1;
            return;
        }
        self.passed += 1;
        self.sent.add(ctx, &message.body);
        ctx.send(Message { body: message.body.clone(), output: Some(OUTPUT), properties });
    }

    fn ports(&self) -> Vec<Port> {
        vec![self.received.port(INPUT, Flow::In), self.sent.port(OUTPUT, Flow::Out)]
    }

    fn figures(&self) -> Vec<Figure> {
        let figure = |title, value: String| Figure { title, value };
        let mut figures = vec![
            figure("threshold", format!("{} °C", self.threshold)),
            figure("passed", self.passed.to_string()),
            figure("held back", self.held.to_string()),
            figure("unreadable", self.unreadable.to_string()),
        ];
        if self.forward_all {
            figures.insert(2, figure("of them alerts", self.alerts.to_string()));
        }
        figures
    }
}
