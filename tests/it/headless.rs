//! The device without a screen: against the cloud inside it, and against one of its own.

use serde_json::Value;

use super::support::{CloudProcess, Outcome, Program, Sandbox};

const FAST: [&str; 2] = ["--interval", "50ms"];

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["event"].as_str()).collect()
}

/// Fails unless `wanted` stand in `names` in this order, others between them.
#[track_caller]
fn assert_in_order(names: &[&str], wanted: &[&str]) {
    let mut rest = names.iter();
    for wanted in wanted {
        assert!(rest.any(|name| name == wanted), "no `{wanted}` in its place in {names:?}");
    }
}

/// Options, and one variable.
type Row<'a> = (Vec<&'a str>, Option<(&'a str, &'a str)>);

/// The bodies of the messages sent.
fn bodies(outcome: &Outcome) -> Vec<String> {
    let events = outcome.events();
    events.iter().filter(|event| event["event"] == "sent").map(|event| event["body"].to_string()).collect()
}

#[test]
fn three_messages_end_with_a_summary_and_every_step_is_told() {
    let sandbox = Sandbox::new();
    let mut args = vec!["--headless", "--format", "json", "--count", "3"];
    args.extend(FAST);
    let outcome = sandbox.run(&args).expect(0);
    assert_eq!(outcome.err, "");
    let events = outcome.events();
    assert_in_order(
        &names(&events),
        &[
            "started",
            "registering",
            "assigned",
            "reached",
            "secured",
            "connected",
            "twin",
            "sent",
            "acknowledged",
            "summary",
        ],
    );
    assert_in_order(&names(&events), &["registering", "assigning", "assigned"]);
    assert_in_order(&names(&events), &["connected", "reporting", "summary"]);
    let summary = events.last().expect("events");
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["acknowledged"], 3, "{summary}");
    assert_eq!(summary["dropped"], 0, "{summary}");
    for event in &events {
        let time = event["time"].as_str().unwrap_or_default();
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{event}");
        assert_eq!(event["device"], "env-sensor-01", "{event}");
    }
    let state = events.iter().find(|event| event["event"] == "reporting").expect("a report");
    assert_eq!(state["patch"]["state"], "true");
}

#[test]
fn a_time_ends_it_and_text_is_for_people() {
    let sandbox = Sandbox::new();
    let outcome =
        sandbox.run(&["run", "--headless", "--for", "1s", "--format", "text", "--interval", "100ms"]);
    let outcome = outcome.expect(0);
    assert!(outcome.out.contains("sent #1 {\"temp\":"), "{}", outcome.all());
    let last = outcome.out.lines().last().unwrap_or_default();
    assert!(last.contains(" unacknowledged, 0 waiting, 0 dropped in "), "{last}");
}

#[test]
fn quiet_says_only_the_summary() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&["--headless", "--format", "quiet", "--count", "2", "--interval", "50ms"]);
    let outcome = outcome.expect(0);
    assert_eq!(outcome.out.lines().count(), 1, "{}", outcome.all());
    assert!(outcome.out.contains("2 acknowledged"), "{}", outcome.all());
}

#[test]
fn without_a_terminal_it_is_headless_by_itself() {
    let outcome = Sandbox::new().run(&["--count", "1", "--interval", "50ms"]).expect(0);
    assert!(outcome.out.contains("1 acknowledged"), "{}", outcome.all());
    assert!(!outcome.out.contains('\u{1b}'), "{}", outcome.all());
}

#[test]
fn an_interrupt_ends_cleanly_with_130_and_termination_with_0() {
    for (signal, code) in [("INT", 130), ("TERM", 0), ("HUP", 0)] {
        let sandbox = Sandbox::new();
        let mut program = sandbox.start(&["run", "--headless", "--format", "json", "--interval", "50ms"]);
        program.event("acknowledged");
        program.signal(signal);
        let outcome = program.end().expect(code);
        assert_eq!(names(&outcome.events()).last(), Some(&"summary"), "{}", outcome.all());
        assert_in_order(&names(&outcome.events()), &["disconnected", "summary"]);
    }
}

