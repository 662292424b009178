//! `envsim cloud --data-dir`: killed at any moment, started twice, on a disk that is full.

mod clients;
mod routes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use rumqttc::mqttbytes::QoS;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::clients::{Device, Service};
use super::support::{CloudProcess, DEADLINE, Program, Sandbox};

const PORTS: [&str; 4] = ["--mqtt-port", "0", "--https-port", "0"];

fn start(folder: &Path) -> CloudProcess {
    let folder = folder.display().to_string();
    CloudProcess::with(&[&PORTS[..], &["--device", "d", "--data-dir", &folder]].concat())
}

/// `envsim cloud` on a folder that cannot be used, to its end: exit code and what it says.
fn refused(folder: &Path) -> (Option<i32>, String) {
    let folder = folder.display().to_string();
    let outcome = Sandbox::new().run(&[&["cloud"], &PORTS[..], &["--data-dir", &folder]].concat());
    (outcome.code, outcome.err)
}

#[test]
fn a_new_name_on_an_old_folder_is_remarked_on_and_the_same_name_is_not() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().display().to_string();
    let said = |more: &[&str]| {
        let cloud = CloudProcess::with(&[&PORTS[..], &["--data-dir", &path], more].concat());
        cloud.stop("TERM").expect(0).err
    };
    assert_eq!(said(&[]), "");
    assert_eq!(said(&[]), "");
    let renamed = said(&["--hostname", "box"]);
    assert!(renamed.contains("went by `localhost` before and goes by `box` now"), "{renamed}");
    assert!(renamed.contains("or start it with --hostname localhost"), "{renamed}");
    assert_eq!(said(&["--hostname", "box"]), "", "once is enough");
}

/// The number of the latest write of each kind that was acknowledged.
type Acknowledged = BTreeMap<&'static str, u64>;

/// Writes until the cloud is gone, telling of each acknowledgement.
fn write(cloud: &CloudProcess, first: u64, tell: &Sender<(&'static str, u64)>) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut service = Service::open(cloud)?;
            for number in first.. {
                let body = json!({"tags": {"n": number}, "properties": {"desired": {"n": number}}});
                let (status, body) = service.ask("PATCH", "/twins/d", &body)?;
                assert_eq!(status, 200, "{body}");
                tell.send(("desired", number)).ok()?;
            }
            Some(())
        });
        scope.spawn(|| {
            let mut service = Service::open(cloud)?;
            for number in first.. {
                let name = format!("new-{number}");
                let (status, body) =
                    service.ask("PUT", &format!("/devices/{name}"), &json!({"deviceId": name}))?;
                assert_eq!(status, 200, "{body}");
                tell.send(("created", number)).ok()?;
            }
            Some(())
        });
        scope.spawn(|| {
            let (mut device, _) = Device::open(cloud)?;
            device.subscribe("$iothub/twin/res/#", QoS::AtMostOnce)?;
            tell.send(("subscribed", 1)).ok()?;
            for number in first.. {
                device.report(&json!({"n": number}))?;
                tell.send(("reported", number)).ok()?;
            }
            Some(())
        });
    });
}

/// Kills the cloud after so many acknowledgements, while writing goes on, and answers them all.
fn kill_after(cloud: &CloudProcess, count: usize, told: &Receiver<(&'static str, u64)>) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for _ in 0..count {
        let (kind, number) = told.recv_timeout(DEADLINE).expect("writes are acknowledged");
        acknowledged.insert(kind, number);
    }
    cloud.kill();
    acknowledged.extend(told.iter());
    acknowledged
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let folder = TempDir::new().expect("a folder");
    let mut first = 1;
    let mut acknowledged = Acknowledged::new();
    // The moment is another one in each run and each round; what was drawn is told on a failure.
    let seed = u64::from(std::process::id());
    for round in 0..10 {
        let cloud = start(folder.path());
        check(&cloud, &acknowledged);
        let count = 1 + usize::try_from((seed + round) * 7919 % 211).expect("small");
        let (tell, told) = channel();
        acknowledged.extend(std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                // Its own, so that the channel closes when all writers are done.
                let tell = tell;
                write(&cloud, first, &tell);
            });
            let acknowledged = kill_after(&cloud, count, &told);
            writing.join().expect("writers that end with the cloud");
            acknowledged
        }));
        println!("round {round}: killed after {count} acknowledgements, {acknowledged:?}");
        first = 2 + acknowledged.values().max().copied().unwrap_or_default();
    }
    check(&start(folder.path()), &acknowledged);
}

