//! The back end's side: `envsim hub` against a device on a cloud in another process.
//!
//! Here are commands, messages and how a hub is found; below are the [`registry`], twins as they are
//! changed and watched ([`twins`]), deployments and queries ([`asking`]),
//! and what goes over AMQP: [`events`], and [`sending`].

mod asking;
mod events;
mod registry;
mod restarts;
mod sending;
mod twins;

use serde_json::{Value, json};

use super::support::{CloudProcess, Program, Sandbox};

/// A cloud with a device that is connected and has fetched its twin.
fn with_device(options: &[&str]) -> (CloudProcess, Program) {
    let cloud = CloudProcess::start();
    let mut device = cloud.run("env-sensor-01", options);
    device.event("twin");
    (cloud, device)
}

#[test]
fn a_command_is_answered_for_people_and_for_programs() {
    let (cloud, mut device) = with_device(&["--interval", "1s"]);
    let blink = ["invoke", "env-sensor-01", "blink", "--payload", "5"];
    let outcome = cloud.hub(&blink).expect(0);
    assert!(outcome.out.contains("  blink answered 200 after "), "{}", outcome.all());
    assert!(outcome.out.contains("Blinking LED every 5 seconds"), "{}", outcome.all());
    let answered = device.event("command-answered");
    assert_eq!(answered["command"], "blink");
    assert_eq!(answered["status"], 200);

    let answer = cloud.hub(&[&blink[..], &["--format", "json"]].concat()).expect(0).json();
    assert_eq!(answer["status"], 200);
    assert_eq!(answer["payload"], json!({"description": "Blinking LED every 5 seconds"}));

    for (command, payload, status) in
        [("turnon", "null", 200), ("turnoff", "null", 200), ("blink", "\"soon\"", 400), ("dance", "1", 404)]
    {
        let args = ["invoke", "env-sensor-01", command, "--payload", payload, "--format", "json"];
        let outcome = cloud.hub(&args).expect(i32::from(status != 200));
        assert_eq!(outcome.json()["status"], status, "{}", outcome.all());
    }
}

#[test]
fn an_outcome_that_nobody_reads_is_still_in_the_exit_code() {
    let (cloud, _device) = with_device(&[]);
    let without_reader = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = cloud.sandbox.command(&[&["hub"], args].concat());
        command.stdout(writer);
        Program::start(command).end()
    };
    let invoke = ["invoke", "env-sensor-01"];
    let of = |rest: &[&str]| without_reader(&[&invoke[..], rest].concat());
    assert_eq!(of(&["turnon"]).expect(0).err, "");
    assert_eq!(of(&["dance"]).expect(1).err, "");
    let never = of(&["turnon", "--wait-for", "never", "--timeout", "10ms"]).expect(1);
    assert!(never.err.contains("never was not reported"), "{}", never.all());
    // Of what is only shown, nobody misses anything.
    assert_eq!(without_reader(&["device", "show", "env-sensor-01"]).expect(0).err, "");

    cloud.hub(&["device", "create", "edge", "--edge"]).expect(0);
    let file = cloud.sandbox.write(
        "bad.json",
        r#"{"modulesContent": {"$edgeHub": {"properties.desired": {"schemaVersion": "1.0", "routes": {"r": "FROM"}}}}}"#,
    );
    let refused = without_reader(&["deploy", "edge", &file.display().to_string()]).expect(1);
    assert!(refused.err.contains("refused the deployment"), "{}", refused.all());
}

#[test]
fn an_outcome_is_waited_for_while_everything_else_goes_on() {
    let (cloud, mut device) = with_device(&["--interval", "100ms", "--time-scale", "4"]);
    let mut invoke = cloud.hub_start(&[
        "invoke",
        "env-sensor-01",
        "rundiagnostics",
        "--wait-for",
        "rundiagnostics",
        "--format",
        "json",
    ]);
    let answer = invoke.event("answer");
    assert_eq!(answer["status"], 202);
    // Diagnostics run now: another command and telemetry do not wait for them.
    cloud.hub(&["invoke", "env-sensor-01", "turnon"]).expect(0);
    device.event_where("command-answered", |event| event["command"] == "turnon");
    device.event("acknowledged");
    let reporting = device.event_where("reporting", |event| event["patch"]["rundiagnostics"].is_object());
    let said = reporting["patch"]["rundiagnostics"]["value"].as_str().unwrap_or_default();
    assert!(said.starts_with("Diagnostics run complete at "), "{reporting}");
    let met = invoke.event_where("wait", |event| event["state"] == "met");
    assert_eq!(met["value"]["value"], said);
    invoke.end().expect(0);
}

