//! The identities a hub knows: how each proves who it is, its twin, and whether it is connected.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Bound;

use jiff::Timestamp;

use super::fault::Fault;
use super::twins::Twin;
use crate::device::{DeviceId, ModuleId};
use crate::wire::SharedKey;
use crate::wire::service::EDGE_HUB;

/// The most identities a hub takes, so that a runaway script cannot eat the machine's memory.
pub const CAPACITY: usize = 200_000;
/// The most modules on one device. IoT Hub, "Quotas and throttling": 50.
pub const MODULES: usize = 50;

/// Which identity: a device, or a module on it. A device sorts right before its modules.
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

    /// The address of a module on a device.
    pub fn module(device: DeviceId, module: ModuleId) -> Self {
        Self { device, module: Some(module) }
    }

    /// Whether it is the Edge hub of a device.
    pub fn is_edge_hub(&self) -> bool {
        self.module.as_ref().is_some_and(|module| module.as_str() == EDGE_HUB)
    }

    /// The address of the device that this is, or is on.
    #[must_use]
    pub fn of_device(&self) -> Self {
        Self::device(self.device.clone())
    }

    /// The path of the resource that tokens of this identity are for, without the host.
    pub fn resource(&self) -> String {
        match &self.module {
            Some(module) => format!("/devices/{}/modules/{module}", self.device),
            None => format!("/devices/{}", self.device),
        }
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

/// The thumbprints of the certificates that an identity may present, as upper-case hexadecimal of
/// SHA-1 or SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thumbprints {
    /// The first.
    pub primary: Option<String>,
    /// The second.
    pub secondary: Option<String>,
}

/// How an identity proves who it is. IoT Hub REST, `AuthenticationMechanism`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// By tokens signed with a key: `sas`.
    Sas(Keys),
    /// By a certificate whose thumbprint is registered: `selfSigned`.
    SelfSigned(Thumbprints),
    /// By a certificate of an authority that the hub knows: `certificateAuthority`.
    CertificateAuthority,
    /// Not at all: `none`.
    None,
}

impl Authentication {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sas(_) => "sas",
            Self::SelfSigned(_) => "selfSigned",
            Self::CertificateAuthority => "certificateAuthority",
            Self::None => "none",
        }
    }

    /// The keys, when there are any.
    pub fn keys(&self) -> Option<&Keys> {
        match self {
            Self::Sas(keys) => Some(keys),
            _ => None,
        }
    }
}

/// One identity and its twin.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Its name.
    pub address: Address,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// New with every creation: a device that was deleted and made again is another one.
    pub generation: String,
    /// Changes with every change of the identity.
    pub etag: String,
    /// Whether it may connect. A module may when its device may.
    pub enabled: bool,
    /// Why it may not, in the operator's words.
    pub status_reason: Option<String>,
    /// When that was last changed.
    pub status_updated: Option<Timestamp>,
    /// Whether it is an IoT Edge device.
    pub edge: bool,
    /// The Edge device that it is on or below of, in Azure's form.
    pub scope: Option<String>,
    /// Who manages a module, in the operator's words.
    pub managed_by: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// When that last changed.
    pub connection_updated: Option<Timestamp>,
    /// When it was last heard.
    pub last_activity: Option<Timestamp>,
    /// How many cloud-to-device messages wait for it.
    pub messages: usize,
    /// The model it announced last.
    pub model_id: Option<String>,
    /// Its twin.
    pub twin: Twin,
    /// The configurations that select it.
    pub configurations: BTreeMap<String, Placed>,
}

impl Identity {
    /// An identity that has never been connected, enabled, with an empty twin. What tells it from
    /// one of the same name, its generation and etag, is for who makes it to give.
    pub fn new(address: Address, authentication: Authentication, now: Timestamp) -> Self {
        Self {
            address,
            authentication,
            generation: String::new(),
            etag: String::new(),
            enabled: true,
            status_reason: None,
            status_updated: None,
            edge: false,
            scope: None,
            managed_by: None,
            connected: false,
            connection_updated: None,
            last_activity: None,
            messages: 0,
            model_id: None,
            twin: Twin::new(now),
            configurations: BTreeMap::new(),
        }
    }
}

