//! MQTT over WebSocket. RFC 6455; MQTT 3.1.1, section 6.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use futures_util::{Sink, Stream};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::http::Lobby;
use crate::cloud::core::x509::PeerCertificate;
use crate::cloud::mqtt;
use crate::wire::{percent, service};

/// The subprotocol of MQTT. MQTT 3.1.1, [MQTT-6.0.0-3].
const MQTT: &str = "mqtt";
/// The largest frame: IoT Hub's largest message and the packet around it.
const FRAME: usize = (256 + 4) * 1024;
/// What is read at once: packets are small, and there may be thousands of connections.
const READ: usize = 4 * 1024;

/// Whether a request is about a WebSocket, rightly or not.
pub(super) fn is_asked_for(request: &Request<Incoming>) -> bool {
    let path = request.uri().path();
    let decoded: Option<Vec<_>> = path.trim_matches('/').split('/').map(percent::decode).collect();
    decoded.is_some_and(|segments| segments.iter().map(AsRef::as_ref).eq(service::WEBSOCKET_PATH))
        || has_word(request.headers(), &UPGRADE, "websocket")
}

/// Whether a header that is a list has `word` in it.
fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    words(headers, name).any(|found| found.eq_ignore_ascii_case(word))
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

/// Turns the connection into a WebSocket that speaks MQTT, or says why not.
pub(super) fn answer(
    lobby: &Arc<Lobby>,
    peer: Option<Arc<PeerCertificate>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let accept = match checked(&request) {
        Ok(key) => derive_accept_key(key.as_bytes()),
        Err((status, why)) => return refused(status, &why),
    };
    let Some(place) = lobby.devices.try_take() else {
        let why = "no more MQTT connections are taken: end some, or start another cloud";
        return refused(StatusCode::SERVICE_UNAVAILABLE, why);
    };
    let shared = Arc::clone(&lobby.shared);
    lobby.tasks.spawn(async move {
        let upgraded = tokio::select! {
            upgraded = hyper::upgrade::on(request) => upgraded,
            () = shared.stop.cancelled() => return,
        };
        match upgraded {
            Ok(upgraded) => {
                let ended = mqtt::run(Frames::new(TokioIo::new(upgraded)).await, &shared, peer).await;
                tracing::info!("MQTT connection over WebSocket ended: {ended}");
            }
            Err(error) => tracing::info!("a connection did not become a WebSocket: {error}"),
        }
        drop(place);
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(MQTT));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// The key of a good opening handshake. RFC 6455, section 4.2.1.
fn checked(request: &Request<Incoming>) -> Result<String, (StatusCode, String)> {
    let bad = |why: &str| Err((StatusCode::BAD_REQUEST, why.to_owned()));
    let headers = request.headers();
    let path = request.uri().path();
    if words(headers, &SEC_WEBSOCKET_PROTOCOL).any(|word| word.to_ascii_uppercase().starts_with("AMQP")) {
        let why = "envsim's local cloud does not support AMQP over WebSocket: choose MQTT over WebSocket, \
                   whose subprotocol is `mqtt`";
        return Err((StatusCode::NOT_IMPLEMENTED, why.to_owned()));
    }
    let segments: Option<Vec<_>> = path.trim_matches('/').split('/').map(percent::decode).collect();
    if !segments.is_some_and(|segments| segments.iter().map(AsRef::as_ref).eq(service::WEBSOCKET_PATH)) {
        let wanted = service::WEBSOCKET_PATH.join("/");
        let why = format!("there is no WebSocket at `{path}`: MQTT's is at `/{wanted}`");
        return Err((StatusCode::NOT_FOUND, why));
    }
    if request.method() != Method::GET {
        return bad("a WebSocket is asked for with GET");
    }
    if !has_word(headers, &UPGRADE, "websocket") || !has_word(headers, &CONNECTION, "upgrade") {
        let why = "this path is for MQTT over WebSocket: send `Upgrade: websocket` and `Connection: Upgrade`";
        return Err((StatusCode::UPGRADE_REQUIRED, why.to_owned()));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err((StatusCode::UPGRADE_REQUIRED, "only version 13 of WebSocket is spoken here".to_owned()));
    }
    if !has_word(headers, &SEC_WEBSOCKET_PROTOCOL, MQTT) {
        return bad("the only subprotocol here is `mqtt`: send `Sec-WebSocket-Protocol: mqtt`");
    }
    match headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()) {
        Some(key) => Ok(key.to_owned()),
        None => bad("the request for a WebSocket has no `Sec-WebSocket-Key`"),
    }
}

fn refused(status: StatusCode, why: &str) -> Response<Body> {
    tracing::warn!("a WebSocket is refused: {why}");
    let body = serde_json::json!({"Message": why, "ExceptionMessage": ""});
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if status == StatusCode::UPGRADE_REQUIRED {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

/// A WebSocket's binary frames as the stream of bytes that MQTT is. Packets may be split over
/// frames and share them. MQTT 3.1.1, [MQTT-6.0.0-1], [MQTT-6.0.0-2].
pub(in crate::cloud) struct Frames<S> {
    socket: WebSocketStream<S>,
    rest: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    pub(in crate::cloud) async fn new(upgraded: S) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_write_buffer_size(2 * FRAME)
            .max_message_size(Some(FRAME))
            .max_frame_size(Some(FRAME));
        Self {
            socket: WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await,
            rest: Bytes::new(),
        }
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Frames<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                Some(Ok(Message::Text(_))) => {
                    let why = "a text frame came; MQTT is sent in binary frames";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                // Pings and the close are answered by the socket itself, when it is read again.
                Some(Ok(_)) => {}
                None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => {
                    return Poll::Ready(Ok(()));
                }
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let part = &bytes[..bytes.len().min(FRAME)];
        let frame = Message::Binary(Bytes::copy_from_slice(part));
        Pin::new(&mut self.socket).start_send(frame).map_err(broken)?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(cx)) {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(broken(error))),
        }
    }
}
