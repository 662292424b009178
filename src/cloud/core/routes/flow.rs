//! Routes between the clients of the hub: from a module's message to what the hub notes and what
//! other modules are handed.

use bytes::Bytes;
use serde_json::{Value, json};

use super::deployment::{Deployment, EDGE_HUB};
use super::message::Routed;
use super::router::Target;
use crate::cloud::core::capture::Content;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::message::LockToken;
use crate::cloud::core::quota::Operation;
use crate::cloud::core::registry::Address;
use crate::cloud::core::{Core, Delivery, Output};
use crate::device::{DeviceId, ModuleId, Now};
use crate::wire::local::EdgeStatus;

impl Core {
    /// Whether what a client sends goes by routes: it is a module of an IoT Edge device to which
    /// routes have been deployed, and no Edge hub of its own is connected that would see to them.
    pub fn is_routed(&self, address: &Address) -> bool {
        let Some(module) = &address.module else { return false };
        self.routers.has(&address.device)
            && !module.as_str().starts_with('$')
            && self.is_edge(&address.device)
            && !self.has_edge_hub(&address.device)
    }

    /// What the routes of a device do.
    pub fn edge_status(&self, device: &DeviceId) -> Result<EdgeStatus, Fault> {
        self.registry.need(&Address::device(device.clone()))?;
        Ok(self.routers.status(device))
    }

    /// A module has acknowledged a routed message. Hands over what waited for its place.
    pub fn settle_routed(
        &mut self,
        now: Now,
        address: &Address,
        lock: LockToken,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let module = address.module.as_ref();
        if !module.is_some_and(|module| self.routers.settle(&mut self.changes, &address.device, module, lock))
        {
            let message = format!("`{address}` does not hold a routed message under this lock");
            return Err(Fault::lock_lost(message));
        }
        self.send_routed(now, address, out);
        Ok(())
    }

    /// A module's message, to where routes lead.
    pub(in crate::cloud::core) fn route_message(
        &mut self,
        now: Now,
        from: &Address,
        bag: &str,
        body: Bytes,
        model_id: Option<String>,
        out: &mut Vec<Output>,
    ) {
        if let Some(message) = Routed::message(from, bag.to_owned(), body, model_id, now.wall) {
            self.route(now, message, out);
        }
    }

    /// A module's change of its reported properties, to where routes lead.
    pub(in crate::cloud::core) fn route_twin_change(
        &mut self,
        now: Now,
        from: &Address,
        patch: String,
        out: &mut Vec<Output>,
    ) {
        if let Some(message) = Routed::twin_change(from, Bytes::from(patch), now.wall) {
            self.route(now, message, out);
        }
    }

    fn route(&mut self, now: Now, message: Routed, out: &mut Vec<Output>) {
        let device = message.from.device.clone();
        for target in self.routers.route(&mut self.changes, now, message) {
            self.send_to(now, &device, target, out);
        }
    }

    fn send_to(&mut self, now: Now, device: &DeviceId, target: Target, out: &mut Vec<Output>) {
        match target {
            None => self.send_upstream(now, device),
            Some(module) => self.send_routed(now, &Address::module(device.clone(), module), out),
        }
    }

    /// Gives the hub what waits for it, until its limits are reached.
    fn send_upstream(&mut self, now: Now, device: &DeviceId) {
        while let Some((place, message)) = self.routers.next_upstream(now, device) {
            if self.allow(now, Operation::Message(message.size())).is_err() {
                self.routers.pause_upstream(now, device);
                return;
            }
            let content = Content::Message {
                bag: message.bag.clone(),
                body: message.body.clone(),
                model_id: message.model_id.clone(),
            };
            self.capture.push(now.wall, &message.from, content);
            self.routers.passed_upstream(&mut self.changes, device, place);
        }
    }

    /// Hands a module that listens what waits for it, as far as it may have it at once.
    pub(in crate::cloud::core) fn send_routed(&mut self, now: Now, address: &Address, out: &mut Vec<Output>) {
        let Some(module) = &address.module else { return };
        if !self.routers.has(&address.device) {
            return;
        }
        let Some((connection, client)) = self.clients.online(address) else { return };
        let Some(quality) = client.subscriptions.inputs else { return };
        while let Some(taken) = self.routers.take(now, &address.device, module, connection) {
            let delivery = Delivery::Routed {
                quality,
                module: address.clone(),
                input: taken.input,
                lock: taken.lock,
                message: taken.message,
            };
            out.push(Output::Deliver(connection, delivery));
        }
    }

