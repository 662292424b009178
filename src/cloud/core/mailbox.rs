//! The queues of cloud-to-device messages, one for each device.
//!
//! IoT Hub, "Send cloud-to-device messages from an IoT hub": a message is enqueued, then invisible
//! while a device holds it, then completed, rejected, or enqueued again. What can never be
//! delivered is dropped, and its sender told when that was asked for.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::clients::ConnectionId;
use super::fault::Fault;
use super::feedback::{Record, Status};
use super::message::{Ack, LockToken, Message, Outgoing, Settle};
use crate::device::{DeviceId, Millis, Now};

/// Messages in one queue at most, those in a device's hands included.
pub const DEPTH: usize = 50;
/// How long a device may take to settle a message.
pub const LOCK: Duration = Duration::from_secs(60);
/// How often a message is delivered.
pub const MOST_DELIVERIES: u32 = 10;
/// Messages that one connection has unacknowledged at most: as many as Edge hub takes from the
/// other side. The rest waits, so that a slow device does not use up deliveries it never sees.
pub const IN_FLIGHT: usize = 16;

/// A message in a device's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Names this delivery.
    pub lock: LockToken,
    /// How often it came back before.
    pub deliveries: u32,
    /// The message.
    pub message: Arc<Message>,
}

/// A queue as it is kept between runs. Locks are not: after a start nobody holds anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which of the devices that ever had this name.
    pub generation: String,
    /// The number of the latest message, which may have gone long ago.
    pub last_sequence: u64,
    /// The messages by number, each with how often it came back.
    pub messages: Vec<(Arc<Message>, u32)>,
}

#[derive(Debug)]
struct Lock {
    token: LockToken,
    ends: Millis,
    /// `None` for a device that came over HTTPS.
    holder: Option<ConnectionId>,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    deliveries: u32,
    expires: Millis,
    lock: Option<Lock>,
}

impl Entry {
    /// When time alone changes something. A message does not expire in a device's hands.
    fn due(&self) -> Millis {
        self.lock.as_ref().map_or(self.expires, |lock| lock.ends)
    }
}

#[derive(Debug)]
struct Mailbox {
    generation: String,
    last: u64,
    /// By number: what comes back keeps its place.
    queue: VecDeque<Entry>,
}

impl Mailbox {
    fn position(&self, sequence: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&sequence, |entry| entry.message.sequence).ok()
    }
}

/// The queues of all devices that were ever sent something.
#[derive(Debug, Default)]
pub struct Mailboxes {
    boxes: HashMap<DeviceId, Mailbox>,
    /// One entry for each message: when time alone changes something about it.
    due: BTreeSet<(Millis, DeviceId, u64)>,
}

impl Mailboxes {
    /// Takes a message for the device that has this `generation`.
    pub fn add(
        &mut self,
        now: Now,
        device: &DeviceId,
        generation: &str,
        id: String,
        sent: Outgoing,
    ) -> Result<Arc<Message>, Fault> {
        let expiry = sent.check(now.wall)?;
        if self.boxes.get(device).is_some_and(|mailbox| mailbox.generation != generation) {
            self.forget(device);
        }
        let mailbox = self.boxes.entry(device.clone()).or_insert_with(|| Mailbox {
            generation: generation.to_owned(),
            last: 0,
            queue: VecDeque::new(),
        });
        if mailbox.queue.len() >= DEPTH {
            return Err(Fault::queue_full(device.as_str(), DEPTH));
        }
        mailbox.last += 1;
        let message = Arc::new(Message { id, sequence: mailbox.last, enqueued: now.wall, expiry, sent });
        let expires = now.at_wall(expiry);
        self.due.insert((expires, device.clone(), message.sequence));
        let entry = Entry { message: Arc::clone(&message), deliveries: 0, expires, lock: None };
        mailbox.queue.push_back(entry);
        Ok(message)
    }