/// What was acknowledged is there. One more of each may be: written, and killed before the answer.
fn check(cloud: &CloudProcess, acknowledged: &Acknowledged) {
    let mut service = Service::open(cloud).expect("a connection");
    let twin = service.twin("d");
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let found = [
        ("desired", number(&twin["properties"]["desired"]["n"])),
        ("reported", number(&twin["properties"]["reported"]["n"])),
    ];
    for (kind, found) in found {
        let wanted = acknowledged.get(kind).copied().unwrap_or_default();
        assert!(found >= wanted, "{kind}: {wanted} was acknowledged, {found} is there: {twin}");
    }
    assert_eq!(twin["tags"]["n"], twin["properties"]["desired"]["n"], "both or neither: {twin}");
    if let Some(created) = acknowledged.get("created") {
        let (status, body) =
            service.ask("GET", &format!("/devices/new-{created}"), &Value::Null).expect("an answer");
        assert_eq!(status, 200, "new-{created}: {body}");
    }
    if acknowledged.contains_key("subscribed") {
        let (_device, session_present) = Device::open(cloud).expect("a connection");
        assert!(session_present, "the session was acknowledged");
    }
}

#[test]
fn a_cloud_says_where_it_is_kept_and_begins_again_with_the_same_secrets() {
    let folder = TempDir::new().expect("a folder");
    let cloud = start(&folder.path().join("new"));
    let facts = |cloud: &CloudProcess| {
        ["dataDir", "caFile", "groupKey", "idScope"].map(|name| cloud.text(name).to_owned())
    };
    let before = facts(&cloud);
    assert_eq!(Path::new(&before[0]), folder.path().join("new"));
    assert_eq!(Path::new(&before[1]), folder.path().join("new").join("ca.pem"));
    cloud.stop("TERM").expect(0);
    let cloud = start(&folder.path().join("new"));
    assert_eq!(facts(&cloud), before);
    cloud.stop("TERM").expect(0);
}

#[test]
fn each_reason_why_a_folder_cannot_be_used_is_told_apart() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let (code, said) = refused(&file);
    assert!(code == Some(2) && said.contains("is not a folder"), "{code:?}: {said}");

    let used = folder.path().join("used");
    let cloud = start(&used);
    let (code, said) = refused(&used);
    let pid = format!("in use by the process {}", cloud.id());
    assert!(code == Some(1) && said.contains(&pid), "{code:?}: {said}");
    cloud.stop("TERM").expect(0);

    let database = used.join("cloud.db");
    let whole = std::fs::read(&database).expect("readable");
    let mut newer = whole.clone();
    // SQLite, "Database File Format", 1.3: the user version is at byte 60, highest byte first.
    newer[60..64].copy_from_slice(&999_u32.to_be_bytes());
    for (bytes, says) in [
        (newer, "has the format 999"),
        (b"not a database at all".repeat(100), "is damaged"),
        (whole[..whole.len() / 2].to_vec(), "is damaged"),
    ] {
        std::fs::write(&database, &bytes).expect("written");
        let (code, said) = refused(&used);
        assert!(code == Some(1) && said.contains(says), "{code:?}: {said}");
        assert!(said.contains("cloud.db"), "{said}");
        assert_eq!(std::fs::read(&database).expect("readable"), bytes, "untouched");
    }
    std::fs::write(&database, &whole).expect("written");
    start(&used).stop("TERM").expect(0);
}

/// The limit on the size of files stands in for a disk without room: the system refuses to write
/// in the same way, and it can be had without being root.
#[test]
fn a_disk_without_room_refuses_changes_and_loses_nothing() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().display().to_string();
    let sandbox = Sandbox::new();
    let program = sandbox.command(
        &[&["cloud", "--format", "json", "--device", "d", "--data-dir", &path], &PORTS[..]].concat(),
    );
    let mut line = format!("trap '' XFSZ; ulimit -S -f 600; exec {:?}", program.get_program());
    for argument in program.get_args() {
        line.push_str(&format!(" {argument:?}"));
    }
    let shell = sandbox.other(Path::new("/bin/sh"), &["-c", &line]);
    let cloud = CloudProcess::of(sandbox, Program::start(shell));
    let mut service = Service::open(&cloud).expect("a connection");
    let mut last = 0;
    let refusal = loop {
        let number = last + 1;
        assert!(number < 1000, "the limit is met");
        let body = json!({"properties": {"desired": {"n": number, "x": "x".repeat(4000)}}});
        match service.ask("PATCH", "/twins/d", &body).expect("an answer") {
            (200, _) => last = number,
            (status, body) => break (status, body),
        }
    };
    assert_eq!(refusal.0, 503, "{}", refusal.1);
    let said = refusal.1["Message"].as_str().unwrap_or_default();
    assert!(said.contains(&path) && said.contains("cannot be written"), "{said}");
    assert_eq!(service.twin("d")["properties"]["desired"]["n"], last, "what failed has not happened");
    let (status, _) = service.ask("GET", "/devices/d", &Value::Null).expect("an answer");
    assert_eq!(status, 200, "reads go on");
    cloud.stop("KILL");

    let cloud = start(folder.path());
    let mut service = Service::open(&cloud).expect("a connection");
    assert_eq!(service.twin("d")["properties"]["desired"]["n"], last);
}
