//! A connection from its opening to its end: sessions, links, and whom each link is given to.
//!
//! The library makes tasks of its own; they end with the stream, which [`Ending`] ends with the
//! connection.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerConnectionHandle, ListenerSessionHandle,
    SessionAcceptor, SupportedReceiverSettleModes,
};
use fe2o3_amqp::connection::OpenError;
use fe2o3_amqp::types::definitions::{
    AmqpError, ConnectionError, Error, Fields, LinkError, ReceiverSettleMode, Role,
};
use fe2o3_amqp::types::messaging::{Source, TargetArchetype};
use fe2o3_amqp::types::performatives::Attach;
use fe2o3_amqp::types::primitives::{Symbol, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::access::Access;
use super::address::{EVENT_HUB, Node};
use super::request::{Answers, Asked, Replies};
use super::{cbs, events, feedback, management, request, send};
use crate::cloud::shared::Shared;

/// AMQP 1.0 without SASL or TLS inside. Part 2, section 2.2.
const PLAIN_HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
/// What is read of a client before it has shown a token. Opening, and the way to `$cbs`, take a few
/// hundred bytes, a token less than a thousand.
const STRANGER: usize = 64 * 1024;
/// How long a client may stay without having shown a token.
const NO_TOKEN: Duration = Duration::from_secs(60);
/// How long a client may take to open a connection, and to hear of its end.
const OPENING: Duration = Duration::from_secs(20);
const CLOSING: Duration = Duration::from_secs(1);
/// How long a client may say nothing at all, in milliseconds. Azure's is four minutes.
const IDLE: u32 = 240_000;
/// Sessions of a connection and links of a session.
const SESSIONS: u16 = 16;
const LINKS: usize = 64;
/// The largest frame and the largest message. IoT Hub's largest message has 256 KB, and Event Hubs
/// announces 1 MB.
const FRAME: u32 = 64 * 1024;
const MESSAGE: u64 = 1024 * 1024;
/// Frames that wait for one link or session.
const QUEUE: usize = 64;

/// Serves a connection until it ends. Answers why it ended.
pub(in crate::cloud) async fn run<S>(stream: S, shared: &Arc<Shared>, port: u16) -> String
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let end = CancellationToken::new();
    let _guard = end.clone().drop_guard();
    let access = Access::new(shared);
    let stream = Ending {
        inner: stream,
        access: access.clone(),
        allowance: STRANGER,
        heard: Bytes::new(),
        end: end.clone(),
        ended: Box::pin(end.cancelled_owned()),
    };
    let mut connection = match timeout(OPENING, open(stream, access.clone())).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return format!("it was not opened: {error}"),
        Err(_) => return format!("it was not opened within {OPENING:?}"),
    };
    let sessions_by = SessionAcceptor::builder()
        .handle_max(u32::try_from(LINKS).unwrap_or(u32::MAX) - 1)
        .properties(properties())
        .buffer_size(QUEUE)
        .build();
    let home = Home { access, replies: Replies::default(), port };
    let mut sessions = JoinSet::new();
    let patience = sleep(NO_TOKEN);
    tokio::pin!(patience);
    let why = loop {
        let begun = tokio::select! {
            () = &mut patience, if !home.access.is_known() => break "no token was shown in time",
            begun = connection.next_incoming_session() => begun,
            Some(_) = sessions.join_next() => continue,
            () = shared.stop.cancelled() => {
                let why = "the local cloud is being stopped".to_owned();
                let error = Error::new(ConnectionError::ConnectionForced, why.clone(), None);
                let _ = timeout(CLOSING, connection.close_with_error(error)).await;
                return why;
            }
        };
        let Some(begun) = begun else { break "the client ended it or went away" };
        if sessions.len() >= usize::from(SESSIONS) {
            break "it has too many sessions";
        }
        match sessions_by.accept_incoming_session(begun, &mut connection).await {
            Ok(session) => sessions.spawn(home.clone().serve(session)),
            Err(_) => break "a session could not be begun",
        };
    };
    sessions.shutdown().await;
    let _ = timeout(CLOSING, connection.close()).await;
    why.to_owned()
}

