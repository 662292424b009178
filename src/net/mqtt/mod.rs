//! One MQTT 3.1.1 session over any stream.
//!
//! Packets are rumqttc's: its codec and types, over [`Framed`]. Its event loop is left out, for
//! four reasons found by trying it (0.25.1): `EventLoop::poll` is not cancel-safe, so a task that
//! also listens to its device loses messages; it drops what is unacknowledged when the hub answers
//! `session present = 0`, which hubs may do at any time; it takes 39 KB a client where a fleet has
//! ten thousand; and it connects by itself, so that nobody can be shown the TLS step or told what
//! went wrong in it. What it would give in return, retransmission, belongs to the device's outbox,
//! which is pure and tested beside a simulated clock.
//!
//! Every method either is cancel-safe or says that it is not.
//!
//! In reading order: `error` (how a session ends), `keep_alive` (when a ping is due), then the session
//! below.

mod error;
mod keep_alive;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rumqttc::{
    Codec, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, Subscribe, SubscribeFilter,
    SubscribeReasonCode,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::codec::Framed;

pub use self::error::SessionError;
use self::keep_alive::{KeepAlive, PATIENCE};
use crate::device::Ticket;
use crate::wire::sas::Token;

/// The largest packet in either direction: IoT Hub's largest message, 256 KiB, and room for topic
/// and properties.
pub const MAX_PACKET: usize = 256 * 1024 + 4 * 1024;

/// What a connection's buffers begin with. They grow with a large message; an idle device of a
/// fleet keeps these.
const BUFFER: usize = 2 * 1024;

/// How many messages a hub may send before it answers SUBSCRIBE.
const MAX_EARLY: usize = 256;

/// Who connects, and how.
#[derive(Debug)]
pub struct Hello {
    /// MQTT client id.
    pub client_id: String,
    /// MQTT user name.
    pub user_name: String,
    /// The token.
    pub password: Token,
    /// How long the connection may be silent.
    pub keep_alive: Duration,
}

/// What a session receives.
#[derive(Debug, PartialEq)]
pub enum Received {
    /// A message. `QoS` 1 ones must be given to [`Session::acknowledge`] when they are dealt with.
    Message(Publish),
    /// Ours was acknowledged.
    Acknowledged(Ticket),
}

/// A session that the hub has accepted.
pub struct Session<S> {
    framed: Framed<S, Codec>,
    next_id: u16,
    unacknowledged: HashMap<u16, Ticket>,
    keep_alive: KeepAlive,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Connects, with a session that the hub keeps between connections, as all official SDKs do.
    /// The flag tells whether the hub had kept one. Not cancel-safe: dropping it drops the stream.
    pub async fn open(stream: S, hello: Hello, wait: Duration) -> Result<(Self, bool), SessionError> {
        let codec = Codec { max_incoming_size: MAX_PACKET, max_outgoing_size: MAX_PACKET };
        let mut session = Self {
            framed: Framed::with_capacity(stream, codec, BUFFER),
            next_id: 0,
            unacknowledged: HashMap::new(),
            keep_alive: KeepAlive::new(hello.keep_alive),
        };
        let mut connect = Connect::new(hello.client_id);
        connect.keep_alive = u16::try_from(hello.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1);
        connect.clean_session = false;
        connect.set_login(hello.user_name, hello.password.reveal());
        session.feed(Packet::Connect(connect)).await?;
        session.flush().await?;
        let answer = timeout(wait, session.read()).await;
        match answer.map_err(|_| SessionError::NoAnswer { what: "answer to CONNECT", after: wait })?? {
            Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
                Ok((session, ack.session_present))
            }
            Packet::ConnAck(ack) => Err(SessionError::Refused(ack.code)),
            other => Err(SessionError::Protocol(format!("{} before CONNACK", name(&other)))),
        }
    }

