//! What an IoT Hub and a provisioning service are, without their sockets: a state machine.
//!
//! [`Core`] has one method for each thing that a client or a service may ask. Time comes in with
//! every call, randomness as a seed at the beginning, and whatever has to reach *somebody else*
//! (a pushed patch, a command, the answer for a waiting caller) is appended to a list of
//! [`Output`]s.
//!
//! Never here: sockets, tasks, clocks, topics, HTTP, or anything of the device's state machine,
//! which this cloud judges and therefore must not share.
//!
//! In reading order: [`fault`], [`registry`], [`twins`], [`query`], [`rows`], [`auth`], [`x509`],
//! [`authorities`], [`clients`], [`methods`], [`provisioning`], [`capture`], [`message`], [`mailbox`],
//! [`feedback`], [`changes`], [`quota`], [`trouble`], then this file and [`identities`], [`bulk`],
//! [`service`], [`client`], [`c2d`] and [`kept`], which put them together, and what goes on by
//! itself over time: [`jobs`] and [`configurations`]. [`routes`] is what an Edge hub would do. Beside
//! all of it: [`firmware`].

pub mod auth;
pub mod authorities;
pub mod bulk;
pub mod c2d;
#[cfg(test)]
mod c2d_tests;
pub mod capture;
pub mod changes;
pub mod client;
pub mod clients;
pub mod configurations;
mod difficult;
pub mod fault;
pub mod feedback;
pub mod firmware;
pub mod identities;
pub mod jobs;
pub mod kept;
pub mod mailbox;
pub mod message;
pub mod methods;
pub mod provisioning;
pub mod query;
pub mod quota;
pub mod reading;
pub mod registry;
pub mod routes;
pub mod rows;
mod search;
pub mod service;
#[cfg(test)]
pub(in crate::cloud) mod testing;
#[cfg(test)]
mod tests;
pub mod trouble;
pub mod twins;
pub mod x509;

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use self::auth::{DEFAULT_POLICIES, Grant, HubNames, Policy, Refusal, Right};
use self::authorities::Authorities;
use self::capture::{Batch, Capture, PARTITIONS, Page, PartitionFacts};
use self::changes::Changes;
use self::clients::{Clients, ConnectionId};
use self::configurations::Configurations;
use self::difficult::Difficult;
use self::feedback::Feedback;
use self::jobs::Jobs;
use self::mailbox::Mailboxes;
use self::message::{LockToken, Message};
use self::methods::{CallId, Methods, Outcome};
use self::provisioning::{DEFAULT_GROUP, Enrolment, Provisioning};
use self::registry::{Address, Keys, Registry};
use self::routes::message::Routed;
use self::routes::routers::Routers;
use crate::device::{DeviceId, IdScope, Millis, Now};
use crate::wire::SharedKey;

/// How a cloud is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The hub's names.
    pub names: HubNames,
    /// The hub as it is told to devices: with its MQTT port when that is not 8883.
    pub assigned_hub: String,
    /// The provisioning service's ID scope.
    pub id_scope: IdScope,
    /// The enrolment group's key.
    pub group_key: SharedKey,
    /// What registering devices are told to wait, in seconds.
    pub retry_after: u64,
    /// How often a registering device is told to wait *after* it has asked: 0 assigns it when it
    /// first asks.
    pub waits: u32,
    /// How long a registering device is told to wait at least, in milliseconds.
    pub assigning_for: u64,
}

/// Something for somebody other than who asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// For a client.
    Deliver(ConnectionId, Delivery),
    /// For the caller of a command.
    Answer(CallId, Outcome),
}

/// What a client is given unasked.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// Desired properties have changed.
    Desired {
        /// Quality of service.
        quality: u8,
        /// The version after it.
        version: u64,
        /// The change, or all of them after a replacement, with `$version`.
        patch: Value,
    },
    /// A command.
    Method {
        /// Quality of service.
        quality: u8,
        /// Which call.
        call: CallId,
        /// Its name.
        name: String,
        /// The request as text; empty when there is none.
        payload: String,
    },
    /// A cloud-to-device message. With quality 0 it counts as delivered when it is sent, with
    /// quality 1 when it is acknowledged: whoever sends it settles it.
    Message {
        /// Quality of service.
        quality: u8,
        /// For whom.
        device: DeviceId,
        /// What [`Core::settle_message`] is told.
        lock: LockToken,
        /// The message.
        message: Arc<Message>,
    },
    /// A message that was routed to an input of a module. It is settled like
    /// [`Delivery::Message`].
    Routed {
        /// Quality of service.
        quality: u8,
        /// For whom.
        module: Address,
        /// On which of its inputs.
        input: Arc<str>,
        /// What [`Core::settle_routed`] is told.
        lock: LockToken,
        /// The message.
        message: Arc<Routed>,
    },
    /// The connection has to end.
    Close(Closing),
}

/// Why the hub ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Another connection of the same identity has come.
    Replaced,
    /// The identity has been deleted.
    Deleted,
    /// The identity has been disabled.
    Disabled,
    /// The way it proves who it is has been changed: other keys, or certificates.
    CredentialsChanged,
    /// Somebody asked for it.
    Dropped,
    /// The device has been sent to another hub.
    SentElsewhere,
}

/// A hub and a provisioning service.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    policies: Vec<Policy>,
    registry: Registry,
    authorities: Authorities,
    clients: Clients,
    methods: Methods,
    provisioning: Provisioning,
    capture: Capture,
    jobs: Jobs,
    configurations: Configurations,
    mailboxes: Mailboxes,
    feedback: Feedback,
    routers: Routers,
    difficult: Difficult,
    /// What a store has to be told.
    pub changes: Changes,
    random: StdRng,
}

