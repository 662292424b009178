//! The doors, knocked at in bytes: certificates, frames, silence and nonsense.

mod certificates;
mod crowds;
mod websockets;

use std::net::Ipv4Addr;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::cloud::{CloudOptions, LocalCloud, PortChoice};
use crate::wire::sas::Token;

const PATIENCE: Duration = Duration::from_secs(10);
const FAR: i64 = 4_000_000_000;
/// The example of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

type Wire = TlsStream<TcpStream>;

async fn cloud(limits: Limits) -> LocalCloud {
    let options = CloudOptions {
        mqtt_port: PortChoice::Exactly(0),
        https_port: PortChoice::Exactly(0),
        devices: vec!["d".to_owned()],
        ..CloudOptions::default()
    };
    LocalCloud::start_within(options, limits).await.expect("a cloud")
}

fn client(
    cloud: &LocalCloud,
    versions: &[&'static rustls::SupportedProtocolVersion],
    named: Option<&str>,
) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(cloud.ca_pem().as_bytes()).expect("PEM");
    roots.add(ca).expect("a certificate");
    let builder =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
    let config = match named {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().expect("a key");
            let certificate = params.self_signed(&key).expect("a certificate");
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).expect("a client")
        }
    };
    TlsConnector::from(Arc::new(config))
}

async fn open(connector: &TlsConnector, port: u16) -> Wire {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
    connector.connect(ServerName::try_from("localhost").expect("a name"), socket).await.expect("TLS")
}

async fn say(wire: &mut Wire, bytes: &[u8]) {
    wire.write_all(bytes).await.expect("written");
    wire.flush().await.expect("flushed");
}

/// What comes until `enough` of it is there, or the end.
async fn hear_until(wire: &mut Wire, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut heard = Vec::new();
    let hearing = async {
        // Cut off without a close of TLS is an end too.
        while !enough(&heard) && wire.read_buf(&mut heard).await.is_ok_and(|read| read > 0) {}
    };
    timeout(PATIENCE, hearing).await.expect("enough in time");
    heard
}

async fn hear_end(wire: &mut Wire) -> String {
    String::from_utf8_lossy(&hear_until(wire, |_| false).await).into_owned()
}

async fn hear(wire: &mut Wire, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(PATIENCE, wire.read_exact(&mut bytes)).await.expect("in time").expect("bytes");
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).expect("short").to_be_bytes(), text.as_bytes()].concat()
}

fn connect_with(password: &str) -> Vec<u8> {
    let user = text("localhost/d/?api-version=2021-04-12");
    let body = [text("MQTT"), vec![4, 0xc2, 0, 60], text("d"), user, text(password)].concat();
    let length = [
        u8::try_from(body.len() % 128).expect("small") | 0x80,
        u8::try_from(body.len() / 128).expect("small"),
    ];
    [&[0x10], length.as_slice(), &body].concat()
}

fn connect(cloud: &LocalCloud) -> Vec<u8> {
    let token = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", FAR, None);
    connect_with(token.reveal())
}

/// A client's frame: masked, with a mask that changes nothing.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    if let Ok(length @ 0..=125) = u8::try_from(payload.len()) {
        bytes.push(0x80 | length);
    } else {
        bytes.push(0x80 | 0x7e);
        bytes.extend(u16::try_from(payload.len()).expect("a short frame").to_be_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn upgrade(path: &str, protocol: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:443\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Origin: https://localhost:443\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];
