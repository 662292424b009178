//! The doors, knocked at in bytes: certificates, frames, silence and nonsense.

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

async fn websocket(cloud: &LocalCloud, path: &str) -> Wire {
    let mut wire = open(&client(cloud, BOTH, None), cloud.https_port()).await;
    say(&mut wire, upgrade(path, "mqtt").as_bytes()).await;
    let head = hear_until(&mut wire, |heard| heard.ends_with(b"\r\n\r\n")).await;
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // What paho compares, in small letters, line by line.
    let head = head.to_ascii_lowercase();
    for line in [
        "\r\nupgrade: websocket\r\n",
        "\r\nconnection: upgrade\r\n",
        "\r\nsec-websocket-protocol: mqtt\r\n",
        "\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    wire
}

#[tokio::test]
async fn mqtt_over_websocket_is_spoken_in_frames_however_packets_are_cut() {
    let cloud = cloud(Limits::default()).await;
    for path in ["/$iothub/websocket", "/%24iothub/websocket?iothub-no-client-cert=true"] {
        let mut wire = websocket(&cloud, path).await;
        let connect = connect(&cloud);
        let (first, second) = connect.split_at(7);
        // CONNECT in two frames and a continuation, the last with a PINGREQ behind it.
        let (second, third) = second.split_at(20);
        let third = [third, &[0xc0, 0]].concat();
        say(&mut wire, &frame(0x82, first)).await;
        say(&mut wire, &[frame(0x02, second), frame(0x89, b"hi"), frame(0x80, &third)].concat()).await;
        let mut packets = Vec::new();
        let mut pongs = Vec::new();
        while packets.len() < 6 {
            let head = hear(&mut wire, 2).await;
            let payload = hear(&mut wire, usize::from(head[1])).await;
            match head[0] {
                0x82 => packets.extend(payload),
                0x8a => pongs.extend(payload),
                other => panic!("a frame {other:#x}"),
            }
        }
        assert_eq!((packets, pongs), (vec![0x20, 2, 0, 0, 0xd0, 0], b"hi".to_vec()));
        say(&mut wire, &frame(0x88, &[3, 0xe8])).await;
        assert_eq!(hear(&mut wire, 4).await, [0x88, 2, 3, 0xe8], "the close is answered");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_text_frame_or_one_too_long_ends_a_websocket() {
    let cloud = cloud(Limits::default()).await;
    for bytes in
        [frame(0x81, b"text"), [vec![0x82, 0xff], (300_000_u64).to_be_bytes().to_vec(), vec![0; 4]].concat()]
    {
        let mut wire = websocket(&cloud, "/$iothub/websocket").await;
        say(&mut wire, &bytes).await;
        hear_end(&mut wire).await;
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_websocket_for_something_else_is_refused_by_name() {
    let cloud = cloud(Limits::default()).await;
    let connector = client(&cloud, BOTH, None);
    let plain = "GET /$iothub/websocket HTTP/1.1\r\nHost: h\r\n\r\n".to_owned();
    for (request, status, words) in [
        (upgrade("/$iothub/websocket", "AMQPWSB10"), "501", "AMQP"),
        (upgrade("/$servicebus/websocket/", "AMQPWSB10"), "501", "AMQP"),
        (upgrade("/$iothub/websocket", "chat"), "400", "Sec-WebSocket-Protocol: mqtt"),
        (upgrade("/elsewhere", "mqtt"), "404", "/$iothub/websocket"),
        (plain, "426", "Upgrade: websocket"),
    ] {
        let mut wire = open(&connector, cloud.https_port()).await;
        say(&mut wire, request.as_bytes()).await;
        let heard = hear_until(&mut wire, |heard| heard.ends_with(b"}")).await;
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")) && heard.contains(words), "{heard}");
    }
    cloud.stop().await;
}

/// How many sockets say nothing; each is two open files of this process.
const SILENT: usize = 1_000;

#[tokio::test]
async fn a_thousand_silent_connections_do_not_keep_others_out() {
    // Fewer places than connections, so that the silent have to make room.
    for newcomers in [Limits::default().newcomers, 300] {
        let limits = Limits { newcomers, grace: Duration::from_millis(50), ..Limits::default() };
        let cloud = cloud(limits).await;
        let connector = client(&cloud, BOTH, None);
        let mut silent = Vec::new();
        for number in 0..SILENT {
            let port = if number % 2 == 0 { cloud.mqtt_port() } else { cloud.https_port() };
            let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
            if number % 4 < 2 {
                // Half of them begin what they do not finish.
                let _ = socket.write_all(&[0x16, 3, 1, 2, 0, 1]).await;
            }
            silent.push(socket);
        }
        let mut wire = timeout(PATIENCE, open(&connector, cloud.mqtt_port())).await.expect("let in");
        say(&mut wire, &connect(&cloud)).await;
        assert_eq!(hear(&mut wire, 4).await, [0x20, 2, 0, 0]);
        let mut wire = timeout(PATIENCE, open(&connector, cloud.https_port())).await.expect("let in");
        say(&mut wire, b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
        assert!(hear_end(&mut wire).await.starts_with("HTTP/1.1 200 "));
        cloud.stop().await;
    }
}

#[tokio::test]
async fn a_client_certificate_is_seen_at_both_doors_and_after_resumption() {
    let cloud = cloud(Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let connector = client(&cloud, &[version], Some("d"));
        for resumed in [false, true] {
            // Without a token nothing but the certificate is left to be spoken of.
            let scope = cloud.id_scope();
            let request = format!(
                "PUT /{scope}/registrations/d/register?api-version=2021-06-01 HTTP/1.1\r\nHost: h\r\n\
                 Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            );
            let mut wire = open(&connector, cloud.https_port()).await;
            say(&mut wire, request.as_bytes()).await;
            let heard = hear_end(&mut wire).await;
            assert!(heard.contains("the client's certificate"), "{heard}");
            let kind = wire.get_ref().1.handshake_kind();
            assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed, "{version:?}");
        }
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_resumed_session_keeps_its_client_certificate_and_one_without_has_none() {
    let authority = crate::cloud::cert::Authority::make().expect("made");
    let server =
        crate::cloud::cert::Certificates::make(&authority, Ipv4Addr::LOCALHOST.into(), None).expect("made");
    let acceptor = tokio_rustls::TlsAcceptor::from(server.server);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.ca_pem.as_bytes()).expect("PEM")).expect("a root");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "sensor-01");
    let certificate = params.self_signed(&key).expect("a certificate");
    for version in [&TLS12, &TLS13] {
        let builder = || {
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(&[version])
                .expect("versions")
                .with_root_certificates(roots.clone())
        };
        let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let with = builder().with_client_auth_cert(vec![certificate.der().clone()], pkcs8).expect("a client");
        let (with, without) = (Arc::new(with), Arc::new(builder().with_no_client_auth()));
        for (config, resumed, wanted) in
            [(&with, false, Some("sensor-01")), (&with, true, Some("sensor-01")), (&without, false, None)]
        {
            let (near, far) = tokio::io::duplex(16 * 1024);
            let connector = TlsConnector::from(Arc::clone(config));
            let name = ServerName::try_from("localhost").expect("a name");
            let server = async {
                let mut stream = acceptor.accept(far).await.expect("TLS");
                // A byte each way, so that the tickets have arrived.
                stream.write_all(b"x").await.expect("written");
                stream.flush().await.expect("flushed");
                stream
            };
            let client = async {
                let mut stream = connector.connect(name, near).await.expect("TLS");
                stream.read_u8().await.expect("a byte");
                stream
            };
            let (server, client) = tokio::join!(server, client);
            let kind = client.get_ref().1.handshake_kind();
            assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed);
            let chain = server.get_ref().1.peer_certificates();
            let peer = chain
                .map(|chain| crate::cloud::core::x509::PeerCertificate::from_chain(chain).expect("readable"));
            let name = peer.as_ref().map(|peer| peer.subject_common_name().expect("a name"));
            assert_eq!(name, wanted, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_seen_over_mqtt_and_over_websocket() {
    let cloud = cloud(Limits::default()).await;
    let connector = client(&cloud, BOTH, Some("d"));
    let mut wire = open(&connector, cloud.mqtt_port()).await;
    say(&mut wire, &connect(&cloud)).await;
    assert_eq!(hear(&mut wire, 4).await, [0x20, 2, 0, 0], "a token goes before a certificate");
    let mut wire = open(&connector, cloud.https_port()).await;
    say(&mut wire, upgrade("/$iothub/websocket", "mqtt").as_bytes()).await;
    hear_until(&mut wire, |heard| heard.ends_with(b"\r\n\r\n")).await;
    say(&mut wire, &frame(0x82, &connect(&cloud))).await;
    assert_eq!(hear(&mut wire, 6).await, [0x82, 4, 0x20, 2, 0, 0]);
    cloud.stop().await;
}

#[tokio::test]
async fn slow_and_malformed_requests_end_and_others_are_served() {
    let short = Duration::from_millis(200);
    let cloud = cloud(Limits { head: short, body: short, ..Limits::default() }).await;
    let connector = client(&cloud, BOTH, None);
    let long = format!("GET /health HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    let large = format!(
        "PUT /devices/d HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n{}",
        "x".repeat(300_000)
    );
    for (request, status) in [
        ("GET /health HTTP/1.1\r\nHost", None),
        ("", None),
        ("PUT /devices/d HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{", Some("408")),
        ("nonsense\r\n\r\n", Some("400")),
        (&long, Some("431")),
        (&large, Some("413")),
        (
            "GET /health HTTP/1.1\r\nHost: h\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            Some("200"),
        ),
    ] {
        let mut wire = open(&connector, cloud.https_port()).await;
        // What is too long may be refused before it has been written to its end.
        let _ = wire.write_all(request.as_bytes()).await;
        let _ = wire.flush().await;
        let heard = hear_end(&mut wire).await;
        let start = heard.split(' ').nth(1);
        assert!(status.is_none() && start.is_none_or(|status| status == "408") || start == status, "{heard}");
        if status == Some("200") {
            assert_eq!(
                heard.matches("{\"status\":\"ok\"}").count(),
                2,
                "both are answered, in order: {heard}"
            );
        }
    }
    cloud.stop().await;
}

#[tokio::test]
async fn plain_text_on_a_port_of_tls_is_answered_or_closed() {
    let cloud = cloud(Limits::default()).await;
    for port in [cloud.mqtt_port(), cloud.https_port()] {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
        socket.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("written");
        let mut heard = String::new();
        let _ = timeout(PATIENCE, socket.read_to_string(&mut heard)).await.expect("in time");
        assert!(heard.starts_with("HTTP/1.1 400 ") && heard.contains("https://"), "{heard}");
        let (lines, body) = heard.split_once("\r\n\r\n").expect("a body");
        assert!(lines.contains(&format!("Content-Length: {}\r\n", body.len())), "{heard}");

        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
        socket.write_all(&connect(&cloud)).await.expect("written");
        let mut heard = Vec::new();
        let _ = timeout(PATIENCE, socket.read_to_end(&mut heard)).await.expect("in time");
        assert_eq!(heard, b"");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn what_a_client_sends_together_with_connect_is_answered() {
    let cloud = cloud(Limits::default()).await;
    let mut wire = open(&client(&cloud, BOTH, None), cloud.mqtt_port()).await;
    say(&mut wire, &[connect(&cloud), b"\xc0\x00".to_vec()].concat()).await;
    assert_eq!(hear(&mut wire, 6).await, [0x20, 2, 0, 0, 0xd0, 0]);
    cloud.stop().await;
}
