//! What the cloud leaves on the machine: sockets, files, and what it writes to its log.

#[cfg(target_os = "linux")]
use std::collections::BTreeSet;
#[cfg(unix)]
use std::path::{Path, PathBuf};

use envsim::wire::connection_string::ConnectionString;

use super::super::raw::{Victim, service_token};
use super::super::support::{CloudProcess, Program, Sandbox};

/// Nobody's key, and two that a back end has made.
const WRONG: &str = "c29tZWJvZHkgZWxzZSdzIGtleSwgbm90IHlvdXJzIQ==";
const MADE: &str = "bWFkZSBieSB0aGUgYmFjayBlbmQsIG5vdCBieSB1cyE=";
const OTHER: &str = "YW5vdGhlciB0aGF0IGEgYmFjayBlbmQgaGFzIG1hZGU=";

/// The addresses that a process listens on, as the system writes them. Linux only.
#[cfg(target_os = "linux")]
fn listening(process: u32) -> BTreeSet<String> {
    let sockets: BTreeSet<_> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .expect("its files")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            // proc(5): local address, state (0A is LISTEN), and the socket's number.
            let (Some(local), Some(state), Some(number)) = (fields.get(1), fields.get(3), fields.get(9))
            else {
                continue;
            };
            if sockets.contains(*number) && (*state == "0A" || table.starts_with("udp")) {
                found.insert(local.split(':').next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_outside_of_the_machine_is_listened_to_unless_it_is_asked_for() {
    let cloud = CloudProcess::start();
    // 127.0.0.1, with its bytes the other way round.
    assert_eq!(listening(cloud.id()), BTreeSet::from(["0100007F".to_owned()]));
    let open = CloudProcess::with(&["--bind", "0.0.0.0", "--mqtt-port", "0", "--https-port", "0"]);
    assert_eq!(listening(open.id()), BTreeSet::from(["00000000".to_owned()]), "as it was told");
}

/// Every file and folder below one, with itself.
#[cfg(unix)]
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(below(&path));
        } else {
            all.push(path);
        }
    }
    all
}

#[cfg(unix)]
#[test]
fn what_holds_keys_is_for_its_owner_s_eyes_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::new();
    // Even where everything is for everybody unless somebody says otherwise.
    let mut command = sandbox.other(Path::new("sh"), &["-c"]);
    let line = "umask 000; exec \"$0\" cloud --format json --mqtt-port 0 --https-port 0 --data-dir data";
    command.args([line, super::super::support::BINARY]);
    let cloud = CloudProcess::of(sandbox, Program::start(command));
    let folder = cloud.sandbox.folder();
    let data = PathBuf::from(cloud.text("dataDir"));
    let data = if data.is_absolute() { data } else { folder.join(data) };
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    for path in below(&data) {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        // Certificates are for everybody, but stand in a folder that is not.
        let open = path.extension().is_some_and(|extension| extension == "pem");
        assert!(mode(&path) == wanted || open, "{} has {:o}", path.display(), mode(&path));
        if open {
            let text = std::fs::read_to_string(&path).expect("a text");
            assert!(!text.contains("PRIVATE KEY"), "{} holds a key", path.display());
        }
    }
    // And whatever else has a key in it.
    let keys = [cloud.text("groupKey"), "PRIVATE KEY"];
    let mut seen = 0;
    for path in below(folder).into_iter().filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
        if text.contains("SharedAccessKey=") || keys.iter().any(|key| text.contains(key)) {
            seen += 1;
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    assert!(seen >= 2, "the database and the file that `envsim hub` finds hold keys");
}

