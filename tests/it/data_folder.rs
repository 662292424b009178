//! `envsim cloud --data-dir`: killed at any moment, started twice, on a disk that is full.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::BytesMut;
use envsim::trust::Trust;
use envsim::wire::sas::Token;
use envsim::wire::{ConnectionString, SharedKey};
use rumqttc::mqttbytes::v4::{Connect, Login, Packet, Publish, Subscribe};
use rumqttc::mqttbytes::{Error as MqttError, QoS};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{CloudProcess, DEADLINE, Program, Sandbox};

const FAR: i64 = 4_000_000_000;
const LARGEST: usize = 1024 * 1024;
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

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection on which every answer is waited for, until the cloud is gone.
fn connect(cloud: &CloudProcess, port: &str) -> Option<Tls> {
    let ca = std::fs::read_to_string(cloud.text("caFile")).expect("a certificate");
    let config = Trust::only(&ca, "the local cloud").and_then(|trust| trust.config()).expect("trust");
    let port = cloud.ready[port].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    let socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
    let name = ServerName::try_from("localhost").expect("a name");
    Some(StreamOwned::new(ClientConnection::new(config, name).expect("TLS"), socket))
}

/// The service side over one connection.
struct Service {
    stream: Tls,
    token: String,
}

impl Service {
    fn open(cloud: &CloudProcess) -> Option<Self> {
        let string = ConnectionString::parse(cloud.text("serviceConnectionString")).expect("a string");
        let resource = format!("localhost:{}", cloud.ready["httpsPort"]);
        let token = Token::sign(&string.key, &resource, FAR, Some("iothubowner")).reveal().to_owned();
        Some(Self { stream: connect(cloud, "httpsPort")?, token })
    }

    /// Status and body; nothing when the cloud has gone before it answered.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let body = body.to_string();
        let head = format!(
            "{method} {path}?api-version=2021-04-12 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\
             Content-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        self.stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
        self.stream.flush().ok()?;
        let mut answer = Vec::new();
        let end = loop {
            if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            read_more(&mut self.stream, &mut answer)?;
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
        while answer.len() < end + length {
            read_more(&mut self.stream, &mut answer)?;
        }
        Some((status, serde_json::from_slice(&answer[end..]).unwrap_or(Value::Null)))
    }

    fn twin(&mut self, device: &str) -> Value {
        let (status, twin) = self.ask("GET", &format!("/twins/{device}"), &Value::Null).expect("an answer");
        assert_eq!(status, 200, "{twin}");
        twin
    }
}

fn read_more(stream: &mut Tls, into: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
    into.extend_from_slice(&chunk[..count]);
    Some(())
}

/// The device `d`.
struct Device {
    stream: Tls,
    unread: BytesMut,
}

impl Device {
    /// Connects, keeping its session. Answers also whether it was present.
    fn open(cloud: &CloudProcess) -> Option<(Self, bool)> {
        let group = SharedKey::from_base64(cloud.text("groupKey")).expect("a key");
        let token = Token::sign(&group.derive("d"), "localhost/devices/d", FAR, None);
        let mut connect_packet = Connect::new("d");
        connect_packet.clean_session = false;
        connect_packet.login = Some(Login {
            username: "localhost/d/?api-version=2021-04-12".to_owned(),
            password: token.reveal().to_owned(),
        });
        let mut device = Self { stream: connect(cloud, "mqttPort")?, unread: BytesMut::new() };
        device.say(Packet::Connect(connect_packet))?;
        match device.hear()? {
            Packet::ConnAck(ack) => Some((device, ack.session_present)),
            other => panic!("not CONNACK: {other:?}"),
        }
    }

    fn say(&mut self, packet: Packet) -> Option<()> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, LARGEST).expect("a packet");
        self.stream.write_all(&bytes).ok()?;
        self.stream.flush().ok()
    }

    fn hear(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.unread, LARGEST) {
                Ok(packet) => return Some(packet),
                Err(MqttError::InsufficientBytes(_)) => {}
                Err(error) => panic!("not MQTT: {error}"),
            }
            let mut more = Vec::new();
            read_more(&mut self.stream, &mut more)?;
            self.unread.extend_from_slice(&more);
        }
    }

    fn subscribe(&mut self) -> Option<()> {
        self.say(Packet::Subscribe(with_id(Subscribe::new("$iothub/twin/res/#", QoS::AtMostOnce))))?;
        matches!(self.hear()?, Packet::SubAck(_)).then_some(())
    }

    /// Reports a property and waits for the hub's word that it has it.
    fn report(&mut self, patch: &Value) -> Option<()> {
        let topic = "$iothub/twin/PATCH/properties/reported/?$rid=1";
        self.say(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, patch.to_string())))?;
        match self.hear()? {
            Packet::Publish(answer) if answer.topic.starts_with("$iothub/twin/res/204/") => Some(()),
            other => panic!("not taken: {other:?}"),
        }
    }
}

fn with_id(mut subscribe: Subscribe) -> Subscribe {
    subscribe.pkid = 1;
    subscribe
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
            device.subscribe()?;
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
    cloud.kill();

    let cloud = start(folder.path());
    let mut service = Service::open(&cloud).expect("a connection");
    assert_eq!(service.twin("d")["properties"]["desired"]["n"], last);
}
