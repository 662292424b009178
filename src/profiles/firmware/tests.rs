//! A device with this profile alone, told what happens, and what it does about it.

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

#[test]
fn at_the_start_it_stands_by_and_says_its_version() {
    let bench = Bench::new(RestartStyle::Held);
    assert_eq!(
        bench.patches,
        [
            json!({"firmwareStatus": "standBy", "logTime": "2030-01-01 00:00:00.000000"}),
            json!({"firmwareVersion": "1.0.0"}),
        ]
    );
    assert_eq!(bench.device.figures()[0].value, "1.0.0");
    assert!(bench.device.jobs().is_empty());
}

#[test]
fn a_name_is_pretended_in_three_times_fifteen_seconds() {
    let mut bench = Bench::new(RestartStyle::Held);
    let reply = bench.ask(json!({"fwPackageUri": "test.com"}));
    assert_eq!(reply, Reply::ok(json!({"Response": "Firmware update started"})));
    bench.patches.clear();
    bench.pass(14);
    assert_eq!((bench.patches.len(), bench.status()), (0, "standBy"));
    assert_eq!(bench.device.jobs()[0].until, Some(Millis(15_000)));
    bench.pass(1);
    assert_eq!(
        bench.patches,
        [json!({"firmwareStatus": "downloading", "downloadComplete": "2030-01-01 00:00:15.000000"})]
    );
    assert_eq!(bench.job(), "pretending to download");
    bench.pass(15);
    assert_eq!(
        bench.patches[1..],
        [json!({"firmwareStatus": "applying", "startedApplyingImage": "2030-01-01 00:00:30.000000"})]
    );
    bench.pass(15);
    let mut last = bench.patches[2..].to_vec();
    assert_eq!(last[0]["firmwareVersion"].take(), "1.0.0", "nothing was installed");
    assert_eq!(
        last,
        [
            json!({"firmwareStatus": "completed", "lastFirmwareUpdate": "2030-01-01 00:00:45.000000", "firmwareVersion": null})
        ]
    );
    assert!(bench.orders.is_empty() && bench.device.jobs().is_empty());
}

#[test]
fn a_pretended_version_stands_until_something_real_is_confirmed() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.ask(json!({"fwPackageUri": "test.com", "version": "9"}));
    bench.pass(45);
    assert_eq!(bench.version(), "9");
    bench.reach(2, "downloading");
    bench.news(failed(2));
    assert_eq!(bench.version(), "9", "what was there before");
    bench.reach(3, "confirming");
    bench.news(ImageNews::Confirmed { run: 3 });
    assert_eq!(bench.version(), "1.1.0");
}

#[test]
fn an_image_is_fetched_placed_restarted_with_and_confirmed() {
    for style in [RestartStyle::Held, RestartStyle::Link] {
        let mut bench = Bench::new(style);
        bench.links.clear();
        bench.begin();
        assert_eq!(
            bench.ordered(),
            [ImageOrder::Fetch { run: 1, uri: URI.to_owned(), sha256: Some(DIGEST.to_owned()) }]
        );
        assert_eq!((bench.status(), bench.job().as_str()), ("downloading", "downloading, 0 bytes"));
        bench.news(ImageNews::Progress { run: 1, received: 262_144, total: Some(1_048_576) });
        assert_eq!(bench.job(), "downloading, 25 %");
        assert_eq!(
            bench.twin["downloadProgress"],
            json!({"received": 262_144, "total": 1_048_576, "percent": 25})
        );
        bench.news(fetched(1));
        assert_eq!(bench.ordered(), [ImageOrder::Install { run: 1, version: "1.1.0".to_owned() }]);
        assert_eq!(
            (bench.status(), &bench.twin["downloadProgress"]["percent"]),
            ("downloading", &json!(100))
        );
        assert!(bench.twin.contains_key("downloadComplete"));
        bench.news(ImageNews::Placed { run: 1 });
        assert_eq!(bench.status(), "applying");
        assert!(bench.twin.contains_key("startedApplyingImage") && bench.device.away().is_some());
        assert_eq!(bench.device.jobs()[0].until, Some(Millis(15_000)));
        assert_eq!(bench.ordered(), []);
        bench.pass(15);
        if style == RestartStyle::Link {
            assert_eq!(bench.links, ["disconnect", "connect"]);
            assert_eq!(bench.ordered(), [], "it is not back yet");
            bench.connected();
        }
        assert_eq!(bench.ordered(), [ImageOrder::Confirm { run: 1 }]);
        assert_eq!((bench.status(), bench.version()), ("applying", "1.0.0"));
        bench.news(ImageNews::Confirmed { run: 1 });
        assert_eq!((bench.status(), bench.version()), ("completed", "1.1.0"));
        assert_eq!(bench.twin["lastFirmwareUpdate"], "2030-01-01 00:00:15.000000");
        assert_eq!((bench.ordered(), bench.job()), (vec![], String::new()));
    }
}