/// Requests with keys: where they belong, and where they are a mistake. Method, path, whether it is the
/// provisioning service's, body.
fn bodies_with_keys() -> Vec<(&'static str, &'static str, bool, String)> {
    vec![
        (
            "PUT",
            "/devices/made",
            false,
            format!(
                r#"{{"deviceId": "made", "authentication": {{"type": "sas", "symmetricKey": {{"primaryKey": "{MADE}", "secondaryKey": "{OTHER}"}}}}}}"#
            ),
        ),
        (
            "PUT",
            "/devices/half",
            false,
            format!(
                r#"{{"deviceId": "half", "authentication": {{"symmetricKey": {{"primaryKey": "{MADE}!"}}}}}}"#
            ),
        ),
        ("PUT", "/devices/half", false, format!(r#"{{"deviceId": "half", "authentication": "{MADE}"}}"#)),
        ("POST", "/devices", false, format!(r#"[{{"id": "half", "importMode": "{MADE}"}}]"#)),
        (
            "PUT",
            "/enrollments/e",
            true,
            format!(
                r#"{{"registrationId": "e", "attestation": {{"type": "symmetricKey", "symmetricKey": {{"primaryKey": "{MADE}", "secondaryKey": "{OTHER}"}}}}}}"#
            ),
        ),
        ("PUT", "/enrollments/f", true, format!(r#"{{"registrationId": "f", "attestation": "{MADE}"}}"#)),
        ("PUT", "/enrollmentGroups/g", true, format!(r#"{{"enrollmentGroupId": "g", "{MADE}": 1}}"#)),
        ("GET", "/devices/made", false, String::new()),
        ("GET", "/devices", false, String::new()),
        ("POST", "/enrollments/e/attestationmechanism", true, String::new()),
    ]
}

#[test]
fn no_key_and_no_token_is_ever_logged_by_the_cloud() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&[
        "cloud",
        "--format",
        "json",
        "--mqtt-port",
        "0",
        "--https-port",
        "0",
        "--device",
        "honest",
        "--device",
        "bad",
    ]);
    command.env("RUST_LOG", "trace");
    let victim = Victim::of(CloudProcess::of(sandbox, Program::start(command)));
    let cloud = &victim.cloud;
    let (hub, provisioning) = (
        service_token(cloud, "serviceConnectionString"),
        service_token(cloud, "provisioningServiceConnectionString"),
    );

    // A whole provisioning, a wrong key, a connection string that is none, another that is wrong.
    cloud.run("sensor", &["--interval", "50ms", "--count", "2"]).end().expect(0);
    let mut wrong = vec!["run", "--headless", "--key", WRONG];
    wrong.extend(cloud.provisioning("sensor"));
    cloud.sandbox.run(&wrong).expect(3);
    let string = cloud.connection_string("bad").replace(&cloud.key("bad"), WRONG);
    let to = ["run", "--headless", "--ca", cloud.text("caFile"), "--connection-string"];
    cloud.sandbox.run(&[&to[..], &[&string]].concat()).expect(4);
    cloud.sandbox.run(&[&to[..], &[&format!("HostName=x;SharedAccessKey={WRONG}")]].concat()).expect(2);
    victim.serves_after("wrong keys");

    for (method, path, of_provisioning, body) in &bodies_with_keys() {
        let token = if *of_provisioning { &provisioning } else { &hub };
        let request = format!(
            "{method} {path}?api-version=2021-04-12 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let said = victim.doors.said(victim.doors.https, request.as_bytes());
        assert!(said.starts_with(b"HTTP/1.1 "), "{method} {path}");
    }

    let mut secrets =
        vec![WRONG.to_owned(), MADE.to_owned(), OTHER.to_owned(), "SharedAccessSignature sr".to_owned()];
    secrets.extend(["sensor", "honest", "bad"].map(|device| cloud.key(device)));
    secrets.push(cloud.text("groupKey").to_owned());
    for name in ["serviceConnectionString", "provisioningServiceConnectionString"] {
        secrets.push(ConnectionString::parse(cloud.text(name)).expect("a connection string").key.reveal());
    }
    for token in [&hub, &provisioning] {
        let signature =
            token.split("sig=").nth(1).and_then(|rest| rest.split('&').next()).expect("a signature");
        secrets.push(signature.to_owned());
    }
    let ended = victim.cloud.stop("TERM").expect(0);
    assert!(ended.err.lines().count() > 15, "everything was to be logged:\n{}", ended.err);
    for secret in secrets {
        let line = ended.err.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "`{secret}` is logged");
    }
    // On standard output there is the ready line, whose purpose is to hand keys over, and no more.
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
}