#[test]
fn the_same_seed_gives_the_same_values() {
    let run = |seed| {
        let args = ["--headless", "--format", "json", "--count", "5", "--interval", "50ms", "--seed", seed];
        let bodies = bodies(&Sandbox::new().run(&args).expect(0));
        assert!(bodies.len() >= 5);
        bodies[..5].to_vec()
    };
    let first = run("7");
    assert_eq!(first, run("7"));
    assert_ne!(first, run("8"));
}

#[test]
fn every_way_to_give_a_secret_leads_to_a_separate_cloud() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "dev-direct"]);
    let sandbox = &cloud.sandbox;
    let group = cloud.text("groupKey");
    let own = cloud.key("dev-own");
    let direct = cloud.connection_string("dev-direct");
    let key_file = sandbox.write("key", &format!("{own}\n")).display().to_string();
    let direct_file = sandbox.write("direct", &format!("{direct}\n")).display().to_string();
    let config = format!("interval = \"50ms\"\nkey = \"{own}\"\ncount = 2\n");
    let config = sandbox.write("envsim.toml", &config).display().to_string();
    let scope = cloud.provisioning("dev-own");
    let ca = ["--ca", cloud.text("caFile")];

    let rows: &[Row<'_>] = &[
        ([&scope[..], &["--group-key", group]].concat(), None),
        ([&scope[..], &["--key", &own]].concat(), None),
        ([&scope[..], &["--key-file", &key_file]].concat(), None),
        ([&scope[..], &["--config", &config]].concat(), None),
        (scope.clone(), Some(("IOTHUB_DEVICE_DPS_DEVICE_KEY", &own))),
        (scope.clone(), Some(("ENVSIM_GROUP_KEY", group))),
        (scope.clone(), Some(("ENVSIM_CONFIG", &config))),
        ([&ca[..], &["--connection-string", &direct]].concat(), None),
        ([&ca[..], &["--connection-string-file", &direct_file]].concat(), None),
        (ca.to_vec(), Some(("IOTHUB_DEVICE_CONNECTION_STRING", &direct))),
    ];
    for (options, variable) in rows {
        let mut args = vec!["run", "--headless", "--format", "json", "--count", "2", "--interval", "50ms"];
        args.extend(options);
        let mut command = sandbox.command(&args);
        command.envs(variable.iter().copied());
        let outcome = super::support::Program::start(command).end();
        for secret in [group, &own, &direct] {
            assert!(!outcome.all().contains(secret), "a secret is told: {}", outcome.all());
        }
        let events = outcome.expect(0).events();
        assert_eq!(events.last().expect("events")["acknowledged"], 2);
        let is_direct = options.starts_with(&ca) || variable.is_some_and(|(name, _)| name.contains("STRING"));
        assert_eq!(names(&events).contains(&"registering"), !is_direct, "{options:?}");
    }
}

#[test]
fn variables_alone_lead_to_a_separate_cloud() {
    let cloud = CloudProcess::start();
    let mut command = cloud.sandbox.command(&["--headless", "--count", "1", "--interval", "50ms"]);
    command.env("IOTHUB_DEVICE_DPS_ENDPOINT", cloud.text("provisioningEndpoint"));
    command.env("IOTHUB_DEVICE_DPS_ID_SCOPE", cloud.text("idScope"));
    command.env("IOTHUB_DEVICE_DPS_DEVICE_ID", "dev-variables");
    command.env("IOTHUB_DEVICE_DPS_DEVICE_KEY", cloud.key("dev-variables"));
    command.env("ENVSIM_CA", cloud.text("caFile"));
    let outcome = super::support::Program::start(command).end().expect(0);
    assert!(outcome.out.contains("as dev-variables"), "{}", outcome.all());
}

