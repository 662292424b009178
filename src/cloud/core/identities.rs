//! What a service may do with identities: create, change and delete devices and modules.
//!
//! IoT Hub, "Understand the identity registry in your IoT hub".

use super::authorities::Authorities;
use super::changes::Record;
use super::fault::Fault;
use super::registry::{Address, Authentication, Identity, Keys, Precondition};
use super::{Closing, Core, Delivery, Output};
use crate::device::{DeviceId, Now};
use crate::wire::SharedKey;
use crate::wire::service::{EDGE_AGENT, EDGE_HUB};

/// Modules that every IoT Edge device has from its creation on.
pub const EDGE_MODULES: [&str; 2] = [EDGE_AGENT, EDGE_HUB];

/// How an identity is to prove who it is, as a service writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// With keys that the hub makes; on a change, with the keys it has.
    AnyKeys,
    /// With this.
    Given(Authentication),
}

/// A device or module as a service writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name.
    pub address: Address,
    /// How it proves who it is.
    pub proof: Proof,
    /// Whether it may connect.
    pub enabled: bool,
    /// Why it may not.
    pub status_reason: Option<String>,
    /// Whether it is an IoT Edge device.
    pub edge: bool,
    /// The Edge device it is below of, in Azure's form.
    pub scope: Option<String>,
    /// Who manages a module.
    pub managed_by: Option<String>,
}

impl Spec {
    /// An identity with generated keys, enabled, and nothing else.
    pub fn plain(address: Address) -> Self {
        Self {
            address,
            proof: Proof::AnyKeys,
            enabled: true,
            status_reason: None,
            edge: false,
            scope: None,
            managed_by: None,
        }
    }
}

impl Core {
    /// Creates a device whose first key is derived from the enrolment group's, as provisioning
    /// would.
    pub fn create_derived(&mut self, now: Now, device: DeviceId) -> Result<(), Fault> {
        let group = self.group_keys();
        let (primary, secondary) =
            (group.primary.derive(device.as_str()), group.secondary.derive(device.as_str()));
        let authentication = Authentication::Sas(Keys { primary, secondary });
        let identity = self.new_identity(now, Address::device(device), authentication);
        self.add_identity(identity)
    }

    /// Creates an identity; an IoT Edge device with the two modules that make it one.
    pub fn create(&mut self, now: Now, spec: Spec) -> Result<&Identity, Fault> {
        let address = spec.address;
        self.check_reserved(&address)?;
        let authentication = match spec.proof {
            Proof::Given(authentication) => authentication,
            Proof::AnyKeys => Authentication::Sas(self.random_keys()),
        };
        let mut identity = self.new_identity(now, address.clone(), authentication);
        identity.enabled = spec.enabled;
        identity.status_reason = spec.status_reason;
        identity.edge = spec.edge;
        identity.managed_by = spec.managed_by;
        identity.scope = spec.scope.or_else(|| {
            spec.edge.then(|| format!("ms-azure-iot-edge://{}-{}", address.device, identity.generation))
        });
        self.add_identity(identity)?;
        if spec.edge && address.module.is_none() {
            self.add_edge_modules(now, &address)?;
        }
        self.registry.need(&address)
    }

    /// Ids with `$` in front are for what an IoT Edge runtime brings, and nobody else's.
    fn check_reserved(&self, address: &Address) -> Result<(), Fault> {
        let Some(module) = address.module.as_ref().filter(|module| module.as_str().starts_with('$')) else {
            return Ok(());
        };
        let is_edge = self.registry.need(&address.of_device())?.edge;
        if is_edge && EDGE_MODULES.contains(&module.as_str()) {
            return Ok(());
        }
        Err(Fault::bad_request(format!(
            "the module id `{module}` begins with `$`: such ids are reserved for `{EDGE_AGENT}` and `{EDGE_HUB}` of \
             an IoT Edge device; take another one"
        )))
    }

    fn add_edge_modules(&mut self, now: Now, device: &Address) -> Result<(), Fault> {
        for name in EDGE_MODULES {
            let module = name.parse().map_err(|error| Fault::bad_request(format!("{error}")))?;
            let address = Address::module(device.device.clone(), module);
            if self.registry.get(&address).is_some() {
                continue;
            }
            let authentication = Authentication::Sas(self.random_keys());
            let mut identity = self.new_identity(now, address, authentication);
            identity.managed_by = Some("iotEdge".to_owned());
            self.add_identity(identity)?;
        }
        Ok(())
    }

