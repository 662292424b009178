//! Bytes as nobody's client library would send them, over TLS or bare.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use envsim::wire::SharedKey;
use envsim::wire::connect::hub_user_name;
use envsim::wire::connection_string::{ConnectionString, Who};
use envsim::wire::sas::{self, Token};

use super::support::{CloudProcess, DEADLINE};

/// How soon the cloud has to serve an honest client, whatever others do to it.
pub const SOON: Duration = Duration::from_secs(2);

/// A connection over TLS.
pub type Secured = StreamOwned<ClientConnection, TcpStream>;

/// How to reach a cloud.
#[derive(Clone)]
pub struct Doors {
    tls: Arc<ClientConfig>,
    /// For MQTT.
    pub mqtt: u16,
    /// For HTTPS.
    pub https: u16,
}

impl Doors {
    /// Those of a cloud process.
    pub fn of(cloud: &CloudProcess) -> Self {
        let ca = CertificateDer::from_pem_file(cloud.text("caFile")).expect("the CA");
        let mut roots = RootCertStore::empty();
        roots.add(ca).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let port = |name: &str| u16::try_from(cloud.ready[name].as_u64().expect("a port")).expect("a port");
        Self { tls: Arc::new(tls), mqtt: port("mqttPort"), https: port("httpsPort") }
    }

    /// A connection without TLS.
    pub fn bare(port: u16) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
            set(&socket, Some(DEADLINE)).expect("a time-out");
        }
        socket
    }

    /// A connection over TLS, whose handshake is done.
    pub fn secured(&self, port: u16) -> Secured {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).expect("a connection");
        let mut stream = StreamOwned::new(connection, Self::bare(port));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).expect("a handshake");
        }
        stream
    }

    /// Sends bytes and answers with all that comes back before the other side hangs up.
    pub fn said(&self, port: u16, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.secured(port);
        // The cloud may have hung up before it has read all.
        let _ = stream.write_all(bytes);
        until_the_end(&mut stream)
    }

    /// The same, where the end has to come [`SOON`]; `None` when it does not.
    pub fn ended(&self, port: u16, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut stream = self.secured(port);
        let _ = stream.write_all(bytes);
        ended_soon(&mut stream)
    }

    /// One request and its answer, without a token.
    pub fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        String::from_utf8_lossy(&self.said(self.https, request.as_bytes())).into_owned()
    }
}

/// All that comes before the other side hangs up. Fails when it never does.
#[track_caller]
pub fn until_the_end(stream: &mut Secured) -> Vec<u8> {
    read_all(stream).unwrap_or_else(|all| panic!("the connection stays open after {all:02x?}"))
}

/// All that comes before the other side hangs up; `None` when it does not within [`SOON`].
pub fn ended_soon(stream: &mut Secured) -> Option<Vec<u8>> {
    stream.sock.set_read_timeout(Some(SOON)).expect("a time-out");
    read_all(stream).ok()
}

/// All that came until the end, or until too long nothing came.
fn read_all(stream: &mut Secured) -> Result<Vec<u8>, Vec<u8>> {
    let mut all = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        // Read by itself: the stream's own way first writes what is left to be written, and fails when
        // nobody takes that any more, though an answer has come.
        match stream.conn.reader().read(&mut part) {
            Ok(0) => return Ok(all),
            Ok(count) => all.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match stream.conn.read_tls(&mut stream.sock) {
                    Ok(1..) if stream.conn.process_new_packets().is_ok() => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(all),
                    // With a reset, or without TLS's own end.
                    _ => return Ok(all),
                }
            }
            Err(_) => return Ok(all),
        }
    }
}

/// Does something within [`SOON`].
#[track_caller]
pub fn soon<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = act();
    assert!(began.elapsed() <= SOON, "{what} took {:?}", began.elapsed());
    done
}

/// A text as MQTT writes it. MQTT 3.1.1, section 1.5.3.
pub fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = text.as_ref();
    let length = u16::try_from(bytes.len()).expect("a short text");
    [&length.to_be_bytes(), bytes].concat()
}

/// A packet with its true length. MQTT 3.1.1, section 2.2.3.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&head(first, body.len()), body].concat()
}

/// A packet's first bytes, which say that it has `length` more.
pub fn head(first: u8, mut length: usize) -> Vec<u8> {
    let mut head = vec![first];
    loop {
        let seven = u8::try_from(length % 128).expect("seven bits");
        length /= 128;
        if length == 0 {
            head.push(seven);
            return head;
        }
        head.push(seven | 0x80);
    }
}

/// A PUBLISH.
pub fn publish(topic: &str, quality: u8, id: u16, body: &[u8]) -> Vec<u8> {
    let id = if quality == 0 { Vec::new() } else { id.to_be_bytes().to_vec() };
    packet(0x30 | quality << 1, &[&text(topic), &id[..], body].concat())
}

/// A SUBSCRIBE with quality 1 and packet id 1.
pub fn subscribe(filter: &str) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &text(filter), &[1]].concat())
}

/// A CONNECT, whose parts can be made wrong one by one. MQTT 3.1.1, section 3.1.
#[derive(Clone)]
pub struct Connect {
    pub protocol: Vec<u8>,
    pub level: u8,
    pub flags: u8,
    pub client: Vec<u8>,
    /// Topic and message of the will, where there is one.
    pub will: Option<(Vec<u8>, Vec<u8>)>,
    pub user: Vec<u8>,
    pub password: Vec<u8>,
}