    /// Puts the oldest message that nobody holds into a device's hands.
    pub fn take(
        &mut self,
        now: Now,
        device: &DeviceId,
        token: LockToken,
        holder: Option<ConnectionId>,
    ) -> Option<Taken> {
        let mailbox = self.boxes.get_mut(device)?;
        let free = |entry: &&mut Entry| entry.lock.is_none() && entry.expires > now.at;
        let entry = mailbox.queue.iter_mut().find(free)?;
        let sequence = entry.message.sequence;
        self.due.remove(&(entry.due(), device.clone(), sequence));
        entry.lock = Some(Lock { token, ends: now.at + LOCK, holder });
        self.due.insert((entry.due(), device.clone(), sequence));
        Some(Taken { lock: token, deliveries: entry.deliveries, message: Arc::clone(&entry.message) })
    }

    /// How many messages a connection has unacknowledged.
    pub fn in_flight(&self, device: &DeviceId, connection: ConnectionId) -> usize {
        let held = |entry: &&Entry| entry.lock.as_ref().is_some_and(|lock| lock.holder == Some(connection));
        self.boxes.get(device).map_or(0, |mailbox| mailbox.queue.iter().filter(held).count())
    }

    /// Settles a delivery. Answers what its sender is to be told.
    pub fn settle(
        &mut self,
        now: Now,
        device: &DeviceId,
        token: LockToken,
        settle: Settle,
    ) -> Result<Option<Record>, Fault> {
        let held = |entry: &&Entry| {
            entry.lock.as_ref().is_some_and(|lock| lock.token == token && lock.ends > now.at)
        };
        let entry = self.boxes.get(device).and_then(|mailbox| mailbox.queue.iter().find(held));
        let Some(sequence) = entry.map(|entry| entry.message.sequence) else {
            let message = format!("`{device}` does not hold a message under this lock any more");
            return Err(Fault::lock_lost(message));
        };
        Ok(match settle {
            Settle::Complete => self.remove(now, device, sequence, Status::Success),
            Settle::Reject => self.remove(now, device, sequence, Status::Rejected),
            Settle::Abandon => self.give_back(now, device, sequence),
        })
    }

    /// Puts back what a connection held that has ended. Answers whether that was anything, and
    /// what senders are to be told.
    pub fn release(&mut self, now: Now, device: &DeviceId, connection: ConnectionId) -> (bool, Vec<Record>) {
        let held = |entry: &&Entry| entry.lock.as_ref().is_some_and(|lock| lock.holder == Some(connection));
        let Some(mailbox) = self.boxes.get(device) else { return (false, Vec::new()) };
        let sequences: Vec<_> =
            mailbox.queue.iter().filter(held).map(|entry| entry.message.sequence).collect();
        let records =
            sequences.iter().filter_map(|sequence| self.give_back(now, device, *sequence)).collect();
        (!sequences.is_empty(), records)
    }

    /// Empties a queue, whatever a device holds of it included. Answers how many messages there
    /// were, and what their senders are to be told.
    pub fn purge(&mut self, now: Now, device: &DeviceId) -> (usize, Vec<Record>) {
        let Some(mailbox) = self.boxes.get(device) else { return (0, Vec::new()) };
        let sequences: Vec<_> = mailbox.queue.iter().map(|entry| entry.message.sequence).collect();
        let purge = |sequence: &u64| self.remove(now, device, *sequence, Status::Purged);
        let records = sequences.iter().filter_map(purge).collect();
        (sequences.len(), records)
    }

    /// Ends locks and messages whose time is over. Answers the devices whose queues have changed,
    /// and what senders are to be told.
    pub fn tick(&mut self, now: Now) -> (BTreeSet<DeviceId>, Vec<Record>) {
        let (mut devices, mut records) = (BTreeSet::new(), Vec::new());
        while let Some((at, device, sequence)) = self.due.first() {
            if *at > now.at {
                break;
            }
            let (device, sequence) = (device.clone(), *sequence);
            let locked = self.entry(&device, sequence).map(|entry| entry.lock.is_some());
            let record = match locked {
                Some(true) => self.give_back(now, &device, sequence),
                Some(false) => self.remove(now, &device, sequence, Status::Expired),
                None => {
                    self.due.pop_first();
                    None
                }
            };
            records.extend(record);
            devices.insert(device);
        }
        (devices, records)
    }

