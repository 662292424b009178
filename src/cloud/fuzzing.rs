//! Ways in for the fuzz targets under `fuzz/`, which are built apart from everything else.
//!
//! Never here: anything that the program itself runs; this is compiled for fuzzing only.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bytes::BytesMut;
use jiff::Timestamp;
use rumqttc::mqttbytes::v4::{Codec, Connect, Login, Packet};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Runtime;
use tokio_util::codec::Encoder as _;

use super::core::auth::HubNames;
use super::core::twins::{Twin, TwinUpdate};
use super::core::x509::{PeerCertificate, authority};
use super::core::{Core, Settings};
use super::door::Frames;
use super::shared::Shared;
use super::{mqtt, rest};
use crate::wire::SharedKey;
use crate::wire::connect::{dps_user_name, hub_user_name};
use crate::wire::enrolment::OWNER_POLICY;
use crate::wire::sas::{Token, registration_resource};

const FAR: i64 = 4_000_000_000;
const SCOPE: &str = "0ne00ABCDEF";
const METHODS: [&str; 6] = ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];
/// More than any input makes the cloud say before it is read: the client writes first.
const PIPE: usize = 8 << 20;

/// Clouds without sockets, each with a device `d`: a new one for every input, so that what is found
/// is found again, and nothing grows.
pub struct Cloud(Runtime);

impl Default for Cloud {
    fn default() -> Self {
        Self::new()
    }
}

impl Cloud {
    /// What the clouds run on.
    pub fn new() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"))
    }

    /// A connection from its first byte to its end: 0 of a stranger, 1 of the device, 2 of a device
    /// at the provisioning service.
    pub fn mqtt(&self, mode: u8, bytes: &[u8]) {
        let mut input = connect(mode);
        input.extend_from_slice(bytes);
        let shared = shared();
        self.0.block_on(async {
            let (near, far) = tokio::io::duplex(PIPE);
            tokio::join!(mqtt::run(far, &shared, None), client(near, &input));
        });
    }

    /// The same over a WebSocket, after its opening handshake: the bytes are frames.
    pub fn websocket(&self, mode: u8, bytes: &[u8]) {
        let packet = connect(mode);
        let mut input = BytesMut::new();
        if !packet.is_empty() {
            // A final binary frame, masked with zeros, of a length in two bytes. RFC 6455, 5.2.
            input.extend_from_slice(&[0x82, 0xfe]);
            input.extend_from_slice(&u16::try_from(packet.len()).expect("a short packet").to_be_bytes());
            input.extend_from_slice(&[0; 4]);
            input.extend_from_slice(&packet);
        }
        input.extend_from_slice(bytes);
        let shared = shared();
        self.0.block_on(async {
            let (near, far) = tokio::io::duplex(PIPE);
            let server = async { mqtt::run(Frames::new(far).await, &shared, None).await };
            tokio::join!(server, client(near, &input));
        });
    }

    /// A request; `mode` chooses the method and whose token it bears. Headers are lines with a colon.
    pub fn https(&self, mode: u8, path: &str, headers: &str, body: &[u8]) {
        let shared = shared();
        let method = METHODS[usize::from(mode) % METHODS.len()];
        let policy = |name: &str| {
            shared.look(|core, _| {
                let key = core.policy_key(name).expect("the policy").clone();
                Token::sign(&key, "localhost", FAR, Some(name))
            })
        };
        let token = match usize::from(mode) / METHODS.len() % 5 {
            0 => None,
            1 => Some(policy(OWNER_POLICY)),
            2 => Some(device_token()),
            3 => Some(registration_token()),
            _ => Some(policy("iothubowner")),
        };
        let mut request = Request::builder().method(method).uri(format!("/{path}"));
        for (name, value) in headers.lines().filter_map(|line| line.split_once(':')) {
            request = request.header(name, value.trim_start());
        }
        if let Some(token) = token {
            request = request.header("authorization", token.reveal());
        }
        let Ok(request) = request.body(Body::from(body.to_vec())) else { return };
        // Commands wait for devices and events for ever; that is theirs to do.
        if request.uri().path().ends_with("/methods") || request.uri().path().starts_with("/envsim/events") {
            return;
        }
        let wait = Duration::from_secs(1);
        let _ = self.0.block_on(rest::answer(&shared, None, request, wait));
    }
}

