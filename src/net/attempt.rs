//! One connection made: name, TCP, TLS, MQTT, subscriptions, each step told as it is done.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rumqttc::Publish;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error;
use super::link::LinkOptions;
use super::mqtt::{Hello, Session};
use super::sink::{Gone, Sink};
use crate::device::{Assignment, Failure, FailureKind, Input, LinkStep};
use crate::trust::Fault;
use crate::wire::sas::{Token, device_resource};
use crate::wire::{connect, topic};

const RESOLVE: Duration = Duration::from_secs(10);
const TCP: Duration = Duration::from_secs(10);
const TLS: Duration = Duration::from_secs(20);
const MQTT: Duration = Duration::from_secs(30);

/// Why an attempt ended without a result.
#[derive(Debug)]
pub(super) enum Ended {
    /// It failed.
    Failed(Failure),
    /// Nobody listens any more.
    Gone,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// A connection that stands, and the messages that came before it was told so.
pub(super) struct Standing {
    pub(super) session: Session<TlsStream<TcpStream>>,
    pub(super) early: Vec<Publish>,
    pub(super) session_present: bool,
}

/// Connects to the hub of `to`.
pub(super) async fn connect(options: &LinkOptions, to: &Assignment, sink: &Sink) -> Result<Standing, Ended> {
    // By way of a gateway only the socket's destination changes; user name and token keep the hub.
    let target = options.gateway.as_ref().unwrap_or(&to.hub);
    let (host, port) = (target.name.as_str(), target.port.unwrap_or(options.mqtt_port));
    let attempt = format!("cannot connect to the hub {host}");
    let failed = |fault: Fault| error::unreached(&attempt, host, port, &fault);

    let (slot, device, gateway) = (options.slot, &to.device_id, options.gateway.is_some());
    let keep_alive = options.keep_alive;
    tracing::debug!(slot, host, port, %device, gateway, ?keep_alive, "connecting");
    let tcp = reach(host, port).await.map_err(failed)?;
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "small packets may be delayed");
    }
    let peer = tcp.peer_addr().map_err(|error| failed(Fault::of(&error)))?;
    sink.tell(Input::Link(LinkStep::Reached(peer))).await?;

    let tls = secure(options, host, tcp).await.map_err(|ended| match ended {
        Insecure::Fault(fault) => failed(fault),
        Insecure::Setup(said) => Failure::new(FailureKind::Untrusted, format!("{attempt}: {said}")),
    })?;
    sink.tell(Input::Link(LinkStep::Secured { protocol: protocol(&tls) })).await?;

    let device = to.device_id.as_str();
    let (mut session, session_present) = Session::open(tls, hello(options, to, since_1970()), MQTT)
        .await
        .map_err(|error| error::not_accepted(host, device, &error))?;
    let mut filters = vec![topic::filter::METHODS, topic::filter::TWIN_ANSWERS, topic::filter::DESIRED];
    let messages = messages(options, device);
    filters.extend(messages.as_deref());
    let early =
        session.subscribe(&filters, MQTT).await.map_err(|error| error::not_accepted(host, device, &error))?;
    Ok(Standing { session, early, session_present })
}

/// Which messages are asked for: a device's from the cloud, which modules have none of; a module's to
/// its inputs.
fn messages(options: &LinkOptions, device: &str) -> Option<String> {
    match &options.module {
        None => Some(topic::filter::device_bound(device)),
        Some(module) if options.inputs => {
            let [inputs, _] = topic::filter::inputs(device, module.as_str());
            Some(inputs)
        }
        Some(_) => None,
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970, as tokens count them.
pub(super) fn now() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}

/// When a token ends that is to live for `life`: tokens count whole seconds, and it must not end sooner,
/// as the device renews it by what it was meant to live.
fn end_of_token(now: Duration, life: Duration) -> i64 {
    let end = now.saturating_add(life);
    let seconds = i64::try_from(end.as_secs()).unwrap_or(i64::MAX);
    if end.subsec_nanos() == 0 { seconds } else { seconds.saturating_add(1) }
}

/// What the device says first: its token is signed here, at the moment of connecting, and held no
/// longer than the packet takes.
fn hello(options: &LinkOptions, to: &Assignment, now: Duration) -> Hello {
    let (hub, device) = (to.hub.name.as_str(), to.device_id.as_str());
    let module = options.module.as_ref().map(crate::device::ModuleId::as_str);
    Hello {
        client_id: connect::client_id(device, module),
        user_name: connect::hub_user_name(hub, device, module, options.model_id.as_deref()),
        password: Token::sign(
            &options.key,
            &device_resource(hub, device, module),
            end_of_token(now, options.sas_ttl),
            None,
        ),
        keep_alive: options.keep_alive,
    }
}

/// A TCP connection to any address of `host`, tried in the order the system gives.
async fn reach(host: &str, port: u16) -> Result<TcpStream, Fault> {
    let found = timeout(RESOLVE, lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            tracing::debug!(%error, host, "no address");
            return Err(Fault::Unresolved);
        }
        Err(_) => return Err(Fault::Unresolved),
    };
    let mut fault = Fault::Unresolved;
    for address in addresses {
        match timeout(TCP, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, %address, "not reached");
                fault = Fault::of(&error);
            }
            Err(_) => fault = Fault::TimedOut,
        }
    }
    Err(fault)
}

enum Insecure {
    Fault(Fault),
    Setup(String),
}

async fn secure(options: &LinkOptions, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Insecure> {
    let config = options.trust.config().map_err(|error| Insecure::Setup(error.to_string()))?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Insecure::Setup(format!("`{host}` is no name that a certificate can be for")))?;
    let connecting = TlsConnector::from(Arc::clone(&config)).connect(name, tcp);
    match timeout(TLS, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Insecure::Fault(Fault::of(&error))),
        Err(_) => Err(Insecure::Fault(Fault::of(&io::Error::from(io::ErrorKind::TimedOut)))),
    }
}

/// What was agreed, for people: `TLS 1.3, AES-256-GCM`.
fn protocol(stream: &TlsStream<TcpStream>) -> String {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    let suite = connection.negotiated_cipher_suite().map_or("", |suite| cipher(suite.suite()));
    if suite.is_empty() { version.to_owned() } else { format!("{version}, {suite}") }
}

fn cipher(suite: rustls::CipherSuite) -> &'static str {
    use rustls::CipherSuite as Suite;
    match suite {
        Suite::TLS13_AES_256_GCM_SHA384
        | Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "AES-256-GCM",
        Suite::TLS13_AES_128_GCM_SHA256
        | Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "AES-128-GCM",
        Suite::TLS13_CHACHA20_POLY1305_SHA256
        | Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ChaCha20-Poly1305",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_no_shorter_than_it_is_meant_to() {
        for (now, life, end) in
            [(28_000, 2_000, 30), (27_997, 2_000, 30), (28_001, 2_000, 31), (28_200, 1_500, 30)]
        {
            let [now, life] = [now, life].map(Duration::from_millis);
            assert_eq!(end_of_token(now, life), end, "{now:?} {life:?}");
        }
        assert_eq!(end_of_token(Duration::MAX, Duration::MAX), i64::MAX);
    }
}