    /// Subscribes to all of `filters` in one packet and waits for the hub's answer. Returns the
    /// messages that came before it: a hub that kept the session sends them at once. Not
    /// cancel-safe.
    pub async fn subscribe(
        &mut self,
        filters: &[&str],
        wait: Duration,
    ) -> Result<Vec<Publish>, SessionError> {
        let id = self.packet_id();
        let filters =
            filters.iter().map(|filter| SubscribeFilter::new((*filter).to_owned(), QoS::AtLeastOnce));
        let mut subscribe = Subscribe::new_many(filters);
        subscribe.pkid = id;
        self.feed(Packet::Subscribe(subscribe)).await?;
        self.flush().await?;
        let mut early = Vec::new();
        let answered = timeout(wait, async {
            loop {
                match self.read().await? {
                    Packet::SubAck(ack) if ack.pkid == id => {
                        let all = ack
                            .return_codes
                            .iter()
                            .all(|code| matches!(code, SubscribeReasonCode::Success(_)));
                        return if all {
                            Ok(())
                        } else {
                            Err(SessionError::Protocol("a refusal of a subscription".to_owned()))
                        };
                    }
                    Packet::Publish(publish) if early.len() < MAX_EARLY => early.push(publish),
                    Packet::Publish(_) => {
                        return Err(SessionError::Protocol("messages without end before SUBACK".to_owned()));
                    }
                    Packet::PubAck(_) | Packet::PingResp => {}
                    other => return Err(SessionError::Protocol(format!("{} before SUBACK", name(&other)))),
                }
            }
        });
        answered.await.map_err(|_| SessionError::NoAnswer { what: "answer to SUBSCRIBE", after: wait })??;
        Ok(early)
    }

    /// Hands over a message; [`Session::flush`] sends it. With a ticket it goes out with `QoS` 1 and
    /// its acknowledgement is told as [`Received::Acknowledged`], without one with `QoS` 0.
    ///
    /// Not cancel-safe.
    pub async fn publish(
        &mut self,
        mut publish: Publish,
        ticket: Option<Ticket>,
    ) -> Result<(), SessionError> {
        check(&publish)?;
        if let Some(ticket) = ticket {
            publish.qos = QoS::AtLeastOnce;
            publish.pkid = self.packet_id();
            if self.unacknowledged.is_empty() {
                self.keep_alive.owed();
            }
            self.unacknowledged.insert(publish.pkid, ticket);
        }
        self.feed(Packet::Publish(publish)).await
    }

    /// Acknowledges a message, when it came with `QoS` 1; [`Session::flush`] sends it.
    pub async fn acknowledge(&mut self, publish: &Publish) -> Result<(), SessionError> {
        match publish.qos {
            QoS::AtMostOnce => Ok(()),
            QoS::AtLeastOnce => self.feed(Packet::PubAck(PubAck::new(publish.pkid))).await,
            // IoT Hub never sends with QoS 2, and grants 1 to those who ask for it.
            QoS::ExactlyOnce => Err(SessionError::Protocol("a message with QoS 2".to_owned())),
        }
    }

    /// Writes everything handed over. A hub that takes no bytes for long counts as lost.
    pub async fn flush(&mut self) -> Result<(), SessionError> {
        let flushed = timeout(PATIENCE, self.framed.flush()).await;
        Ok(flushed.map_err(|_| SessionError::NoAnswer { what: "room to send", after: PATIENCE })??)
    }

