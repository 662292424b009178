//! What people get wrong: each with one clear sentence, its own exit code, and no secret told.

use std::net::TcpListener;

use super::support::{CloudProcess, Outcome, Program, Sandbox};

/// A key that is valid and nobody's.
const WRONG_KEY: &str = "c29tZWJvZHkgZWxzZSdzIGtleSwgbm90IHlvdXJzIQ==";

/// One slip.
struct Slip<'a> {
    name: &'static str,
    args: Vec<&'a str>,
    variables: Vec<(&'a str, &'a str)>,
    code: i32,
    /// What the message must name.
    says: Vec<&'a str>,
}

fn slip<'a>(name: &'static str, code: i32, args: &[&'a str], says: &[&'a str]) -> Slip<'a> {
    Slip { name, args: args.to_vec(), variables: Vec::new(), code, says: says.to_vec() }
}

impl<'a> Slip<'a> {
    fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// Runs it with everything logged, and holds what it tells against what it should.
    fn check(&self, sandbox: &Sandbox, secrets: &[&str]) {
        let log = sandbox.folder().join("log");
        let log_file = log.display().to_string();
        let mut args = vec!["run", "--log-file", &log_file, "-vv"];
        args.extend(&self.args);
        let mut command = sandbox.command(&args);
        command.env("RUST_LOG", "trace").envs(self.variables.iter().copied());
        let outcome = Program::start(command).end();
        let logged = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        let Self { name, .. } = self;
        for secret in secrets {
            for (place, text) in [("output", &outcome.all()), ("log", &logged)] {
                assert!(!text.contains(secret), "{name}: a secret is told in the {place}:\n{text}");
            }
        }
        assert_eq!(outcome.code, Some(self.code), "{name}: {}", outcome.all());
        let said = message(&outcome);
        for part in &self.says {
            assert!(said.contains(part), "{name}: no `{part}` in: {said}\n{}", outcome.all());
        }
        assert!(!outcome.all().contains("panicked"), "{name}: {}", outcome.all());
    }
}

/// What a person reads: standard error, and the errors among the lines.
fn message(outcome: &Outcome) -> String {
    let errors = outcome.out.lines().filter(|line| line.contains("error: "));
    errors.chain(outcome.err.lines()).collect::<Vec<_>>().join("\n")
}

