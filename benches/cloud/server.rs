//! The servers as processes: how they are started, what they use, how a client trusts them.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use envsim::wire::SharedKey;
use envsim::wire::sas::{Token, device_resource};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection};
use serde_json::Value;

/// How long anything may take before the bench gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs, and ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) tls: Arc<ClientConfig>,
    /// The hub's name and its group's key; mosquitto asks for neither and is given the same.
    hub: String,
    group: SharedKey,
    /// `envsim cloud`'s ready line.
    pub(crate) ready: Value,
    /// Goes with the server.
    _folder: Option<tempfile::TempDir>,
}

/// Where Debian has it.
pub(crate) fn mosquitto() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.map(|folder| folder.join("mosquitto")).find(|file| file.is_file())
}

/// How many files this process may have open.
pub(crate) fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(1_024)
}

fn client(authority: CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority).expect("the authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

impl Server {
    /// `envsim cloud` with so many identities, on request kept in a folder.
    pub(crate) fn cloud(identities: usize, more: &str, kept: bool) -> Self {
        let folder = kept.then(|| tempfile::tempdir().expect("a folder"));
        let keeping = folder.iter().flat_map(|folder| [OsStr::new("--data-dir"), folder.path().as_os_str()]);
        let mut child = Command::new(env!("CARGO_BIN_EXE_envsim"))
            .args(["cloud", "--format", "json", "--mqtt-port", "0", "--https-port", "0", "--devices"])
            .arg(identities.to_string())
            .args(more.split_whitespace())
            .args(keeping)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the cloud");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("its ready line");
        let ready: Value = serde_json::from_str(&line).expect("a ready line: does the cloud start?");
        let text = |name: &str| ready[name].as_str().expect(name).to_owned();
        let authority = CertificateDer::from_pem_file(text("caFile")).expect("the authority");
        Self {
            child,
            port: ready["mqttPort"].as_u64().and_then(|port| port.try_into().ok()).expect("a port"),
            tls: client(authority),
            hub: text("hub").split(':').next().unwrap_or_default().to_owned(),
            group: SharedKey::from_base64(&text("groupKey")).expect("a key"),
            ready,
            _folder: folder,
        }
    }

    /// mosquitto with TLS 1.3, without persistence, log and passwords.
    pub(crate) fn mosquitto() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let key = KeyPair::generate().expect("a key");
        let made = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let made = made.self_signed(&key).expect("a certificate");
        std::fs::write(file("cert.pem"), made.pem()).expect("written");
        std::fs::write(file("key.pem"), key.serialize_pem()).expect("written");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let port = port.expect("a free port").port();
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\ncertfile {}\nkeyfile {}\ntls_version tlsv1.3\n\
             persistence false\nlog_type none\nconnection_messages false\nset_tcp_nodelay true\nuser root\n",
            file("cert.pem").display(),
            file("key.pem").display(),
        );
        std::fs::write(file("settings"), settings).expect("written");
        let child = Command::new(mosquitto().expect("mosquitto"))
            .arg("-c")
            .arg(file("settings"))
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto");
        Self {
            child,
            port,
            tls: client(made.der().clone()),
            hub: "localhost".to_owned(),
            group: SharedKey::from_bytes(vec![7; 32]).expect("a key"),
            ready: Value::Null,
            _folder: Some(folder),
        }
    }

    /// The name of an identity that exists.
    pub(crate) fn device(number: usize) -> String {
        format!("dev{number:06}")
    }

    /// The CONNECT of an identity.
    pub(crate) fn connect_packet(&self, number: usize) -> Vec<u8> {
        let id = Self::device(number);
        let expiry = jiff::Timestamp::now().as_second() + 3_600;
        let token =
            Token::sign(&self.group.derive(&id), &device_resource(&self.hub, &id, None), expiry, None);
        let user = envsim::wire::connect::hub_user_name(&self.hub, &id, None, None);
        let mut body = b"\x00\x04MQTT\x04\xc2\x00\x00".to_vec();
        for text in [id.as_str(), &user, token.reveal()] {
            body.extend(u16::try_from(text.len()).expect("a short text").to_be_bytes());
            body.extend(text.as_bytes());
        }
        packet(0x10, &body)
    }

    pub(crate) fn session(&self) -> ClientConnection {
        let name = ServerName::try_from("localhost").expect("a name");
        ClientConnection::new(Arc::clone(&self.tls), name).expect("TLS")
    }

    /// Shakes hands, waiting for the server to listen.
    pub(crate) fn handshake(&self) {
        let began = Instant::now();
        let mut socket = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                Ok(socket) => break socket,
                Err(error) => assert!(began.elapsed() < PATIENCE, "no server on {}: {error}", self.port),
            }
            std::thread::sleep(Duration::from_micros(200));
        };
        let mut tls = self.session();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).expect("a handshake");
        }
    }

    fn proc(&self, file: &str) -> String {
        let path = Path::new("/proc").join(self.child.id().to_string()).join(file);
        std::fs::read_to_string(path).expect("the server runs, on Linux")
    }

    /// Processor seconds so far.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        // Linux counts in hundredths of a second for everybody.
        (ticks(11) + ticks(12)) / 100.0
    }

    pub(crate) fn resident_kib(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0)
    }

    /// Resident memory once what the last connections have brought has been worked off.
    pub(crate) fn settled_kib(&self) -> f64 {
        std::thread::sleep(Duration::from_millis(150));
        self.resident_kib()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A packet with its head. Bodies here are short.
pub(crate) fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    let mut left = body.len();
    loop {
        let digit = u8::try_from(left % 128).expect("seven bits");
        left /= 128;
        packet.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}
