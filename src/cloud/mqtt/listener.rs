//! Accepts connections, secures them, and hands each to its own task.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::connection;
use crate::cloud::shared::Shared;

/// Connections at once: more than the load tests want, fewer than would exhaust the machine.
const CONNECTIONS: usize = 20_000;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After an error such as too many open files: long enough not to spin.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until the cloud is stopped.
pub(in crate::cloud) async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    shared: Arc<Shared>,
    tasks: TaskTracker,
) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = shared.stop.cancelled() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "an MQTT connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tasks.spawn(async move {
            let _place = place;
            // Answers are small and awaited: Nagle's delay would be all of their latency.
            let _ = socket.set_nodelay(true);
            let handshake = timeout(HANDSHAKE, acceptor.accept(socket));
            let secured = tokio::select! {
                secured = handshake => secured,
                () = shared.stop.cancelled() => return,
            };
            match secured {
                Ok(Ok(stream)) => {
                    let ended = connection::run(stream, &shared).await;
                    tracing::info!(%peer, "MQTT connection ended: {ended}");
                }
                Ok(Err(error)) => tracing::info!(%peer, "TLS handshake failed: {error}"),
                Err(_) => tracing::info!(%peer, "TLS handshake not finished in {HANDSHAKE:?}"),
            }
        });
    }
}