/// Opens a connection. Most clients begin with SASL; Node's begin without it, and put a token.
/// AMQP 1.0, part 5, section 5.3.1.
async fn open<S>(mut stream: Ending<S>, access: Access) -> Result<ListenerConnectionHandle, OpenError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    stream.heard = Bytes::copy_from_slice(&header);
    let acceptor = ConnectionAcceptor::builder()
        .container_id("envsim")
        .max_frame_size(FRAME)
        .channel_max(SESSIONS - 1)
        .idle_time_out(IDLE)
        // Not empty: the library leaves out what is null at a performative's end, and Python's
        // clients count on the places being there. So too for sessions and links.
        .properties(properties())
        .buffer_size(QUEUE);
    if header == PLAIN_HEADER {
        acceptor.build().accept(stream).await
    } else {
        acceptor.sasl_acceptor(access).build().accept(stream).await
    }
}

fn properties() -> Fields {
    let mut fields = Fields::new();
    fields.insert(Symbol::from("product"), Value::String("envsim".to_owned()));
    fields
}

/// What all sessions of a connection share.
#[derive(Clone)]
struct Home {
    access: Access,
    replies: Replies,
    port: u16,
}

impl Home {
    async fn serve(self, mut session: ListenerSessionHandle) {
        let mut links = JoinSet::new();
        loop {
            let attach = tokio::select! {
                attach = session.next_incoming_attach() => attach,
                Some(_) = links.join_next() => continue,
            };
            let Some(attach) = attach else { return };
            if links.len() >= LINKS {
                tracing::warn!("AMQP: a session with more than {LINKS} links is ended");
                let error = Error::new(AmqpError::ResourceLimitExceeded, "too many links".to_owned(), None);
                let _ = timeout(CLOSING, session.end_with_error(error)).await;
                return;
            }
            let node = self.admit(&attach);
            // Before the client hears of its link: its first question may come right after.
            let answers = match &node {
                Ok(Node::Cbs) if attach.role == Role::Receiver => {
                    Some(self.replies.open(Asked::Cbs, own_address(&attach)))
                }
                Ok(Node::Management) if attach.role == Role::Receiver => {
                    Some(self.replies.open(Asked::Management, own_address(&attach)))
                }
                _ => None,
            };
            let acceptor = LinkAcceptor::builder()
                .properties(properties())
                .max_message_size(MESSAGE)
                // A receiver here settles at once, even for uamqp, which asks for the other mode
                // and does not follow it.
                .supported_receiver_settle_modes(SupportedReceiverSettleModes::First)
                .fallback_receiver_settle_mode(ReceiverSettleMode::First)
                .build();
            let attached = match acceptor.accept_incoming_attach(attach.clone(), &mut session).await {
                Ok(attached) => attached,
                Err(error) => {
                    tracing::info!("AMQP: a link could not be attached: {error}");
                    continue;
                }
            };
            let home = self.clone();
            links.spawn(async move { home.give(attached, node, answers, attach.source.as_deref()).await });
        }
    }

    /// Gives a link to whom it is for. A link that is refused is attached first and detached with
    /// the reason then. AMQP 1.0, part 2, section 2.6.3.
    async fn give(
        self,
        link: LinkEndpoint,
        node: Result<Node, Error>,
        answers: Option<Answers>,
        source: Option<&Source>,
    ) {
        let node = match node {
            Ok(node) => node,
            Err(error) => {
                let words = error.description.as_deref().unwrap_or_default();
                tracing::warn!("AMQP: a link is refused: {words}");
                // Who is refused may have gone.
                let _ = match link {
                    LinkEndpoint::Sender(link) => link.close_with_error(error).await,
                    LinkEndpoint::Receiver(link) => link.close_with_error(error).await,
                };
                return;
            }
        };
        let Self { access, replies, port } = self;
        match (link, node) {
            (LinkEndpoint::Receiver(link), Node::Cbs) => {
                request::questions(link, Asked::Cbs, &replies, |question| cbs::answer(&access, question))
                    .await;
            }
            (LinkEndpoint::Receiver(link), Node::Management) => {
                let answer = |question: &_| management::answer(&access, question);
                request::questions(link, Asked::Management, &replies, answer).await;
            }
            (LinkEndpoint::Receiver(link), _) => send::serve(link, &access).await,
            (LinkEndpoint::Sender(link), Node::Cbs | Node::Management) => {
                if let Some(answers) = answers {
                    request::answers(link, answers).await;
                }
            }
            (LinkEndpoint::Sender(link), Node::Events { partition, group }) => {
                events::serve(link, &access, partition, &group, source).await;
            }
            (LinkEndpoint::Sender(link), Node::BuiltIn(rest)) => {
                // The client has heard that it is elsewhere; whether it goes there is its own affair.
                let _ = link.close_with_error(redirect(&access.shared, port, &rest)).await;
            }
            (LinkEndpoint::Sender(link), _) => feedback::serve(link, &access).await,
        }
    }

