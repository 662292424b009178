//! The real listeners, spoken to in bytes: what a hostile or a strange client may send, and whole
//! exchanges packet by packet.

mod configurations;
mod data_folder;
mod difficult;
mod enrolments;
mod firmware;
mod jobs;
mod lifecycle;
mod messages;
mod mqtt;
mod provisioning;
mod query;
mod registry;
mod routes;
mod service;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{CloudError, CloudOptions, LocalCloud, PortChoice};
use crate::wire::SharedKey;
use crate::wire::sas::Token;

const FAR: i64 = 4_000_000_000;
const PATIENCE: Duration = Duration::from_secs(5);

async fn cloud() -> LocalCloud {
    let options = CloudOptions {
        mqtt_port: PortChoice::Exactly(0),
        https_port: PortChoice::Exactly(0),
        devices: vec!["d".to_owned()],
        ..CloudOptions::default()
    };
    LocalCloud::start(options).await.expect("a cloud")
}

struct Wire(TlsStream<TcpStream>);

impl Wire {
    async fn open(cloud: &LocalCloud, port: u16) -> Self {
        Self::open_as(cloud, port, "localhost").await
    }

    async fn open_as(cloud: &LocalCloud, port: u16, name: &'static str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(cloud.ca_pem().as_bytes()).expect("PEM"))
            .expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
        let name = ServerName::try_from(name).expect("a name");
        Self(TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("TLS"))
    }

    async fn mqtt(cloud: &LocalCloud) -> Self {
        Self::open(cloud, cloud.mqtt_port()).await
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("written");
        self.0.flush().await.expect("flushed");
    }

    /// The next packet whole: head and body.
    async fn hear(&mut self) -> (u8, Vec<u8>) {
        let packet = async {
            let head = self.0.read_u8().await.expect("a head");
            let (mut length, mut shift) = (0_usize, 0);
            loop {
                let byte = self.0.read_u8().await.expect("a length");
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.expect("a body");
            (head, body)
        };
        timeout(PATIENCE, packet).await.expect("a packet in time")
    }

    /// The next packet as a PUBLISH of either quality: topic and body.
    async fn hear_publish(&mut self) -> (String, Value) {
        let (head, body) = self.hear().await;
        assert_eq!(head & 0xf0, 0x30, "a PUBLISH");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).expect("a topic");
        let rest = &body[2 + length + if head & 0x06 == 0 { 0 } else { 2 }..];
        (topic, if rest.is_empty() { Value::Null } else { serde_json::from_slice(rest).expect("JSON") })
    }

    async fn hear_end(&mut self) {
        let mut rest = Vec::new();
        // Cut off without a close of TLS is an end too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("an end in time");
        assert_eq!(rest, b"", "nothing but the end");
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    let mut length = body.len();
    loop {
        let more = length > 127;
        bytes.push(u8::try_from(length & 0x7f).expect("seven bits") | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    [bytes, body.to_vec()].concat()
}

fn connect(client: &str, user: &str, password: &str, clean: bool) -> Vec<u8> {
    let flags = 0xc0 | if clean { 2 } else { 0 };
    let head = [text("MQTT"), vec![4, flags, 0, 60]].concat();
    packet(0x10, &[head, text(client), text(user), text(password)].concat())
}

fn subscribe(id: u8, filter: &str, quality: u8) -> Vec<u8> {
    packet(0x82, &[vec![0, id], text(filter), vec![quality]].concat())
}

fn publish(id: u8, topic: &str, body: &[u8]) -> Vec<u8> {
    packet(0x32, &[text(topic), vec![0, id], body.to_vec()].concat())
}

fn as_d(cloud: &LocalCloud, clean: bool) -> Vec<u8> {
    let token = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", FAR, None);
    connect("d", "localhost/d/?api-version=2021-04-12", token.reveal(), clean)
}

async fn online(cloud: &LocalCloud) -> Wire {
    let mut wire = Wire::mqtt(cloud).await;
    wire.say(&as_d(cloud, false)).await;
    assert_eq!(wire.hear().await.0, 0x20);
    wire
}

/// One request on its own connection: status and body.
async fn request(cloud: &LocalCloud, line: &str, token: &str, more: &str, body: &str) -> (u16, String) {
    let mut wire = Wire::open(cloud, cloud.https_port()).await;
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {token}\r\n\
         Content-Length: {length}\r\n{more}\r\n"
    );
    wire.say(format!("{head}{body}").as_bytes()).await;
    let mut answer = String::new();
    let _ = timeout(PATIENCE, wire.0.read_to_string(&mut answer)).await.expect("an answer in time");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    (status, format!("{head}\n\n{body}"))
}

fn service(cloud: &LocalCloud) -> String {
    let string = crate::wire::ConnectionString::parse(&cloud.service_connection_string()).expect("a string");
    let resource = format!("localhost:{}", cloud.https_port());
    Token::sign(&string.key, &resource, FAR, Some("iothubowner")).reveal().to_owned()
}

fn json_of(answer: &str) -> Value {
    serde_json::from_str(answer.rsplit("\n\n").next().unwrap_or_default()).expect("JSON")
}
