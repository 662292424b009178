//! What a service, an operator's side, may ask of the cloud.

use serde_json::{Value, json};

use super::capture::Content;
use super::fault::Fault;
use super::methods::CallId;
use super::registry::{Address, Identity, Keys, Precondition};
use super::twins::TwinUpdate;
use super::{Closing, Core, Delivery, Output};
use crate::device::{DeviceId, Millis, Now};
use crate::wire::SharedKey;
use crate::wire::service::MethodCall;

/// A device as a service writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceSpec {
    /// Its name.
    pub device: DeviceId,
    /// Its keys; absent, they are generated.
    pub keys: Option<Keys>,
    /// Whether it may connect.
    pub enabled: bool,
    /// Why it may not.
    pub status_reason: Option<String>,
}

/// How a twin is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// What is written is merged into what is there.
    Merge,
    /// What is written replaces what is there.
    Replace,
}

impl Core {
    /// Creates a device whose first key is derived from the enrolment group's, as provisioning
    /// would.
    pub fn create_derived(&mut self, now: Now, device: DeviceId) -> Result<(), Fault> {
        let primary = self.settings.group_key.derive(device.as_str());
        let secondary = self.random_keys().secondary;
        let identity = self.new_identity(now, Address::device(device), Keys { primary, secondary });
        self.registry.add(identity)
    }

    /// Creates a device.
    pub fn create_device(&mut self, now: Now, spec: DeviceSpec) -> Result<&Identity, Fault> {
        let keys = match spec.keys {
            Some(keys) => keys,
            None => self.random_keys(),
        };
        let address = Address::device(spec.device);
        let mut identity = self.new_identity(now, address.clone(), keys);
        identity.enabled = spec.enabled;
        identity.status_reason = spec.status_reason;
        self.registry.add(identity)?;
        self.registry.need(&address)
    }

    /// Changes a device that is there. Its connection ends when it may no longer stand.
    pub fn update_device(
        &mut self,
        now: Now,
        spec: DeviceSpec,
        condition: &Precondition,
        out: &mut Vec<Output>,
    ) -> Result<&Identity, Fault> {
        let address = Address::device(spec.device);
        let etag = self.random_name();
        let identity = self.registry.need_mut(&address)?;
        condition.check(&identity.etag)?;
        let closing = match &spec.keys {
            _ if !spec.enabled => Some(Closing::Disabled),
            Some(keys) if *keys != identity.keys => Some(Closing::KeysChanged),
            _ => None,
        };
        if let Some(keys) = spec.keys {
            identity.keys = keys;
        }
        if identity.enabled != spec.enabled {
            identity.status_updated = Some(now.wall);
        }
        identity.enabled = spec.enabled;
        identity.status_reason = spec.status_reason;
        identity.etag = etag;
        if let (Some(closing), Some((connection, _))) = (closing, self.clients.online(&address)) {
            out.push(Output::Deliver(connection, Delivery::Close(closing)));
        }
        self.registry.need(&address)
    }

    /// Deletes a device, its twin, its session and its connection.
    pub fn delete_device(
        &mut self,
        device: &DeviceId,
        condition: &Precondition,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let address = Address::device(device.clone());
        condition.check(&self.registry.need(&address)?.etag)?;
        self.registry.remove(&address);
        if let Some(connection) = self.clients.forget(&address) {
            out.push(Output::Deliver(connection, Delivery::Close(Closing::Deleted)));
        }
        let ended = self.methods.remove_device(&address);
        out.extend(ended.into_iter().map(|(call, fault)| Output::Answer(call, Err(fault))));
        Ok(())
    }

    /// A device with its twin.
    pub fn device(&self, device: &DeviceId) -> Result<&Identity, Fault> {
        self.registry.need(&Address::device(device.clone()))
    }

    /// The first `most` devices by name.
    pub fn devices(&self, most: usize) -> Vec<&Identity> {
        self.registry.devices(most)
    }

    /// A device's first key.
    pub fn device_key(&self, device: &DeviceId) -> Result<&SharedKey, Fault> {
        Ok(&self.device(device)?.keys.primary)
    }

    /// Writes a twin, and tells the device where it listens.
    pub fn write_twin(
        &mut self,
        now: Now,
        device: &DeviceId,
        update: &TwinUpdate,
        write: Write,
        condition: &Precondition,
        out: &mut Vec<Output>,
    ) -> Result<&Identity, Fault> {
        let address = Address::device(device.clone());
        let identity = self.registry.need_mut(&address)?;
        condition.check(&identity.twin.etag())?;
        let push = match write {
            Write::Merge => identity.twin.update(update, now.wall)?,
            Write::Replace => identity.twin.replace(update, now.wall)?,
        };
        let version = identity.twin.desired.version;
        let mut changed = serde_json::Map::new();
        changed.insert("version".to_owned(), json!(identity.twin.version));
        if let Some(tags) = &update.tags {
            changed.insert("tags".to_owned(), Value::Object(tags.clone()));
        }
        if let Some(mut patch) = push {
            if let Value::Object(members) = &mut patch {
                members.insert("$version".to_owned(), json!(version));
            }
            changed.insert("properties".to_owned(), json!({"desired": patch}));
            if let Some((connection, client)) = self.clients.online(&address)
                && let Some(quality) = client.subscriptions.desired
            {
                let desired = Delivery::Desired { quality, version, patch };
                out.push(Output::Deliver(connection, desired));
            }
        }
        self.capture.push(now.wall, &address, Content::Twin(Value::Object(changed)));
        self.registry.need(&address)
    }

    /// Invokes a command. Its outcome comes as an [`Output::Answer`].
    pub fn invoke(
        &mut self,
        now: Now,
        device: &DeviceId,
        request: &MethodCall,
        out: &mut Vec<Output>,
    ) -> Result<CallId, Fault> {
        let address = Address::device(device.clone());
        self.registry.need(&address)?;
        let online =
            self.clients.online(&address).is_some_and(|(_, client)| client.subscriptions.methods.is_some());
        let call = self.methods.begin(address, request, online, now.at)?;
        self.send_call(now, call, out);
        Ok(call)
    }

    /// When a call under way is given up.
    pub fn call_due(&self, call: CallId) -> Option<Millis> {
        self.methods.get(call).map(|call| call.due)
    }

    /// Ends the calls whose time is over.
    pub fn expire_calls(&mut self, now: Now, out: &mut Vec<Output>) {
        let over = self.methods.expire(now.at);
        out.extend(over.into_iter().map(|(call, fault)| Output::Answer(call, Err(fault))));
    }

    /// Forgets a call whose caller has gone.
    pub fn cancel_call(&mut self, call: CallId) {
        self.methods.cancel(call);
    }
}
