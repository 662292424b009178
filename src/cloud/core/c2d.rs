//! Cloud-to-device messages: what a service sends, what a device takes, and how they come to each
//! other.
//!
//! Which of Azure's unpublished habits this follows: messages queue for every device that exists,
//! whether it ever had a session, is disabled, or asks for a clean one.

use std::sync::Arc;

use rand::Rng as _;

use super::changes;
use super::clients::ConnectionId;
use super::fault::Fault;
use super::feedback::{Held, Record};
use super::mailbox::{IN_FLIGHT, Kept, Taken};
use super::message::{LockToken, Message, Outgoing, Settle, guid};
use super::quota::Operation;
use super::registry::Address;
use super::{Core, Delivery, Output};
use crate::device::{DeviceId, Now};

impl Core {
    /// Takes a message for a device, and hands it over when the device listens.
    pub fn send_message(
        &mut self,
        now: Now,
        device: &DeviceId,
        sent: Outgoing,
        out: &mut Vec<Output>,
    ) -> Result<Arc<Message>, Fault> {
        let address = Address::device(device.clone());
        let generation = self.registry.need(&address)?.generation.clone();
        // Counted here, because there are several ways to send.
        self.allow(now, Operation::CloudToDevice)?;
        let id = match sent.message_id.clone().filter(|id| !id.is_empty()) {
            Some(id) => id,
            None => self.random_guid(),
        };
        let message = self.mailboxes.add(now, device, &generation, id, sent)?;
        self.mailbox_changed(device);
        self.send_messages(now, &address, out);
        Ok(message)
    }

    /// Empties a device's queue. Answers how many messages there were.
    pub fn purge_messages(&mut self, now: Now, device: &DeviceId) -> Result<usize, Fault> {
        self.registry.need(&Address::device(device.clone()))?;
        let (count, records) = self.mailboxes.purge(now, device);
        if count > 0 {
            self.mailbox_changed(device);
        }
        self.tell(now, records);
        Ok(count)
    }

    /// Puts the oldest message that waits into the hands of a device that asks for it.
    pub fn receive_message(&mut self, now: Now, device: &DeviceId) -> Result<Option<Taken>, Fault> {
        let address = Address::device(device.clone());
        self.registry.need_mut(&address)?.last_activity = Some(now.wall);
        let token = self.random_lock();
        Ok(self.mailboxes.take(now, device, token, None))
    }

    /// Settles a delivery, and hands over what waited for its place.
    pub fn settle_message(
        &mut self,
        now: Now,
        device: &DeviceId,
        lock: LockToken,
        settle: Settle,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let record = self.mailboxes.settle(now, device, lock, settle)?;
        self.mailbox_changed(device);
        self.tell(now, record);
        self.send_messages(now, &Address::device(device.clone()), out);
        Ok(())
    }

    /// Hands the oldest batch of feedback to a reader; it has 60 s to settle it.
    pub fn receive_feedback(&mut self, now: Now) -> Option<Held> {
        let token = self.random_lock();
        self.feedback.take(now, token)
    }

    /// Settles a batch of feedback.
    pub fn settle_feedback(&mut self, now: Now, lock: LockToken, settle: Settle) -> Result<(), Fault> {
        self.feedback.settle(now, lock, settle)
    }

    /// A device's queue as a store keeps it, named by [`changes::Record::Mailbox`]. `None` when
    /// there is none, or none any more: then the store forgets what it has.
    pub fn mailbox(&self, device: &DeviceId) -> Option<Kept> {
        self.mailboxes.kept(device)
    }

    /// Puts back a queue that a store has kept. The device has to be there before it: a queue of
    /// no device, or of another device of the same name, is dropped. Answers whether it was taken.
    /// What has expired meanwhile goes with the next [`Core::tick`].
    pub fn restore_mailbox(&mut self, now: Now, device: &DeviceId, kept: Kept) -> bool {
        let identity = self.registry.get(&Address::device(device.clone()));
        if identity.is_none_or(|identity| identity.generation != kept.generation) {
            return false;
        }
        self.mailboxes.restore(now, device, kept);
        self.mailbox_changed(device);
        true
    }

    /// Hands a device that listens what waits for it, as far as it may have it at once.
    pub(super) fn send_messages(&mut self, now: Now, address: &Address, out: &mut Vec<Output>) {
        let device = &address.device;
        if address.module.is_some() || self.mailboxes.count(device) == 0 {
            return;
        }
        let Some((connection, client)) = self.clients.online(address) else { return };
        let Some(quality) = client.subscriptions.device_bound else { return };
        while self.mailboxes.in_flight(device, connection) < IN_FLIGHT {
            let lock = self.random_lock();
            let Some(taken) = self.mailboxes.take(now, device, lock, Some(connection)) else { break };
            let delivery = Delivery::Message {
                quality,
                device: device.clone(),
                lock: taken.lock,
                message: taken.message,
            };
            out.push(Output::Deliver(connection, delivery));
        }
    }

    /// Puts back what a connection held that has ended.
    pub(super) fn release_messages(&mut self, now: Now, address: &Address, connection: ConnectionId) {
        if address.module.is_some() {
            return;
        }
        let (changed, records) = self.mailboxes.release(now, &address.device, connection);
        if changed {
            self.mailbox_changed(&address.device);
        }
        self.tell(now, records);
    }

    /// Forgets the queue of a device that is being deleted. Nobody is told: who deletes a device
    /// knows.
    pub(super) fn forget_messages(&mut self, address: &Address) {
        if address.module.is_none() && self.mailboxes.forget(&address.device) {
            self.changes.note(changes::Record::Mailbox(address.device.clone()));
        }
    }

    /// Does what time alone brings to messages and feedback.
    pub(super) fn tick_messages(&mut self, now: Now, out: &mut Vec<Output>) {
        let (devices, records) = self.mailboxes.tick(now);
        self.tell(now, records);
        for device in devices {
            self.mailbox_changed(&device);
            self.send_messages(now, &Address::device(device), out);
        }
        self.feedback.tick(now);
    }

    fn tell(&mut self, now: Now, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.feedback.push(now, record);
        }
    }

    fn mailbox_changed(&mut self, device: &DeviceId) {
        if let Some(identity) = self.registry.get_mut(&Address::device(device.clone())) {
            identity.messages = self.mailboxes.count(device);
        }
        self.changes.note(changes::Record::Mailbox(device.clone()));
    }

    fn random_lock(&mut self) -> LockToken {
        LockToken((u128::from(self.random.next_u64()) << 64) | u128::from(self.random.next_u64()))
    }

    /// A random GUID, version 4 of RFC 9562.
    fn random_guid(&mut self) -> String {
        let random = self.random_lock().0;
        let version = (random & !(0xf << 76)) | (0x4 << 76);
        guid((version & !(0x3 << 62)) | (0x2 << 62))
    }
}