    /// How many messages wait for their acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        self.unacknowledged.len()
    }

    /// The next thing received. Keeps the connection alive meanwhile: a ping goes out when nothing
    /// was sent for the keep-alive, or when acknowledgements are owed and nothing came for as
    /// long; a hub that is silent for 20 s more, or one more keep-alive where that is shorter, counts as lost. Cancel-safe.
    pub async fn next(&mut self) -> Result<Received, SessionError> {
        loop {
            let due = tokio::select! {
                packet = self.framed.next() => {
                    if let Some(received) = self.receive(packet)? {
                        return Ok(received);
                    }
                    continue;
                }
                () = self.keep_alive.elapsed() => self.keep_alive.watch(!self.unacknowledged.is_empty())?,
            };
            if due {
                // The state says that a ping is out before the first await, so that a cancelled
                // call does not send a second one; the bytes stay in the buffer.
                self.feed(Packet::PingReq).await?;
                self.flush().await?;
            }
        }
    }

    /// What has been received already, without waiting. Does not look at the keep-alive.
    pub async fn ready(&mut self) -> Result<Option<Received>, SessionError> {
        loop {
            let mut next = self.framed.next();
            let packet = poll_fn(|context| Poll::Ready(Pin::new(&mut next).poll(context))).await;
            match packet {
                Poll::Pending => return Ok(None),
                Poll::Ready(packet) => {
                    if let Some(received) = self.receive(packet)? {
                        return Ok(Some(received));
                    }
                }
            }
        }
    }

    /// Says goodbye and closes; returns what was acknowledged on the way.
    ///
    /// Reads on until the hub has closed its side, for at most `wait`: to close a socket with
    /// unread bytes in it makes the system reset the connection, and the hub could lose what it
    /// has not read yet.
    pub async fn close(mut self, wait: Duration) -> Vec<Ticket> {
        let mut acknowledged = Vec::new();
        let goodbye = async {
            self.feed(Packet::Disconnect).await?;
            self.framed.close().await?;
            loop {
                match self.read().await {
                    Ok(Packet::PubAck(ack)) => acknowledged.extend(self.unacknowledged.remove(&ack.pkid)),
                    Ok(_) => {}
                    Err(SessionError::Closed) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        };
        if let Ok(Err(error)) = timeout(wait, goodbye).await {
            tracing::trace!(%error, "the link was closed on one side only");
        }
        acknowledged
    }

    fn receive(
        &mut self,
        packet: Option<Result<Packet, rumqttc::mqttbytes::Error>>,
    ) -> Result<Option<Received>, SessionError> {
        let packet = packet.ok_or(SessionError::Closed)??;
        self.keep_alive.heard();
        match packet {
            Packet::Publish(publish) => Ok(Some(Received::Message(publish))),
            Packet::PubAck(ack) => {
                let ticket = self.unacknowledged.remove(&ack.pkid);
                if ticket.is_none() {
                    tracing::debug!(id = ack.pkid, "an acknowledgement of nothing we sent");
                }
                Ok(ticket.map(Received::Acknowledged))
            }
            Packet::PingResp | Packet::SubAck(_) => Ok(None),
            other => Err(SessionError::Protocol(format!("{}, which hubs never send", name(&other)))),
        }
    }

    async fn read(&mut self) -> Result<Packet, SessionError> {
        let packet = self.framed.next().await.ok_or(SessionError::Closed)??;
        self.keep_alive.heard();
        Ok(packet)
    }

    async fn feed(&mut self, packet: Packet) -> Result<(), SessionError> {
        let fed = timeout(PATIENCE, self.framed.feed(packet)).await;
        fed.map_err(|_| SessionError::NoAnswer { what: "room to send", after: PATIENCE })??;
        self.keep_alive.sent();
        Ok(())
    }

    /// The next packet id that is not in use. There is one: the device's outbox has a window that
    /// is far smaller than 65,535.
    fn packet_id(&mut self) -> u16 {
        for _ in 0..=u16::MAX {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            if !self.unacknowledged.contains_key(&self.next_id) {
                break;
            }
        }
        self.next_id
    }
}

fn check(publish: &Publish) -> Result<(), SessionError> {
    // The packet id is not in it yet.
    let size = publish.size() + 2;
    // The codec would cut a longer topic's length to 16 bits and break the stream.
    let (topic, most) = (publish.topic.len(), usize::from(u16::MAX));
    if topic > most {
        return Err(SessionError::TooLarge { size: topic, most });
    }
    if size > MAX_PACKET { Err(SessionError::TooLarge { size, most: MAX_PACKET }) } else { Ok(()) }
}

fn name(packet: &Packet) -> &'static str {
    match packet {
        Packet::Connect(_) => "CONNECT",
        Packet::ConnAck(_) => "CONNACK",
        Packet::Publish(_) => "PUBLISH",
        Packet::PubAck(_) => "PUBACK",
        Packet::PubRec(_) => "PUBREC",
        Packet::PubRel(_) => "PUBREL",
        Packet::PubComp(_) => "PUBCOMP",
        Packet::Subscribe(_) => "SUBSCRIBE",
        Packet::SubAck(_) => "SUBACK",
        Packet::Unsubscribe(_) => "UNSUBSCRIBE",
        Packet::UnsubAck(_) => "UNSUBACK",
        Packet::PingReq => "PINGREQ",
        Packet::PingResp => "PINGRESP",
        Packet::Disconnect => "DISCONNECT",
    }
}
