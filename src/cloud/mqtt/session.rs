//! A client that has been let in: its packets and deliveries, and how long it may go on.

use std::fmt;
use std::time::Duration;

use futures_util::FutureExt as _;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::{Ended, Terms, WRITE};
use super::link::Link;
use super::settlement::Unsettled;
use crate::cloud::core::Delivery;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::message::{LockToken, Settle};
use crate::cloud::core::provisioning::Attested;
use crate::cloud::core::registry::Address;
use crate::cloud::dialect::{self, Message, Unacceptable};
use crate::cloud::shared::Shared;
use crate::wire::sas::CLOCK_SKEW;
use crate::wire::topic::filter as topic_filter;

/// 1.5 times keep-alive, never more than this. IoT Hub, "Device connectivity in IoT Hub": 29.45
/// minutes; it is also what a keep-alive of 0 means here.
const SILENCE: Duration = Duration::from_secs(1767);

/// Who is at the other end.
pub(super) enum Who {
    Hub { address: Address, connection: ConnectionId },
    Dps { device: Box<Attested> },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub { address, .. } => address.fmt(f),
            Self::Dps { device } => device.id.fmt(f),
        }
    }
}

/// What is known of a client that has been let in.
pub(super) struct Session<'a> {
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
    pub(super) fn new(shared: &'a Shared, who: Who, terms: Terms) -> Self {
        let expiry = terms.expiry;
        let silence = match terms.keep_alive {
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

    /// Who it is.
    pub(super) fn who(&self) -> &Who {
        &self.who
    }

    /// Says CONNACK and serves until the connection ends.
    pub(super) async fn serve<S>(
        &mut self,
        link: &mut Link<S>,
        session_present: bool,
        queue: &mut mpsc::Receiver<Box<Delivery>>,
        end: &CancellationToken,
    ) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let welcome = Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present));
        if let Err(error) = link.put(welcome) {
            return error.into();
        }
        // A client may go on without waiting for CONNACK. MQTT 3.1.1, section 3.1.4.
        if let Err(ended) = self.batch(link).await {
            return ended;
        }
        // One timer, looked at when it goes off and not set anew for each packet. It and the end
        // are waited for once and not once a packet.
        let timer = sleep_until(self.deadline());
        let ended = end.cancelled();
        tokio::pin!(timer, ended);
        loop {
            let outcome = tokio::select! {
                // In this order: a client that never stops sending is ended in time all the same.
                biased;
                () = &mut ended => return Ended::Cloud,
                () = &mut timer => {
                    let now = Instant::now();
                    if now >= self.token_ends {
                        return Ended::TokenExpired(self.who.to_string());
                    }
                    if now >= self.heard + self.silence {
                        return Ended::Silent { who: self.who.to_string(), silence: self.silence };
                    }
                    timer.as_mut().reset(self.deadline());
                    continue;
                }
                Some(delivery) = queue.recv() => self.hand_over(link, delivery, queue).await,
                arrived = link.arrive() => {
                    self.heard = Instant::now();
                    self.shared.be_late().await;
                    match arrived {
                        Ok(()) => self.batch(link).await,
                        Err(error) => Err(error.into()),
                    }
                }
            };
            if let Err(ended) = outcome {
                return ended;
            }
        }
    }

    fn deadline(&self) -> Instant {
        (self.heard + self.silence).min(self.token_ends)
    }

    /// Handles all packets that have arrived, then writes their answers at once.
    async fn batch<S>(&mut self, link: &mut Link<S>) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ended = loop {
            let outcome = match link.take() {
                Ok(Some(packet)) => self.packet(link, packet),
                Ok(None) if link.has_ended() => Err(Ended::Lost),
                Ok(None) => break None,
                Err(error) => Err(error.into()),
            };
            if let Err(ended) = outcome {
                break Some(ended);
            }
            if link.is_full() {
                self.written(link).await?;
            }
        };
        // What was answered before the end is still due.
        let written = self.written(link).await;
        match ended {
            Some(ended) => Err(ended),
            None => written,
        }
    }

    /// Writes what has been put into the link, to a client that reads.
    async fn written<S>(&self, link: &mut Link<S>) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Nearly always there is room, and no need of a timer.
        if let Some(written) = link.flush().now_or_never() {
            return Ok(written?);
        }
        // In a box, like all that is rare here: what a future may need it always has room for.
        match Box::pin(timeout(WRITE, link.flush())).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Ended::Stuck(self.who.to_string())),
        }
    }

    /// Sends a delivery and all that wait behind it.
    async fn hand_over<S>(
        &mut self,
        link: &mut Link<S>,
        first: Box<Delivery>,
        queue: &mut mpsc::Receiver<Box<Delivery>>,
    ) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut next = Some(first);
        while let Some(delivery) = next {
            let lock = Unsettled::lock_of(&delivery);
            if let Some(message) = dialect::deliver(*delivery) {
                let acknowledged = message.quality > 0;
                let publish = self.publish(message);
                link.put(publish)?;
                let packet = acknowledged.then_some(self.packet_id);
                let lock = lock.and_then(|lock| self.unsettled.written(packet, lock));
                self.settle(lock);
            }
            if link.is_full() {
                self.written(link).await?;
            }
            next = queue.try_recv().ok();
        }
        self.written(link).await
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

    fn packet<S>(&mut self, link: &mut Link<S>, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::Publish(publish) => {
                let answer = self
                    .published(&publish)
                    .map_err(|why| Ended::Unacceptable { who: self.who.to_string(), why })?;
                // The acknowledgement goes before the answer: the .NET SDK insists on the order.
                if publish.qos == QoS::AtLeastOnce {
                    link.put(Packet::PubAck(PubAck::new(publish.pkid)))?;
                }
                if let Some(message) = answer {
                    let packet = self.publish(message);
                    link.put(packet)?;
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
                link.put(Packet::SubAck(SubAck::new(subscribe.pkid, codes)))?;
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
                link.put(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)))?;
            }
            Packet::PingReq => link.put(Packet::PingResp)?,
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

    /// Completes a cloud-to-device message, or one that was routed to a module.
    fn settle(&self, lock: Option<LockToken>) {
        if let (Some(lock), Who::Hub { address, .. }) = (lock, &self.who) {
            let settled = self.shared.change(|core, now, out| match &address.module {
                None => core.settle_message(now, &address.device, lock, Settle::Complete, out),
                Some(_) => core.settle_routed(now, address, lock, out),
            });
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
