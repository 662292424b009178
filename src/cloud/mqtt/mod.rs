//! MQTT 3.1.1: packets and connections for the hub and the provisioning service.
//!
//! Never here: what a topic means (`dialect`) or what follows from it (`core`).
//!
//! In reading order: [`codec`], [`link`] (packets on a stream), [`connection`] (who is let
//! in), [`settlement`], [`session`] (what follows). Sockets are `door`'s.

mod codec;
mod connection;
mod link;
mod session;
mod settlement;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::core::x509::PeerCertificate;
use super::shared::Shared;

/// Serves one client, on whatever carries bytes, until its connection ends; says why it ended.
pub(super) async fn run<S>(
    stream: S,
    shared: &Shared,
    peer: Option<Arc<PeerCertificate>>,
) -> impl fmt::Display + use<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connection::run(stream, shared, peer).await
}
