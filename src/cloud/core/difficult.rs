//! Where a hub's limits and the trouble that was asked for take hold.

use std::borrow::Cow;

use super::clients::ConnectionId;
use super::fault::Fault;
use super::quota::{Operation, Quota};
use super::registry::Address;
use super::trouble::Trouble;
use super::{Closing, Core, Delivery, Output, Settings};
use crate::device::{DeviceId, Millis, Now};

/// The limits and the trouble of one cloud.
#[derive(Debug, Default)]
pub(super) struct Difficult {
    quota: Option<Quota>,
    trouble: Trouble,
    next_drop: Option<Millis>,
}

impl Difficult {
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.next_drop
    }
}

impl Core {
    /// Takes an operation out of the hub's allowance, or refuses it with 429 or 403.
    pub fn allow(&mut self, now: Now, operation: Operation) -> Result<(), Fault> {
        self.difficult.quota.as_mut().map_or(Ok(()), |quota| quota.take(now, operation))
    }

    /// Gives the hub a size, whose limits hold from now on, or takes its limits away.
    pub fn set_quota(&mut self, quota: Option<Quota>) {
        self.difficult.quota = quota;
    }

    /// The hub's limits and what has been used of them.
    pub fn quota(&self) -> Option<&Quota> {
        self.difficult.quota.as_ref()
    }

    /// What goes wrong at present.
    pub fn trouble(&self) -> &Trouble {
        &self.difficult.trouble
    }

    /// What goes wrong, for something that uses it up.
    pub fn trouble_mut(&mut self) -> &mut Trouble {
        &mut self.difficult.trouble
    }

    /// Lets things go wrong from now on. Devices that are sent elsewhere lose their connections.
    pub fn set_trouble(&mut self, now: Now, trouble: Trouble, out: &mut Vec<Output>) -> Result<(), Fault> {
        trouble.check()?;
        self.difficult.next_drop = trouble.next_drop(now.at);
        self.difficult.trouble = trouble;
        let gone: Vec<_> = self
            .clients
            .connected()
            .filter(|(_, address)| self.difficult.trouble.sent_elsewhere(address.device.as_str()).is_some())
            .map(|(connection, _)| connection)
            .collect();
        out.extend(gone.into_iter().map(|connection| close(connection, Closing::SentElsewhere)));
        Ok(())
    }

    /// Drops the connections of one device and its modules, or of all. Answers how many.
    pub fn drop_connections(&self, device: Option<&DeviceId>, out: &mut Vec<Output>) -> Result<usize, Fault> {
        if let Some(device) = device {
            self.device(device)?;
        }
        let before = out.len();
        let meant = |address: &Address| device.is_none_or(|device| *device == address.device);
        let dropped = self.clients.connected().filter(|(_, address)| meant(address));
        out.extend(dropped.map(|(connection, _)| close(connection, Closing::Dropped)));
        Ok(out.len() - before)
    }

    /// Whether the provisioning service takes one more request, or is as busy as was asked for.
    pub fn dps_takes_one(&mut self) -> Result<(), Fault> {
        let Some(wait) = self.difficult.trouble.dps_is_busy() else { return Ok(()) };
        let message = format!("the provisioning service is busy, as was asked for: try again in {wait} s");
        Err(Fault::busy(message, wait))
    }

    /// The settings as a registering device meets them: with another hub, when it was sent there.
    pub fn settings_for(&self, device: &str) -> Cow<'_, Settings> {
        match self.difficult.trouble.sent_elsewhere(device) {
            Some(hub) => Cow::Owned(Settings { assigned_hub: hub.to_owned(), ..self.settings.clone() }),
            None => Cow::Borrowed(&self.settings),
        }
    }

    pub(super) fn drop_when_due(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.difficult.next_drop.is_some_and(|due| due <= now.at) {
            self.difficult.next_drop = self.difficult.trouble.next_drop(now.at);
            // All of them are always there to be dropped.
            let _ = self.drop_connections(None, out);
        }
    }
}

fn close(connection: ConnectionId, why: Closing) -> Output {
    Output::Deliver(connection, Delivery::Close(why))
}
