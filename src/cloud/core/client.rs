//! What a device may ask of the cloud.

use bytes::Bytes;
use serde_json::{Value, json};

use super::auth::{self, ClientCheck, Refusal};
use super::capture::Content;
use super::clients::{ConnectionId, Granted, Subscriptions, Welcome};
use super::fault::Fault;
use super::registry::Address;
use super::x509::PeerCertificate;
use super::{Closing, Core, Delivery, Output};
use crate::device::Now;

/// The most a device-to-cloud message may hold: body and properties.
pub const MESSAGE_LIMIT: usize = 256 * 1024;

/// Bodies shorter than this are copied, to be kept without what is around them.
const SMALL: usize = 16 * 1024;

impl Core {
    /// Checks the user name and password of a device or module. Answers when the token runs out, in seconds
    /// since 1970.
    pub fn authorize_client(
        &self,
        now: Now,
        host: &str,
        address: &Address,
        token: &str,
    ) -> Result<i64, Refusal> {
        self.settings.names.check(host)?;
        let check = ClientCheck {
            address,
            registry: &self.registry,
            names: &self.settings.names,
            policies: &self.policies,
            group: &self.settings.group_key,
        };
        auth::client(token, check, now.wall)
    }

    /// Checks the user name and certificate of a device or module.
    pub fn authorize_certificate(
        &self,
        now: Now,
        host: &str,
        address: &Address,
        peer: &PeerCertificate,
    ) -> Result<(), Refusal> {
        self.settings.names.check(host)?;
        auth::certificate(peer, address, &self.registry, &self.authorities, now.wall)
    }

    /// Whether there is an identity of this name that is switched on.
    pub fn may_connect(&self, address: &Address) -> bool {
        self.registry.is_enabled(address)
    }

    /// Takes a client that has been checked.
    pub fn connect(
        &mut self,
        now: Now,
        address: &Address,
        clean: bool,
        model_id: Option<String>,
        out: &mut Vec<Output>,
    ) -> Welcome {
        let before = self.clients.session(address).copied();
        let welcome = self.clients.connect(address, clean);
        // Most clients come back to what they had: then there is nothing to be stored.
        if self.clients.session(address) != before.as_ref() {
            self.changes.session(address);
        }
        if let Some(old) = welcome.replaced {
            self.release_messages(now, address, old);
            self.release_routed(now, address, old);
            out.push(Output::Deliver(old, Delivery::Close(Closing::Replaced)));
        }
        if let Some(identity) = self.registry.get_mut(address) {
            identity.connected = true;
            identity.connection_updated = Some(now.wall);
            identity.last_activity = Some(now.wall);
            if model_id.is_some() && identity.model_id != model_id {
                identity.model_id = model_id;
                self.changes.identity(address);
            }
        }
        self.changes.touch(address);
        if welcome.replaced.is_none() {
            self.capture.push(now.wall, address, Content::Connection { connected: true });
        }
        self.send_waiting(now, address, out);
        welcome
    }

    /// A connection has ended. Answers who is gone with it: nobody when another one took its place.
    pub fn disconnected(&mut self, now: Now, connection: ConnectionId) -> Option<Address> {
        let address = self.clients.disconnect(connection)?;
        self.release_messages(now, &address, connection);
        self.release_routed(now, &address, connection);
        // An Edge hub of its own may have been sent other routes while it was here.
        self.take_routes(now, &address);
        if let Some(identity) = self.registry.get_mut(&address) {
            identity.connected = false;
            identity.connection_updated = Some(now.wall);
        }
        self.changes.touch(&address);
        self.capture.push(now.wall, &address, Content::Connection { connected: false });
        Some(address)
    }

    /// What a connection is subscribed to.
    pub fn subscriptions(&self, connection: ConnectionId) -> Subscriptions {
        self.clients.get(connection).map(|client| client.subscriptions).unwrap_or_default()
    }

