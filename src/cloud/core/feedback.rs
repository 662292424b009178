//! What became of messages whose senders asked: records, in batches, for whoever reads them.
//!
//! IoT Hub, "Send cloud-to-device messages from an IoT hub", message feedback.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::fault::Fault;
use super::message::{LockToken, Settle};
use crate::device::{Millis, Now};

/// Records in one batch at most.
const BATCH: usize = 64;
/// How long the first record of a batch waits for more.
const PATIENCE: Duration = Duration::from_secs(15);
/// Batches kept for readers; the oldest go first.
const BATCHES: usize = 64;
/// How long a batch is kept, and how long and how often a reader may hold it. IoT Hub, the
/// feedback queue's properties: by default an hour, 60 s, ten times.
const TTL: Duration = Duration::from_secs(3600);
const LOCK: Duration = Duration::from_secs(60);
const MOST_DELIVERIES: u32 = 10;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Status {
    /// The device took it.
    Success,
    /// Its time ran out.
    Expired,
    /// It was delivered too often without an acknowledgement.
    DeliveryCountExceeded,
    /// The device refused it.
    Rejected,
    /// A service emptied the queue.
    Purged,
}

impl Status {
    fn words(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Expired => "Message expired",
            Self::DeliveryCountExceeded => "Message delivery count exceeded",
            Self::Rejected => "Message rejected",
            Self::Purged => "Message purged",
        }
    }
}

/// The outcome of one message, as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Which message.
    pub original_message_id: String,
    /// When it came to this.
    pub enqueued_time_utc: String,
    /// What became of it.
    pub status_code: Status,
    /// The same in words.
    pub description: String,
    /// Which device.
    pub device_id: String,
    /// Which of the devices that ever had this name.
    pub device_generation_id: String,
}

impl Record {
    /// The outcome `status` of a message, come to at `at`.
    pub fn new(message: &str, status: Status, (device, generation): (&str, &str), at: Timestamp) -> Self {
        Self {
            original_message_id: message.to_owned(),
            enqueued_time_utc: at.to_string(),
            status_code: status,
            description: status.words().to_owned(),
            device_id: device.to_owned(),
            device_generation_id: generation.to_owned(),
        }
    }
}

/// A batch in a reader's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Names this delivery.
    pub lock: LockToken,
    /// Counts up from 1.
    pub sequence: u64,
    /// When the batch was closed.
    pub enqueued: Timestamp,
    /// How often it was given back before.
    pub deliveries: u32,
    /// Its records, oldest first.
    pub records: Arc<[Record]>,
}

#[derive(Debug)]
struct Batch {
    sequence: u64,
    enqueued: Timestamp,
    expires: Millis,
    records: Arc<[Record]>,
    deliveries: u32,
    lock: Option<(LockToken, Millis)>,
}

/// All feedback of a hub.
#[derive(Debug, Default)]
pub struct Feedback {
    open: Vec<Record>,
    closes: Option<Millis>,
    batches: VecDeque<Batch>,
    last: u64,
}

impl Feedback {
    /// Adds a record to the batch that is being filled.
    pub fn push(&mut self, now: Now, record: Record) {
        self.open.push(record);
        self.closes.get_or_insert(now.at + PATIENCE);
        if self.open.len() >= BATCH {
            self.close(now);
        }
    }

    /// The number of the latest batch that was closed.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// When the batch that is being filled has waited long enough.
    pub fn next_due(&self) -> Option<Millis> {
        self.closes
    }

    /// Closes the batch that is being filled when it has waited long enough.
    pub fn tick(&mut self, now: Now) {
        if self.closes.is_some_and(|closes| closes <= now.at) {
            self.close(now);
        }
    }

    fn close(&mut self, now: Now) {
        self.closes = None;
        let records: Arc<[Record]> = std::mem::take(&mut self.open).into();
        self.last += 1;
        self.batches.push_back(Batch {
            sequence: self.last,
            enqueued: now.wall,
            expires: now.at + TTL,
            records,
            deliveries: 0,
            lock: None,
        });
        while self.batches.len() > BATCHES {
            self.batches.pop_front();
        }
    }

