//! The other side of a connection, scripted, for the tests of this folder.

use std::sync::Arc;

use rumqttc::{Codec, Packet};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::codec::Framed;

use super::mqtt::MAX_PACKET;
use crate::trust::Trust;
use crate::wire::SharedKey;

pub(super) const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(super) fn key() -> SharedKey {
    SharedKey::from_base64(K1).expect("a key")
}

/// A server's TLS and the trust that goes with it.
pub(super) fn tls() -> (Arc<rustls::ServerConfig>, Trust) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let trust = Trust::only(&made.cert.pem(), "test").expect("trust");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a configuration");
    (Arc::new(config), trust)
}

pub(super) fn framed<S: AsyncRead + AsyncWrite>(stream: S) -> Framed<S, Codec> {
    Framed::new(stream, Codec { max_incoming_size: MAX_PACKET, max_outgoing_size: MAX_PACKET })
}

/// A hub on a port of its own.
pub(super) struct Hub {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    pub(super) port: u16,
    pub(super) trust: Trust,
}

impl Hub {
    pub(super) async fn start() -> Self {
        let (config, trust) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        Self { listener, acceptor: TlsAcceptor::from(config), port, trust }
    }

    /// A TCP connection whose TLS is tried and not expected to stand.
    pub(super) async fn raw(&self) -> (Option<TlsStream<tokio::net::TcpStream>>, std::net::SocketAddr) {
        let (stream, peer) = self.listener.accept().await.expect("a connection");
        (self.acceptor.accept(stream).await.ok(), peer)
    }

    pub(super) async fn accept(&self) -> Framed<TlsStream<tokio::net::TcpStream>, Codec> {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        framed(self.acceptor.accept(stream).await.expect("TLS"))
    }
}

/// The next packet, or a failed test.
pub(super) async fn packet<S: AsyncRead + AsyncWrite + Unpin>(framed: &mut Framed<S, Codec>) -> Packet {
    use futures_util::StreamExt as _;
    framed.next().await.expect("a packet").expect("MQTT")
}