#[test]
fn a_token_is_renewed_well_before_it_ends() {
    let cloud = CloudProcess::start();
    let mut device = cloud.run("dev-renews", &["--sas-ttl", "2s", "--interval", "100ms"]);
    device.event("connected");
    device.event("renewing");
    device.event("connected");
    device.event("acknowledged");
    device.signal("TERM");
    let outcome = device.end().expect(0);
    assert!(!names(&outcome.events()).contains(&"failed"), "{}", outcome.all());
}

#[test]
fn the_cloud_stops_on_either_signal_with_0() {
    for signal in ["INT", "TERM"] {
        let cloud = CloudProcess::start();
        for field in ["mqttPort", "httpsPort"] {
            assert!(cloud.ready[field].as_u64().is_some_and(|port| port > 0), "{}", cloud.ready);
        }
        assert!(cloud.ready["dataDir"].is_null(), "{}", cloud.ready);
        assert!(cloud.text("serviceConnectionString").contains("SharedAccessKeyName="));
        assert!(std::fs::read_to_string(cloud.text("caFile")).is_ok_and(|ca| ca.contains("BEGIN CERT")));
        cloud.stop(signal).expect(0);
    }
}

#[test]
fn the_cloud_s_facts_are_there_as_export_lines() {
    let sandbox = Sandbox::new();
    let mut cloud = sandbox.start(&["cloud", "--env", "--mqtt-port", "0", "--https-port", "0"]);
    cloud.line("export line", |line| line.starts_with("export IOTHUB_DEVICE_DPS_ID_SCOPE=").then_some(()));
    cloud.signal("TERM");
    let outcome = cloud.end().expect(0);
    let is_export = |line: &&str| line.starts_with("export ") || line.starts_with('#') || line.is_empty();
    assert!(outcome.out.lines().all(|line| is_export(&line)), "{}", outcome.out);
}

#[test]
fn a_reader_that_has_had_enough_ends_it_without_a_word() {
    let script = format!("'{}' --headless --interval 50ms | head -n 1", env!("CARGO_BIN_EXE_envsim"));
    let outcome = std::process::Command::new("sh")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output();
    let outcome = outcome.expect("a shell");
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "");
    assert_eq!(String::from_utf8_lossy(&outcome.stdout).lines().count(), 1);
}

#[test]
fn several_devices_run_at_once_each_under_its_own_name_and_with_values_of_its_own() {
    let sandbox = Sandbox::new();
    let mut args =
        vec!["--headless", "--format", "json", "--device-id", "a,b,c", "--seed", "7", "--count", "30"];
    args.extend(FAST);
    let events = sandbox.run(&args).expect(0).events();
    let of = |name: &str, device: &str| -> Vec<Value> {
        let is = |event: &&Value| event["event"] == name && event["device"] == device;
        events.iter().filter(is).cloned().collect()
    };
    for (place, device) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(of("started", device)[0]["seed"], 7 + place);
        assert_eq!(of("assigned", device)[0]["deviceId"], device);
        assert_eq!(of("connected", device).len(), 1);
        assert!(of("acknowledged", device).len() >= 3, "{device}");
    }
    let first = |device| {
        of("sent", device).into_iter().take(3).map(|event| event["body"].clone()).collect::<Vec<_>>()
    };
    assert!(first("a") != first("b") && first("b") != first("c"));
    let summary = events.last().expect("events");
    assert!(summary["acknowledged"].as_u64() >= Some(30), "{summary}");
    assert_eq!((&summary["event"], &summary["device"]), (&Value::from("summary"), &Value::Null));
    // Alone, with the seed that it was told to have, a device has the same values again.
    let alone =
        sandbox.run(&["--headless", "--format", "json", "--device-id", "b", "--seed", "8", "--count", "3"]);
    assert_eq!(bodies(&alone.expect(0))[0], first("b")[0].to_string());
}

