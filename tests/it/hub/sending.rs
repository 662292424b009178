//! Messages to devices as a hub in Azure takes them: over AMQP.

use std::io::Write as _;
use std::time::Duration;

use envsim::operator::{Client, Outgoing};
use envsim::trust::Trust;
use envsim::wire::ConnectionString;
use serde_json::{Value, json};

use super::super::raw::{Victim, expect, packet, policy_key, publication, subscribe};
use super::super::support::{CloudProcess, Outcome, Program};

const PORTS: [&str; 6] = ["--mqtt-port", "0", "--https-port", "0", "--amqp-port", "0"];

/// A cloud that takes AMQP, with a device `honest` and more options.
fn cloud(options: &[&str]) -> CloudProcess {
    CloudProcess::with(&[&PORTS[..], &["--device", "honest"], options].concat())
}

/// `envsim hub send` over AMQP.
fn send(cloud: &CloudProcess, args: &[&str]) -> Outcome {
    let port = cloud.ready["amqpPort"].to_string();
    cloud.hub(&[&["send"][..], args, &["--amqp-port", &port]].concat())
}

/// The same as whoever has another connection string.
fn send_as(cloud: &CloudProcess, connection: &str, args: &[&str]) -> Outcome {
    let file = cloud.sandbox.write("other.txt", connection).display().to_string();
    send(cloud, &[args, &["--connection-string-file", &file, "--ca", cloud.text("caFile")]].concat())
}