/// How far a configuration has come with an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It selects the identity, but others of higher priority decide all that it says.
    Targeted,
    /// Something of it stands in the twin.
    Applied,
}

impl Placed {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Targeted => "Targeted",
            Self::Applied => "Applied",
        }
    }
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
    /// The same names in order, for lists and pages; a device's modules follow it.
    names: BTreeSet<Address>,
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
        self.get(address).ok_or_else(|| self.unknown(address))
    }

    /// An identity to be changed, or the fault that says that there is none.
    pub fn need_mut(&mut self, address: &Address) -> Result<&mut Identity, Fault> {
        if !self.identities.contains_key(address) {
            return Err(self.unknown(address));
        }
        self.identities.get_mut(address).ok_or_else(|| Fault::unknown_device(address.device.as_str()))
    }

    /// The fault that says that there is no such identity.
    pub fn unknown(&self, address: &Address) -> Fault {
        match &address.module {
            Some(module) if self.identities.contains_key(&address.of_device()) => {
                Fault::unknown_module(address.device.as_str(), module.as_str())
            }
            _ => Fault::unknown_device(address.device.as_str()),
        }
    }

    /// Whether a client of this name may connect as far as switches go: a module's is its device's.
    pub fn is_enabled(&self, address: &Address) -> bool {
        self.get(&address.of_device()).is_some_and(|device| device.enabled)
            && self.get(address).is_some_and(|identity| identity.enabled)
    }

    /// Adds a new identity. A module needs its device.
    pub fn add(&mut self, identity: Identity) -> Result<(), Fault> {
        let address = &identity.address;
        if let Some(module) = &address.module {
            self.need(&address.of_device())?;
            if self.identities.contains_key(address) {
                return Err(Fault::module_exists(address.device.as_str(), module.as_str()));
            }
            if self.modules(&address.device).count() >= MODULES {
                return Err(Fault::too_many_modules(address.device.as_str(), MODULES));
            }
        } else if self.identities.contains_key(address) {
            return Err(Fault::exists(address.device.as_str()));
        }
        if self.identities.len() >= CAPACITY {
            return Err(Fault::throttled(format!("this local hub holds at most {CAPACITY} identities")));
        }
        self.names.insert(address.clone());
        self.identities.insert(address.clone(), identity);
        Ok(())
    }

    /// Puts an identity in the place of whatever is there: what a store gives back.
    pub fn restore(&mut self, identity: Identity) {
        self.names.insert(identity.address.clone());
        self.identities.insert(identity.address.clone(), identity);
    }

    /// Removes an identity and its twin.
    pub fn remove(&mut self, address: &Address) -> Option<Identity> {
        self.names.remove(address);
        self.identities.remove(address)
    }

    /// All identities by name, each device before its modules.
    pub fn all(&self) -> impl Iterator<Item = &Identity> {
        self.names.iter().filter_map(|address| self.identities.get(address))
    }

    /// The identities whose names come after `after`, in order: for work that is done in parts.
    pub fn following(&self, after: Option<&Address>) -> impl Iterator<Item = &Identity> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.names
            .range::<Address, _>((from, Bound::Unbounded))
            .filter_map(|address| self.identities.get(address))
    }

    /// All devices by name.
    pub fn devices(&self) -> impl Iterator<Item = &Identity> {
        self.all().filter(|identity| identity.address.module.is_none())
    }

    /// The modules of a device by name.
    pub fn modules(&self, device: &DeviceId) -> impl Iterator<Item = &Identity> {
        let first = Address::device(device.clone());
        self.names
            .range((Bound::Excluded(first), Bound::Unbounded))
            .take_while(|address| address.device == *device)
            .filter_map(|address| self.identities.get(address))
    }

    /// How many identities there are.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }
}