#[test]
fn properties_are_followed_in_both_conventions() {
    let (cloud, mut device) = with_device(&["--time-scale", "20"]);
    let reported = |name: &'static str| move |event: &Value| event["patch"].get(name).is_some();
    cloud.hub(&["twin", "update", "env-sensor-01", "--desired", r#"{"name":{"value":"Ada"}}"#]).expect(0);
    let name = device.event_where("reporting", reported("name"));
    let version = name["patch"]["name"]["desiredVersion"].clone();
    assert_eq!(
        name["patch"]["name"],
        json!({"value": "Ada", "status": "completed", "desiredVersion": version})
    );
    device.event("reported");

    cloud.hub(&["twin", "update", "env-sensor-01", "--desired", r#"{"brightness":2}"#]).expect(0);
    let brightness = device.event_where("reporting", reported("brightness"));
    assert_eq!(brightness["patch"]["brightness"]["value"], 2);
    assert_eq!(brightness["patch"]["brightness"]["ac"], 200);
    device.event("reported");

    let twin = cloud.hub(&["twin", "show", "env-sensor-01", "--format", "json"]).expect(0).json();
    let reported = &twin["properties"]["reported"];
    assert_eq!(reported["state"], "true");
    assert_eq!(reported["name"]["value"], "Ada");
    assert_eq!(reported["name"]["desiredVersion"], version);
    assert_eq!(reported["brightness"]["av"], twin["properties"]["desired"]["$version"]);
    let for_people = cloud.hub(&["twin", "show", "env-sensor-01"]).expect(0).out;
    assert!(for_people.contains("Ada") && !for_people.contains("$metadata"), "{for_people}");
}

#[test]
fn what_was_desired_before_the_device_came_is_acknowledged_when_it_comes() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "late"]);
    cloud.hub(&["twin", "update", "late", "--desired", r#"{"name":"Grace"}"#]).expect(0);
    let mut device = cloud.run("late", &["--time-scale", "20"]);
    let said = device.event_where("reporting", |event| event["patch"].get("name").is_some());
    assert_eq!(said["patch"]["name"]["value"], "Grace");
    assert_eq!(said["patch"]["name"]["ac"], 200);
}

#[test]
fn telemetry_is_watched() {
    let (cloud, _device) = with_device(&["--interval", "100ms"]);
    let outcome = cloud.hub(&["monitor", "--count", "2", "--format", "json"]).expect(0);
    let events = outcome.heard();
    assert_eq!(events.len(), 2, "{}", outcome.all());
    let telemetry =
        cloud.hub(&["monitor", "--count", "2", "--device", "env-sensor-01", "--format", "json"]).expect(0);
    for event in telemetry.heard() {
        assert_eq!(event["deviceId"], "env-sensor-01", "{event}");
        assert!(event["body"]["temp"].is_number() && event["body"]["humid"].is_number(), "{event}");
    }
}

#[test]
fn a_message_is_sent_to_a_device_that_need_not_be_there() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "asleep"]);
    let args = ["send", "asleep", r#"{"on":true}"#, "--property", "Level=3", "--message-id", "m1"];
    let args = [&args[..], &["--ack", "full", "--content-type", "application/json", "--ttl", "1m"]].concat();
    let outcome = cloud.hub(&args).expect(0);
    assert!(outcome.out.starts_with("the hub has message m1 for asleep"), "{}", outcome.all());
    let sent = cloud.hub(&["send", "asleep", "hello", "--format", "json"]).expect(0).json();
    assert_eq!((&sent["event"], &sent["sequenceNumber"]), (&json!("sent"), &json!(2)));
    let twin = cloud.hub(&["twin", "show", "asleep", "--format", "json"]).expect(0).json();
    assert_eq!(twin["cloudToDeviceMessageCount"], 2);

    let file = cloud.sandbox.write("message.json", "{}").display().to_string();
    let sent = cloud.hub(&["send", "asleep", "--body-file", &file, "--format", "json"]).expect(0).json();
    assert_eq!(sent["sequenceNumber"], 3);
    for bad in [&[][..], &["hello", "--body-file", &file], &["--body-file", "nowhere"]] {
        cloud.hub(&[&["send", "asleep"], bad].concat()).expect(2);
    }

    let unknown = cloud.hub(&["send", "nobody", "hello"]).expect(1);
    assert!(unknown.err.contains("has no `nobody`"), "{}", unknown.all());
    for bad in [["--property", "level"], ["--ack", "maybe"], ["--ttl", "3d"], ["--ttl", "0s"]] {
        cloud.hub(&[&["send", "asleep", "hello"][..], &bad].concat()).expect(2);
    }
}

#[test]
fn a_device_that_is_offline_and_one_that_is_unknown_read_differently() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "asleep"]);
    let offline = cloud.hub(&["invoke", "asleep", "blink", "--payload", "5"]).expect(1);
    assert!(offline.err.contains("`asleep` is not connected"), "{}", offline.all());
    assert!(
        offline.err.contains("404103") && offline.err.contains("--connect-timeout 30s"),
        "{}",
        offline.all()
    );
    let waited = cloud.hub(&["invoke", "asleep", "blink", "--connect-timeout", "1s"]).expect(1);
    assert!(waited.err.contains("did not come within 1 s"), "{}", waited.all());
    let module = cloud.hub(&["invoke", "asleep", "blink", "--module", "none"]).expect(1);
    assert!(module.err.contains("has no `asleep/none`"), "{}", module.all());
    let unknown = cloud.hub(&["invoke", "nobody", "blink", "--payload", "5"]).expect(1);
    assert!(unknown.err.contains("nobody"), "{}", unknown.all());
    assert!(!unknown.err.contains("not connected"), "{}", unknown.all());
    let unknown = cloud.hub(&["twin", "show", "nobody"]).expect(1);
    assert!(unknown.err.contains("has no `nobody`"), "{}", unknown.all());
}