    /// Hands the oldest batch that nobody holds to a reader, for [`LOCK`].
    pub fn take(&mut self, now: Now, token: LockToken) -> Option<Held> {
        self.tick(now);
        for batch in &mut self.batches {
            if batch.lock.is_some_and(|(_, ends)| ends <= now.at) {
                batch.lock = None;
                batch.deliveries += 1;
            }
        }
        self.batches.retain(|batch| {
            batch.lock.is_some() || (batch.expires > now.at && batch.deliveries < MOST_DELIVERIES)
        });
        let batch = self.batches.iter_mut().find(|batch| batch.lock.is_none())?;
        batch.lock = Some((token, now.at + LOCK));
        Some(Held {
            lock: token,
            sequence: batch.sequence,
            enqueued: batch.enqueued,
            deliveries: batch.deliveries,
            records: Arc::clone(&batch.records),
        })
    }

    /// Takes back a batch from a reader.
    pub fn settle(&mut self, now: Now, token: LockToken, settle: Settle) -> Result<(), Fault> {
        let held = |batch: &Batch| batch.lock.is_some_and(|(own, ends)| own == token && ends > now.at);
        let Some(index) = self.batches.iter().position(held) else {
            return Err(Fault::lock_lost("the batch of feedback is not held under this lock any more"));
        };
        if settle == Settle::Abandon {
            let batch = &mut self.batches[index];
            batch.lock = None;
            batch.deliveries += 1;
        } else {
            self.batches.remove(index);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now(millis: u64) -> Now {
        let wall = Timestamp::from_second(1_893_456_000).expect("a moment");
        Now { at: Millis(millis), wall }
    }

    fn record(id: usize) -> Record {
        Record::new(&id.to_string(), Status::Success, ("d", "g"), now(0).wall)
    }

    #[test]
    fn a_record_is_written_to_the_letter() {
        assert_eq!(
            serde_json::to_value(Record::new("7c1f", Status::DeliveryCountExceeded, ("d", "g"), now(0).wall))
                .expect("JSON"),
            json!({
                "originalMessageId": "7c1f", "enqueuedTimeUtc": "2030-01-01T00:00:00Z",
                "statusCode": "DeliveryCountExceeded", "description": "Message delivery count exceeded",
                "deviceId": "d", "deviceGenerationId": "g"
            })
        );
    }

    #[test]
    fn a_batch_is_closed_by_64_records_or_15_seconds() {
        let mut feedback = Feedback::default();
        for id in 0..65 {
            feedback.push(now(id * 10), record(usize::try_from(id).expect("a number")));
        }
        assert_eq!(feedback.next_due(), Some(Millis(15_640)));
        let first = feedback.take(now(1000), LockToken(1)).expect("a batch");
        assert_eq!((first.records.len(), first.sequence), (64, 1));
        assert_eq!(feedback.take(now(1000), LockToken(2)), None);
        feedback.tick(now(15_640));
        let second = feedback.take(now(15_640), LockToken(3)).expect("a batch");
        assert_eq!((second.records.len(), second.sequence), (1, 2));
        assert_eq!(feedback.next_due(), None);
    }

    #[test]
    fn a_batch_is_held_for_a_minute_and_ten_times() {
        let mut feedback = Feedback::default();
        feedback.push(now(0), record(1));
        let mut at = 15_000;
        for delivery in 0..10 {
            let held = feedback.take(now(at), LockToken(u128::from(delivery))).expect("a batch");
            assert_eq!(held.deliveries, delivery);
            at += 60_000;
            assert_eq!(
                feedback.settle(now(at), held.lock, Settle::Complete).map_err(|fault| fault.code),
                Err(412_002)
            );
        }
        assert_eq!(feedback.take(now(at), LockToken(99)), None);
    }

    #[test]
    fn a_batch_is_abandoned_completed_or_grows_old() {
        let mut feedback = Feedback::default();
        feedback.push(now(0), record(1));
        let held = feedback.take(now(15_000), LockToken(1)).expect("a batch");
        assert_eq!(feedback.settle(now(15_000), held.lock, Settle::Abandon), Ok(()));
        let held = feedback.take(now(15_000), LockToken(2)).expect("again");
        assert_eq!(feedback.settle(now(15_000), held.lock, Settle::Complete), Ok(()));
        assert_eq!(feedback.take(now(15_000), LockToken(3)), None);
        feedback.push(now(20_000), record(2));
        feedback.tick(now(35_000));
        assert_eq!(feedback.take(now(35_000 + 3_600_000), LockToken(4)), None);
    }

    #[test]
    fn what_nobody_reads_does_not_pile_up() {
        let mut feedback = Feedback::default();
        for id in 0..BATCH * (BATCHES + 3) {
            feedback.push(now(0), record(id));
        }
        assert_eq!(feedback.batches.len(), BATCHES);
        assert_eq!(feedback.take(now(0), LockToken(1)).expect("a batch").sequence, 4);
    }
}
