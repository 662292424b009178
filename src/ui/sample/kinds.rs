//! Kinds of device for tests of the screen, as small as they can be.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::device::{
    Answer, CallId, CommandSpec, Context, Field, Figure, Flow, Inbound, Message, Millis, Model, Port,
    Profile, PropertySpec, Reading, Reply, Schema,
};

const TEMPERATURE: Field =
    Field { name: "temperature", title: "Machine temperature", unit: "°C", range: (0.0, 120.0), digits: 1 };

static SENSOR: Model = Model {
    name: "sensor",
    title: "temperature sensor module",
    model_id: "dtmi:test:Sensor;1",
    telemetry: &[TEMPERATURE],
    output: Some("temperatureOutput"),
    knobs: &[],
    commands: &[],
    properties: &[],
    reports: &[],
};

/// A module that measures and never receives.
#[derive(Default)]
pub(crate) struct Sensor {
    count: u64,
    last: Option<(Millis, String)>,
}

impl Sensor {
    fn value(&self) -> f64 {
        [21.4, 24.8, 25.3, 26.1][usize::try_from(self.count % 4).unwrap_or(0)]
    }
}

impl Profile for Sensor {
    fn model(&self) -> &'static Model {
        &SENSOR
    }

    fn readings(&self) -> Vec<Reading> {
        vec![Reading { field: &TEMPERATURE, value: self.value(), set_point: 25.0, manual: false }]
    }

    fn sample(&mut self, ctx: &mut Context<'_>) -> Map<String, Value> {
        let body = json!({"machine": {"temperature": self.value(), "pressure": 1.2}});
        self.count += 1;
        self.last = Some((ctx.now.at, body.to_string()));
        body.as_object().cloned().unwrap_or_default()
    }

    fn command(&mut self, _: &mut Context<'_>, _: CallId, _: &str, _: &Value) -> Answer {
        Reply::done().into()
    }

    fn ports(&self) -> Vec<Port> {
        let (count, last) = (self.count, self.last.clone());
        vec![Port { name: "temperatureOutput", flow: Flow::Out, count, last }]
    }
}

static FILTER: Model = Model {
    name: "filter",
    title: "filter module",
    model_id: "dtmi:test:Filter;1",
    telemetry: &[],
    output: None,
    knobs: &[],
    commands: &[],
    properties: &[PropertySpec {
        name: "TemperatureThreshold",
        title: "what is above it is passed on",
        schema: Schema::Number { range: -100.0..=200.0, unit: "°C" },
        takes: Duration::ZERO,
    }],
    reports: &[],
};

/// A module that passes on what is above 25.
#[derive(Default)]
pub(crate) struct Filter {
    came: (u64, Option<(Millis, String)>),
    passed: (u64, Option<(Millis, String)>),
}

impl Profile for Filter {
    fn model(&self) -> &'static Model {
        &FILTER
    }

    fn command(&mut self, _: &mut Context<'_>, _: CallId, _: &str, _: &Value) -> Answer {
        Reply::done().into()
    }

    fn received(&mut self, ctx: &mut Context<'_>, _: &str, message: &Inbound) {
        let last = Some((ctx.now.at, message.body.clone()));
        self.came = (self.came.0 + 1, last.clone());
        let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
        if body["machine"]["temperature"].as_f64().is_some_and(|value| value > 25.0) {
            self.passed = (self.passed.0 + 1, last);
            ctx.send(Message { output: Some("output1"), ..Message::of(message.body.clone()) });
        }
    }

    fn ports(&self) -> Vec<Port> {
        let port = |name, flow, (count, last): (u64, Option<_>)| Port { name, flow, count, last };
        vec![port("input1", Flow::In, self.came.clone()), port("output1", Flow::Out, self.passed.clone())]
    }

    fn figures(&self) -> Vec<Figure> {
        let figure = |title, value: String| Figure { title, value };
        vec![
            figure("threshold", "25 °C".to_owned()),
            figure("passed", self.passed.0.to_string()),
            figure("held back", (self.came.0 - self.passed.0).to_string()),
        ]
    }
}

static BOARD: Model = Model {
    name: "board",
    title: "board",
    model_id: "dtmi:test:Board;1",
    telemetry: &[TEMPERATURE],
    output: None,
    knobs: &[],
    commands: &[CommandSpec {
        name: "restart",
        title: "restart, away for ten seconds",
        request: None,
        example: "",
        lasting: false,
    }],
    properties: &[],
    reports: &[],
};

/// A device that can be restarted, and has a firmware.
pub(crate) struct Board;

impl Profile for Board {
    fn model(&self) -> &'static Model {
        &BOARD
    }

    fn readings(&self) -> Vec<Reading> {
        vec![Reading { field: &TEMPERATURE, value: 40.5, set_point: 40.0, manual: false }]
    }

    fn sample(&mut self, _: &mut Context<'_>) -> Map<String, Value> {
        Map::from_iter([("temperature".to_owned(), json!(40.5))])
    }

    fn command(&mut self, ctx: &mut Context<'_>, _: CallId, _: &str, _: &Value) -> Answer {
        ctx.restart(Duration::from_secs(10));
        Reply::accepted().into()
    }

    fn figures(&self) -> Vec<Figure> {
        vec![Figure { title: "firmware", value: "1.0.2".to_owned() }]
    }
}