#[test]
fn a_connection_string_says_which_hub() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "dev-1"]);
    // Elsewhere nothing runs, so that only the connection string can lead there.
    let elsewhere = Sandbox::new();
    let none = elsewhere.run(&["hub", "twin", "show", "dev-1"]);
    assert_ne!(none.code, Some(0), "{}", none.all());
    assert!(none.err.contains("IOTHUB_CONNECTION_STRING"), "{}", none.all());

    let service = cloud.text("serviceConnectionString");
    let args = ["hub", "twin", "show", "dev-1", "--format", "json", "--ca", cloud.text("caFile")];
    let mut command = elsewhere.command(&args);
    command.env("IOTHUB_CONNECTION_STRING", service);
    let twin = Program::start(command).end().expect(0).json();
    assert_eq!(twin["deviceId"], "dev-1");

    let wrong = service.replace("SharedAccessKey=", "SharedAccessKey=AAAA");
    let refused = elsewhere.run(&[&args[..], &["--connection-string", &wrong]].concat());
    assert_ne!(refused.code, Some(0), "{}", refused.all());
    assert!(!refused.all().contains(&wrong[wrong.len() - 20..]), "{}", refused.all());
}

#[test]
fn envsim_s_own_cloud_is_found_without_options() {
    let sandbox = Sandbox::new();
    let mut device = sandbox.start(&["--headless", "--format", "json"]);
    device.event("twin");
    let outcome = sandbox.run(&["hub", "invoke", "env-sensor-01", "blink", "--payload", "2"]).expect(0);
    assert!(outcome.out.contains("Blinking LED every 2 seconds"), "{}", outcome.all());
}

#[test]
fn exit_codes_tell_usage_from_a_hub_out_of_reach() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "d"]);
    cloud.hub(&["invoke", "d", "blink", "--payload", "{bad"]).expect(2);
    cloud.hub(&["twin", "update", "d", "--desired", "[1]"]).expect(2);
    let closed = "HostName=localhost:1;SharedAccessKeyName=service;SharedAccessKey=c3VwZXJzZWNyZXRrZXkxMjM=";
    let outcome = cloud.hub(&["twin", "show", "d", "--connection-string", closed]).expect(4);
    assert!(outcome.err.contains("localhost"), "{}", outcome.all());
}

#[test]
fn what_only_the_local_cloud_has_says_so() {
    let azure = "HostName=contoso.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=c3VwZXJzZWNyZXRrZXkxMjM=";
    let sandbox = Sandbox::new();
    for (verb, why) in [
        (&["faults", "show"][..], "only envsim's local cloud makes it on request"),
        (&["drop", "d"], "only envsim's local cloud makes it on request"),
    ] {
        let refused = sandbox.run(&[&["hub", "--connection-string", azure], verb].concat()).expect(1);
        assert!(refused.err.contains(why), "{}", refused.all());
        assert!(!refused.all().contains("c3VwZXJz"), "{}", refused.all());
    }
}

#[test]
fn a_command_s_payload_comes_from_a_file_as_well() {
    let (cloud, _device) = with_device(&[]);
    let file = cloud.sandbox.write("payload.json", "7\n").display().to_string();
    let answer = cloud.hub(&["invoke", "env-sensor-01", "blink", "--payload-file", &file]).expect(0);
    assert!(answer.out.contains("every 7 seconds"), "{}", answer.all());
    let bad = cloud.sandbox.write("bad.json", "{").display().to_string();
    let refused = cloud.hub(&["invoke", "env-sensor-01", "blink", "--payload-file", &bad]).expect(2);
    assert!(refused.err.contains("bad.json is not JSON: EOF"), "{}", refused.all());
    let long = cloud.sandbox.write("long.json", "[-12345678901234567890123]").display().to_string();
    let refused = cloud.hub(&["invoke", "env-sensor-01", "blink", "--payload-file", &long]).expect(2);
    assert!(refused.err.contains("long.json has the number -12345678901234567890123"), "{}", refused.all());
    let missing = cloud.hub(&["invoke", "env-sensor-01", "blink", "--payload-file", "nowhere"]).expect(2);
    assert!(missing.err.contains("cannot read nowhere"), "{}", missing.all());
    cloud.hub(&["invoke", "d", "blink", "--payload", "1", "--payload-file", "x"]).expect(2);
}

