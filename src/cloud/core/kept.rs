//! What a store asks of the core and gives back to it: after a start, and when what was changed
//! could not be stored and therefore has not happened.
//!
//! Nothing here notes a change: it comes from the store.

use super::Core;
use super::clients::Subscriptions;
use super::fault::Fault;
use super::registry::{Address, Identity};
use super::twins::Twin;
use crate::device::DeviceId;
use crate::wire::SharedKey;

impl Core {
    /// The shared access policies by name, with their keys.
    pub fn policy_keys(&self) -> impl Iterator<Item = (&str, &SharedKey)> {
        self.policies.iter().map(|policy| (policy.name, &policy.key))
    }

    /// Gives a policy its old key. One that there is no longer is passed over.
    pub fn restore_policy_key(&mut self, name: &str, key: SharedKey) {
        if let Some(policy) = self.policies.iter_mut().find(|policy| policy.name == name) {
            policy.key = key;
        }
    }

    /// An identity with its twin.
    pub fn kept_identity(&self, address: &Address) -> Option<&Identity> {
        self.registry.get(address)
    }

    /// Puts an identity back as it was stored, or takes it out. What is true of a connection that
    /// stands, and the twin, stay as they are.
    pub fn restore_identity(&mut self, address: &Address, stored: Option<Identity>) {
        let Some(mut identity) = stored else {
            self.registry.remove(address);
            self.forget_routes(address);
            return;
        };
        if let Some(now) = self.registry.get(address) {
            identity.connected = now.connected;
            identity.connection_updated = now.connection_updated;
            identity.last_activity = now.last_activity;
            identity.messages = now.messages;
            identity.twin = now.twin.clone();
        }
        self.registry.restore(identity);
    }

    /// Puts a twin back as it was stored. Answers whether there is an identity that it belongs to.
    pub fn restore_twin(&mut self, address: &Address, twin: Twin) -> bool {
        let Some(identity) = self.registry.get_mut(address) else { return false };
        identity.twin = twin;
        self.restore_routes(address);
        true
    }

    /// The subscriptions that a client finds again when it comes back.
    pub fn kept_session(&self, address: &Address) -> Option<&Subscriptions> {
        self.clients.session(address)
    }

    /// Puts a client's subscriptions back as they were stored.
    pub fn restore_session(&mut self, address: &Address, session: Option<Subscriptions>) {
        self.clients.restore(address, session);
    }

    /// Puts a certificate authority back as it was stored, or takes it out. Fails when it is not a
    /// certificate.
    pub fn restore_authority(&mut self, name: &str, certificate: Option<&[u8]>) -> Result<(), Fault> {
        if let Some(certificate) = certificate {
            return self.authorities.put(name, certificate);
        }
        self.authorities.remove(name);
        Ok(())
    }

    /// Forgets a queue that is not stored.
    pub fn forget_mailbox(&mut self, device: &DeviceId) {
        self.mailboxes.forget(device);
        if let Some(identity) = self.registry.get_mut(&Address::device(device.clone())) {
            identity.messages = 0;
        }
    }

    /// Whether a connection still stands as far as the hub is concerned.
    pub fn is_online(&self, connection: super::ConnectionId) -> bool {
        self.clients.get(connection).is_some()
    }

    /// Takes back the events after number `last`: what they tell has not happened.
    pub fn take_back_events(&mut self, last: u64) {
        self.capture.take_back(last);
    }
}
