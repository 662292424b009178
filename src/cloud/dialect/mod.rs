//! Between MQTT's topics and bodies and what the core understands. Pure.
//!
//! A publish that this dialect does not know ends the connection, as Azure's does: a device that
//! sends into the void should find out.
//!
//! In reading order: this file (who connects), [`bodies`], `device_bound`, `module_bound`, `hub`,
//! `dps`.

pub mod bodies;
mod device_bound;
mod dps;
mod hub;
mod module_bound;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use self::dps::dps_publish;
pub use self::hub::{add_property, deliver, event_bag, hub_publish};
use super::core::Core;
use super::core::auth::Refusal;
use super::core::fault::Fault;
use super::core::provisioning::{Attested, Presenting};
use super::core::quota::Operation;
use super::core::registry::Address;
use super::core::x509::PeerCertificate;
use crate::device::Now;
use crate::device::identity::NameError;
use crate::wire::connect::{UserName, client_id};

/// A message to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its body.
    pub body: Bytes,
    /// Quality of service: 0 or 1.
    pub quality: u8,
}

impl Message {
    fn new(topic: String, body: impl Into<Bytes>, quality: u8) -> Self {
        Self { topic, body: body.into(), quality }
    }
}

/// Who has connected.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// A device or module, to the hub.
    Hub {
        /// Which.
        address: Address,
        /// The model it announced.
        model_id: Option<String>,
        /// When its token runs out, in seconds since 1970.
        expiry: i64,
    },
    /// A device, to the provisioning service.
    Dps {
        /// By which name, by which enrolment, and until when.
        device: Attested,
    },
}

/// Why a CONNECT is refused. The numbers are MQTT 3.1.1's return codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Return code 2: the client id does not say the same as the user name.
    #[error("the client id `{client}` is not `{wanted}`, which the user name says")]
    ClientId {
        /// The client id presented.
        client: String,
        /// What it would have to be.
        wanted: String,
    },
    /// Return code 4: the user name cannot be read.
    #[error("{0}")]
    UserName(String),
    /// Return code 5: the credentials are refused.
    #[error("{0}")]
    Refused(Refusal),
    /// Return code 3: the hub takes no connection now, because it is busy or cannot store anything.
    #[error("{0}")]
    Throttled(Fault),
    /// The return code that somebody asked for.
    #[error("refused with return code {0}, as was asked for")]
    Asked(u8),
}

impl ConnectError {
    /// MQTT's return code for it: what clients decide by. 2, 4 and 5 end the official SDKs' tries
    /// for good, 3 does not.
    pub fn return_code(&self) -> u8 {
        match self {
            Self::ClientId { .. } => 2,
            Self::Throttled(_) => 3,
            Self::UserName(_) => 4,
            Self::Refused(_) => 5,
            Self::Asked(code) => *code,
        }
    }
}

/// Checks a CONNECT; `peer` is the certificate that the client has proved to hold.
pub fn connect(
    core: &mut Core,
    now: Now,
    client: &str,
    user_name: &str,
    password: &str,
    peer: Option<&PeerCertificate>,
) -> Result<Role, ConnectError> {
    let user = UserName::parse(user_name).map_err(|error| ConnectError::UserName(error.to_string()))?;
    let expect = |wanted: String| {
        if client == wanted {
            return Ok(());
        }
        Err(ConnectError::ClientId { client: client.to_owned(), wanted })
    };
    match user {
        UserName::Hub { host, device, module, model_id } => {
            expect(client_id(&device, module.as_deref()))?;
            let unreadable = |error: NameError| ConnectError::UserName(error.to_string());
            let device = device.parse().map_err(unreadable)?;
            let module = module.map(|module| module.parse()).transpose().map_err(unreadable)?;
            let address = Address { device, module };
            let expiry = match peer {
                // A certificate holds as long as its connection.
                Some(peer) if password.is_empty() => {
                    core.authorize_certificate(now, &host, &address, peer).map(|()| i64::MAX)
                }
                _ => core.authorize_client(now, &host, &address, password),
            };
            let expiry = expiry.map_err(ConnectError::Refused)?;
            let expiry = admit(core, now, &address, expiry)?;
            Ok(Role::Hub { address, model_id, expiry })
        }
        UserName::Dps { scope, registration } => {
            expect(registration.clone())?;
            let id = registration.parse().map_err(|error| ConnectError::UserName(format!("{error}")))?;
            let presenting = Presenting { scope: &scope, id: &id, token: password, peer };
            let device = core.authorize_registration(now, presenting).map_err(ConnectError::Refused)?;
            Ok(Role::Dps { device })
        }
    }
}

/// What a checked client still meets: the trouble that was asked for, and the hub's limits.
/// Answers when its connection ends at the latest, in seconds since 1970.
fn admit(core: &mut Core, now: Now, address: &Address, expiry: i64) -> Result<i64, ConnectError> {
    if let Some(code) = core.trouble_mut().refuses(address) {
        return Err(ConnectError::Asked(code));
    }
    if let Some(hub) = core.trouble().sent_elsewhere(address.device.as_str()) {
        let (device, hub) = (address.device.to_string(), hub.to_owned());
        return Err(ConnectError::Refused(Refusal::Elsewhere { device, hub }));
    }
    core.allow(now, Operation::Connection).map_err(ConnectError::Throttled)?;
    Ok(match core.trouble().longest_connection() {
        Some(life) => {
            let life = i64::try_from(life.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
            expiry.min(now.wall.as_second().saturating_add(life))
        }
        None => expiry,
    })
}

impl From<Fault> for ConnectError {
    fn from(fault: Fault) -> Self {
        Self::Throttled(fault)
    }
}

/// Why a publish ends the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// No topic of this service.
    #[error("published to the topic `{0}`, which this service does not have")]
    Topic(String),
    /// Somebody else's topic.
    #[error("published to the topic of `{0}`")]
    Foreign(String),
    /// The bag of properties is not percent-encoded UTF-8.
    #[error("published a property bag that is not percent-encoded UTF-8")]
    Bag,
    /// The core does not take it.
    #[error("published what cannot be taken: {0}")]
    Fault(Fault),
}

impl From<Fault> for Unacceptable {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