fn shared() -> Arc<Shared> {
    let settings = Settings {
        names: HubNames { own: "localhost".to_owned(), aliases: vec![] },
        assigned_hub: "localhost".to_owned(),
        id_scope: SCOPE.parse().expect("a scope"),
        group_key: group(),
        retry_after: 0,
        waits: 0,
        assigning_for: 0,
    };
    let shared = Arc::new(Shared::new(Core::new(settings, [1; 32])));
    shared.change(|core, now, _| core.create_derived(now, "d".parse().expect("an id"))).expect("created");
    shared
}

fn device_token() -> Token {
    Token::sign(&group().derive("d"), "localhost/devices/d", FAR, None)
}

fn registration_token() -> Token {
    Token::sign(&group().derive("d"), &registration_resource(SCOPE, "d"), FAR, None)
}

/// The packet that lets a client in, or nothing.
fn connect(mode: u8) -> BytesMut {
    let mut packet = BytesMut::new();
    let (user, token) = match mode {
        1 => (hub_user_name("localhost", "d", None, None), device_token()),
        2 => (dps_user_name(SCOPE, "d"), registration_token()),
        _ => return packet,
    };
    let mut connect = Connect::new("d");
    connect.login = Some(Login::new(user, token.reveal()));
    let mut codec = Codec { max_incoming_size: 1 << 20, max_outgoing_size: 1 << 20 };
    codec.encode(Packet::Connect(connect), &mut packet).expect("a packet");
    packet
}

/// The cloud may hang up at any time; what it says is not looked at.
async fn client(mut near: DuplexStream, input: &[u8]) {
    let _ = near.write_all(input).await;
    let _ = near.shutdown().await;
    let _ = near.read_to_end(&mut Vec::new()).await;
}

fn group() -> SharedKey {
    SharedKey::from_bytes(vec![7; 32]).expect("a key")
}

/// A twin, changed by whoever comes.
pub struct Twins {
    twin: Twin,
    now: Timestamp,
}

impl Default for Twins {
    fn default() -> Self {
        Self::new()
    }
}

impl Twins {
    /// A fresh twin.
    pub fn new() -> Self {
        Self { twin: Twin::new(Timestamp::UNIX_EPOCH), now: Timestamp::UNIX_EPOCH }
    }

    /// A patch by the device or by a service. Whatever is refused must leave the twin as it was.
    pub fn patch(&mut self, from_device: bool, patch: &str) {
        let Ok(patch) = serde_json::from_str::<Value>(patch) else { return };
        let before = self.twin.clone();
        let taken = if from_device {
            self.twin.report(&patch, None, self.now).is_ok()
        } else {
            let section = |name: &str| patch.get(name).and_then(Value::as_object).cloned();
            let update = TwinUpdate { tags: section("tags"), desired: section("desired") };
            self.twin.update(&update, self.now).is_ok()
        };
        assert!(taken || self.twin == before, "a refused patch has changed the twin");
        assert!(self.twin.for_device().to_string().len() < 1 << 20, "a twin outgrows its limits");
    }
}

/// A certificate of a client, and of an authority.
pub fn check_certificate(bytes: &[u8]) {
    let authorities: Vec<CertificateDer<'static>> = authority(bytes).into_iter().collect();
    if let Ok(peer) = PeerCertificate::from_chain(&[CertificateDer::from(bytes)]) {
        let _ = peer.subject_common_name();
        let _ = peer.is_issued_by(&authorities, Timestamp::UNIX_EPOCH);
    }
}
