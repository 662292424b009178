//! One connection: from CONNECT to its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
    UnsubAck,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

use super::codec::{PacketError, Strict};
use super::settlement::Unsettled;
use crate::cloud::core::Delivery;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::message::{LockToken, Settle};
use crate::cloud::core::provisioning::Attested;
use crate::cloud::core::registry::Address;
use crate::cloud::core::x509::PeerCertificate;
use crate::cloud::dialect::{self, ConnectError, Message, Role, Unacceptable};
use crate::cloud::shared::Shared;
use crate::wire::sas::CLOCK_SKEW;
use crate::wire::topic::filter as topic_filter;

/// How long a client may take to send CONNECT.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a client may take to read what it is sent.
const WRITE: Duration = Duration::from_secs(30);
/// 1.5 times keep-alive, never more than this. IoT Hub, "Device connectivity in IoT Hub": 29.45
/// minutes; it is also what a keep-alive of 0 means here.
const SILENCE: Duration = Duration::from_secs(1767);
/// Packets handled before answers are flushed, so that neither starves.
const BATCH: usize = 256;

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

type Link<S> = Framed<S, Strict>;

/// Serves one client, who may have shown a certificate, until its connection ends.
pub(super) async fn run<S>(stream: S, shared: &Shared, peer: Option<Arc<PeerCertificate>>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut link = Framed::with_capacity(stream, Strict::new(), 2048);
    let first = tokio::select! {
        first = timeout(CONNECT, link.next()) => first,
        () = shared.stop.cancelled() => return Ended::Cloud,
    };
    let connect = match first {
        Err(_) => return Ended::NoConnect,
        Ok(None) => return Ended::Lost,
        Ok(Some(Ok(Packet::Connect(connect)))) => connect,
        Ok(Some(Ok(_))) => return Ended::Packet(PacketError::Forbidden("the first packet is not CONNECT")),
        Ok(Some(Err(error))) => {
            if matches!(error, PacketError::Level(_)) {
                refuse(&mut link, ConnectReturnCode::RefusedProtocolVersion).await;
            }
            return Ended::Packet(error);
        }
    };
    shared.be_late().await;
    let (user, password) =
        connect.login.as_ref().map_or(("", ""), |login| (login.username.as_str(), login.password.as_str()));
    let role = shared.change(|core, now, _| {
        dialect::connect(core, now, &connect.client_id, user, password, peer.as_deref())
    });
    let role = match role {
        Ok(role) => role,
        Err(why) => {
            let code = return_code(why.return_code());
            let who = connect.client_id.chars().take(128).collect();
            tracing::warn!(client = %connect.client_id, "CONNECT refused: {why}");
            refuse(&mut link, code).await;
            return Ended::Refused { who, why };
        }
    };
    let ended = match role {
        Role::Hub { address, model_id, expiry } => {
            hub(&mut link, shared, &connect, address, model_id, expiry).await
        }
        Role::Dps { device } => {
            let expiry = device.expiry;
            let who = Who::Dps { device };
            let (_keep, mut queue) = mpsc::channel(1);
            let end = shared.stop.child_token();
            let mut session = Session::new(shared, who, &connect, expiry);
            // DPS keeps no session, and the .NET SDK gives up when it is told of one.
            session.serve(&mut link, false, &mut queue, &end).await
        }
    };
    // The client may be gone or not reading; a polite end of TLS is worth a moment, no more.
    let _ = timeout(Duration::from_secs(1), link.close()).await;
    ended
}

async fn hub<S>(
    link: &mut Link<S>,
    shared: &Shared,
    connect: &Connect,
    address: Address,
    model_id: Option<String>,
    expiry: i64,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let will = match connect.last_will.as_ref().map(|will| checked_will(will, &address)).transpose() {
        Ok(will) => will,
        Err(why) => return Ended::Unacceptable { who: address.to_string(), why },
    };
    let mut seat = match shared.enter(&address, connect.clean_session, model_id) {
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
    let mut session = Session::new(shared, who, connect, expiry);
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
        let _ = link.send(answer).await;
        link.close().await
    })
    .await;
}

enum Who {
    Hub { address: Address, connection: ConnectionId },
    Dps { device: Attested },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub { address, .. } => address.fmt(f),
            Self::Dps { device } => device.id.fmt(f),
        }
    }
}

struct Session<'a> {
    shared: &'a Shared,
    who: Who,
    silence: Duration,
    heard: Instant,
    token_ends: Instant,
    packet_id: u16,
    answers: Option<u8>,
    unsettled: Unsettled,
}

