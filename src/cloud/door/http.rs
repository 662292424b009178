//! HTTP/1.1 on a secured connection, by hyper.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::accept::Guest;
use super::limits::{Limits, Places};
use super::websocket;
use crate::cloud::core::x509::PeerCertificate;
use crate::cloud::rest;
use crate::cloud::shared::Shared;

/// The head of a request: tokens are long, and proxies add to it.
const HEAD_LIMIT: usize = 32 * 1024;
/// How long a request being answered has when the cloud stops.
const STOP: Duration = Duration::from_secs(1);

/// What all HTTPS connections share.
pub(super) struct Lobby {
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: TaskTracker,
    /// Places for MQTT, which those over WebSocket take too.
    pub(super) devices: Arc<Places>,
    pub(super) limits: Limits,
}

/// Serves a connection until its end, or until it has become a WebSocket.
pub(super) async fn serve(lobby: Arc<Lobby>, guest: Guest) {
    let Guest { stream, address, certificate } = guest;
    let service = service_fn(|request| answer(Arc::clone(&lobby), certificate.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(lobby.limits.head)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = lobby.shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(STOP, connection.as_mut()).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::info!(peer = %address, "HTTPS connection ended: {error}");
    }
}

async fn answer(
    lobby: Arc<Lobby>,
    peer: Option<Arc<PeerCertificate>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if websocket::is_asked_for(&request) {
        return Ok(websocket::answer(&lobby, peer, request));
    }
    Ok(rest::answer(&lobby.shared, peer, request.map(Body::new), lobby.limits.body).await)
}
