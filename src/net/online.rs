//! A link that stands: outputs become packets, packets become inputs.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{Publish, QoS};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::link::Queue;
use super::mqtt::{Received, Session, SessionError};
use super::packet;
use super::sink::{Gone, Sink};
use crate::device::{Assignment, Call, Inbound, Input, Message, Output, PacketView, Reply, Ticket};
use crate::wire::bag::{Bag, system};
use crate::wire::topic::{self, ToDevice};
use crate::wire::{dps, percent, twin};

/// How much is taken at once from either side before the other has its turn: enough that one flush
/// serves many, small enough that an answer never waits behind a flood.
const BATCH: usize = 64;

/// How many twin requests may wait for an answer; the oldest is forgotten first. A device has a
/// handful; more means a hub that does not answer, and the device asks again by itself.
const ASKED: usize = 256;

/// How long acknowledgements are waited for before a token is renewed.
const SETTLE: Duration = Duration::from_secs(2);

/// The largest answer to a command. IoT Hub, "Quotas and throttling", direct methods: 128 KB.
const MAX_REPLY: usize = 128 * 1024;

/// Why a link ended.
#[derive(Debug)]
pub(super) enum After {
    Lost(SessionError),
    Cut,
    Renew(Assignment),
    Disconnect,
    Abandon,
    Stop,
}

/// Why serving stopped, inside.
enum Halt {
    Session(SessionError),
    Gone,
}

impl From<SessionError> for Halt {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<Gone> for Halt {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// What a request to the twin was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Whole,
    Change,
}

/// A link that stands.
pub(super) struct Online<'a, S> {
    session: Session<S>,
    device: &'a str,
    module: Option<&'a str>,
    events: String,
    asked: BTreeMap<u64, Asked>,
    written: Vec<(Ticket, Option<PacketView>)>,
    sink: &'a Sink,
    keep_packets: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Online<'a, S> {
    pub(super) fn new(
        session: Session<S>,
        device: &'a str,
        module: Option<&'a str>,
        sink: &'a Sink,
        keep_packets: bool,
    ) -> Self {
        let events = topic::events(device, module, &json_bag().encode());
        Self {
            session,
            device,
            module,
            events,
            asked: BTreeMap::new(),
            written: Vec::new(),
            sink,
            keep_packets,
        }
    }

    /// Where a message goes; most have nothing but a body.
    fn topic(&self, message: &Message) -> String {
        if message.output.is_none() && message.properties.is_empty() {
            return self.events.clone();
        }
        let mut bag = json_bag();
        if let Some(output) = message.output {
            bag.0.push((system::OUTPUT.to_owned(), Some(output.to_owned())));
        }
        let own = message.properties.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        bag.0.extend(own);
        topic::events(self.device, self.module, &bag.encode())
    }

    /// Serves the link until it ends: first `early`, which came while it was being made.
    pub(super) async fn run(&mut self, early: Vec<Publish>, queue: &mut Queue) -> Result<After, Gone> {
        match self.serve(early, queue).await {
            Ok(after) => Ok(after),
            Err(Halt::Session(error)) => Ok(After::Lost(error)),
            Err(Halt::Gone) => Err(Gone),
        }
    }

    async fn serve(&mut self, early: Vec<Publish>, queue: &mut Queue) -> Result<After, Halt> {
        for publish in early {
            self.receive(Received::Message(publish)).await?;
        }
        self.session.flush().await?;
        loop {
            tokio::select! {
                output = queue.next() => {
                    let Some(output) = output else { return Ok(After::Stop) };
                    if let Some(after) = self.carry_out(output, queue).await? {
                        return Ok(after);
                    }
                }
                received = self.session.next() => {
                    self.receive(received?).await?;
                    for _ in 1..BATCH {
                        let Some(received) = self.session.ready().await? else { break };
                        self.receive(received).await?;
                    }
                    self.session.flush().await?;
                }
            }
        }
    }