    fn admit(&self, attach: &Attach) -> Result<Node, Error> {
        let refuse = |condition: AmqpError, why: String| Error::new(condition, why, None);
        let address = match attach.role {
            Role::Sender => match attach.target.as_deref() {
                Some(TargetArchetype::Target(target)) => target.address.as_deref(),
                None => None,
            },
            Role::Receiver => attach.source.as_ref().and_then(|source| source.address.as_deref()),
        };
        let node = Node::parse(address.unwrap_or_default())
            .map_err(|error| refuse(AmqpError::NotFound, error.to_string()))?;
        let right_way = match node {
            Node::Cbs | Node::Management => true,
            Node::DeviceBound => attach.role == Role::Sender,
            Node::Feedback | Node::Events { .. } | Node::BuiltIn(_) => attach.role == Role::Receiver,
        };
        if !right_way {
            let way = if attach.role == Role::Sender { "sent to" } else { "received from" };
            let why = format!("nothing is {way} `{}` here", address.unwrap_or_default());
            return Err(refuse(AmqpError::NotAllowed, why));
        }
        if let Some(resource) = node.resource() {
            self.access.check(&resource)?;
        }
        Ok(node)
    }
}

/// The address that a client gives its own end of a link, to which it wants answers.
fn own_address(attach: &Attach) -> Option<String> {
    match attach.target.as_deref() {
        Some(TargetArchetype::Target(target)) => target.address.clone(),
        None => None,
    }
}

/// Where the built-in endpoint's events really are. IoT Hub, "Read device-to-cloud messages from
/// the built-in endpoint".
fn redirect(shared: &Shared, port: u16, rest: &str) -> Error {
    let host = shared.look(|core, _| core.settings().names.own.clone());
    let address = format!("amqps://{host}:{port}/{EVENT_HUB}/{rest}");
    let mut info = Fields::new();
    info.insert(Symbol::from("hostname"), Value::String(host.clone()));
    info.insert(Symbol::from("network-host"), Value::String(host));
    info.insert(Symbol::from("port"), Value::Int(i32::from(port)));
    info.insert(Symbol::from("address"), Value::String(address.clone()));
    Error::new(LinkError::Redirect, format!("events are read from {address}"), info)
}

/// A stream that ends when it is told to, and when a stranger says too much: what is sent before a
/// token may be kept somewhere, and nobody shall fill the memory who has not shown one.
struct Ending<S> {
    inner: S,
    access: Access,
    /// How many more bytes are taken of a stranger.
    allowance: usize,
    /// What was read before its time, to be read again.
    heard: Bytes,
    end: CancellationToken,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> fmt::Debug for Ending<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ending")
    }
}

impl<S> Ending<S> {
    fn check(&self) -> io::Result<()> {
        if self.end.is_cancelled() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ending<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if !self.heard.is_empty() {
            let count = self.heard.len().min(buffer.remaining());
            buffer.put_slice(&self.heard.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let count = buffer.filled().len() - before;
        if count > self.allowance && !self.access.is_known() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        self.allowance = self.allowance.saturating_sub(count);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ending<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