#[test]
fn a_failure_in_any_phase_is_reported_with_its_reason_and_the_old_version_stays() {
    for (phase, news, goes_back) in [
        ("downloading", failed(1), false),
        ("applying", failed(1), true),
        ("confirming", failed(1), true),
        // Found out too late that an image of an earlier life is on trial.
        ("downloading", ImageNews::Installed { version: "0.9".to_owned(), on_trial: true }, true),
    ] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, phase);
        bench.ordered();
        bench.news(news.clone());
        if goes_back {
            assert_eq!(bench.ordered(), [ImageOrder::RollBack { run: 1 }], "{phase}");
            assert_ne!(bench.status(), "failed", "not before it has gone back");
            assert_eq!(bench.ask(json!({"fwPackageUri": URI})).status, 409);
            bench.news(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() });
        }
        assert_eq!(bench.ordered(), [], "{phase}");
        assert_eq!((bench.status(), bench.version()), ("failed", "1.0.0"), "{phase}");
        let error = &bench.twin["firmwareError"];
        assert_eq!(error["phase"], phase);
        let reason = error["reason"].as_str().expect("a reason");
        let is_late = matches!(news, ImageNews::Installed { .. });
        assert!(
            reason.starts_with(if is_late { "the device was switched off" } else { "no luck" }),
            "{reason}"
        );
        assert!(error["time"].is_string());
        // And it is ready for the next.
        bench.reach(2, "confirming");
        bench.news(ImageNews::Confirmed { run: 2 });
        assert_eq!(bench.status(), "completed");
    }
}

#[test]
fn when_going_back_fails_as_well_both_reasons_are_told() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "confirming");
    bench.news(failed(1));
    bench.news(ImageNews::Failed { run: 1, reason: "the disk is gone".to_owned() });
    assert_eq!(
        bench.twin["firmwareError"]["reason"],
        "no luck; going back to the image before failed as well: the disk is gone"
    );
    assert_eq!((bench.status(), bench.job()), ("failed", String::new()));
}

#[test]
fn an_image_on_trial_at_the_start_is_gone_back_from_and_told() {
    let mut bench = Bench::fresh(RestartStyle::Held);
    bench.ordered();
    bench.news(ImageNews::Installed { version: "1.1.0".to_owned(), on_trial: true });
    assert_eq!(bench.ordered(), [ImageOrder::RollBack { run: 1 }]);
    let reply = bench.ask(json!({"fwPackageUri": "test.com"}));
    assert_eq!(reply.status, 409, "{reply:?}");
    bench.news(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() });
    assert_eq!((bench.status(), bench.version()), ("failed", "1.0.0"));
    let error = &bench.twin["firmwareError"];
    assert_eq!(error["phase"], "confirming");
    assert_eq!(
        error["reason"],
        "the device was switched off after 1.1.0 had been applied and before it was confirmed"
    );
}

#[test]
fn progress_is_reported_every_five_seconds_at_most() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.begin();
    bench.patches.clear();
    for tenth in 0..=100_u64 {
        bench.news(ImageNews::Progress { run: 1, received: tenth * 10, total: None });
        bench.at += 100;
    }
    let received: Vec<_> =
        bench.patches.iter().map(|patch| patch["downloadProgress"]["received"].as_u64()).collect();
    assert_eq!(received, [Some(0), Some(500), Some(1_000)]);
    assert_eq!(
        bench.patches[2]["downloadProgress"],
        json!({"received": 1_000, "total": null, "percent": null})
    );
    assert_eq!(bench.job(), "downloading, 1000 bytes");
    bench.news(fetched(1));
    let whole = json!({"received": 1_048_576, "total": 1_048_576, "percent": 100});
    assert_eq!(bench.patches[3]["downloadProgress"], whole, "the last is told whenever it comes");
}

#[test]
fn an_interrupted_download_says_so_until_it_goes_on() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.begin();
    bench.news(ImageNews::Progress { run: 1, received: 5, total: Some(10) });
    bench.news(ImageNews::Interrupted { run: 1, reason: "the connection broke".to_owned() });
    assert_eq!(bench.job(), "downloading again: the connection broke");
    assert_eq!(bench.status(), "downloading");
    bench.news(ImageNews::Progress { run: 1, received: 6, total: Some(10) });
    assert_eq!(bench.job(), "downloading, 60 %");
}