    /// Carries out `first` and what else waits, with one flush, and tells what is written.
    async fn carry_out(&mut self, first: Output, queue: &mut Queue) -> Result<Option<After>, Halt> {
        let mut next = Some(first);
        let mut after = None;
        let mut failed = None;
        for _ in 0..BATCH {
            let Some(output) = next.take().or_else(|| queue.ready()) else { break };
            match self.take(output).await {
                Ok(None) => {}
                Ok(ended) => {
                    after = ended;
                    break;
                }
                Err(halt) => {
                    failed = Some(halt);
                    break;
                }
            }
        }
        // What was taken before something that failed is on its way all the same.
        let flushed = if matches!(after, Some(After::Cut)) { Ok(()) } else { self.session.flush().await };
        if flushed.is_ok() {
            for (ticket, packet) in std::mem::take(&mut self.written) {
                self.sink.show(Input::Written(ticket), packet).await?;
            }
        }
        match failed {
            Some(halt) => Err(halt),
            None => Ok(flushed.map(|()| after)?),
        }
    }

    async fn take(&mut self, output: Output) -> Result<Option<After>, Halt> {
        match output {
            Output::Send { ticket, message } => {
                let topic = self.topic(&message);
                let publish = Publish::from_bytes(topic, QoS::AtLeastOnce, Bytes::from(message.body));
                self.send(publish, ticket, Some(ticket)).await?;
            }
            Output::Reply { ticket, rid, reply } => {
                // QoS 0: the hub gives up on a call when its time is over, so an answer that comes
                // twice or later has no use; sent so it goes out at most once.
                let publish = quiet(topic::method_answer(reply.status, &rid), body_of(&reply));
                self.send(publish, ticket, None).await?;
            }
            Output::Report { ticket, patch } => {
                let publish = quiet(topic::twin_report(&rid(ticket)), patch.to_string());
                self.ask(ticket, Asked::Change);
                match self.send(publish, ticket, None).await {
                    Err(SessionError::TooLarge { size, most }) => {
                        self.asked.remove(&ticket.0);
                        let message = format!("a patch of {size} bytes is too large, the most is {most}");
                        self.sink.tell(Input::ReportRefused { ticket, status: 413, message }).await?;
                    }
                    sent => sent?,
                }
            }
            Output::FetchTwin(ticket) => {
                self.ask(ticket, Asked::Whole);
                self.session.publish(quiet(topic::twin_get(&rid(ticket)), String::new()), None).await?;
            }
            Output::Cut => return Ok(Some(After::Cut)),
            Output::Renew(to) | Output::Connect(to) => return Ok(Some(After::Renew(to))),
            Output::Disconnect => return Ok(Some(After::Disconnect)),
            Output::Abandon | Output::Provision { .. } => return Ok(Some(After::Abandon)),
            // These go elsewhere.
            Output::Note(_) | Output::Image(_) => {}
        }
        Ok(None)
    }

    /// Hands over a message whose writing is told; `acknowledged` makes it `QoS` 1.
    async fn send(
        &mut self,
        publish: Publish,
        ticket: Ticket,
        acknowledged: Option<Ticket>,
    ) -> Result<(), SessionError> {
        let view = self.keep_packets.then(|| packet::view(&publish, true));
        self.session.publish(publish, acknowledged).await?;
        self.written.push((ticket, view));
        Ok(())
    }

    fn ask(&mut self, ticket: Ticket, asked: Asked) {
        while self.asked.len() >= ASKED {
            self.asked.pop_first();
        }
        self.asked.insert(ticket.0, asked);
    }

    /// Tells what was received, then acknowledges it: a message that is lost with this program is
    /// sent again by the hub.
    async fn receive(&mut self, received: Received) -> Result<(), Halt> {
        match received {
            Received::Acknowledged(ticket) => self.sink.tell(Input::Acknowledged(ticket)).await?,
            Received::Message(publish) => {
                let view = self.keep_packets.then(|| packet::view(&publish, false));
                if let Some(input) = self.read(&publish) {
                    self.sink.show(input, view).await?;
                } else {
                    tracing::debug!(topic = publish.topic, "a message that nothing waits for");
                }
                self.session.acknowledge(&publish).await?;
            }
        }
        Ok(())
    }

