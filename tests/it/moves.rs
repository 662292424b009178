//! Moves from one ID scope to another, with the real binary on both sides, over TLS.

use serde_json::{Value, json};

use super::support::{CloudProcess, Program, Sandbox};

fn invoke<'a>(device: &'a str, payload: &'a str) -> [&'a str; 8] {
    let wait = ["--wait-for", "DeviceMove", "--format"];
    ["invoke", device, "DeviceMove", "--payload", payload, wait[0], wait[1], wait[2]]
}

/// Orders a device away and answers what it reports of it.
fn ordered(cloud: &CloudProcess, device: &str, scope: &str) -> String {
    let payload = json!(scope).to_string();
    let args = [&invoke(device, &payload)[..], &["json"]].concat();
    let events = cloud.hub(&args).expect(0).events();
    assert_eq!(events[0]["status"], 202, "{events:?}");
    let met = events.last().expect("events");
    met["value"]["value"].as_str().unwrap_or_else(|| panic!("{events:?}")).to_owned()
}

/// Ends a device, all of whose messages have to have arrived.
fn ended(device: Program) {
    device.signal("TERM");
    let last = device.end().expect(0).events().pop().expect("a summary");
    assert_eq!((&last["event"], &last["dropped"]), (&json!("summary"), &json!(0)), "{last}");
}

#[test]
fn a_device_moves_to_another_scope_of_the_cloud_and_on_and_back() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--more-scopes", "2"]);
    let own = cloud.text("idScope").to_owned();
    let others: Vec<String> = serde_json::from_value(cloud.ready["otherScopes"].clone()).expect("scopes");
    assert_eq!(others, [format!("{own}2"), format!("{own}3")]);
    let mut device = cloud.run("mover", &["--interval", "50ms"]);
    device.event("twin");
    for scope in [&others[0], &others[1], &own] {
        let said = ordered(&cloud, "mover", scope);
        assert!(said.starts_with(&format!("Moved to the ID scope {scope} at ")), "{said}");
        device.event_where("command", |event| event["command"] == "DeviceMove");
        device.event("disconnected");
        device.event("registering");
        device.event("connected");
        device.event("acknowledged");
        let blink = cloud.hub(&["invoke", "mover", "blink", "--payload", "2"]).expect(0);
        assert!(blink.out.contains("Blinking LED every 2 seconds"), "{}", blink.all());
    }
    ended(device);
}

#[test]
fn a_scope_that_nobody_serves_leaves_it_where_it_was_and_running() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--more-scopes", "0"]);
    assert_eq!(cloud.ready["otherScopes"], json!([]));
    let mut device = cloud.run("stayer", &["--interval", "50ms"]);
    device.event("twin");
    let said = ordered(&cloud, "stayer", "0neNOWHERE");
    assert!(said.starts_with("Not moved to the ID scope 0neNOWHERE, back at "), "{said}");
    device.event("failed");
    device.event("connected");
    device.event("acknowledged");
    // The same again: it has not lost its way.
    let said = ordered(&cloud, "stayer", "0neNOWHERE");
    assert!(said.starts_with("Not moved"), "{said}");
    device.event("connected");
    device.event("acknowledged");
    ended(device);
}

#[test]
fn what_is_no_scope_and_a_device_without_one_are_refused() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "straight"]);
    let direct = cloud.connection_string("straight");
    let mut command = cloud.sandbox.command(&[
        "run",
        "--headless",
        "--format",
        "json",
        "--ca",
        cloud.text("caFile"),
        "--interval",
        "50ms",
    ]);
    command.env("IOTHUB_DEVICE_CONNECTION_STRING", &direct);
    let mut device = Program::start(command);
    device.event("twin");
    for (payload, status) in [("\"two words\"", 400), ("5", 400), ("null", 400), ("\"0neELSE\"", 409)] {
        let args = ["invoke", "straight", "DeviceMove", "--payload", payload, "--format", "json"];
        let answer = cloud.hub(&args).expect(1).json();
        assert_eq!(answer["status"], status, "{answer}");
    }
    device.event("acknowledged");
    ended(device);
}

#[test]
fn the_cloud_inside_has_another_scope_to_try_it_with() {
    let sandbox = Sandbox::new();
    let mut device = sandbox.start(&["--headless", "--format", "json", "--interval", "50ms"]);
    let ready = device.event("cloud-ready");
    let scope = |value: &Value| value.as_str().expect("a scope").to_owned();
    let (own, other) = (scope(&ready["idScope"]), scope(&ready["otherScopes"][0]));
    assert_eq!(device.event("registering")["idScope"], json!(own));
    device.event("twin");
    let payload = json!(other).to_string();
    let args = [&["hub"], &invoke("env-sensor-01", &payload)[..], &["json"]].concat();
    let outcome = sandbox.run(&args).expect(0);
    assert!(outcome.out.contains(&format!("Moved to the ID scope {other} at ")), "{}", outcome.all());
    assert_eq!(device.event("registering")["idScope"], json!(other));
    device.event("connected");
    device.event("acknowledged");
    ended(device);
}

#[cfg(unix)]
#[test]
fn the_move_in_the_readme_works_as_it_is_pasted() {
    let readme = include_str!("../../README.md");
    let command =
        readme.lines().find(|line| line.contains("envsim hub invoke") && line.contains("DeviceMove"));
    let sandbox = Sandbox::new();
    let mut variables = String::new();
    let mut cloud = sandbox.start(&["cloud", "--mqtt-port", "0", "--https-port", "0", "--env"]);
    cloud.line("last variable", |line| {
        variables += &format!("{line}\n");
        line.contains("NODE_EXTRA_CA_CERTS").then_some(())
    });
    let file = sandbox.write("cloud.env", &variables);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_envsim"));
    let shell = |command: &str| {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = sandbox.other("sh".as_ref(), &["-c", command]);
        shell.current_dir(file.parent().expect("a folder"));
        shell.env("PATH", format!("{}:{path}", program.parent().expect("a folder").display()));
        Program::start(shell)
    };
    let mut device =
        shell(". ./cloud.env && exec envsim run --headless --format json --device-id env-sensor-01");
    device.event("twin");
    let said = shell(command.expect("the example")).end().expect(0).out;
    assert!(said.contains("reported \"completed\""), "{said}");
    ended(device);
}