impl<'a> Session<'a> {
    fn new(shared: &'a Shared, who: Who, connect: &Connect, expiry: i64) -> Self {
        let silence = match connect.keep_alive {
            0 => SILENCE,
            seconds => (Duration::from_secs(u64::from(seconds)) * 3 / 2).min(SILENCE),
        };
        let now = shared.now().wall.as_second();
        // A token that was taken only because clocks differ is good for the rest of that difference.
        let end = if expiry > now { expiry } else { expiry.saturating_add(CLOCK_SKEW) };
        // A token without an end in sight would overflow the clock; a year is as good as for ever.
        let left = u64::try_from(end.saturating_sub(now)).unwrap_or(0).min(365 * 24 * 3600);
        Self {
            shared,
            who,
            silence,
            heard: Instant::now(),
            token_ends: Instant::now() + Duration::from_secs(left),
            packet_id: 0,
            answers: None,
            unsettled: Unsettled::default(),
        }
    }

    async fn serve<S>(
        &mut self,
        link: &mut Link<S>,
        session_present: bool,
        queue: &mut mpsc::Receiver<Delivery>,
        end: &CancellationToken,
    ) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let welcome = Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present));
        match timeout(WRITE, link.send(welcome)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return Ended::Stuck(self.who.to_string()),
        }
        // One timer, looked at when it goes off and not set anew for each packet.
        let timer = sleep_until(self.deadline());
        tokio::pin!(timer);
        loop {
            tokio::select! {
                () = end.cancelled() => return Ended::Cloud,
                packet = link.next() => {
                    self.heard = Instant::now();
                    self.shared.be_late().await;
                    match timeout(WRITE, self.batch(link, packet)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(ended)) => return ended,
                        Err(_) => return Ended::Stuck(self.who.to_string()),
                    }
                }
                Some(delivery) = queue.recv() => {
                    match timeout(WRITE, self.hand_over(link, delivery, queue)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(ended)) => return ended,
                        Err(_) => return Ended::Stuck(self.who.to_string()),
                    }
                }
                () = &mut timer => {
                    let now = Instant::now();
                    if now >= self.token_ends {
                        return Ended::TokenExpired(self.who.to_string());
                    }
                    if now >= self.heard + self.silence {
                        return Ended::Silent { who: self.who.to_string(), silence: self.silence };
                    }
                    timer.as_mut().reset(self.deadline());
                }
            }
        }
    }

    fn deadline(&self) -> Instant {
        (self.heard + self.silence).min(self.token_ends)
    }

    /// Handles a packet and all that have arrived with it, then flushes their answers at once.
    async fn batch<S>(
        &mut self,
        link: &mut Link<S>,
        first: Option<Result<Packet, PacketError>>,
    ) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut next = Some(first);
        let mut handled = 0;
        let ended = loop {
            let Some(packet) = next else { break None };
            let outcome = match packet {
                Some(Ok(packet)) => self.packet(link, packet).await,
                Some(Err(error)) => Err(error.into()),
                None => Err(Ended::Lost),
            };
            if let Err(ended) = outcome {
                break Some(ended);
            }
            handled += 1;
            if handled == BATCH {
                break None;
            }
            next = link.next().now_or_never();
        };
        // What was answered before the end is still due.
        let flushed = link.flush().await;
        match ended {
            Some(ended) => Err(ended),
            None => Ok(flushed?),
        }
    }

    async fn hand_over<S>(
        &mut self,
        link: &mut Link<S>,
        first: Delivery,
        queue: &mut mpsc::Receiver<Delivery>,
    ) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut next = Some(first);
        while let Some(delivery) = next {
            let lock = Unsettled::lock_of(&delivery);
            if let Some(message) = dialect::deliver(delivery) {
                let acknowledged = message.quality > 0;
                let publish = self.publish(message);
                link.feed(publish).await?;
                let packet = acknowledged.then_some(self.packet_id);
                let lock = lock.and_then(|lock| self.unsettled.written(packet, lock));
                self.settle(lock);
            }
            next = queue.try_recv().ok();
        }
        link.flush().await?;
        Ok(())
    }

    fn publish(&mut self, message: Message) -> Packet {
        let quality = if message.quality == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::from_bytes(message.topic, quality, message.body);
        if quality == QoS::AtLeastOnce {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            publish.pkid = self.packet_id;
        }
        Packet::Publish(publish)
    }

    async fn packet<S>(&mut self, link: &mut Link<S>, packet: Packet) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match packet {
            Packet::Publish(publish) => {
                let answer = self
                    .published(&publish)
                    .map_err(|why| Ended::Unacceptable { who: self.who.to_string(), why })?;
                // The acknowledgement goes before the answer: the .NET SDK insists on the order.
                if publish.qos == QoS::AtLeastOnce {
                    link.feed(Packet::PubAck(PubAck::new(publish.pkid))).await?;
                }
                if let Some(message) = answer {
                    let packet = self.publish(message);
                    link.feed(packet).await?;
                }
            }
            Packet::Subscribe(subscribe) => {
                let codes = subscribe
                    .filters
                    .iter()
                    .map(|filter| {
                        let granted = self.subscribe(&filter.path, filter.qos as u8)?;
                        let quality = if granted == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                        Ok(SubscribeReasonCode::Success(quality))
                    })
                    .collect::<Result<_, Ended>>()?;
                link.feed(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await?;
            }
            Packet::Unsubscribe(unsubscribe) => {
                match &self.who {
                    Who::Hub { connection, .. } => self
                        .shared
                        .change(|core, _, _| {
                            for filter in &unsubscribe.topics {
                                core.unsubscribe(*connection, filter);
                            }
                            Ok::<_, Fault>(())
                        })
                        .map_err(|fault| self.unacceptable(fault))?,
                    Who::Dps { .. } => {
                        if unsubscribe.topics.iter().any(|topic| topic == topic_filter::DPS) {
                            self.answers = None;
                        }
                    }
                }
                link.feed(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))).await?;
            }
            Packet::PingReq => link.feed(Packet::PingResp).await?,
            Packet::Disconnect => return Err(Ended::Polite),
            // Other deliveries are not sent again: commands and patches are for who is there.
            Packet::PubAck(ack) => {
                let lock = self.unsettled.acknowledged(ack.pkid);
                self.settle(lock);
            }
            Packet::Connect(_) => return Err(Ended::Twice(self.who.to_string())),
            _ => return Err(Ended::Reversed(self.who.to_string())),
        }
        Ok(())
    }

    /// Completes a cloud-to-device message.
    fn settle(&self, lock: Option<LockToken>) {
        if let (Some(lock), Who::Hub { address, .. }) = (lock, &self.who) {
            let device = &address.device;
            let settled = self
                .shared
                .change(|core, now, out| core.settle_message(now, device, lock, Settle::Complete, out));
            if let Err(fault) = settled {
                tracing::debug!(device = %address, "an acknowledgement came too late: {fault}");
            }
        }
    }

    fn published(&self, publish: &Publish) -> Result<Option<Message>, Unacceptable> {
        match &self.who {
            Who::Hub { address, connection } => self.shared.change(|core, now, out| {
                let who = (*connection, address);
                dialect::hub_publish(core, now, who, &publish.topic, &publish.payload, publish.retain, out)
            }),
            Who::Dps { device } => {
                let answer = self.shared.change(|core, now, out| {
                    dialect::dps_publish(core, now, device, &publish.topic, &publish.payload, out)
                })?;
                let Some(quality) = self.answers else {
                    tracing::warn!(device = %device.id, "a registration goes unanswered: {} is not subscribed", topic_filter::DPS);
                    return Ok(None);
                };
                Ok(Some(Message { quality, ..answer }))
            }
        }
    }

    /// An acknowledgement is a promise; where nothing can be kept, the connection ends without one.
    fn unacceptable(&self, fault: Fault) -> Ended {
        Ended::Unacceptable { who: self.who.to_string(), why: fault.into() }
    }

    fn subscribe(&mut self, filter: &str, quality: u8) -> Result<u8, Ended> {
        match &self.who {
            Who::Hub { address, connection } => {
                let (granted, meant) = self
                    .shared
                    .change(|core, now, out| {
                        Ok::<_, Fault>(core.subscribe(now, *connection, filter, quality, out))
                    })
                    .map_err(|fault| self.unacceptable(fault))?;
                if !meant {
                    tracing::warn!(device = %address, filter, "the subscription is granted but nothing is ever sent there");
                }
                Ok(granted)
            }
            Who::Dps { .. } => {
                if filter == topic_filter::DPS {
                    self.answers = Some(quality.min(1));
                }
                Ok(quality.min(1))
            }
        }
    }
}
