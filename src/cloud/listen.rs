//! The ports on which a local cloud listens.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use super::{CloudError, CloudOptions, PortChoice};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// The sockets, each with its port: from here on clients queue instead of being refused.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) mqtt: (TcpListener, u16),
    pub(super) https: (TcpListener, u16),
    pub(super) amqp: Option<(TcpListener, u16)>,
}

impl Listeners {
    pub(super) fn bind(options: &CloudOptions) -> Result<Self, CloudError> {
        let bound = |choice, purpose, option| {
            let listener = bind(options.bind, choice, purpose, option)?;
            let port = listener.local_addr()?.port();
            Ok::<_, CloudError>((listener, port))
        };
        Ok(Self {
            mqtt: bound(options.mqtt_port, "MQTT", "--mqtt-port")?,
            https: bound(options.https_port, "HTTPS", "--https-port")?,
            amqp: options.amqp_port.map(|choice| bound(choice, "AMQP", "--amqp-port")).transpose()?,
        })
    }
}

fn bind(
    host: IpAddr,
    choice: PortChoice,
    purpose: &'static str,
    option: &'static str,
) -> Result<TcpListener, CloudError> {
    let (PortChoice::Exactly(port) | PortChoice::Preferred(port)) = choice;
    let address = SocketAddr::new(host, port);
    let bound = listen(address).or_else(|error| match choice {
        PortChoice::Preferred(_) => listen(SocketAddr::new(host, 0)).map_err(|_| error),
        PortChoice::Exactly(_) => Err(error),
    });
    bound.map_err(|source| CloudError::Bind { address, purpose, option, source })
}

/// Listens with a longer queue than the usual 128: a client that finds it full tries again only
/// after a second, and a thousand may come at once.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a port is free again as soon as its cloud has ended. On
    // Windows the option would mean that two may have it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