#[test]
fn usage_and_configuration_end_with_2() {
    let sandbox = Sandbox::new();
    let scope = ["--id-scope", "0ne00ABCDEF", "--device-id", "dev"];
    let typo = sandbox.write("typo.toml", "seed = 1\n\nintervall = \"2s\"\n").display().to_string();
    let broken = format!("seed = 1\nkey = {WRONG_KEY}\n");
    let broken = sandbox.write("broken.toml", &broken).display().to_string();
    let half = &WRONG_KEY[..WRONG_KEY.len() - 3];
    let connection = format!("HostName=h;DeviceId=d;SharedAccessKey={WRONG_KEY}");
    let service = format!("HostName=h;SharedAccessKeyName=service;SharedAccessKey={WRONG_KEY}");
    let with = |more: &[&'static str]| [&scope[..], more].concat();
    let slips = [
        slip("no key", 2, &scope, &["no key", "--key", "--group-key", "IOTHUB_DEVICE_DPS_DEVICE_KEY"]),
        slip("no device id", 2, &["--id-scope", "0ne00ABCDEF", "--key", WRONG_KEY], &["--device-id"]),
        slip("no scope", 2, &["--device-id", "dev", "--key", WRONG_KEY], &["--id-scope"]),
        slip("not base64", 2, &with(&["--key", "not/base64!"]), &["--key", "base64"]),
        slip("half a key", 2, &[&scope[..], &["--key", half]].concat(), &["--key"]),
        slip("a connection string for a key", 2, &[&scope[..], &["--key", &connection]].concat(), &["--key"]),
        slip("a back end's", 2, &["--connection-string", &service], &["back end's", "envsim hub"]),
        slip("two keys", 2, &with(&["--key", WRONG_KEY, "--group-key", WRONG_KEY]), &["exclude"]),
        slip("no such key file", 2, &with(&["--key-file", "none"]), &["--key-file", "no such file"]),
        slip(
            "a typo in the file",
            2,
            &["--config", &typo],
            &["typo.toml", "line 3", "did you mean `interval`"],
        ),
        slip("a broken file", 2, &["--config", &broken], &["broken.toml", "line 2"]),
        slip("no such file", 2, &["--config", "none.toml"], &["none.toml", "no such file"]),
        slip("an empty option", 2, &["--id-scope", ""], &["--id-scope", "empty"]),
        slip("an empty variable", 2, &[], &["IOTHUB_DEVICE_DPS_ID_SCOPE", "empty"])
            .with("IOTHUB_DEVICE_DPS_ID_SCOPE", ""),
        slip("an unknown option", 2, &["--intervall", "2s"], &["--intervall", "--interval"]),
        slip("an unknown profile", 2, &["--profile", "nosuch"], &["nosuch", "environment"]),
        slip("not a time", 2, &["--interval", "soon"], &["--interval", "soon"]),
        slip("a CA that is none", 2, &["--ca", &typo], &["--ca", "no certificate"]),
    ];
    for slip in slips {
        slip.check(&sandbox, &[WRONG_KEY, half]);
    }
}

#[test]
fn what_provisioning_refuses_ends_with_3() {
    let cloud = CloudProcess::start();
    let sandbox = &cloud.sandbox;
    let (endpoint, scope, ca) =
        (cloud.text("provisioningEndpoint"), cloud.text("idScope"), cloud.text("caFile"));
    let (group, own) = (cloud.text("groupKey"), cloud.key("dev"));
    let untrusting = ["--provisioning-host", endpoint, "--device-id", "dev", "--id-scope"];
    let trusting = [&["--ca", ca], &untrusting[..]].concat();
    let to = |host| ["--provisioning-host", host, "--device-id", "dev", "--id-scope", scope, "--key", &own];
    let closed = format!("https://127.0.0.1:{}", closed_port());
    let slips = [
        slip(
            "a wrong key",
            3,
            &[&trusting[..], &[scope, "--key", WRONG_KEY]].concat(),
            &["not authorised", "dev"],
        ),
        slip(
            "a group key as a key",
            3,
            &[&trusting[..], &[scope, "--key", group]].concat(),
            &["--group-key"],
        ),
        slip(
            "a wrong scope",
            3,
            &[&trusting[..], &["0ne00FFFFFF", "--key", &own]].concat(),
            &["ID scope", "0ne00FFFFFF"],
        ),
        slip("an untrusted certificate", 3, &[&untrusting[..], &[scope, "--key", &own]].concat(), &["--ca"]),
        slip("a host that does not resolve", 3, &to("nosuch.invalid"), &["nosuch.invalid", "name"]),
        slip("a closed port", 3, &to(&closed), &["nothing listens", "127.0.0.1"]),
    ];
    for slip in slips {
        slip.check(sandbox, &[WRONG_KEY, group, &own]);
    }
}

#[test]
fn a_hub_that_lets_nobody_in_ends_with_4() {
    let cloud = CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "dev"]);
    let right = cloud.connection_string("dev");
    let key = cloud.key("dev");
    let ca = cloud.text("caFile");
    let wrong = right.replace(&key, WRONG_KEY);
    let unknown = right.replace("DeviceId=dev", "DeviceId=nobody");
    let to = |host: &str| format!("HostName={host};DeviceId=dev;SharedAccessKey={key}");
    let closed = to(&format!("127.0.0.1:{}", closed_port()));
    let nowhere = to("nosuch.invalid");
    let slips = [
        slip("a wrong key", 4, &["--ca", ca, "--connection-string", &wrong], &["not authorised", "key"]),
        slip("an unknown device", 4, &["--ca", ca, "--connection-string", &unknown], &["nobody"]),
        slip("an untrusted certificate", 4, &["--connection-string", &right], &["--ca"]),
        slip("a closed port", 4, &["--connection-string", &closed], &["nothing listens", "127.0.0.1"]),
        slip(
            "a host that does not resolve",
            4,
            &["--connection-string", &nowhere],
            &["nosuch.invalid", "name"],
        ),
    ];
    for slip in slips {
        slip.check(&cloud.sandbox, &[WRONG_KEY, &key]);
    }
}

#[test]
fn a_good_run_tells_no_secret_in_its_log() {
    let cloud = CloudProcess::start();
    let (group, own) = (cloud.text("groupKey"), cloud.key("dev"));
    let mut args = cloud.provisioning("dev");
    args.extend(["--group-key", group, "--count", "2", "--interval", "50ms", "--format", "json"]);
    slip("none", 0, &args, &[]).check(&cloud.sandbox, &[group, &own, "sig=", "SharedAccessSignature sr"]);
}

#[test]
fn ports_that_are_taken_end_the_cloud_with_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let sandbox = Sandbox::new();
    for args in [["--mqtt-port", &port, "--https-port", "0"], ["--mqtt-port", "0", "--https-port", &port]] {
        let outcome = sandbox.run(&[&["cloud"], &args[..]].concat());
        assert!(matches!(outcome.code, Some(1 | 2 | 4)), "{}", outcome.all());
        assert!(outcome.err.contains(&port), "{}", outcome.all());
        assert_eq!(outcome.out, "");
    }
}

/// A port on which nothing listens: it was free a moment ago, and systems do not hand a port out
/// again at once.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