#[test]
fn a_message_reaches_the_device_with_all_that_it_was_given() {
    let victim = Victim::of(cloud(&[]));
    let cloud = &victim.cloud;
    let mut device = victim.connected("honest");
    device.write_all(&subscribe("devices/honest/messages/devicebound/#")).expect("sent");
    expect(&mut device, &[0x90, 3, 0, 1, 1]);

    let args = ["honest", r#"{"on": "äöü"}"#, "--property", "Level=a b&c", "--property", "empty="];
    let args = [&args[..], &["--message-id", "m1", "--ack", "full", "--content-type", "application/json"]];
    let sent =
        send(cloud, &[&args.concat()[..], &["--ttl", "1m", "--format", "json"]].concat()).expect(0).json();
    let expiry = sent["expiryTimeUtc"].as_str().expect("a moment").to_owned();
    assert_eq!(
        sent,
        json!({"event": "sent", "deviceId": "honest", "messageId": "m1", "sequenceNumber": null,
            "enqueuedTimeUtc": null, "expiryTimeUtc": expiry})
    );

    let (topic, body) = publication(&mut device);
    assert_eq!(body, r#"{"on": "äöü"}"#.as_bytes());
    let bag = topic.strip_prefix("devices/honest/messages/devicebound/").expect("a topic of its own");
    let mut parts: Vec<_> = bag.split('&').collect();
    parts.sort_unstable();
    let until = expiry.parse::<jiff::Timestamp>().expect("a moment");
    let told = parts.iter().find_map(|part| part.strip_prefix("%24.exp=")).expect("an expiry");
    let told = told.replace("%3A", ":").parse::<jiff::Timestamp>().expect("a moment");
    assert_eq!(told, until);
    parts.retain(|part| !part.starts_with("%24.exp="));
    assert_eq!(
        parts,
        [
            "%24.ct=application%2Fjson",
            "%24.mid=m1",
            "%24.to=%2Fdevices%2Fhonest%2Fmessages%2FdeviceBound",
            "Level=a%20b%26c",
            "empty=",
            "iothub-ack=full",
        ]
    );

    // Done with, it is gone.
    device.write_all(&packet(0x40, &[0, 1])).expect("sent");
    device.write_all(&packet(0xc0, &[])).expect("sent");
    expect(&mut device, &[0xd0, 0]);
    let twin = cloud.hub(&["twin", "show", "honest", "--format", "json"]).expect(0).json();
    assert_eq!(twin["cloudToDeviceMessageCount"], 0);
}

#[test]
fn a_message_waits_for_a_device_and_has_an_id_in_any_case() {
    let cloud = cloud(&[]);
    let sent = send(&cloud, &["honest", "hello", "--format", "json"]).expect(0).json();
    let id = sent["messageId"].as_str().expect("an id");
    assert_eq!((id.len(), &sent["expiryTimeUtc"]), (36, &Value::Null));
    let people = send(&cloud, &["honest", "", "--message-id", "m2"]).expect(0);
    assert_eq!(people.out, "the hub has message m2 for honest and keeps it for as long as its settings say");
    let twin = cloud.hub(&["twin", "show", "honest", "--format", "json"]).expect(0).json();
    assert_eq!(twin["cloudToDeviceMessageCount"], 2);
}

#[test]
fn our_own_device_takes_what_is_sent_to_it_and_what_waited_while_it_was_off() {
    let cloud = cloud(&[]);
    let taken = |device: &mut Program| {
        let mut event = device.event("received");
        event.as_object_mut().expect("an object").remove("time");
        event
    };
    let told = |body: Value, properties: Value| {
        json!({"event": "received", "device": "env-sensor-01", "input": null, "body": body,
            "properties": properties})
    };
    let mut device = cloud.run("env-sensor-01", &["--interval", "1h"]);
    device.event("twin");
    let args = ["send", "env-sensor-01", r#"{"on": true}"#, "--property", "level=3", "--ack", "full"];
    cloud.hub(&args).expect(0);
    assert_eq!(taken(&mut device), told(json!({"on": true}), json!({"level": "3"})));
    send(&cloud, &["env-sensor-01", "over AMQP", "--ack", "full"]).expect(0);
    assert_eq!(taken(&mut device), told(json!("over AMQP"), json!({})));
    // Its answer to a command comes after its acknowledgements, on the same link.
    cloud.hub(&["invoke", "env-sensor-01", "turnon"]).expect(0);
    let twin = cloud.hub(&["twin", "show", "env-sensor-01", "--format", "json"]).expect(0).json();
    assert_eq!(twin["cloudToDeviceMessageCount"], 0);

    device.signal("TERM");
    device.end().expect(0);
    for body in ["first", "second"] {
        cloud.hub(&["send", "env-sensor-01", body]).expect(0);
    }
    let mut device = cloud.run("env-sensor-01", &["--interval", "1h"]);
    for body in ["first", "second"] {
        assert_eq!(taken(&mut device), told(json!(body), json!({})));
    }
}

#[test]
fn what_is_in_the_way_of_a_message_is_told_apart() {
    let cloud = cloud(&[]);
    let unknown = send(&cloud, &["nobody", "hello"]).expect(1);
    assert!(unknown.err.contains("has no `nobody`; check the device id"), "{}", unknown.all());
    let long = send(&cloud, &["honest", &"x".repeat(70_000)]).expect(1);
    assert!(long.err.contains("cannot send the message for `honest` to localhost: "), "{}", long.all());
    assert!(long.err.contains("70"), "{}", long.all());

    let right = cloud.text("serviceConnectionString");
    let key = right.split("SharedAccessKey=").nth(1).expect("a key");
    let wrong = "c3VwZXJzZWNyZXRrZXkxMjM=";
    let refused = send_as(&cloud, &right.replace(key, wrong), &["honest", "hello"]).expect(1);
    assert!(refused.err.contains("did not authorise the request"), "{}", refused.all());
    assert!(refused.err.contains("check the policy's name and key"), "{}", refused.all());
    let closed = ["send", "honest", "hello", "--amqp-port", "1"];
    let closed = cloud.hub(&closed).expect(4);
    assert!(closed.err.contains("nothing listens on localhost:1"), "{}", closed.all());
    for outcome in [&unknown, &long, &refused, &closed] {
        assert_eq!(outcome.out, "");
        assert!(!outcome.all().contains(key) && !outcome.all().contains(wrong), "{}", outcome.all());
    }
    for bad in [["--content-type", "text/äöü"], ["--content-type", ""], ["--amqp-port", "0"]] {
        cloud.hub(&[&["send", "honest", "hello"][..], &bad].concat()).expect(2);
    }
}

#[test]
fn a_policy_that_may_not_send_is_told_which_right_it_needs() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("data").display().to_string();
    CloudProcess::with(&[&PORTS[..], &["--data-dir", &folder]].concat()).stop("TERM").expect(0);
    let key = policy_key(&folder, "registryRead").reveal();
    let cloud = cloud(&["--data-dir", &folder]);
    let right = ConnectionString::parse(cloud.text("serviceConnectionString")).expect("a connection string");
    let other = format!("HostName={};SharedAccessKeyName=registryRead;SharedAccessKey={key}", right.hub);
    let refused = send_as(&cloud, &other, &["honest", "hello"]).expect(1);
    assert!(refused.err.contains("did not authorise the request"), "{}", refused.all());
    assert!(
        refused.err.contains("registryRead") && refused.err.contains("service connect"),
        "{}",
        refused.all()
    );
    assert!(!refused.all().contains(&key), "{}", refused.all());
}

#[test]
fn a_full_queue_is_told_in_the_same_words_both_ways() {
    let cloud = cloud(&[]);
    let pem = std::fs::read_to_string(cloud.text("caFile")).expect("a certificate");
    let trust = Trust::only(&pem, "the local cloud's authority").expect("a certificate");
    let connection =
        ConnectionString::parse(cloud.text("serviceConnectionString")).expect("a connection string");
    let client = Client::new(&connection, &trust).expect("a client");
    let device = "honest".parse().expect("an id");
    let life = Some(Duration::from_secs(3600));
    let message = Outgoing { body: "hello".to_owned(), time_to_live: life, ..Outgoing::default() };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        for number in 1..=50 {
            let sent = client.send(&device, &message, None).await.expect("sent");
            assert_eq!(sent.sequence_number, Some(number));
        }
    });
    let over_amqp = send(&cloud, &["honest", "hello"]).expect(1);
    let over_https = cloud.hub(&["send", "honest", "hello"]).expect(1);
    assert_eq!(over_amqp.err, over_https.err);
    assert!(
        over_amqp.err.contains("(403004); let the device take some, or empty its queue"),
        "{}",
        over_amqp.all()
    );
}
