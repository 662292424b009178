//! Scripts for the device: inputs with times, outputs compared. No clock runs.

mod anything;
mod commands;
mod links;
mod moves;
mod properties;
mod restarts;
mod telemetry;

use serde_json::json;

use super::*;
use crate::device::{Call, Context, FailureKind, Led, Message};
use crate::profiles::environment::Environment;

/// A device, its clock, and everything it has asked for.
struct Bench {
    device: Device,
    at: u64,
    out: Vec<Output>,
}

/// What a link and a hub say to something handed out: it is written, and taken.
fn answers(output: Output) -> Vec<Input> {
    match output {
        Output::Send { ticket, .. } => vec![Input::Written(ticket), Input::Acknowledged(ticket)],
        Output::Report { ticket, .. } => vec![Input::ReportTaken { ticket, version: None }],
        Output::Reply { ticket, .. } => vec![Input::Written(ticket)],
        _ => Vec::new(),
    }
}

fn hub() -> Assignment {
    Assignment { hub: "hub.example".parse().expect("a host"), device_id: "d1".parse().expect("an id") }
}

fn options() -> DeviceOptions {
    DeviceOptions {
        direct: None,
        period: Duration::from_secs(2),
        seed: 1,
        restarts: RestartStyle::Held,
        scale: TimeScale::ONE,
        zone: TimeZone::UTC,
        unattended: false,
    }
}

impl Bench {
    fn with(options: DeviceOptions) -> Self {
        Self { device: Device::new(options, vec![Box::new(Environment::new(1))]), at: 0, out: Vec::new() }
    }

    /// A device that has been through provisioning, with an empty twin, at time zero.
    fn online() -> Self {
        Self::with(options()).come_online()
    }

    fn come_online(mut self) -> Self {
        let bench = &mut self;
        bench.feed(Input::Start);
        bench.feed(Input::Assigned(hub()));
        bench.connect();
        bench.twin(json!({}), 1, json!({}));
        bench.settle();
        self
    }

    fn feed(&mut self, input: Input) -> &mut Self {
        let wall =
            jiff::Timestamp::from_millisecond(1_893_456_000_000 + i64::try_from(self.at).unwrap()).unwrap();
        self.device.handle(Now { at: Millis(self.at), wall }, input, &mut self.out);
        self
    }

    fn connect(&mut self) {
        let step = LinkStep::Online { session_present: false, token_life: Duration::from_secs(3600) };
        self.feed(Input::Link(step));
    }

    fn lose(&mut self) {
        self.feed(Input::Failed(Failure::new(FailureKind::Lost, "the link was lost")));
    }

    /// The twin comes. Its reported section has the version that the device knows of.
    fn twin(&mut self, desired: Value, version: u64, reported: Value) {
        let (Value::Object(desired), Value::Object(reported)) = (desired, reported) else {
            panic!("objects")
        };
        let reported_version = self.device.twin().map_or(1, |known| known.reported_version);
        self.feed(Input::Twin(TwinDocument {
            desired,
            desired_version: version,
            reported,
            reported_version,
        }));
    }

    fn desired(&mut self, version: u64, patch: Value) {
        let Value::Object(patch) = patch else { panic!("an object") };
        self.feed(Input::Desired { version, patch });
    }

    fn call(&mut self, name: &str, payload: Value) -> Reply {
        self.feed(Input::Called(Call { rid: "r".into(), name: name.into(), payload: Ok(payload) }));
        self.out
            .iter()
            .rev()
            .find_map(|output| match output {
                Output::Reply { reply, .. } => Some(reply.clone()),
                _ => None,
            })
            .expect("a reply")
    }

    /// Lets time pass, waking the device whenever it asks to be woken.
    fn run_until(&mut self, end: u64) {
        while let Some(Millis(due)) = self.device.next_due().filter(|due| due.0 <= end) {
            self.at = self.at.max(due);
            self.feed(Input::Timer);
        }
        self.at = end;
    }

    fn reports(&self) -> Vec<Value> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Report { patch, .. } => Some(patch.clone()),
                _ => None,
            })
            .collect()
    }

    fn tickets(&self) -> Vec<Ticket> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Send { ticket, .. } => Some(*ticket),
                _ => None,
            })
            .collect()
    }

    /// The hub answers every report and acknowledges every message.
    fn settle(&mut self) {
        for input in std::mem::take(&mut self.out).into_iter().flat_map(answers) {
            self.feed(input);
        }
        self.out.clear();
    }
}
