//! One connection: from CONNECT to its end.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, LastWill, Packet};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::codec::PacketError;
use super::link::Link;
use super::session::{Session, Who};
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::registry::Address;
use crate::cloud::core::x509::PeerCertificate;
use crate::cloud::dialect::{self, ConnectError, Role, Unacceptable};
use crate::cloud::shared::Shared;

/// How long a client may take to send CONNECT.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a client may take to read what it is sent.
pub(super) const WRITE: Duration = Duration::from_secs(30);
/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("{0}")]
    Packet(#[from] PacketError),
    #[error("no CONNECT came within {CONNECT:?}")]
    NoConnect,
    #[error("the client closed it without DISCONNECT")]
    Lost,
    #[error("the client said DISCONNECT")]
    Polite,
    #[error("`{who}` was refused: {why}")]
    Refused { who: String, why: ConnectError },
    #[error("`{who}` {why}")]
    Unacceptable { who: String, why: Unacceptable },
    #[error("`{0}` sent CONNECT twice")]
    Twice(String),
    #[error("`{0}` sent a packet that only a server sends")]
    Reversed(String),
    #[error("`{who}` was silent for {silence:?}")]
    Silent { who: String, silence: Duration },
    #[error("the token of `{0}` ran out")]
    TokenExpired(String),
    #[error("`{0}` does not read what it is sent")]
    Stuck(String),
    #[error("the cloud ended it")]
    Cloud,
}

/// Serves one client, who may have shown a certificate, until its connection ends. A large stream
/// is better given in a box: each future around it would have room for it.
pub(super) async fn run<S>(stream: S, shared: &Shared, peer: Option<Arc<PeerCertificate>>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut link = Link::new(stream);
    // In a box, so that a connection that stays does not carry the memory of its beginning.
    let guest = match Box::pin(admit(&mut link, shared, peer)).await {
        Ok(guest) => guest,
        Err(ended) => return ended,
    };
    let ended = match guest.role {
        Role::Hub { address, model_id, expiry } => {
            let terms = Terms { keep_alive: guest.keep_alive, expiry };
            hub(&mut link, shared, (address, model_id), guest.clean, guest.will, terms).await
        }
        Role::Dps { device } => {
            let (_keep, mut queue) = mpsc::channel(1);
            let end = shared.stop.child_token();
            let terms = Terms { keep_alive: guest.keep_alive, expiry: device.expiry };
            let mut session = Session::new(shared, Who::Dps { device: Box::new(device) }, terms);
            // DPS keeps no session, and the .NET SDK gives up when it is told of one.
            session.serve(&mut link, false, &mut queue, &end).await
        }
    };
    // The client may be gone or not reading; a polite end of TLS is worth a moment, no more.
    let _ = timeout(Duration::from_secs(1), link.close()).await;
    ended
}

/// How long a session may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// In seconds, as the client says it.
    pub(super) keep_alive: u16,
    /// When its token runs out, in seconds since 1970.
    pub(super) expiry: i64,
}

/// What stays of a CONNECT that has been accepted.
struct Guest {
    role: Role,
    clean: bool,
    keep_alive: u16,
    will: Option<LastWill>,
}

/// Waits for CONNECT and checks it. Who is refused has been told so.
async fn admit<S>(
    link: &mut Link<S>,
    shared: &Shared,
    peer: Option<Arc<PeerCertificate>>,
) -> Result<Guest, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let first = tokio::select! {
        first = timeout(CONNECT, link.next()) => first,
        () = shared.stop.cancelled() => return Err(Ended::Cloud),
    };
    let connect = match first {
        Err(_) => return Err(Ended::NoConnect),
        Ok(Ok(None)) => return Err(Ended::Lost),
        Ok(Ok(Some(Packet::Connect(connect)))) => connect,
        Ok(Ok(Some(_))) => return Err(PacketError::Forbidden("the first packet is not CONNECT").into()),
        Ok(Err(error)) => {
            if matches!(error, PacketError::Level(_)) {
                refuse(link, ConnectReturnCode::RefusedProtocolVersion).await;
            }
            return Err(error.into());
        }
    };
    let (user, password) =
        connect.login.as_ref().map_or(("", ""), |login| (login.username.as_str(), login.password.as_str()));
    shared.be_late().await;
    let role = shared.change(|core, now, _| {
        dialect::connect(core, now, &connect.client_id, user, password, peer.as_deref())
    });
    match role {
        Ok(role) => Ok(Guest {
            role,
            clean: connect.clean_session,
            keep_alive: connect.keep_alive,
            will: connect.last_will,
        }),
        Err(why) => {
            let code = return_code(why.return_code());
            let who = connect.client_id.chars().take(128).collect();
            tracing::warn!(client = %connect.client_id, "CONNECT refused: {why}");
            refuse(link, code).await;
            Err(Ended::Refused { who, why })
        }
    }
}

async fn hub<S>(
    link: &mut Link<S>,
    shared: &Shared,
    (address, model_id): (Address, Option<String>),
    clean: bool,
    will: Option<LastWill>,
    terms: Terms,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let will = match will.as_ref().map(|will| checked_will(will, &address)).transpose() {
        Ok(will) => will,
        Err(why) => return Ended::Unacceptable { who: address.to_string(), why },
    };
    let mut seat = match shared.enter(&address, clean, model_id) {
        Ok(seat) => seat,
        Err(fault) => {
            tracing::warn!(device = %address, "CONNECT cannot be taken: {fault}");
            refuse(link, ConnectReturnCode::ServiceUnavailable).await;
            return Ended::Unacceptable { who: address.to_string(), why: fault.into() };
        }
    };
    tracing::info!(device = %address, session_present = seat.session_present, "device connected");
    let guard = Presence { shared, connection: seat.connection };
    let who = Who::Hub { address: address.clone(), connection: seat.connection };
    let mut session = Session::new(shared, who, terms);
    let ended = session.serve(link, seat.session_present, &mut seat.queue, &seat.end).await;
    if let (Some((bag, body)), false) = (will, matches!(ended, Ended::Polite))
        && let Err(fault) = shared.change(|core, now, _| core.message(now, &address, &bag, body))
    {
        tracing::warn!(device = %address, "its will cannot be taken: {fault}");
    }
    drop(guard);
    ended
}

/// Takes the client out of the hub however its task ends.
struct Presence<'a> {
    shared: &'a Shared,
    connection: ConnectionId,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.connection);
    }
}

/// IoT Hub takes a will as a message, marked as one.
fn checked_will(will: &LastWill, address: &Address) -> Result<(String, bytes::Bytes), Unacceptable> {
    let bag = dialect::event_bag(&will.topic, address)?;
    Ok((dialect::add_property(bag, "iothub-MessageType", "Will"), will.message.clone()))
}

/// MQTT 3.1.1, section 3.2.2.3.
fn return_code(number: u8) -> ConnectReturnCode {
    match number {
        1 => ConnectReturnCode::RefusedProtocolVersion,
        2 => ConnectReturnCode::BadClientId,
        3 => ConnectReturnCode::ServiceUnavailable,
        4 => ConnectReturnCode::BadUserNamePassword,
        _ => ConnectReturnCode::NotAuthorized,
    }
}

async fn refuse<S>(link: &mut Link<S>, code: ConnectReturnCode)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = Packet::ConnAck(ConnAck::new(code, false));
    let _ = timeout(WRITE, async {
        if link.put(answer).is_ok() {
            let _ = link.flush().await;
        }
        link.close().await
    })
    .await;
}