impl Connect {
    /// A good one of a device, with a clean session.
    pub fn of(cloud: &CloudProcess, device: &str) -> Self {
        let resource = sas::device_resource("localhost", device, None);
        let key = SharedKey::from_base64(&cloud.key(device)).expect("a key");
        Self {
            protocol: b"MQTT".to_vec(),
            level: 4,
            flags: 0xc2,
            client: device.into(),
            will: None,
            user: hub_user_name("localhost", device, None, None).into(),
            password: Token::sign(&key, &resource, FAR, None).reveal().into(),
        }
    }

    /// The packet.
    pub fn packet(&self) -> Vec<u8> {
        let mut body = text(&self.protocol);
        body.extend([self.level, self.flags, 0, 60]);
        body.extend(text(&self.client));
        if let Some((topic, message)) = &self.will {
            body.extend(text(topic));
            body.extend(text(message));
        }
        body.extend(text(&self.user));
        body.extend(text(&self.password));
        packet(0x10, &body)
    }
}

/// What a connection is welcomed with: accepted, no session.
pub const WELCOME: &[u8] = b"\x20\x02\x00\x00";

/// Seconds since 1970 that are far enough away.
const FAR: i64 = 4_000_000_000;

/// The header that opens the service side, for a policy of the hub or of the provisioning service.
pub fn service_token(cloud: &CloudProcess, connection_string: &str) -> String {
    let string = ConnectionString::parse(cloud.text(connection_string)).expect("a connection string");
    let Who::Service(policy) = string.who else { panic!("not a service's") };
    Token::sign(&string.key, "localhost", FAR, Some(&policy)).reveal().to_owned()
}

/// A policy's key, which the cloud of this data folder has only written down.
pub fn policy_key(folder: &str, policy: &str) -> SharedKey {
    let database = rusqlite::Connection::open(Path::new(folder).join("cloud.db")).expect("the database");
    let founding: String = database
        .query_row("SELECT body FROM settings WHERE body LIKE '%policies%'", [], |row| row.get(0))
        .expect("what the cloud was founded with");
    let founding: Value = serde_json::from_str(&founding).expect("JSON");
    SharedKey::from_base64(founding["policies"][policy].as_str().expect("a key")).expect("a key")
}

/// A device's own token for its registration.
pub fn registration_token(cloud: &CloudProcess, device: &str) -> String {
    let key = SharedKey::from_base64(&cloud.key(device)).expect("a key");
    let resource = sas::registration_resource(cloud.text("idScope"), device);
    Token::sign(&key, &resource, FAR, None).reveal().to_owned()
}

/// A cloud that is treated badly, with a device `honest` that must not notice.
pub struct Victim {
    pub cloud: CloudProcess,
    pub doors: Doors,
    honest: Connect,
}

impl Victim {
    /// A new one, with the devices `honest`, `bad` and `other`.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// One with more options.
    pub fn with(options: &[&str]) -> Self {
        let devices = ["honest", "bad", "other"].map(|device| ["--device", device]).concat();
        let ports = ["--mqtt-port", "0", "--https-port", "0"];
        Self::of(CloudProcess::with(&[&ports[..], &devices, options].concat()))
    }

    /// One that runs already and has a device `honest`.
    pub fn of(cloud: CloudProcess) -> Self {
        let doors = Doors::of(&cloud);
        let honest = Connect::of(&cloud, "honest");
        Self { cloud, doors, honest }
    }

    /// A connection of a device that has been let in.
    pub fn connected(&self, device: &str) -> Secured {
        let mut stream = self.doors.secured(self.doors.mqtt);
        stream.write_all(&Connect::of(&self.cloud, device).packet()).expect("sent");
        expect(&mut stream, WELCOME);
        stream
    }

    /// An honest device comes, sends and is thanked, and `/health` answers: each within [`SOON`].
    #[track_caller]
    pub fn serves_after(&self, what: &str) {
        soon(&format!("after {what}: an honest device's message"), || {
            let mut bytes = self.honest.packet();
            bytes.extend(publish("devices/honest/messages/events/", 1, 7, b"{}"));
            bytes.extend(packet(0xe0, &[]));
            let said = self.doors.said(self.doors.mqtt, &bytes);
            assert_eq!(said, [WELCOME, b"\x40\x02\x00\x07"].concat(), "after {what}");
        });
        soon(&format!("after {what}: /health"), || {
            let said = self.doors.get("/health");
            assert!(said.starts_with("HTTP/1.1 200 "), "after {what}: {said}");
        });
    }

    /// The memory that the process holds, in bytes. Linux only.
    pub fn memory(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.cloud.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").trim().parse::<usize>().ok().map(|kibi| kibi * 1024)
    }

    /// Fails when the process holds more than `most` bytes.
    #[track_caller]
    pub fn holds_at_most(&self, most: usize) {
        if let Some(memory) = self.memory() {
            println!("the cloud holds {} KiB", memory / 1024);
            assert!(memory <= most, "the cloud holds {memory} bytes, more than {most}");
        }
    }
}

/// Reads these bytes and no others.
#[track_caller]
pub fn expect(stream: &mut Secured, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).expect("an answer");
    assert_eq!(read, bytes);
}

/// Reads one PUBLISH with quality 1: its topic and its body.
pub fn publication(stream: &mut Secured) -> (String, Vec<u8>) {
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("a packet");
    assert_eq!(byte[0] & 0xf6, 0x32, "a PUBLISH with quality 1");
    let (mut length, mut shift) = (0, 0);
    loop {
        stream.read_exact(&mut byte).expect("a length");
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).expect("the packet");
    let topic = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    (String::from_utf8_lossy(&rest[2..2 + topic]).into_owned(), rest[4 + topic..].to_vec())
}
