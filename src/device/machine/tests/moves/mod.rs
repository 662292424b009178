//! Scripts for moves from one ID scope to another: inputs with times, outputs compared.

mod anything;
mod arrives;
mod orders;
mod returns;

use serde_json::json;

use super::answers;
use crate::device::machine::*;
use crate::device::{Call, FailureKind};
use crate::profiles::environment::Environment;

struct Bench {
    device: Device,
    at: u64,
    out: Vec<Output>,
}

fn hub(name: &str) -> Assignment {
    Assignment { hub: name.parse().expect("a host"), device_id: "d1".parse().expect("an id") }
}

fn scope(text: &str) -> IdScope {
    text.parse().expect("an ID scope")
}

fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "no")
}

/// What is asked of the link besides messages, reports, replies and notes.
fn course(out: &[Output]) -> Vec<Output> {
    let course = |output: &&Output| {
        matches!(output, Output::Disconnect | Output::Abandon | Output::Provision { .. } | Output::Connect(_))
    };
    out.iter().filter(course).cloned().collect()
}

fn to(name: &str) -> Output {
    Output::Provision { scope: Some(scope(name)) }
}

const HOME: Output = Output::Provision { scope: None };

impl Bench {
    fn new(direct: bool, unattended: bool) -> Self {
        let options = DeviceOptions {
            direct: direct.then(|| hub("old.example")),
            period: Duration::from_secs(2),
            seed: 1,
            restarts: RestartStyle::Held,
            scale: TimeScale::ONE,
            zone: TimeZone::UTC,
            unattended,
        };
        let device = Device::new(options, vec![Box::new(Environment::new(1))]);
        let mut bench = Self { device, at: 0, out: Vec::new() };
        bench.feed(Input::Start);
        if !direct {
            bench.feed(Input::Assigned(hub("old.example")));
        }
        bench.online();
        bench.twin(json!({"name": "Kitchen"}), 1, json!({}));
        bench.run_until(1_000);
        bench.settle();
        bench
    }

    fn feed(&mut self, input: Input) -> &mut Self {
        let wall =
            jiff::Timestamp::from_millisecond(1_893_456_000_000 + i64::try_from(self.at).unwrap()).unwrap();
        self.device.handle(Now { at: Millis(self.at), wall }, input, &mut self.out);
        self
    }

    fn fail(&mut self, kind: FailureKind) -> &mut Self {
        self.feed(Input::Failed(failure(kind)))
    }

    fn online(&mut self) {
        let step = LinkStep::Online { session_present: false, token_life: Duration::from_secs(3_600) };
        self.feed(Input::Link(step));
    }

    fn twin(&mut self, desired: Value, version: u64, reported: Value) {
        let (Value::Object(desired), Value::Object(reported)) = (desired, reported) else {
            panic!("objects")
        };
        let document = TwinDocument { desired, desired_version: version, reported, reported_version: 1 };
        self.feed(Input::Twin(document));
    }

    fn order(&mut self, payload: Value) -> Reply {
        self.feed(Input::Called(Call { rid: "r".into(), name: "DeviceMove".into(), payload: Ok(payload) }));
        let reply = self.out.iter().rev().find_map(|output| match output {
            Output::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }

    /// Ordered away to `name`, its old link closed.
    fn moving(name: &str) -> Self {
        let mut bench = Self::new(false, false);
        bench.leave_for(name);
        bench
    }

    fn leave_for(&mut self, name: &str) {
        assert_eq!(self.order(json!(name)), Reply::accepted());
        self.settle();
        self.feed(Input::Closed);
    }

    fn arrive(&mut self, name: &str) {
        self.feed(Input::Assigned(hub(name)));
        self.online();
    }

    fn run_until(&mut self, end: u64) {
        while let Some(Millis(due)) = self.device.next_due().filter(|due| due.0 <= end) {
            self.at = self.at.max(due);
            self.feed(Input::Timer);
        }
        self.at = end;
    }

    fn reports(&self) -> Vec<Value> {
        let patch = |output: &Output| match output {
            Output::Report { patch, .. } => Some(patch.clone()),
            _ => None,
        };
        self.out.iter().filter_map(patch).collect()
    }

    fn messages(&self) -> usize {
        self.out.iter().filter(|output| matches!(output, Output::Send { .. })).count()
    }

    fn outcome(&self) -> String {
        let said =
            self.reports().iter().find_map(|patch| patch["DeviceMove"]["value"].as_str().map(str::to_owned));
        said.expect("an outcome")
    }

    /// Everything handed out is written and answered.
    fn settle(&mut self) {
        for input in std::mem::take(&mut self.out).into_iter().flat_map(answers) {
            self.feed(input);
        }
        self.out.clear();
    }
}

impl Bench {
    fn order_unheard(&mut self, name: &str) {
        let call = Call { rid: "r".into(), name: "DeviceMove".into(), payload: Ok(json!(name)) };
        self.feed(Input::Called(call));
    }
}