#[test]
fn modules_are_made_where_they_are_missing_and_found_where_they_are_not() {
    let cloud = CloudProcess::start();
    let mqtt = cloud.ready["mqttPort"].to_string();
    let run = |options: &[&str]| {
        let args =
            [&["run", "--headless", "--format", "json", "--mqtt-port", &mqtt, "--count", "2"], options]
                .concat();
        let mut command = cloud.sandbox.command(&args);
        command.env("IOTHUB_CONNECTION_STRING", cloud.text("serviceConnectionString"));
        command.env("ENVSIM_CA", cloud.text("caFile"));
        Program::start(command).end().expect(0)
    };
    let notes = |outcome: &Outcome| -> Vec<String> {
        let events = outcome.events();
        let notes = events.iter().filter(|event| event["event"] == "note");
        notes.map(|event| event["text"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let first = run(&["--profile", "module", "--interval", "50ms"]);
    assert!(notes(&first)[0].starts_with("made the device myFirstDevice "), "{}", first.all());
    assert!(notes(&first)[1].starts_with("made the module myFirstDevice/myFirstModule "), "{}", first.all());
    let again = run(&["--profile", "module,environment", "--interval", "50ms"]);
    assert!(notes(&again)[1].starts_with("found the module myFirstDevice/myFirstModule "), "{}", again.all());
    let body = &again.events().into_iter().find(|event| event["event"] == "sent").expect("a message")["body"];
    assert!(body["machineTemperature"].is_f64() && body["temp"].is_f64(), "{body}");

    // What was a device of its own is not turned into an IoT Edge device.
    let mut command = cloud.sandbox.command(&[
        "run",
        "--headless",
        "--profile",
        "edge-filter",
        "--device-id",
        "myFirstDevice",
    ]);
    command.env("IOTHUB_CONNECTION_STRING", cloud.text("serviceConnectionString"));
    command.env("ENVSIM_CA", cloud.text("caFile"));
    let refused = Program::start(command).end().expect(1);
    assert!(refused.err.contains("is no IoT Edge device"), "{}", refused.all());
}

#[test]
fn what_cannot_be_stood_on_is_named_before_anything_is_made() {
    let cloud = CloudProcess::start();
    cloud.hub(&["device", "create", "dis", "--disabled", "--edge"]).expect(0);
    cloud.hub(&["device", "create", "keyless", "--edge"]).expect(0);
    cloud.hub(&["module", "create", "keyless", "filterModule", "--x509-ca"]).expect(0);
    let modules = |device: &str| cloud.hub(&["module", "list", device]).expect(0).out;
    for (profile, device, words) in [
        ("module", "dis", "the device `dis` in the registry of"),
        ("edge-filter", "dis", "is disabled"),
        ("edge-filter", "keyless", "give another device with --device-id"),
    ] {
        let before = modules(device);
        let args = ["run", "--headless", "--profile", profile, "--device-id", device];
        let mut command = cloud.sandbox.command(&args);
        command.env("IOTHUB_CONNECTION_STRING", cloud.text("serviceConnectionString"));
        command.env("ENVSIM_CA", cloud.text("caFile"));
        let refused = Program::start(command).end().expect(1);
        assert!(refused.err.contains(words), "{}", refused.all());
        assert_eq!(modules(device), before, "{}", refused.all());
    }
    let shown = cloud.hub(&["deploy", "keyless", "--show"]).expect(0);
    assert!(shown.out.contains("no routes"), "{}", shown.all());
}

#[test]
fn profiles_that_do_not_go_together_are_bad_usage() {
    let sandbox = Sandbox::new();
    for (options, expected) in [
        (["--profile", "edge-filter,environment"], "goes with no other profile"),
        (["--device-id", "a,b,a"], "names the device `a` twice"),
        (["--module-id", "m"], "add `module` to --profile"),
    ] {
        let outcome = sandbox.run(&[&["run", "--headless"][..], &options].concat()).expect(2);
        assert!(outcome.err.contains(expected), "{}", outcome.all());
    }
}
