//! The front doors: how a TCP connection becomes a secured one, is counted, and is handed over.
//!
//! Never here: what a packet or a request means (`mqtt`, `rest`, `amqp`), or whether a client certificate
//! is good for anything (`core`): the doors only note who proved to hold which.
//!
//! In reading order: [`limits`] (who gets a place), [`accept`] (the one loop of all ports),
//! [`certificate`] (client certificates), [`stream`] (a connection as its server sees it),
//! [`http`], [`websocket`].

mod accept;
pub(super) mod certificate;
mod http;
mod limits;
mod stream;
#[cfg(test)]
mod tests;
mod websocket;

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use self::accept::Door;
pub(super) use self::limits::Limits;
use self::limits::Places;
#[cfg(fuzzing)]
pub(super) use self::websocket::Frames;
use super::shared::Shared;
use super::{amqp, mqtt};

/// Opens the doors for devices and for HTTPS, until the cloud is stopped.
pub(super) fn open(
    mqtt: TcpListener,
    https: TcpListener,
    tls: &Arc<ServerConfig>,
    shared: &Arc<Shared>,
    tasks: &TaskTracker,
    limits: Limits,
) {
    let devices = Places::new(limits.mqtt);
    let door = Door::new("MQTT", Arc::clone(tls), Arc::clone(&devices), limits, shared, tasks);
    let cloud = Arc::clone(shared);
    tasks.spawn(door.serve(mqtt, move |guest| {
        let shared = Arc::clone(&cloud);
        async move {
            let ended = mqtt::run(guest.stream, &shared, guest.certificate).await;
            tracing::info!(peer = %guest.address, "MQTT connection ended: {ended}");
        }
    }));

    let mut tls = (**tls).clone();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let requests = Places::new(limits.https);
    let door = Door::new("HTTPS", Arc::new(tls), requests, limits, shared, tasks);
    let lobby = Arc::new(http::Lobby { shared: Arc::clone(shared), tasks: tasks.clone(), devices, limits });
    tasks.spawn(door.serve(https, move |guest| http::serve(Arc::clone(&lobby), guest)));
}

/// Opens the door for services over AMQP, until the cloud is stopped.
pub(super) fn open_amqp(
    amqp: TcpListener,
    tls: &Arc<ServerConfig>,
    shared: &Arc<Shared>,
    tasks: &TaskTracker,
    limits: Limits,
) {
    let port = amqp.local_addr().map_or(0, |address| address.port());
    let services = Places::new(limits.amqp);
    let door = Door::new("AMQP", Arc::clone(tls), services, limits, shared, tasks);
    let cloud = Arc::clone(shared);
    tasks.spawn(door.serve(amqp, move |guest| {
        let shared = Arc::clone(&cloud);
        async move {
            let ended = amqp::run(guest.stream, &shared, port).await;
            tracing::info!(peer = %guest.address, "AMQP connection ended: {ended}");
        }
    }));
}