#[test]
fn another_request_while_one_runs_is_refused_in_every_phase() {
    for phase in ["downloading", "applying", "confirming"] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, phase);
        bench.ordered();
        let reply = bench.ask(json!({"fwPackageUri": "test.com"}));
        let why =
            format!("the update to version 1.1.0 is still {phase}: wait until it is completed or has failed");
        assert_eq!(reply, Reply::refused(409, why));
        assert_eq!(bench.ordered(), []);
    }
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "restarting");
    assert_eq!(bench.ask(json!({"fwPackageUri": URI})).status, 409, "by the device, which is away");
    let mut bench = Bench::new(RestartStyle::Held);
    bench.ask(json!({"fwPackageUri": "test.com"}));
    for wait in ["waiting", "downloading", "applying"] {
        let reply = bench.ask(json!({"fwPackageUri": URI}));
        let why =
            format!("the update to a new image is still {wait}: wait until it is completed or has failed");
        assert_eq!(reply, Reply::refused(409, why));
        bench.pass(15);
    }
    assert_eq!(bench.ask(json!({"fwPackageUri": URI})).status, 200);
}

#[test]
fn a_request_that_cannot_be_is_refused_and_changes_nothing() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.patches.clear();
    for request in [
        json!(null),
        json!("test.com"),
        json!({}),
        json!({"fwPackageUri": 1}),
        json!({"fwPackageUri": ""}),
        json!({"fwPackageUri": "ftp://host/x"}),
        json!({"fwPackageUri": "x".repeat(2_049)}),
        json!({"fwPackageUri": URI, "sha256": "abc"}),
        json!({"fwPackageUri": URI, "version": ""}),
    ] {
        let reply = bench.ask(request.clone());
        assert_eq!(reply.status, 400, "{request}");
        assert!(reply.payload["error"].as_str().is_some_and(|why| why.len() > 20), "{reply:?}");
    }
    assert!(bench.patches.is_empty() && bench.orders.is_empty() && bench.device.jobs().is_empty());
}

#[test]
fn news_of_an_update_that_is_over_or_of_another_phase_changes_nothing() {
    let late = |run| {
        [
            ImageNews::Progress { run, received: 1, total: None },
            ImageNews::Interrupted { run, reason: String::new() },
            fetched(run),
            ImageNews::Placed { run },
            ImageNews::Confirmed { run },
            ImageNews::RolledBack { run, version: "0".to_owned() },
            failed(run),
        ]
    };
    for phase in ["downloading", "applying", "restarting", "confirming"] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, "downloading");
        bench.news(failed(1));
        bench.reach(2, phase);
        bench.ordered();
        bench.patches.clear();
        for news in late(1).into_iter().chain(late(7)) {
            bench.news(news);
        }
        assert!(bench.patches.is_empty() && bench.orders.is_empty(), "{phase}");
        assert_eq!(bench.device.jobs().len(), 1);
    }
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "restarting");
    bench.ordered();
    for news in late(1) {
        bench.news(news);
    }
    assert_eq!(bench.ordered(), [], "only the restart leads on");
    assert_eq!(bench.status(), "applying");
}

#[test]
fn a_lost_link_delays_what_is_told_and_nothing_else() {
    for phase in ["downloading", "applying", "restarting", "confirming"] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, phase);
        bench.lose_link();
        bench.patches.clear();
        // Far behind the moment of every phase; the device tries to connect and nobody answers.
        if phase == "downloading" {
            bench.news(fetched(1));
        }
        if phase == "downloading" || phase == "applying" {
            bench.news(ImageNews::Placed { run: 1 });
        }
        bench.pass(60);
        assert!(bench.patches.is_empty(), "{phase}");
        bench.connected();
        bench.news(ImageNews::Confirmed { run: 1 });
        assert_eq!((bench.status(), bench.version()), ("completed", "1.1.0"), "{phase}");
        assert!(bench.twin.contains_key("downloadComplete"), "{phase}");
        assert!(bench.twin.contains_key("startedApplyingImage"), "{phase}");
    }
}

#[test]
fn a_new_update_takes_away_what_the_last_one_reported() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "confirming");
    bench.news(failed(1));
    bench.news(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() });
    for name in ["downloadProgress", "downloadComplete", "startedApplyingImage", "firmwareError"] {
        assert!(bench.twin.contains_key(name), "{name}");
    }
    bench.begin();
    for name in ["downloadProgress", "downloadComplete", "startedApplyingImage", "firmwareError"] {
        assert!(!bench.twin.contains_key(name), "{name}");
    }
    assert_eq!(bench.status(), "downloading");
}

#[test]
fn without_a_place_for_images_a_name_is_pretended_and_an_image_fails() {
    let mut bench = Bench::fresh(RestartStyle::Held);
    bench.news(failed(0));
    assert_eq!(bench.device.figures()[0].value, "not known");
    bench.ask(json!({"fwPackageUri": "test.com"}));
    bench.news(failed(0));
    bench.pass(45);
    assert_eq!(bench.status(), "completed");
    bench.reach(2, "downloading");
    bench.news(failed(2));
    assert_eq!(bench.status(), "failed");
    assert!(!bench.twin.contains_key("firmwareVersion"));
}