    /// When [`Mailboxes::tick`] has something to do next.
    pub fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(at, _, _)| *at)
    }

    /// Forgets the queue of a device that is gone. Answers whether there was one.
    pub fn forget(&mut self, device: &DeviceId) -> bool {
        let Some(mailbox) = self.boxes.remove(device) else { return false };
        for entry in &mailbox.queue {
            self.due.remove(&(entry.due(), device.clone(), entry.message.sequence));
        }
        true
    }

    /// How many messages wait or are in the device's hands.
    pub fn count(&self, device: &DeviceId) -> usize {
        self.boxes.get(device).map_or(0, |mailbox| mailbox.queue.len())
    }

    /// A queue, to be kept.
    pub fn kept(&self, device: &DeviceId) -> Option<Kept> {
        let mailbox = self.boxes.get(device)?;
        let messages =
            mailbox.queue.iter().map(|entry| (Arc::clone(&entry.message), entry.deliveries)).collect();
        Some(Kept { generation: mailbox.generation.clone(), last_sequence: mailbox.last, messages })
    }

    /// Puts a kept queue in the place of whatever is there.
    pub fn restore(&mut self, now: Now, device: &DeviceId, kept: Kept) {
        self.forget(device);
        let mut messages = kept.messages;
        // A store is somebody else's: what follows depends on the order and the numbers.
        messages.sort_by_key(|(message, _)| message.sequence);
        messages.dedup_by_key(|(message, _)| message.sequence);
        let queue: VecDeque<_> = messages
            .into_iter()
            .map(|(message, deliveries)| {
                let expires = now.at_wall(message.expiry);
                Entry { message, deliveries, expires, lock: None }
            })
            .collect();
        for entry in &queue {
            self.due.insert((entry.due(), device.clone(), entry.message.sequence));
        }
        let newest = queue.back().map_or(0, |entry| entry.message.sequence);
        let last = kept.last_sequence.max(newest);
        self.boxes.insert(device.clone(), Mailbox { generation: kept.generation, last, queue });
    }

    fn entry(&self, device: &DeviceId, sequence: u64) -> Option<&Entry> {
        let mailbox = self.boxes.get(device)?;
        mailbox.queue.get(mailbox.position(sequence)?)
    }

    /// An unfinished delivery: the message keeps its place, unless this was its last chance.
    fn give_back(&mut self, now: Now, device: &DeviceId, sequence: u64) -> Option<Record> {
        let mailbox = self.boxes.get_mut(device)?;
        let index = mailbox.position(sequence)?;
        let entry = mailbox.queue.get_mut(index)?;
        self.due.remove(&(entry.due(), device.clone(), sequence));
        entry.lock = None;
        entry.deliveries += 1;
        let (deliveries, expires) = (entry.deliveries, entry.expires);
        self.due.insert((expires, device.clone(), sequence));
        if deliveries >= MOST_DELIVERIES {
            self.remove(now, device, sequence, Status::DeliveryCountExceeded)
        } else if expires <= now.at {
            self.remove(now, device, sequence, Status::Expired)
        } else {
            None
        }
    }

    fn remove(&mut self, now: Now, device: &DeviceId, sequence: u64, status: Status) -> Option<Record> {
        let mailbox = self.boxes.get_mut(device)?;
        let entry = mailbox.queue.remove(mailbox.position(sequence)?)?;
        self.due.remove(&(entry.due(), device.clone(), sequence));
        let wanted = match entry.message.sent.ack {
            Ack::None => false,
            Ack::Full => true,
            Ack::Positive => status == Status::Success,
            Ack::Negative => status != Status::Success,
        };
        let whose = (device.as_str(), mailbox.generation.as_str());
        wanted.then(|| Record::new(&entry.message.id, status, whose, now.wall))
    }
}
