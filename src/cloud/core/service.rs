//! What a service may ask of devices and modules: to change twins, and to carry out commands.

use serde_json::{Value, json};

use super::capture::Content;
use super::fault::Fault;
use super::methods::CallId;
use super::registry::{Address, Identity, Precondition};
use super::twins::TwinUpdate;
use super::{Core, Delivery, Output};
use crate::device::Now;
use crate::wire::service::MethodCall;

/// How a twin is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// What is written is merged into what is there.
    Merge,
    /// What is written replaces what is there.
    Replace,
}

impl Core {
    /// Writes a twin, and tells the device where it listens.
    pub fn write_twin(
        &mut self,
        now: Now,
        address: &Address,
        update: &TwinUpdate,
        write: Write,
        condition: &Precondition,
        out: &mut Vec<Output>,
    ) -> Result<&Identity, Fault> {
        let identity = self.registry.need_mut(address)?;
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
            if let Some((connection, client)) = self.clients.online(address)
                && let Some(quality) = client.subscriptions.desired
            {
                let desired = Delivery::Desired { quality, version, patch };
                out.push(Output::Deliver(connection, desired));
            }
        }
        self.capture.push(now.wall, address, Content::Twin(Value::Object(changed)));
        self.changes.twin(address);
        self.take_routes(now, address);
        self.registry.need(address)
    }

    /// Invokes a command. Its outcome comes as an [`Output::Answer`].
    pub fn invoke(
        &mut self,
        now: Now,
        address: &Address,
        request: &MethodCall,
        out: &mut Vec<Output>,
    ) -> Result<CallId, Fault> {
        self.registry.need(address)?;
        let online =
            self.clients.online(address).is_some_and(|(_, client)| client.subscriptions.methods.is_some());
        let call = self.methods.begin(address.clone(), request, online, now.at)?;
        self.send_call(now, call, out);
        Ok(call)
    }

    /// Forgets a call whose caller has gone.
    pub fn cancel_call(&mut self, call: CallId) {
        self.methods.cancel(call);
    }
}
