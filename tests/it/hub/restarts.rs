//! What watches goes on when the cloud is started anew, also when that has another key and another
//! authority than before.

use std::net::TcpListener;

use serde_json::Value;

use super::super::support::{CloudProcess, Program, Sandbox};

/// A cloud on these ports with a device, left where `envsim hub` in the sandbox finds it. It keeps
/// nothing, so that the next one has another key and another authority.
fn start(sandbox: &Sandbox, mqtt: &str, https: &str) -> CloudProcess {
    let args = ["cloud", "--mqtt-port", mqtt, "--https-port", https, "--device", "d", "--format", "json"];
    CloudProcess::of(Sandbox::new(), sandbox.start(&args))
}

/// Has something changed in the twin until somebody who watches has heard of it.
fn change(sandbox: &Sandbox, tags: &str) {
    sandbox.run(&["hub", "twin", "update", "d", "--tags", tags]).expect(0);
}

struct Watched {
    sandbox: Sandbox,
    cloud: CloudProcess,
}

impl Watched {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let cloud = start(&sandbox, "0", "0");
        Self { sandbox, cloud }
    }

    fn watch(&self, verb: &[&str]) -> Program {
        self.sandbox.start(&[&["hub"], verb, &["--format", "json"]].concat())
    }

    /// Kills the cloud, and starts another one on its ports as soon as `lost` is through.
    fn restart(self, lost: impl FnOnce(u16)) -> Self {
        let (mqtt, https) =
            (self.cloud.ready["mqttPort"].to_string(), self.cloud.ready["httpsPort"].to_string());
        self.cloud.stop("KILL");
        lost(https.parse().expect("a port"));
        let cloud = start(&self.sandbox, &mqtt, &https);
        Self { sandbox: self.sandbox, cloud }
    }
}

fn why(lost: &Value) -> &str {
    lost["why"].as_str().expect("a reason")
}

#[test]
fn a_twin_is_watched_on_in_a_cloud_that_is_another_one() {
    let before = Watched::new();
    let mut watch = before.watch(&["twin", "watch", "d", "--interval", "100ms"]);
    watch.event("watching");
    let now = before.restart(|port| {
        let lost = watch.event("lost");
        assert!(why(&lost).contains("nothing listens on"), "{lost}");
        // Somebody else is there, and that is no longer the reason.
        let other = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        drop(other.accept().expect("the watch"));
        let lost = watch.event("lost");
        assert!(!why(&lost).contains("nothing listens on"), "{lost}");
    });
    watch.event("back");
    change(&now.sandbox, r#"{"floor": 2}"#);
    watch.event_where("changed", |event| event["path"] == "tags.floor");
    watch.signal("INT");
    watch.end().expect(130);
}

#[test]
fn what_devices_send_is_heard_on_from_a_cloud_that_is_another_one() {
    let before = Watched::new();
    let mut monitor = before.watch(&["monitor"]);
    monitor.event("listening");
    let heard_of = |monitor: &mut Program, sandbox: &Sandbox, floor: u64| {
        let tags = format!(r#"{{"floor": {floor}}}"#);
        change(sandbox, &tags);
        monitor.line("event", |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["body"]["tags"]["floor"] == floor).then_some(())
        });
    };
    heard_of(&mut monitor, &before.sandbox, 1);
    let now = before.restart(|_| {
        monitor.event("lost");
    });
    // Also what came before the stream was there again.
    heard_of(&mut monitor, &now.sandbox, 2);
    monitor.signal("INT");
    let outcome = monitor.end().expect(130);
    assert_eq!(outcome.err, "", "{}", outcome.all());
}
