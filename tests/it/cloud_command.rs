//! `envsim cloud` as its user sees it: the ready line, the variables, diagnostics.

use super::support::{Program, Sandbox};

const PORTS: [&str; 4] = ["--mqtt-port", "0", "--https-port", "0"];

fn start(sandbox: &Sandbox, options: &[&str], filter: Option<&str>) -> Program {
    let mut command = sandbox.command(&[&["cloud"], &PORTS[..], options].concat());
    command.envs(filter.map(|filter| ("RUST_LOG", filter)));
    Program::start(command)
}

/// Its end, once it is ready.
fn ended(mut cloud: Program) -> super::support::Outcome {
    cloud.line("ready line", |line| line.starts_with("next: ").then_some(()));
    cloud.signal("TERM");
    cloud.end().expect(0)
}

#[test]
fn the_ready_line_for_people_says_what_to_do_next() {
    let outcome = ended(start(&Sandbox::new(), &[], None));
    let lines: Vec<_> = outcome.out.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("local cloud ready: hub localhost, "), "{lines:?}");
    for part in ["`envsim hub monitor`", "`envsim cloud --env`", "`envsim cloud --help`"] {
        assert!(lines[1].contains(part), "{lines:?}");
    }
    assert_eq!(outcome.err, "", "diagnostics are silent unless they are asked for");
}

#[test]
fn diagnostics_go_to_a_file_and_tell_no_secret() {
    let sandbox = Sandbox::new();
    let log = sandbox.folder().join("cloud.log").display().to_string();
    let mut cloud = start(&sandbox, &["--log-file", &log, "--format", "json", "-vv"], None);
    let ready: serde_json::Value = cloud.line("ready line", |line| serde_json::from_str(line).ok());
    let text = |name: &str| ready[name].as_str().expect("a text").to_owned();
    let wrong = "c29tZWJvZHkgZWxzZSdzIGtleSwgbm90IHlvdXJzIQ==";
    let endpoint = text("provisioningEndpoint");
    let args = [
        &["run", "--headless", "--count", "1", "--provisioning-host", &endpoint][..],
        &["--id-scope", &text("idScope"), "--ca", &text("caFile"), "--device-id", "d", "--key", wrong],
    ];
    sandbox.run(&args.concat()).expect(3);
    cloud.signal("TERM");
    let outcome = cloud.end().expect(0);
    assert_eq!(outcome.err, "");
    let logged = std::fs::read_to_string(&log).expect("a log");
    assert!(logged.contains("registration refused: the signature does not match"), "{logged}");
    for secret in [wrong, &text("groupKey")] {
        assert!(!logged.contains(secret), "{logged}");
    }
}

#[test]
fn without_a_file_diagnostics_go_to_standard_error() {
    let outcome = ended(start(&Sandbox::new(), &["--latency", "1ms"], Some("envsim=trace")));
    assert!(!outcome.out.contains("TRACE"), "{}", outcome.all());
    let bad = Sandbox::new();
    let mut command = bad.command(&["cloud"]);
    command.env("RUST_LOG", "envsim=loud");
    let said = Program::start(command).end().expect(2).err;
    assert!(said.contains("the variable RUST_LOG: is no filter"), "{said}");
    let nowhere = ["cloud", "--log-file", "/nonexistent/cloud.log"];
    let said = Sandbox::new().run(&nowhere).expect(2).err;
    assert_eq!(said.trim(), "envsim: --log-file: cannot write /nonexistent/cloud.log: there is no such file");
}

#[test]
fn the_variables_are_those_that_the_sdks_read() {
    let sandbox = Sandbox::new();
    let mut cloud = start(&sandbox, &["--env"], None);
    let mut names = Vec::new();
    cloud.line("last variable", |line| {
        let (name, _) = line.strip_prefix("export ")?.split_once("='")?;
        names.push(name.to_owned());
        (name == "NODE_EXTRA_CA_CERTS").then_some(())
    });
    let wanted = "IOTHUB_DEVICE_DPS_ENDPOINT IOTHUB_DEVICE_DPS_ID_SCOPE ENVSIM_OTHER_ID_SCOPE ENVSIM_HUB ENVSIM_MQTT_PORT ENVSIM_GROUP_KEY \
                  IOTHUB_CONNECTION_STRING PROVISIONING_SERVICE_CONNECTION_STRING ENVSIM_CA SSL_CERT_FILE \
                  REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS";
    assert_eq!(names, wanted.split_whitespace().collect::<Vec<_>>());
}