    /// Changes an identity that is there. Its connection ends when it may no longer stand.
    pub fn change(
        &mut self,
        now: Now,
        spec: Spec,
        condition: &Precondition,
        out: &mut Vec<Output>,
    ) -> Result<&Identity, Fault> {
        let address = spec.address;
        let etag = self.random_name();
        let keys = self.random_keys();
        let identity = self.registry.need_mut(&address)?;
        condition.check(&identity.etag)?;
        let authentication = match (spec.proof, &identity.authentication) {
            (Proof::Given(authentication), _) => authentication,
            (Proof::AnyKeys, Authentication::Sas(keys)) => Authentication::Sas(keys.clone()),
            (Proof::AnyKeys, _) => Authentication::Sas(keys),
        };
        let closing = if !spec.enabled {
            Some(Closing::Disabled)
        } else if authentication != identity.authentication {
            Some(Closing::CredentialsChanged)
        } else {
            None
        };
        let becomes_edge = spec.edge && !identity.edge && address.module.is_none();
        if identity.enabled != spec.enabled {
            identity.status_updated = Some(now.wall);
        }
        identity.authentication = authentication;
        identity.enabled = spec.enabled;
        identity.status_reason = spec.status_reason;
        identity.edge = spec.edge;
        identity.scope = spec.scope.or_else(|| identity.scope.take());
        identity.managed_by = spec.managed_by;
        identity.etag = etag;
        self.changes.identity(&address);
        // First of all who is out has to go: what follows may be refused.
        if let Some(closing) = closing {
            self.close(&address, closing, out);
            if closing == Closing::Disabled && address.module.is_none() {
                for module in self.modules_of(&address) {
                    self.close(&module, closing, out);
                }
            }
        }
        if becomes_edge {
            self.add_edge_modules(now, &address)?;
        }
        self.registry.need(&address)
    }

    /// Deletes an identity, its twin, its session and its connection; a device with its modules.
    pub fn delete(
        &mut self,
        address: &Address,
        condition: &Precondition,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        condition.check(&self.registry.need(address)?.etag)?;
        if address.module.is_none() {
            for module in self.modules_of(address) {
                self.remove_identity(&module, out);
            }
        }
        self.remove_identity(address, out);
        Ok(())
    }

    /// An identity with its twin.
    pub fn identity(&self, address: &Address) -> Result<&Identity, Fault> {
        self.registry.need(address)
    }

    /// A device with its twin.
    pub fn device(&self, device: &DeviceId) -> Result<&Identity, Fault> {
        self.registry.need(&Address::device(device.clone()))
    }

    /// The first `most` devices by name.
    pub fn devices(&self, most: usize) -> Vec<&Identity> {
        self.registry.devices().take(most).collect()
    }

    /// The modules of a device, by name.
    pub fn modules(&self, device: &DeviceId) -> Result<Vec<&Identity>, Fault> {
        self.device(device)?;
        Ok(self.registry.modules(device).collect())
    }

    /// A device's first key, when it has keys.
    pub fn device_key(&self, device: &DeviceId) -> Result<Option<&SharedKey>, Fault> {
        Ok(self.device(device)?.authentication.keys().map(|keys| &keys.primary))
    }

    /// How many devices there are, and how many of them are enabled.
    pub fn count_devices(&self) -> (usize, usize) {
        self.registry
            .devices()
            .fold((0, 0), |(all, enabled), device| (all + 1, enabled + usize::from(device.enabled)))
    }

    /// How many devices are connected.
    pub fn count_connected(&self) -> usize {
        self.clients.online_devices()
    }

    /// The certificate authorities that the hub knows.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// Registers a certificate authority, as PEM or DER.
    pub fn put_authority(&mut self, name: &str, certificate: &[u8]) -> Result<(), Fault> {
        self.authorities.put(name, certificate)?;
        self.changes.note(Record::Authority(name.to_owned()));
        Ok(())
    }

    /// Takes a certificate authority out. Connections that stand go on to their end.
    pub fn remove_authority(&mut self, name: &str) -> Result<(), Fault> {
        if !self.authorities.remove(name) {
            return Err(Fault::unknown_authority(name));
        }
        self.changes.note(Record::Authority(name.to_owned()));
        Ok(())
    }

    fn modules_of(&self, device: &Address) -> Vec<Address> {
        self.registry.modules(&device.device).map(|module| module.address.clone()).collect()
    }

    pub(super) fn add_identity(&mut self, identity: Identity) -> Result<(), Fault> {
        let address = identity.address.clone();
        self.registry.add(identity)?;
        self.changes.identity(&address);
        Ok(())
    }

    fn remove_identity(&mut self, address: &Address, out: &mut Vec<Output>) {
        self.registry.remove(address);
        self.changes.identity(address);
        self.changes.session(address);
        self.forget_messages(address);
        self.forget_routes(address);
        if let Some(connection) = self.clients.forget(address) {
            out.push(Output::Deliver(connection, Delivery::Close(Closing::Deleted)));
        }
        let ended = self.methods.forget(address);
        for (call, fault) in ended {
            self.answer(call, Err(fault), out);
        }
    }

    /// Ends the connection of `address`, when it has one.
    pub(super) fn close(&self, address: &Address, why: Closing, out: &mut Vec<Output>) {
        if let Some((connection, _)) = self.clients.online(address) {
            out.push(Output::Deliver(connection, Delivery::Close(why)));
        }
    }

    pub(super) fn new_identity(
        &mut self,
        now: Now,
        address: Address,
        authentication: Authentication,
    ) -> Identity {
        let mut identity = Identity::new(address, authentication, now.wall);
        identity.generation = self.random_name();
        identity.etag = self.random_name();
        identity
    }
}
