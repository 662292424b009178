//! Events of a hub as Azure gives them: over AMQP, from the Event Hubs compatible endpoint.

use envsim::operator::{Events, Heard, Origin};
use envsim::trust::Trust;
use envsim::wire::ConnectionString;
use serde_json::Value;

use super::super::support::{CloudProcess, Sandbox};

const PORTS: [&str; 6] = ["--mqtt-port", "0", "--https-port", "0", "--amqp-port", "0"];

/// The endpoint's connection string, in a file.
fn endpoint(cloud: &CloudProcess) -> String {
    cloud.sandbox.write("endpoint.txt", cloud.text("eventHubConnectionString")).display().to_string()
}

#[test]
fn telemetry_is_read_over_amqp_with_its_properties() {
    let cloud = CloudProcess::with(&PORTS);
    let mut device = cloud.run("env-sensor-01", &["--interval", "100ms"]);
    // From then on it sends nothing but telemetry.
    device.event("acknowledged");
    let file = endpoint(&cloud);
    // Where no cloud of its own runs, so that it can only come by this way.
    let elsewhere = Sandbox::new();
    let ca = cloud.text("caFile");
    let read = |more: &[&str]| {
        let args = ["hub", "monitor", "--event-hub-connection-string-file", &file, "--ca", ca];
        elsewhere.run(&[&args[..], more].concat())
    };
    let only = ["--property", "$.ct=application/json", "--device", "env-sensor-01"];
    let outcome = read(&[&only[..], &["--count", "3", "--format", "json"]].concat()).expect(0);
    let events = outcome.heard();
    assert_eq!(events.len(), 3, "{}", outcome.all());
    for event in &events {
        assert_eq!((&event["deviceId"], &event["source"]), (&"env-sensor-01".into(), &"Telemetry".into()));
        assert_eq!(event["properties"]["$.ct"], "application/json", "{event}");
        assert!(event["body"]["temp"].is_number(), "{event}");
        assert!(event["enqueuedTime"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
    }
    let numbers: Vec<_> = events.iter().map(|event| event["sequence"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");

    let people = read(&["--count", "1", "--device", "env-sensor-01"]).expect(0);
    assert!(people.out.contains("env-sensor-01  telemetry  {"), "{}", people.all());
    let nobody = read(&["--device", "nobody", "--for", "200ms"]).expect(0);
    assert_eq!(nobody.out, "listening to what nobody sends to localhost; Ctrl-C ends it");
}

#[test]
fn what_an_endpoint_refuses_is_told_in_words_and_without_the_key() {
    let cloud = CloudProcess::with(&PORTS);
    let ca = cloud.text("caFile");
    let right = cloud.text("eventHubConnectionString");
    let read = |text: &str, more: &[&str]| {
        let file = cloud.sandbox.write("other.txt", text).display().to_string();
        let args = ["hub", "monitor", "--event-hub-connection-string-file", &file, "--ca", ca];
        cloud.sandbox.run(&[&args[..], more].concat())
    };
    let key = right.split("SharedAccessKey=").nth(1).and_then(|rest| rest.split(';').next()).expect("a key");
    let wrong = "c3VwZXJzZWNyZXRrZXkxMjM=";
    let refused = read(&right.replace(key, wrong), &[]).expect(1);
    assert!(refused.err.contains("did not authorise"), "{}", refused.all());
    assert!(refused.err.contains("check the policy's name and key"), "{}", refused.all());
    let refused_policy = read(&right.replace("KeyName=service", "KeyName=nobody"), &[]).expect(1);
    assert!(refused_policy.err.contains("did not authorise"), "{}", refused_policy.all());
    let other = read(&right.replace("EntityPath=", "EntityPath=x"), &[]).expect(1);
    assert!(other.err.contains("amqp:unauthorized-access"), "{}", other.all());
    let port = format!(":{}/", cloud.ready["amqpPort"]);
    let closed = read(&right.replace(&port, ":1/"), &[]).expect(4);
    assert!(closed.err.contains("nothing listens on"), "{}", closed.all());
    let hub = read(cloud.text("serviceConnectionString"), &[]).expect(2);
    assert!(hub.err.contains("built-in endpoints"), "{}", hub.all());
    let both = read(right, &["--hub", "localhost"]).expect(2);
    assert!(both.err.contains("says by itself"), "{}", both.all());
    // Someone may give the connection string where its file belongs.
    let no_file = cloud.hub(&["monitor", "--event-hub-connection-string-file", right]).expect(2);
    let group = read(right, &["--consumer-group", "a/b"]).expect(2);
    assert!(group.err.contains("a consumer group has"), "{}", group.all());
    for outcome in [&refused, &refused_policy, &other, &closed, &hub, &both, &no_file] {
        assert!(!outcome.all().contains(key) && !outcome.all().contains(wrong), "{}", outcome.all());
    }
}

#[test]
fn the_endpoint_is_found_by_asking_the_hub() {
    let cloud = CloudProcess::with(&PORTS);
    let _device = cloud.run("env-sensor-01", &["--interval", "100ms"]);
    let port = cloud.ready["amqpPort"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
    let pem = std::fs::read_to_string(cloud.text("caFile")).expect("a certificate");
    let trust = Trust::only(&pem, "the local cloud's authority").expect("a certificate");
    let service = cloud.text("serviceConnectionString");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let open = |text: &str| {
        let hub = ConnectionString::parse(text).expect("a connection string");
        runtime.block_on(Events::read(Origin::Hub(hub, port), "$Default", &trust))
    };
    let mut events = open(service).expect("events");
    let body = runtime.block_on(async {
        loop {
            match events.next().await.expect("news") {
                Some(Heard::Event(event)) if event.source == "Telemetry" => return event.body,
                Some(_) => {}
                None => return Value::Null,
            }
        }
    });
    assert!(body["temp"].is_number(), "{body}");

    let wrong = service.replace("SharedAccessKey=", "SharedAccessKey=AAAA");
    let refused = open(&wrong).expect_err("the key is wrong").to_string();
    assert!(refused.contains("did not authorise"), "{refused}");
}

#[test]
fn reading_goes_on_when_the_cloud_was_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().display().to_string();
    let start = |amqp: &str| {
        let ports = ["--mqtt-port", "0", "--https-port", "0", "--amqp-port", amqp];
        CloudProcess::with(&[&ports[..], &["--data-dir", &folder]].concat())
    };
    let cloud = start("0");
    let here = Sandbox::new();
    let file = here.write("endpoint.txt", cloud.text("eventHubConnectionString")).display().to_string();
    let args = ["hub", "monitor", "--event-hub-connection-string-file", &file, "--format", "json"];
    let mut monitor = here.start(&[&args[..], &["--ca", cloud.text("caFile")]].concat());
    let mut heard_of = |device: &str| {
        monitor.line(device, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["deviceId"] == device && event["source"] == "Telemetry").then_some(())
        });
    };
    let first = cloud.run("first", &["--interval", "100ms"]);
    heard_of("first");
    let amqp = cloud.ready["amqpPort"].to_string();
    drop(first);
    cloud.stop("TERM").expect(0);
    let cloud = start(&amqp);
    let _second = cloud.run("second", &["--interval", "100ms"]);
    heard_of("second");
    monitor.signal("INT");
    let outcome = monitor.end().expect(130);
    let named = |name: &str| outcome.events().iter().filter(|event| event["event"] == name).count();
    assert_eq!((named("lost") > 0, named("back"), outcome.err.as_str()), (true, 1, ""), "{}", outcome.all());
}
