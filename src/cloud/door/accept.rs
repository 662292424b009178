//! The one loop of both ports: accepts, secures, counts, hands over.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::limits::{Limits, Newcomer, Newcomers, Place, Places};
use super::stream::GuestStream;
use crate::cloud::core::x509::PeerCertificate;
use crate::cloud::shared::Shared;

/// After an error such as too many open files: long enough not to spin.
const PAUSE: Duration = Duration::from_millis(50);
/// The first byte of every TLS connection: a record of the type handshake. RFC 8446, 5.1.
const TLS_HANDSHAKE: u8 = 0x16;
/// For those who speak plain HTTP to a port of TLS.
const SPEAK_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 60\r\n\
    Connection: close\r\n\r\nthis port of the local cloud speaks TLS only: use https://.\n";

/// A connection that has been secured.
pub(super) struct Guest {
    /// In a box: TLS is large, and each future that is handed it would have room for it.
    pub(super) stream: Box<GuestStream>,
    pub(super) address: SocketAddr,
    /// What it has proved to hold, if anything.
    pub(super) certificate: Option<Arc<PeerCertificate>>,
}

/// A port's side of it.
pub(super) struct Door {
    name: &'static str,
    tls: TlsAcceptor,
    places: Arc<Places>,
    newcomers: Arc<Newcomers>,
    limits: Limits,
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Door {
    pub(super) fn new(
        name: &'static str,
        tls: Arc<ServerConfig>,
        places: Arc<Places>,
        limits: Limits,
        shared: &Arc<Shared>,
        tasks: &TaskTracker,
    ) -> Self {
        Self {
            name,
            tls: TlsAcceptor::from(tls),
            places,
            newcomers: Newcomers::new(limits.newcomers, limits.grace),
            limits,
            shared: Arc::clone(shared),
            tasks: tasks.clone(),
        }
    }

    /// Serves until the cloud is stopped.
    pub(super) async fn serve<H, F>(self, listener: TcpListener, handle: H)
    where
        H: Fn(Guest) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (door, handle) = (Arc::new(self), Arc::new(handle));
        loop {
            let next = async {
                let (socket, address) = listener.accept().await?;
                Ok::<_, io::Error>((socket, address, door.newcomers.admit().await))
            };
            let accepted = tokio::select! {
                next = next => next,
                () = door.shared.stop.cancelled() => return,
            };
            let (socket, address, newcomer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection for {} could not be accepted", door.name);
                    // Files may have run out because of those who say nothing.
                    door.newcomers.send_out_oldest();
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => continue,
                        () = door.shared.stop.cancelled() => return,
                    }
                }
            };
            let (serving, handle) = (Arc::clone(&door), Arc::clone(&handle));
            door.tasks.spawn(async move {
                let out = newcomer.out.clone();
                // In a box, so that a connection that stays does not carry the handshake's memory.
                let entering = Box::pin(serving.enter(socket, address, newcomer));
                let entered = tokio::select! {
                    entered = entering => entered,
                    () = serving.shared.stop.cancelled() => return,
                    () = out.cancelled() => None,
                };
                let Some((guest, place)) = entered else { return };
                drop(serving);
                // `out` is silent for good once the first byte has been read.
                tokio::select! {
                    () = handle(guest) => {}
                    () = out.cancelled() => {
                        tracing::info!(peer = %address, "a connection that said nothing made room for another");
                    }
                }
                drop(place);
            });
        }
    }

    /// Secures a connection and finds it a place.
    async fn enter(
        &self,
        socket: TcpStream,
        address: SocketAddr,
        newcomer: Newcomer,
    ) -> Option<(Guest, Place)> {
        let limit = self.limits.handshake;
        let entered = timeout(limit, self.secure(socket, address, newcomer)).await;
        if entered.is_err() {
            tracing::info!(peer = %address, "{}: closed, TLS was not finished or no place was free within {limit:?}", self.name);
        }
        entered.ok().flatten()
    }

    async fn secure(
        &self,
        socket: TcpStream,
        address: SocketAddr,
        newcomer: Newcomer,
    ) -> Option<(Guest, Place)> {
        // Answers are small and awaited: Nagle's delay would be all of their latency.
        let _ = socket.set_nodelay(true);
        let mut first = [0];
        match socket.peek(&mut first).await {
            Ok(1) if first[0] == TLS_HANDSHAKE => {}
            Ok(1) => {
                tracing::info!(peer = %address, "{}: closed, its first byte is not TLS's", self.name);
                if first[0].is_ascii_uppercase() {
                    speak_https(socket).await;
                }
                return None;
            }
            _ => return None,
        }
        let stream = match self.tls.accept(socket).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::info!(peer = %address, "{}: TLS handshake failed: {error}", self.name);
                return None;
            }
        };
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = match chain.map(PeerCertificate::from_chain).transpose() {
            Ok(certificate) => certificate.map(Arc::new),
            Err(why) => {
                tracing::warn!(peer = %address, "{}: closed, the client certificate {why}", self.name);
                return None;
            }
        };
        let place = self.places.take().await?;
        let stream = Box::new(GuestStream::new(stream, newcomer));
        Some((Guest { stream, address, certificate }, place))
    }
}

/// Tells a plain HTTP client what it did wrong, having read what it said so far: closing with
/// unread bytes would take the answer back.
async fn speak_https(mut socket: TcpStream) {
    let mut said = [0; 8];
    if socket.read(&mut said).await.is_ok()
        && said.starts_with(b"GET ")
            | said.starts_with(b"PUT ")
            | said.starts_with(b"POST ")
            | said.starts_with(b"HEAD ")
            | said.starts_with(b"PATCH ")
            | said.starts_with(b"DELETE ")
            | said.starts_with(b"OPTIONS ")
    {
        let _ = socket.try_read(&mut [0; 4096]);
        let _ = socket.write_all(SPEAK_HTTPS).await;
        let _ = socket.shutdown().await;
    }
}