    /// Grants a subscription. Answers the quality and whether the filter has a meaning here.
    pub fn subscribe(
        &mut self,
        now: Now,
        connection: ConnectionId,
        filter: &str,
        quality: u8,
        out: &mut Vec<Output>,
    ) -> (Granted, bool) {
        let Some(address) = self.clients.get(connection).map(|client| client.address.clone()) else {
            return self.clients.subscribe(connection, filter, quality);
        };
        let before = self.clients.session(&address).copied();
        let granted = self.clients.subscribe(connection, filter, quality);
        if self.clients.session(&address) != before.as_ref() {
            self.changes.session(&address);
        }
        self.send_waiting(now, &address, out);
        granted
    }

    /// Takes a subscription back.
    pub fn unsubscribe(&mut self, connection: ConnectionId, filter: &str) {
        let Some(address) = self.clients.get(connection).map(|client| client.address.clone()) else { return };
        let before = self.clients.session(&address).copied();
        self.clients.unsubscribe(connection, filter);
        if self.clients.session(&address) != before.as_ref() {
            self.changes.session(&address);
        }
    }

    /// Takes a message: into the hub, or, of a module whose device has routes, to where they lead.
    pub fn message(
        &mut self,
        now: Now,
        address: &Address,
        bag: &str,
        body: Bytes,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let size = bag.len() + body.len();
        if size > MESSAGE_LIMIT {
            return Err(Fault::too_large(format!(
                "the message has {size} bytes, the most is {MESSAGE_LIMIT}"
            )));
        }
        let Some(identity) = self.registry.get_mut(address) else {
            return Err(self.registry.unknown(address));
        };
        identity.last_activity = Some(now.wall);
        // A slice would keep all that arrived together with it for as long as the event is kept.
        let body = if body.len() < SMALL { Bytes::copy_from_slice(&body) } else { body };
        let model_id = identity.model_id.clone();
        if self.is_routed(address) {
            self.route_message(now, address, bag, body, model_id, out);
        } else {
            let content = Content::Message { bag: bag.to_owned(), body, model_id };
            self.capture.push(now.wall, address, content);
        }
        Ok(())
    }

    /// The whole twin as the device sees it.
    pub fn device_twin(&self, address: &Address) -> Result<Value, Fault> {
        Ok(self.registry.need(address)?.twin.for_device())
    }

    /// Changes reported properties. Answers their version.
    pub fn report(
        &mut self,
        now: Now,
        address: &Address,
        body: &[u8],
        base: Option<&str>,
        out: &mut Vec<Output>,
    ) -> Result<u64, Fault> {
        let patch: Value = serde_json::from_slice(body)
            .map_err(|error| Fault::bad_request(format!("the reported properties are not JSON: {error}")))?;
        let base = base
            .map(|text| {
                text.parse().map_err(|_| Fault::bad_request("`$version` in the topic is not a number"))
            })
            .transpose()?;
        let identity = self.registry.need_mut(address)?;
        identity.last_activity = Some(now.wall);
        let version = identity.twin.report(&patch, base, now.wall)?;
        let twin_version = identity.twin.version;
        self.changes.twin(address);
        let routed = self.is_routed(address).then(|| patch.to_string());
        let mut reported = patch;
        if let Value::Object(members) = &mut reported {
            members.insert("$version".to_owned(), json!(version));
        }
        let body = json!({"version": twin_version, "properties": {"reported": reported}});
        self.capture.push(now.wall, address, Content::Twin(body));
        if let Some(change) = routed {
            self.route_twin_change(now, address, change, out);
        }
        Ok(version)
    }

    /// Takes a device's answer to a command. Answers whether anybody waited for it.
    pub fn method_answer(
        &mut self,
        address: &Address,
        rid: &str,
        status: &str,
        body: &[u8],
        out: &mut Vec<Output>,
    ) -> bool {
        match self.methods.answer(address, rid, status, body) {
            Some((call, outcome)) => {
                self.answer(call, outcome, out);
                true
            }
            None => false,
        }
    }
}