impl Core {
    /// A cloud with nothing in it. Keys and names come from `seed`, which has to be a secret.
    pub fn new(settings: Settings, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        let policies = DEFAULT_POLICIES
            .iter()
            .map(|(name, rights)| Policy { name, rights, key: random_key(&mut random) })
            .collect();
        let mut core = Self {
            settings,
            policies,
            registry: Registry::default(),
            authorities: Authorities::default(),
            clients: Clients::default(),
            methods: Methods::default(),
            provisioning: Provisioning::default(),
            capture: Capture::default(),
            jobs: Jobs::default(),
            configurations: Configurations::default(),
            mailboxes: Mailboxes::default(),
            feedback: Feedback::default(),
            routers: Routers::default(),
            difficult: Difficult::default(),
            changes: Changes::default(),
            random,
        };
        core.add_default_group();
        core
    }

    fn add_default_group(&mut self) {
        let keys = Keys { primary: self.settings.group_key.clone(), secondary: random_key(&mut self.random) };
        let etag = self.random_name();
        // It has been there since before anybody looked at a clock.
        let group = Enrolment::plain_group(DEFAULT_GROUP, keys, etag, jiff::Timestamp::UNIX_EPOCH);
        // There is room for it: it is the first.
        let _ = self.provisioning.put(group);
    }

    /// How it is set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A policy's key.
    pub fn policy_key(&self, name: &str) -> Option<&SharedKey> {
        self.policies.iter().find(|policy| policy.name == name).map(|policy| &policy.key)
    }

    /// Checks a service's token for a path of the hub.
    pub fn authorize_service(&self, now: Now, token: &str, path: &str, right: Right) -> Result<(), Refusal> {
        auth::service(token, path, right, &self.settings.names, &self.policies, now.wall)
    }

    /// Checks a service's token for a connection that is kept.
    pub fn authorize_connection(&self, now: Now, token: &str, right: Right) -> Result<Grant, Refusal> {
        auth::grant(token, right, &self.settings.names, &self.policies, now.wall)
    }

    /// The events after number `after`.
    pub fn events(&self, after: u64, device: Option<&str>, most: usize) -> Batch {
        self.capture.after(after, device, most)
    }

    /// The events of a partition after number `after`, each with what is known of who sent it.
    pub fn partition_events(&self, after: u64, partition: u8, most: usize) -> Page {
        let mut page = self.capture.of_partition(after, partition, PARTITIONS, most);
        for event in &mut page.events {
            let identity = self.registry.get(&event.address);
            event.identity = identity.map(|it| (it.authentication.name(), it.generation.clone()));
        }
        page
    }

    /// What is known of a partition.
    pub fn partition_facts(&self, partition: u8) -> PartitionFacts {
        self.capture.facts(partition, PARTITIONS)
    }

    /// How many batches of feedback there have been.
    pub fn last_feedback(&self) -> u64 {
        self.feedback.last()
    }

    /// The number of the latest event.
    pub fn last_event(&self) -> u64 {
        self.capture.last()
    }

    /// A new name that nobody can guess: operations, generations, tracking ids.
    pub fn random_name(&mut self) -> String {
        format!("{:016x}{:016x}", self.random.next_u64(), self.random.next_u64())
    }

    fn random_keys(&mut self) -> Keys {
        Keys { primary: random_key(&mut self.random), secondary: random_key(&mut self.random) }
    }

    /// When [`Core::tick`] has something to do next.
    pub fn next_due(&self) -> Option<Millis> {
        let due = [
            self.methods.next_due(),
            self.mailboxes.next_due(),
            self.feedback.next_due(),
            self.routers.next_due(),
            self.difficult.next_due(),
            self.jobs.next_due(),
            self.configurations_due(),
        ];
        due.into_iter().flatten().min()
    }

    /// Does what time alone brings: ends calls that nobody has answered, messages' locks and lives,
    /// what goes wrong by the clock, and the next part of jobs and configurations: what takes long
    /// is done in parts, and [`Core::next_due`] says at once that there is more.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        for (call, fault) in self.methods.expire(now.at) {
            self.answer(call, Err(fault), out);
        }
        self.tick_messages(now, out);
        self.tick_routes(now, out);
        self.drop_when_due(now, out);
        self.work_on_jobs(now, out);
        self.work_on_configurations(now, out);
    }

    /// Sends what waits for `address`, now that it is online or listens.
    fn send_waiting(&mut self, now: Now, address: &Address, out: &mut Vec<Output>) {
        for call in self.methods.waiting(address) {
            self.send_call(now, call, out);
        }
        self.send_messages(now, address, out);
        self.send_routed(now, address, out);
    }

    fn send_call(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        let Some(call) = self.methods.get(id) else { return };
        let Some((connection, client)) = self.clients.online(&call.address) else { return };
        let Some(quality) = client.subscriptions.methods else { return };
        let (name, payload) = (call.name.clone(), call.payload.clone());
        out.push(Output::Deliver(connection, Delivery::Method { quality, call: id, name, payload }));
        self.methods.sent(id, now.at);
    }
}

/// A key of 32 random bytes, as Azure generates them.
fn random_key(random: &mut StdRng) -> SharedKey {
    let mut bytes = vec![0; 32];
    random.fill_bytes(&mut bytes);
    SharedKey::from_bytes(bytes).expect("32 bytes are a key")
}
