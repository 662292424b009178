//! Ways in for the fuzz targets under `fuzz/`, which are built apart from everything else.
//!
//! Never here: anything that the program itself runs; this is compiled for fuzzing only.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use jiff::Timestamp;
use rumqttc::mqttbytes::v4::{Connect, Login, Packet};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio_util::codec::Encoder as _;

use super::core::auth::HubNames;
use super::core::twins::{Twin, TwinUpdate};
use super::core::x509::{PeerCertificate, authority};
use super::core::{Core, Settings};
use super::shared::Shared;
use super::{mqtt, rest};
use crate::wire::SharedKey;
use crate::wire::connect::{dps_user_name, hub_user_name};
use crate::wire::sas::Token;

const FAR: i64 = 4_000_000_000;
const SCOPE: &str = "0ne00ABCDEF";
const METHODS: [&str; 6] = ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];

/// A cloud without sockets, with a device `d` and a module `d/m`.
pub struct Cloud {
    runtime: Runtime,
    shared: Arc<Shared>,
    service: String,
    enrolment: String,
}

impl Default for Cloud {
    fn default() -> Self {
        Self::new()
    }
}

impl Cloud {
    /// One cloud, used by all inputs.
    pub fn new() -> Self {
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
        let token = |policy: &str| {
            shared.look(|core, _| {
                let key = core.policy_key(policy).expect("the policy").clone();
                Token::sign(&key, "localhost", FAR, Some(policy)).reveal().to_owned()
            })
        };
        let (service, enrolment) = (token("iothubowner"), token("iothubowner"));
        let made = shared.change(|core, now, _| core.create_derived(now, "d".parse().expect("an id")));
        made.expect("created");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, shared, service, enrolment }
    }

    /// A connection from its first byte to its end: 0 of a stranger, 1 of the device, 2 of a device
    /// at the provisioning service.
    pub fn mqtt(&self, mode: u8, bytes: &[u8]) {
        let mut input = bytes::BytesMut::new();
        let key = group().derive("d");
        let login = match mode {
            1 => {
                let token = Token::sign(&key, "localhost/devices/d", FAR, None);
                Some((hub_user_name("localhost", "d", None, None), token))
            }
            2 => {
                let token = Token::sign(&key, &format!("{SCOPE}/registrations/d"), FAR, None);
                Some((dps_user_name(SCOPE, "d"), token))
            }
            _ => None,
        };
        if let Some((user, token)) = login {
            let mut connect = Connect::new("d");
            connect.login = Some(Login::new(user, token.reveal()));
            let mut codec =
                rumqttc::mqttbytes::v4::Codec { max_incoming_size: 1 << 20, max_outgoing_size: 1 << 20 };
            codec.encode(Packet::Connect(connect), &mut input).expect("a packet");
        }
        input.extend_from_slice(bytes);
        self.runtime.block_on(async {
            let (mut near, far) = tokio::io::duplex(1 << 20);
            let client = async {
                // The cloud may hang up at any time; what it says is not looked at.
                let _ = near.write_all(&input).await;
                let _ = near.shutdown().await;
                let _ = near.read_to_end(&mut Vec::new()).await;
            };
            tokio::join!(mqtt::run(far, &self.shared, None), client);
        });
    }

    /// A request; the lowest bits of `mode` choose the method and whose token it bears.
    pub fn https(&self, mode: u8, path: &str, condition: &str, body: &[u8]) {
        let method = METHODS[usize::from(mode) % METHODS.len()];
        let token = match mode / 64 {
            0 => "",
            1 => &self.enrolment,
            _ => &self.service,
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("/{path}"))
            .header("authorization", token)
            .header("if-match", condition)
            .body(Body::from(body.to_vec()));
        let Ok(request) = request else { return };
        // Commands wait for devices and events for ever; that is theirs to do.
        if request.uri().path().ends_with("/methods") || request.uri().path().contains("events") {
            return;
        }
        let wait = Duration::from_secs(1);
        let _ = self.runtime.block_on(rest::answer(&self.shared, None, request, wait));
    }
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
