//! A socket, TLS on it, and a session of AMQP on that.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::Fields;
use fe2o3_amqp::types::primitives::{Symbol, Value};
use fe2o3_amqp::{Connection, Session};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::said::Peer;
use crate::operator::OperatorError;
use crate::trust::Fault;
use crate::wire::connect;

/// How long a socket may take to stand, TLS and all.
const DIALING: Duration = Duration::from_secs(20);
/// How long the other side may take to hear of the end.
const CLOSING: Duration = Duration::from_secs(2);
/// How long the other side may say nothing at all, in milliseconds.
const IDLE: u32 = 120_000;
/// The largest frame.
const FRAME: u32 = 64 * 1024;
/// Frames that wait for one session or link.
const BUFFER: usize = 256;

/// Opens a connection with one session.
pub(crate) async fn open(
    peer: &Peer,
    config: &Arc<ClientConfig>,
    profile: SaslProfile,
) -> Result<(ConnectionHandle<()>, SessionHandle<()>), OperatorError> {
    let stream = match timeout(DIALING, dial(peer, config)).await {
        Ok(dialed) => dialed.map_err(|error| peer.fault(Fault::of(&error)))?,
        Err(_) => return Err(peer.fault(Fault::TimedOut)),
    };
    let mut properties = Fields::new();
    properties.insert(Symbol::from("product"), Value::String(connect::CLIENT_TYPE.to_owned()));
    let mut connection = Connection::builder()
        .container_id(format!("envsim-{}", std::process::id()))
        .hostname(peer.host.as_str())
        .sasl_hostname(peer.host.as_str())
        // The stream has its TLS already.
        .scheme("amqp")
        .sasl_profile(profile)
        .max_frame_size(FRAME)
        .idle_time_out(IDLE)
        .properties(properties)
        .buffer_size(BUFFER)
        .open_with_stream(stream)
        .await
        .map_err(|error| peer.not_opened(&error))?;
    let session = Session::builder()
        .buffer_size(BUFFER)
        .begin(&mut connection)
        .await
        .map_err(|error| peer.trouble(format!("a session could not be begun: {error}")))?;
    Ok((connection, session))
}

/// Ends a connection that has done what it was for: how the other side takes the end does not matter.
pub(crate) async fn close(mut connection: ConnectionHandle<()>) {
    let _ = timeout(CLOSING, connection.close()).await;
}

async fn dial(peer: &Peer, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(peer.host.clone()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((peer.host.as_str(), peer.port)).await?;
    stream.set_nodelay(true)?;
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}
