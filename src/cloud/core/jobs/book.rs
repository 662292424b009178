//! All jobs of a hub, with what bounds them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::{
    ANSWER_BYTES, CALLS, DEVICE_RECORDS, DeviceJob, FINISHED, HISTORY_SECONDS, Job, RUNNING, Status,
};
use crate::cloud::core::methods::{CallId, Outcome};
use crate::cloud::core::registry::Address;
use crate::device::{Millis, Now};

/// All jobs.
#[derive(Debug, Default)]
pub(in crate::cloud::core) struct Jobs {
    pub(super) all: BTreeMap<String, Job>,
    /// Those that wait or run.
    pub(super) active: BTreeSet<String>,
    /// Which job a command is for, and which device.
    pub(super) calls: HashMap<CallId, (String, Address)>,
    /// Outcomes that have come since the last tick. There are never more than calls.
    pub(super) outcomes: Vec<(CallId, Outcome)>,
    /// How many records of single devices there are, and how many bytes their answers have.
    records: usize,
    bytes: usize,
    last: u64,
    due: Option<Millis>,
}

fn size(record: &DeviceJob) -> usize {
    record.answer.as_ref().map_or(0, |answer| answer.payload.to_string().len())
}

impl Jobs {
    /// When there is something to do next.
    pub(in crate::cloud::core) fn next_due(&self) -> Option<Millis> {
        if self.outcomes.is_empty() { self.due } else { Some(Millis(0)) }
    }

    /// Takes the outcome of a command, when a job has invoked it; gives it back when not.
    pub(in crate::cloud::core) fn take_outcome(&mut self, call: CallId, outcome: Outcome) -> Option<Outcome> {
        if self.calls.contains_key(&call) {
            self.outcomes.push((call, outcome));
            None
        } else {
            Some(outcome)
        }
    }

    /// Adds a job; jobs begin in this order.
    pub(super) fn add(&mut self, mut job: Job) {
        self.last += 1;
        job.number = self.last;
        self.put(job);
    }

    /// Puts a job that a store has given back.
    pub(super) fn restore(&mut self, job: Job) {
        self.forget(&job.id);
        self.last = self.last.max(job.number);
        self.put(job);
    }

    fn put(&mut self, job: Job) {
        if !job.status.is_final() {
            self.active.insert(job.id.clone());
        }
        self.all.insert(job.id.clone(), job);
    }

    /// Works out anew when there is something to do next.
    pub(super) fn reckon(&mut self) {
        let running = self.running();
        let is_room = self.calls.len() < CALLS;
        self.due = self
            .active
            .iter()
            .filter_map(|id| self.all.get(id))
            .filter_map(|job| match job.status {
                Status::Queued => (running < RUNNING).then_some(Millis(0)),
                Status::Running if job.scanned && job.calls.is_empty() => Some(Millis(0)),
                Status::Running if !job.scanned && (is_room || !job.invokes()) => Some(Millis(0)),
                Status::Scheduled | Status::Running => Some(job.due),
                Status::Completed | Status::Failed | Status::Cancelled => None,
            })
            .min();
    }

    pub(super) fn running(&self) -> usize {
        self.active
            .iter()
            .filter(|id| self.all.get(*id).is_some_and(|job| job.status == Status::Running))
            .count()
    }

    /// The ids of waiting or running jobs, in the order in which they were taken.
    pub(super) fn in_order(&self) -> Vec<String> {
        let mut jobs: Vec<_> = self.active.iter().filter_map(|id| self.all.get(id)).collect();
        jobs.sort_by_key(|job| job.number);
        jobs.into_iter().map(|job| job.id.clone()).collect()
    }

    /// Puts down what is done with a device. When there is no room, records of the oldest finished
    /// jobs go, then what is put down is only counted. `is_first` says that nothing has been put
    /// down about this device before.
    pub(super) fn put_down(
        &mut self,
        job: &mut Job,
        address: &Address,
        mut record: DeviceJob,
        is_first: bool,
    ) {
        let mut needed = size(&record);
        while (self.records >= DEVICE_RECORDS || self.bytes + needed > ANSWER_BYTES) && self.drop_oldest() {}
        if let Some(old) = job.devices.remove(address) {
            self.records -= 1;
            self.bytes -= size(&old).min(self.bytes);
        } else if !is_first {
            // There was no room for it when it began, and it has been counted then.
            return;
        }
        if self.records >= DEVICE_RECORDS {
            job.unrecorded += 1;
            return;
        }
        if self.bytes + needed > ANSWER_BYTES {
            record.answer = None;
            let words =
                format!("the device answered with {needed} bytes, which are not kept: there is no more room");
            record.error = Some(("AnswerNotKept", words));
            needed = 0;
        }
        self.records += 1;
        self.bytes += needed;
        job.devices.insert(address.clone(), record);
    }

    /// Forgets what the oldest finished job did with each device. Answers whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let finished = self.all.values_mut().filter(|job| job.status.is_final() && !job.devices.is_empty());
        let Some(job) = finished.min_by_key(|job| job.number) else { return false };
        let gone = std::mem::take(&mut job.devices);
        job.unrecorded += gone.len() as u64;
        self.records -= gone.len().min(self.records);
        self.bytes -= gone.values().map(size).sum::<usize>().min(self.bytes);
        true
    }

    /// Forgets finished jobs that are too old, or too many. Answers their names.
    pub(super) fn forget_old(&mut self, now: Timestamp) -> Vec<String> {
        let oldest = now.as_second() - HISTORY_SECONDS;
        let mut finished: Vec<_> = self.all.values().filter(|job| job.status.is_final()).collect();
        finished.sort_by_key(|job| job.number);
        let surplus = finished.len().saturating_sub(FINISHED);
        let is_old = |job: &Job| job.ended.is_some_and(|ended| ended.as_second() < oldest);
        let gone: Vec<_> = finished
            .into_iter()
            .enumerate()
            .filter(|(place, job)| *place < surplus || is_old(job))
            .map(|(_, job)| job.id.clone())
            .collect();
        for id in &gone {
            self.forget(id);
        }
        gone
    }

    /// Forgets a job.
    pub(super) fn forget(&mut self, id: &str) {
        self.active.remove(id);
        if let Some(job) = self.all.remove(id) {
            for call in &job.calls {
                self.calls.remove(call);
            }
            self.records -= job.devices.len().min(self.records);
            self.bytes -= job.devices.values().map(size).sum::<usize>().min(self.bytes);
        }
        self.reckon();
    }

    /// Ends what is left of a job that has got its last status.
    pub(super) fn finished(&mut self, job: &mut Job, now: Now) {
        job.ended = Some(now.wall);
        self.active.remove(&job.id);
        for call in std::mem::take(&mut job.calls) {
            self.calls.remove(&call);
        }
    }
}