#[test]
fn telemetry_is_watched_for_a_time_and_by_its_properties() {
    let (cloud, _device) = with_device(&["--interval", "100ms"]);
    let json =
        cloud.hub(&["monitor", "--property", "$.ct=application/json", "--count", "1", "--format", "json"]);
    assert_eq!(json.expect(0).heard()[0]["source"], "Telemetry");
    let nothing = ["monitor", "--device", "env-sensor-01", "--property", "alert", "--for", "300ms"];
    let heard = cloud.hub(&nothing).expect(0).out;
    assert_eq!(heard, "listening to what env-sensor-01 sends to localhost; Ctrl-C ends it");
    let too_few = cloud.hub(&[&nothing[..], &["--count", "1"]].concat()).expect(1);
    assert!(too_few.err.contains("0 of 1 events came within 300 ms"), "{}", too_few.all());

    let nobody = cloud.hub(&["monitor", "--device", "nobody"]).expect(1);
    assert!(nobody.err.contains("has no `nobody`"), "{}", nobody.all());
    let nothing_there = cloud.hub(&["monitor", "--device", "env-sensor-01", "--module", "m"]).expect(1);
    assert!(nothing_there.err.contains("has no `env-sensor-01/m`"), "{}", nothing_there.all());
    cloud.hub(&["monitor", "--module", "m"]).expect(2);
    cloud.hub(&["monitor", "--property", "=x"]).expect(2);
}

#[test]
fn watching_ends_as_the_signal_says() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "d"]);
    for (signal, code) in [("INT", 130), ("TERM", 0)] {
        let mut watch = cloud.hub_start(&["twin", "watch", "d", "--format", "json"]);
        watch.event("watching");
        watch.signal(signal);
        let outcome = watch.end().expect(code);
        assert_eq!(outcome.err, "", "{}", outcome.all());
        let mut monitor = cloud.hub_start(&["monitor", "--format", "json"]);
        monitor.event("listening");
        cloud.hub(&["twin", "update", "d", "--tags", r#"{"x": 1}"#]).expect(0);
        monitor.line("event", |line| line.contains("twinChangeEvents").then_some(()));
        monitor.signal(signal);
        monitor.end().expect(code);
    }
}

#[test]
fn one_of_several_clouds_is_named() {
    let one = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "in-one"]);
    assert_eq!(one.hub(&["twin", "show", "in-one"]).expect(0).err, "");
    let two = one.sandbox.start(&["cloud", "--mqtt-port", "0", "--https-port", "0", "--format", "json"]);
    let two = CloudProcess::of(Sandbox::new(), two);
    let address = |cloud: &CloudProcess| format!("{}:{}", cloud.text("hub"), cloud.ready["httpsPort"]);

    let list = one.hub(&["device", "list"]).expect(0);
    assert!(list.err.contains("2 local clouds run") && list.err.contains("--hub"), "{}", list.all());
    assert!(list.err.contains(&address(&one)) && list.err.contains(&address(&two)), "{}", list.all());
    let list = one.hub(&["--hub", &address(&one), "device", "list"]).expect(0);
    assert!(list.out.contains("in-one") && list.err.is_empty(), "{}", list.all());
    let list = one.hub(&["device", "list", "--hub", &address(&two)]).expect(0);
    assert!(!list.out.contains("in-one") && list.err.is_empty(), "{}", list.all());

    // An option beats the environment.
    let mut command = one.sandbox.command(&["hub", "device", "list", "--hub", &address(&one)]);
    command.env("IOTHUB_CONNECTION_STRING", two.text("serviceConnectionString"));
    assert!(Program::start(command).end().expect(0).out.contains("in-one"));

    let none = one.hub(&["device", "list", "--hub", "localhost:1"]).expect(4);
    assert!(none.err.contains("goes by localhost:1"), "{}", none.all());
    let service = one.text("serviceConnectionString");
    let both = one.hub(&["device", "list", "--hub", "localhost", "--connection-string", service]).expect(2);
    assert!(both.err.contains("exclude each other"), "{}", both.all());
    let both =
        one.hub(&["device", "list", "--hub", "localhost", "--connection-string-file", "nowhere"]).expect(2);
    assert!(both.err.contains("--hub and --connection-string-file exclude each other"), "{}", both.all());
}