    /// What a message means. `None` for one that nothing waits for.
    fn read(&mut self, publish: &Publish) -> Option<Input> {
        let body = publish.payload.as_ref();
        match ToDevice::parse(&publish.topic, self.device)? {
            ToDevice::Method { name, rid } => Some(Input::Called(Call {
                rid: rid.to_owned(),
                name: percent::decode(name).map_or_else(|| name.to_owned(), std::borrow::Cow::into_owned),
                payload: payload(body),
            })),
            ToDevice::Desired { version } => {
                let parsed = twin::parse_desired(body, version);
                if parsed.is_none() {
                    tracing::warn!("the hub sent a change of desired properties that cannot be read");
                }
                let (patch, version) = parsed?;
                Some(Input::Desired { version, patch })
            }
            ToDevice::TwinAnswer { status, rid, version } => {
                // Answers to requests of an earlier connection come too, with a kept session.
                let number = u64::from_str_radix(rid, 16).ok()?;
                let asked = self.asked.remove(&number)?;
                let ticket = Ticket(number);
                let good = (200..300).contains(&status);
                Some(match asked {
                    Asked::Change if good => Input::ReportTaken { ticket, version },
                    Asked::Change => Input::ReportRefused { ticket, status, message: message_of(body) },
                    Asked::Whole if good => match twin::parse_document(body) {
                        Some(document) => Input::Twin(document),
                        None => Input::TwinRefused { status, message: "the answer is not a twin".to_owned() },
                    },
                    Asked::Whole => Input::TwinRefused { status, message: message_of(body) },
                })
            }
            ToDevice::Input { input, bag, .. } => {
                let input = percent::decode(input).map_or_else(|| input.into(), std::borrow::Cow::into_owned);
                Some(received(Some(input), body, bag))
            }
            ToDevice::DeviceBound { bag } => Some(received(None, body, bag)),
        }
    }

    /// Waits for what the hub still owes, for a short while, so that a renewal loses nothing.
    pub(super) async fn settle(&mut self) -> Result<(), Gone> {
        let deadline = Instant::now() + SETTLE;
        while self.session.unacknowledged() > 0 || !self.asked.is_empty() {
            let Ok(Ok(received)) = timeout_at(deadline, self.session.next()).await else { return Ok(()) };
            match self.receive(received).await {
                Ok(()) => {}
                Err(Halt::Session(_)) => return Ok(()),
                Err(Halt::Gone) => return Err(Gone),
            }
        }
        Ok(())
    }

    /// Says goodbye; what is acknowledged on the way is told.
    pub(super) async fn close(self, wait: Duration) -> Result<(), Gone> {
        for ticket in self.session.close(wait).await {
            self.sink.tell(Input::Acknowledged(ticket)).await?;
        }
        Ok(())
    }
}

/// What every message of a device says of itself: without it the hub keeps a body as bytes, and
/// routes cannot look into it.
fn json_bag() -> Bag {
    Bag::of([(system::CONTENT_TYPE, "application/json"), (system::CONTENT_ENCODING, "utf-8")])
}

/// A `QoS` 0 message.
fn quiet(topic: String, body: String) -> Publish {
    Publish::from_bytes(topic, QoS::AtMostOnce, Bytes::from(body))
}

/// A ticket as a request id: hexadecimal, as hubs write their own.
fn rid(ticket: Ticket) -> String {
    format!("{:x}", ticket.0)
}

/// A command's request: nothing at all is `Null`, what is not JSON is kept as text.
fn payload(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| String::from_utf8_lossy(body).into_owned())
}

/// A command's response: `null` is sent as text, as the official SDKs do. One that is too large
/// is replaced, because the operator must get some answer.
fn body_of(reply: &Reply) -> String {
    let body = reply.payload.to_string();
    if body.len() <= MAX_REPLY {
        return body;
    }
    let reason = format!("the response has {} bytes, the most is {MAX_REPLY}", body.len());
    Reply::refused(reply.status, reason).payload.to_string()
}

/// A message for the device or, with `input`, for a module.
fn received(input: Option<String>, body: &[u8], bag: &str) -> Input {
    Input::Received(Inbound {
        input,
        body: String::from_utf8_lossy(body).into_owned(),
        properties: Bag::decode(bag).unwrap_or_default().application().collect(),
    })
}

/// The hub's words in the body of a refusal.
fn message_of(body: &[u8]) -> String {
    match serde_json::from_slice::<dps::ErrorBody>(body) {
        Ok(error) if !error.message.is_empty() => error.message,
        _ => String::from_utf8_lossy(body).chars().take(200).collect(),
    }
}
