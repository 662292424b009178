//! Why a local cloud cannot be started.

use std::io;
use std::net::SocketAddr;

use super::cert::CertificateError;
use super::core::fault::Fault;
use super::store::StoreError;
use crate::device::identity::NameError;
use crate::system::ports;

/// Why a local cloud cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A port cannot be had.
    #[error(
        "the local cloud cannot listen on {address} for {purpose}: {source}; {}, or choose another with {option}",
        remedy(source, *address)
    )]
    Bind {
        /// Address and port.
        address: SocketAddr,
        /// MQTT, HTTPS or AMQP.
        purpose: &'static str,
        /// The option that chooses another.
        option: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something about the sockets afterwards.
    #[error("the local cloud cannot use its sockets: {0}")]
    Socket(#[from] io::Error),
    /// No certificates.
    #[error("the local cloud cannot start: {0}")]
    Certificate(#[from] CertificateError),
    /// The host name is not one.
    #[error("the local cloud cannot be called `{name}`: {source}")]
    HostName {
        /// As given.
        name: String,
        /// Why not.
        source: NameError,
    },
    /// A device to be created has a bad name.
    #[error("the local cloud cannot create the device `{name}`: {source}")]
    DeviceName {
        /// As given.
        name: String,
        /// Why not.
        source: NameError,
    },
    /// A device cannot be created.
    #[error("the local cloud cannot create a device: {0}")]
    Device(#[from] Fault),
    /// An authority cannot be taken.
    #[error("the local cloud cannot take the certificate authority `{name}`: {source}")]
    Authority {
        /// Its name.
        name: String,
        /// Why not.
        source: Fault,
    },
    /// What shall go wrong cannot be had.
    #[error("the local cloud cannot make the trouble that was asked for: {0}")]
    Trouble(Fault),
    /// The data folder cannot be used.
    #[error("{0}")]
    Store(#[source] Box<StoreError>),
}

impl CloudError {
    /// Whether it is a mistake in how the program was called.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_usage())
    }
}

/// What to do about a port that cannot be had. Those below 1024 need a right on some systems, and the port
/// that some SDKs insist on is one of them.
fn remedy(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ports::get_permission(address.port()),
        io::ErrorKind::AddrNotAvailable => "give --bind an address of this computer".to_owned(),
        _ => "stop what uses the port".to_owned(),
    }
}
