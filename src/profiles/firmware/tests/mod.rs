//! A device with this profile alone, told what happens, and what it does about it.

mod anything;
mod failures;
mod phases;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::Firmware;
use crate::device::{
    Assignment, Call, Device, DeviceOptions, Failure, FailureKind, ImageNews, ImageOrder, Input, LinkStep,
    Millis, Now, Output, Reply, RestartStyle, TimeScale,
};

const URI: &str = "https://localhost/sample-1.1.0.bin";
const DIGEST: &str = "b2656174cb35e83468fac534a3b99f13aa6e1b8e329f31042fbd83979e936b8b";

struct Bench {
    device: Device,
    at: u64,
    orders: Vec<ImageOrder>,
    /// Reported patches, oldest first.
    patches: Vec<Value>,
    /// What stands in the twin, as far as this device has written it.
    twin: Map<String, Value>,
    replies: Vec<Reply>,
    links: Vec<&'static str>,
    notes: Vec<String>,
    /// The highest number that an update has had in an order.
    asked: u64,
}

impl Bench {
    /// Online, and told that 1.0.0 is installed.
    fn new(restarts: RestartStyle) -> Self {
        let mut bench = Self::fresh(restarts);
        assert_eq!(std::mem::take(&mut bench.orders), [ImageOrder::Inspect]);
        bench.news(ImageNews::Installed { version: "1.0.0".to_owned(), on_trial: false });
        bench
    }

    /// Online, and no more.
    fn fresh(restarts: RestartStyle) -> Self {
        let direct = Assignment {
            hub: "hub.example".parse().expect("a host"),
            device_id: "sensor-01".parse().expect("an id"),
        };
        let options = DeviceOptions {
            direct: Some(direct),
            period: Duration::from_secs(2),
            seed: 1,
            scale: TimeScale::ONE,
            restarts,
            zone: TimeZone::UTC,
            unattended: false,
        };
        let device = Device::new(options, vec![Box::new(Firmware::new())]);
        let mut bench = Self {
            device,
            at: 0,
            orders: Vec::new(),
            patches: Vec::new(),
            twin: Map::new(),
            replies: Vec::new(),
            links: Vec::new(),
            notes: Vec::new(),
            asked: 0,
        };
        bench.feed(Input::Start);
        bench.connected();
        bench
    }

    fn feed(&mut self, input: Input) {
        let wall = 1_893_456_000_000 + i64::try_from(self.at).expect("a small number");
        let now = Now { at: Millis(self.at), wall: Timestamp::from_millisecond(wall).expect("a moment") };
        let mut out = Vec::new();
        self.device.handle(now, input, &mut out);
        for output in out {
            match output {
                Output::Image(order) => self.orders.push(order),
                Output::Report { ticket, patch } => {
                    self.report(&patch);
                    self.feed(Input::ReportTaken { ticket, version: None });
                }
                Output::Reply { reply, .. } => self.replies.push(reply),
                Output::Disconnect => {
                    self.links.push("disconnect");
                    self.feed(Input::Closed);
                }
                Output::Note(note) => self.notes.push(note.text),
                Output::Connect(_) => self.links.push("connect"),
                _ => {}
            }
        }
    }

    fn report(&mut self, patch: &Value) {
        let members = patch.as_object().expect("an object");
        for (name, value) in members {
            if value.is_null() {
                self.twin.remove(name);
            } else {
                self.twin.insert(name.clone(), value.clone());
            }
        }
        self.patches.push(patch.clone());
    }

    fn connected(&mut self) {
        let token_life = Duration::from_secs(1 << 30);
        self.feed(Input::Link(LinkStep::Online { session_present: false, token_life }));
    }

    fn lose_link(&mut self) {
        self.feed(Input::Failed(Failure::new(FailureKind::Lost, "the link was lost")));
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.at + seconds * 1_000;
        while let Some(due) = self.device.next_due().filter(|due| due.0 <= end) {
            self.at = self.at.max(due.0);
            self.feed(Input::Timer);
        }
        self.at = end;
    }

    fn news(&mut self, news: ImageNews) {
        self.feed(Input::Image(news));
    }

    fn ask(&mut self, payload: Value) -> Reply {
        let call = Call { rid: "1".to_owned(), name: "firmwareUpdate".to_owned(), payload: Ok(payload) };
        self.feed(Input::Called(call));
        self.replies.pop().expect("a reply")
    }

    fn begin(&mut self) {
        let reply = self.ask(json!({"fwPackageUri": URI, "sha256": DIGEST, "version": "1.1.0"}));
        assert_eq!(reply, Reply::ok(json!({"Response": "Firmware update started"})));
    }

    /// Takes the update `run` to one of its phases.
    fn reach(&mut self, run: u64, phase: &str) {
        self.begin();
        if phase == "downloading" {
            return;
        }
        self.news(fetched(run));
        if phase == "applying" {
            return;
        }
        self.news(ImageNews::Placed { run });
        if phase == "restarting" {
            return;
        }
        self.pass(15);
        if self.links.last() == Some(&"connect") {
            self.connected();
        }
        assert_eq!(phase, "confirming");
    }

    fn status(&self) -> &str {
        self.twin["firmwareStatus"].as_str().expect("a status")
    }

    fn version(&self) -> &str {
        self.twin["firmwareVersion"].as_str().expect("a version")
    }

    fn job(&self) -> String {
        self.device.jobs().first().map(|job| job.phase.clone()).unwrap_or_default()
    }

    /// The orders since the last look.
    fn ordered(&mut self) -> Vec<ImageOrder> {
        std::mem::take(&mut self.orders)
    }
}

fn fetched(run: u64) -> ImageNews {
    ImageNews::Fetched { run, size: 1_048_576, sha256: DIGEST.to_owned() }
}

fn failed(run: u64) -> ImageNews {
    ImageNews::Failed { run, reason: "no luck".to_owned() }
}
