//! A module of one profile, online under a simulated clock, and everything that it asks for.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::device::{
    Assignment, Device, DeviceOptions, Inbound, Input, LinkStep, Message, Millis, Now, Output, Profile,
    Reply, RestartStyle, TimeScale, TwinDocument,
};

pub(super) struct Bench {
    pub(super) device: Device,
    pub(super) at: u64,
    out: Vec<Output>,
    version: u64,
}

impl Bench {
    /// A module that has just fetched its twin.
    pub(super) fn online(profile: Box<dyn Profile>, desired: Value, reported: Value) -> Self {
        let hub = Assignment {
            hub: "hub.example".parse().expect("a host"),
            device_id: "d".parse().expect("an id"),
        };
        let options = DeviceOptions {
            direct: Some(hub),
            period: Duration::from_secs(2),
            seed: 1,
            scale: TimeScale::ONE,
            restarts: RestartStyle::Held,
            zone: TimeZone::UTC,
            unattended: false,
        };
        let device = Device::new(options, vec![profile]);
        let mut bench = Self { device, at: 0, out: Vec::new(), version: 1 };
        bench.feed(Input::Start);
        let life = Duration::from_secs(1_000_000);
        bench.feed(Input::Link(LinkStep::Online { session_present: false, token_life: life }));
        let (Value::Object(desired), Value::Object(reported)) = (desired, reported) else {
            panic!("objects")
        };
        let (desired_version, reported_version) = (bench.version, 1);
        bench.feed(Input::Twin(TwinDocument { desired, desired_version, reported, reported_version }));
        bench
    }

    fn feed(&mut self, input: Input) {
        let from = self.out.len();
        let wall = 1_893_456_000_000 + i64::try_from(self.at).expect("a small number");
        let wall = jiff::Timestamp::from_millisecond(wall).expect("a moment");
        self.device.handle(Now { at: Millis(self.at), wall }, input, &mut self.out);
        // The hub takes everything at once.
        let taken: Vec<_> = self.out[from..]
            .iter()
            .flat_map(|output| match output {
                Output::Send { ticket, .. } => vec![Input::Written(*ticket), Input::Acknowledged(*ticket)],
                Output::Report { ticket, .. } => {
                    vec![Input::ReportTaken { ticket: *ticket, version: None }]
                }
                Output::Reply { ticket, .. } => vec![Input::Written(*ticket)],
                _ => Vec::new(),
            })
            .collect();
        for input in taken {
            self.feed(input);
        }
    }

    pub(super) fn desire(&mut self, patch: &Value) {
        self.version += 1;
        let patch = patch.as_object().expect("an object").clone();
        self.feed(Input::Desired { version: self.version, patch });
    }

    pub(super) fn receive(&mut self, input: &str, body: &str, properties: &[(&str, &str)]) {
        let properties = properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        self.feed(Input::Received(Inbound { input: Some(input.into()), body: body.into(), properties }));
    }

    pub(super) fn call(&mut self, name: &str) -> Reply {
        let call = crate::device::Call { rid: "r".into(), name: name.into(), payload: Ok(json!(null)) };
        self.feed(Input::Called(call));
        let reply = self.out.iter().rev().find_map(|output| match output {
            Output::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }

    pub(super) fn turn(&mut self, by: f64) {
        self.feed(Input::Turn { knob: 0, by });
    }

    pub(super) fn run_until(&mut self, end: u64) {
        while let Some(Millis(due)) = self.device.next_due().filter(|due| due.0 <= end) {
            self.at = self.at.max(due);
            self.feed(Input::Timer);
        }
        self.at = end;
    }

    /// Takes out what was sent since the last time.
    pub(super) fn sent(&mut self) -> Vec<Message> {
        let sent = self.out.iter().filter_map(|output| match output {
            Output::Send { message, .. } => Some(message.clone()),
            _ => None,
        });
        let sent = sent.collect();
        self.out.clear();
        sent
    }

    /// What was reported last.
    pub(super) fn reported(&self) -> Value {
        let last = self.out.iter().rev().find_map(|output| match output {
            Output::Report { patch, .. } => Some(patch.clone()),
            _ => None,
        });
        last.expect("a report")
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let notes = self.out.iter().filter_map(|output| match output {
            Output::Note(note) => Some(note.text.clone()),
            _ => None,
        });
        notes.collect()
    }

    /// The profile's figure of this title.
    pub(super) fn figure(&self, title: &str) -> String {
        let figure = self.device.figures().into_iter().find(|figure| figure.title == title);
        figure.expect("a figure").value
    }
}
