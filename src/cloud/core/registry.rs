//! The identities a hub knows, with their keys, their twins and whether they are connected.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;

use super::fault::Fault;
use super::twins::Twin;
use crate::device::{DeviceId, ModuleId};
use crate::wire::SharedKey;

/// The most identities a hub takes, so that a runaway script cannot eat the machine's memory.
pub const CAPACITY: usize = 200_000;

/// Which identity: a device, or a module on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The device.
    pub device: DeviceId,
    /// The module on it.
    pub module: Option<ModuleId>,
}

impl Address {
    /// The address of a device.
    pub fn device(device: DeviceId) -> Self {
        Self { device, module: None }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{}/{module}", self.device),
            None => write!(f, "{}", self.device),
        }
    }
}

/// The two keys of an identity. Either signs, so that one can be changed without an interruption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The first.
    pub primary: SharedKey,
    /// The second.
    pub secondary: SharedKey,
}

/// One identity and its twin.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Its name.
    pub address: Address,
    /// Its keys.
    pub keys: Keys,
    /// New with every creation: a device that was deleted and made again is another one.
    pub generation: String,
    /// Changes with every change of the identity.
    pub etag: String,
    /// Whether it may connect.
    pub enabled: bool,
    /// Why it may not, in the operator's words.
    pub status_reason: Option<String>,
    /// When that was last changed.
    pub status_updated: Option<Timestamp>,
    /// Whether it is connected.
    pub connected: bool,
    /// When that last changed.
    pub connection_updated: Option<Timestamp>,
    /// When it was last heard.
    pub last_activity: Option<Timestamp>,
    /// The model it announced last.
    pub model_id: Option<String>,
    /// Its twin.
    pub twin: Twin,
}

/// What a write expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever is there.
    Any,
    /// This etag, without quotes.
    Etag(String),
}

impl Precondition {
    /// Whether `etag` is what is expected.
    pub fn check(&self, etag: &str) -> Result<(), Fault> {
        match self {
            Self::Etag(wanted) if wanted != etag => {
                Err(Fault::precondition("it has been changed in between: read it again, then write"))
            }
            _ => Ok(()),
        }
    }
}

/// All identities of a hub.
#[derive(Debug, Default)]
pub struct Registry {
    identities: HashMap<Address, Identity>,
}

impl Registry {
    /// An identity.
    pub fn get(&self, address: &Address) -> Option<&Identity> {
        self.identities.get(address)
    }

    /// An identity, to be changed.
    pub fn get_mut(&mut self, address: &Address) -> Option<&mut Identity> {
        self.identities.get_mut(address)
    }

    /// An identity, or the fault that says that there is none.
    pub fn need(&self, address: &Address) -> Result<&Identity, Fault> {
        self.get(address).ok_or_else(|| Fault::unknown_device(address.device.as_str()))
    }

    /// An identity to be changed, or the fault that says that there is none.
    pub fn need_mut(&mut self, address: &Address) -> Result<&mut Identity, Fault> {
        self.identities.get_mut(address).ok_or_else(|| Fault::unknown_device(address.device.as_str()))
    }

    /// Adds a new identity.
    pub fn add(&mut self, identity: Identity) -> Result<(), Fault> {
        if self.identities.contains_key(&identity.address) {
            return Err(Fault::exists(identity.address.device.as_str()));
        }
        if self.identities.len() >= CAPACITY {
            return Err(Fault::throttled(format!("this local hub holds at most {CAPACITY} devices")));
        }
        self.identities.insert(identity.address.clone(), identity);
        Ok(())
    }

    /// Removes an identity and its twin.
    pub fn remove(&mut self, address: &Address) -> Option<Identity> {
        self.identities.remove(address)
    }

    /// The first `most` devices by name.
    pub fn devices(&self, most: usize) -> Vec<&Identity> {
        let mut devices: Vec<_> =
            self.identities.values().filter(|identity| identity.address.module.is_none()).collect();
        devices.sort_by(|a, b| a.address.cmp(&b.address));
        devices.truncate(most);
        devices
    }
}