    /// Puts back what a connection held that has ended.
    pub(in crate::cloud::core) fn release_routed(
        &mut self,
        now: Now,
        address: &Address,
        connection: ConnectionId,
    ) {
        if let Some(module) = &address.module {
            self.routers.release(&mut self.changes, now, &address.device, module, connection);
        }
    }

    /// Does what time alone brings to routed messages.
    pub(in crate::cloud::core) fn tick_routes(&mut self, now: Now, out: &mut Vec<Output>) {
        for (device, target) in self.routers.tick(&mut self.changes, now) {
            self.send_to(now, &device, target, out);
        }
    }

    /// Takes the routes that the twin of an Edge hub has after a write, and reports in its place
    /// whether that could be done. Edge hub, `TwinConfigSource`.
    pub(in crate::cloud::core) fn take_routes(&mut self, now: Now, address: &Address) {
        if !address.is_edge_hub() || !self.is_edge(&address.device) || self.has_edge_hub(&address.device) {
            return;
        }
        let Some(identity) = self.registry.get(address) else { return };
        let desired = &identity.twin.desired;
        if self.routers.version(&address.device) == Some(desired.version) {
            return;
        }
        let version = desired.version;
        // Otherwise what is reported there is not from here.
        let had_routes = self.routers.has(&address.device);
        let status = |code: u16, description: &str| {
            let status = json!({"code": code, "description": description});
            json!({"lastDesiredVersion": version, "lastDesiredStatus": status})
        };
        let report = match Deployment::read(&desired.value) {
            Ok(Some(deployment)) => {
                self.routers.deploy(&address.device, version, &deployment);
                status(200, "")
            }
            Ok(None) => {
                self.routers.forget(&mut self.changes, &address.device);
                if !had_routes {
                    return;
                }
                json!({"lastDesiredVersion": null, "lastDesiredStatus": null})
            }
            Err(why) => {
                let why = shortened(&why);
                let report = status(
                    400,
                    &format!("the desired properties cannot be taken, the routes before them stay: {why}"),
                );
                self.routers.refuse(&address.device, version, why);
                report
            }
        };
        self.report_for(now, address, report);
    }

    fn report_for(&mut self, now: Now, address: &Address, patch: Value) {
        let Some(identity) = self.registry.get_mut(address) else { return };
        // A twin that is full has no room for it; the routes are in force all the same.
        let Ok(version) = identity.twin.report(&patch, None, now.wall) else { return };
        let twin_version = identity.twin.version;
        let mut reported = patch;
        if let Value::Object(members) = &mut reported {
            members.insert("$version".to_owned(), json!(version));
        }
        let body = json!({"version": twin_version, "properties": {"reported": reported}});
        self.changes.twin(address);
        self.capture.push(now.wall, address, Content::Twin(body));
    }

    /// Takes routes up again from a twin that comes from a store, which knows what was reported.
    pub(in crate::cloud::core) fn restore_routes(&mut self, address: &Address) {
        if !address.is_edge_hub() {
            return;
        }
        let Some(identity) = self.registry.get(address) else { return };
        let desired = &identity.twin.desired;
        match Deployment::read(&desired.value) {
            Ok(Some(deployment)) => self.routers.deploy(&address.device, desired.version, &deployment),
            Ok(None) => self.routers.forget(&mut self.changes, &address.device),
            Err(why) => self.routers.refuse(&address.device, desired.version, shortened(&why)),
        }
    }

    /// Forgets the routes of a device that is being deleted, or whose Edge hub is.
    pub(in crate::cloud::core) fn forget_routes(&mut self, address: &Address) {
        match &address.module {
            Some(module) if !address.is_edge_hub() => {
                self.routers.forget_module(&mut self.changes, &address.device, module);
            }
            _ => self.routers.forget(&mut self.changes, &address.device),
        }
    }

    fn is_edge(&self, device: &DeviceId) -> bool {
        self.registry.get(&Address::device(device.clone())).is_some_and(|device| device.edge)
    }

    /// Whether a real Edge hub is connected.
    fn has_edge_hub(&self, device: &DeviceId) -> bool {
        let module: Option<ModuleId> = EDGE_HUB.parse().ok();
        module.is_some_and(|module| self.clients.online(&Address::module(device.clone(), module)).is_some())
    }
}

/// Enough of a reason to act by: a text in a twin has an end.
fn shortened(why: &str) -> String {
    why.chars().take(1000).collect()
}
