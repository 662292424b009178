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
use crate::cloud::core::Delivery;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::registry::Address;
use crate::cloud::core::x509::PeerCertificate;
use crate::cloud::dialect::{self, ConnectError, Role, Unacceptable};
use crate::cloud::shared::{Line, Shared};

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
    let ended = match guest.take_seat(shared) {
        Ok(mut seat) => seat.serve(&mut link).await,
        Err((why, code)) => {
            if let Some(code) = code {
                Box::pin(refuse(&mut link, code)).await;
            }
            why
        }
    };
    // The client may be gone or not reading; a polite end of TLS is worth a moment, no more.
    let _ = Box::pin(timeout(Duration::from_secs(1), link.close())).await;
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
) -> Result<Box<Guest>, Ended>
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
        Ok(role) => Ok(Box::new(Guest {
            role,
            clean: connect.clean_session,
            keep_alive: connect.keep_alive,
            will: connect.last_will,
        })),
        Err(why) => {
            let code = return_code(why.return_code());
            let who = connect.client_id.chars().take(128).collect();
            tracing::warn!(client = %connect.client_id, "CONNECT refused: {why}");
            refuse(link, code).await;
            Err(Ended::Refused { who, why })
        }
    }
}

impl Guest {
    /// Brings a client in. Done in one go and not in the connection's future, where everything
    /// that is only needed at the beginning would stay as long as the connection.
    fn take_seat(self: Box<Self>, shared: &Shared) -> Result<Seat<'_>, (Ended, Option<ConnectReturnCode>)> {
        let Self { role, clean, keep_alive, will } = *self;
        let (address, model_id, expiry) = match role {
            Role::Hub { address, model_id, expiry } => (address, model_id, expiry),
            Role::Dps { device } => {
                let (keep, queue) = mpsc::channel(1);
                let terms = Terms { keep_alive, expiry: device.expiry };
                let session = Session::new(shared, Who::Dps { device: Box::new(device) }, terms);
                // DPS keeps no session, and the .NET SDK gives up when it is told of one.
                let line = Line {
                    // The hub numbers its connections from 1; this one is none of them.
                    connection: ConnectionId::default(),
                    session_present: false,
                    queue,
                    end: shared.stop.child_token(),
                };
                return Ok(Seat { session, line, will: None, stay: Stay::Dps { _keep: keep } });
            }
        };
        let unacceptable = |why| Ended::Unacceptable { who: address.to_string(), why };
        let will = will.as_ref().map(|will| checked_will(will, &address)).transpose();
        let will = will.map_err(|why| (unacceptable(why), None))?;
        let line = shared.enter(&address, clean, model_id).map_err(|fault| {
            tracing::warn!(device = %address, "CONNECT cannot be taken: {fault}");
            (unacceptable(fault.into()), Some(ConnectReturnCode::ServiceUnavailable))
        })?;
        tracing::info!(device = %address, session_present = line.session_present, "device connected");
        if address.is_edge_hub() {
            tracing::info!(device = %address.device, "an Edge hub is here: the routes are its to follow, not this cloud's");
        }
        let stay = Stay::Hub(Presence { shared, connection: line.connection });
        let who = Who::Hub { address, connection: line.connection };
        let session = Session::new(shared, who, Terms { keep_alive, expiry });
        Ok(Seat { session, line, will: will.map(Box::new), stay })
    }
}

/// A client that is in.
struct Seat<'a> {
    session: Session<'a>,
    line: Line,
    will: Option<Box<Will>>,
    stay: Stay<'a>,
}

/// What lasts as long as a client is in.
enum Stay<'a> {
    Hub(Presence<'a>),
    Dps {
        /// Nothing is ever sent unasked, but the line must not look as if it had been cut.
        _keep: mpsc::Sender<Box<Delivery>>,
    },
}

impl Seat<'_> {
    async fn serve<S>(&mut self, link: &mut Link<S>) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Line { session_present, queue, end, .. } = &mut self.line;
        let ended = self.session.serve(link, *session_present, queue, end).await;
        // Before the client is taken out: its last word is still its own.
        if let (Stay::Hub(presence), Some(will), false) =
            (&self.stay, self.will.take(), matches!(ended, Ended::Polite))
            && let Who::Hub { address, .. } = self.session.who()
        {
            let (bag, body) = *will;
            let taken = presence.shared.change(|core, now, out| core.message(now, address, &bag, body, out));
            if let Err(fault) = taken {
                tracing::warn!(device = %address, "its will cannot be taken: {fault}");
            }
        }
        ended
    }
}

/// A will, ready to be taken as a message: its properties and its body.
type Will = (String, bytes::Bytes);

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
fn checked_will(will: &LastWill, address: &Address) -> Result<Will, Unacceptable> {
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
