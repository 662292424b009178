//! Carrying jobs out, a part with every tick.

use std::time::Duration;

use serde_json::{Map, Value};

use super::told::DeviceJobRow;
use super::{ACTIVE, CALLS, DeviceJob, DeviceStatus, Job, RUNNING, SLICE, Status, Work, request};
use crate::cloud::core::changes::Record;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::methods::{CallId, Outcome};
use crate::cloud::core::query::Source;
use crate::cloud::core::registry::{Address, Identity};
use crate::cloud::core::rows::IdentityRow;
use crate::cloud::core::service::Write;
use crate::cloud::core::{Core, Output};
use crate::device::Now;

impl Job {
    pub(super) fn invokes(&self) -> bool {
        matches!(self.work, Work::Method(_))
    }

    fn selects(&self, identity: &Identity) -> bool {
        let wants_modules = self.condition.source == Some(Source::Modules);
        wants_modules == identity.address.module.is_some()
            && (self.condition.is_empty() || self.condition.selects(&IdentityRow(identity)))
    }

    /// When it is to begin, or is to be given up, on the clock of ticks.
    fn set_due(&mut self, now: Now) {
        let at = match (self.status, self.start, self.began) {
            (Status::Scheduled, Some(start), _) => start.as_millisecond(),
            (Status::Running, _, Some(began)) => {
                let most = i64::try_from(self.most_seconds).unwrap_or(i64::MAX);
                began.as_millisecond().saturating_add(most.saturating_mul(1000))
            }
            _ => now.wall.as_millisecond(),
        };
        let left = at.saturating_sub(now.wall.as_millisecond());
        self.due = now.at + Duration::from_millis(u64::try_from(left).unwrap_or(0));
    }
}

impl Core {
    /// Takes a job, as the body of its request describes it.
    pub fn create_job(&mut self, now: Now, id: &str, body: &Map<String, Value>) -> Result<&Job, Fault> {
        let mut job = request::read(id, body, now.wall)?;
        for gone in self.jobs.forget_old(now.wall) {
            self.changes.note(Record::Job(gone));
        }
        if self.jobs.all.contains_key(id) {
            return Err(Fault::job_exists(id));
        }
        if self.jobs.active.len() >= ACTIVE {
            return Err(Fault::too_many_jobs(ACTIVE));
        }
        if job.start.is_some_and(|start| start > now.wall) {
            job.status = Status::Scheduled;
            job.set_due(now);
        }
        self.jobs.add(job);
        self.jobs.reckon();
        self.changes.note(Record::Job(id.to_owned()));
        self.job(id)
    }

    /// A job.
    pub fn job(&self, id: &str) -> Result<&Job, Fault> {
        self.jobs.all.get(id).ok_or_else(|| Fault::unknown_job(id))
    }

    /// All jobs by name.
    pub fn all_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.all.values()
    }

    /// What jobs have done with each device: the rows of `devices.jobs`.
    pub fn device_jobs(&self) -> impl Iterator<Item = DeviceJobRow<'_>> {
        self.jobs.all.values().flat_map(Job::devices)
    }

    /// Ends a job that waits or runs. What it has done stays done.
    pub fn cancel_job(&mut self, now: Now, id: &str) -> Result<&Job, Fault> {
        let status = self.job(id)?.status;
        if status.is_final() {
            return Err(Fault::bad_request(format!(
                "the job `{id}` cannot be cancelled: it has ended already and is {}",
                status.name()
            )));
        }
        self.with_job(id, |core, job| {
            core.end_job(now, job, Status::Cancelled, None);
        });
        self.job(id)
    }

    /// A job for a store: without what it did with each device, which is not kept. `None` when it
    /// is gone. [`Record::Job`] says when it has changed.
    pub fn job_record(&self, id: &str) -> Option<Value> {
        self.jobs.all.get(id).map(Job::record)
    }

    /// Takes a job that a store has kept, in the form of [`Core::job_record`]. It goes on where it
    /// was; commands that were under way then count as failed.
    pub fn restore_job(&mut self, now: Now, record: &Value) -> Result<(), Fault> {
        let mut job = Job::restore(record)?;
        job.set_due(now);
        self.cancel_calls_of(&job.id);
        self.jobs.restore(job);
        self.jobs.reckon();
        Ok(())
    }

    /// Forgets a job that is not stored, and its commands.
    pub fn forget_job(&mut self, id: &str) {
        self.cancel_calls_of(id);
        self.jobs.forget(id);
    }

    /// Gives up the commands of a job that is about to be another, or none.
    fn cancel_calls_of(&mut self, id: &str) {
        if let Some(job) = self.jobs.all.get(id) {
            for call in job.calls.clone() {
                self.methods.cancel(call);
            }
        }
    }

    /// Gives the outcome of a command to whoever has invoked it: a job, or a waiting caller.
    pub(in crate::cloud::core) fn answer(&mut self, call: CallId, outcome: Outcome, out: &mut Vec<Output>) {
        if let Some(outcome) = self.jobs.take_outcome(call, outcome) {
            out.push(Output::Answer(call, outcome));
        }
    }

    /// Does what jobs have to do by now, at most [`SLICE`] identities of it.
    pub(in crate::cloud::core) fn work_on_jobs(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.jobs.next_due().is_none_or(|due| due > now.at) {
            return;
        }
        for (call, outcome) in std::mem::take(&mut self.jobs.outcomes) {
            let Some((id, address)) = self.jobs.calls.remove(&call) else { continue };
            self.with_job(&id, |core, job| {
                job.calls.remove(&call);
                job.statistics.running = job.statistics.running.saturating_sub(1);
                core.put_outcome(now, job, &address, outcome, false);
            });
        }
        let ids = self.jobs.in_order();
        for id in &ids {
            self.with_job(id, |core, job| core.move_on(now, job));
        }
        let running = self.jobs.running().max(1);
        for id in &ids {
            self.with_job(id, |core, job| {
                if job.status == Status::Running {
                    core.step(now, job, SLICE / running, out);
                    if job.scanned && job.calls.is_empty() {
                        core.end_job(now, job, Status::Completed, None);
                    }
                }
            });
        }
        self.jobs.reckon();
    }

    /// Takes a job out of the book for as long as it is worked on.
    fn with_job(&mut self, id: &str, act: impl FnOnce(&mut Self, &mut Job)) {
        let Some(mut job) = self.jobs.all.remove(id) else { return };
        let (status, statistics, cursor) = (job.status, job.statistics, job.cursor.clone());
        act(self, &mut job);
        if job.status != status || job.statistics != statistics || job.cursor != cursor {
            self.changes.note(Record::Job(id.to_owned()));
        }
        self.jobs.all.insert(id.to_owned(), job);
        self.jobs.reckon();
    }

    /// Begins a job whose time and turn have come, and gives up one whose time is over.
    fn move_on(&mut self, now: Now, job: &mut Job) {
        if job.status == Status::Scheduled && job.due <= now.at {
            job.status = Status::Queued;
        }
        if job.status == Status::Queued && self.jobs.running() < RUNNING {
            job.status = Status::Running;
            job.began = Some(now.wall);
            job.set_due(now);
        } else if job.status == Status::Running && job.due <= now.at {
            let why = format!("the job did not end within the {} s that it may take", job.most_seconds);
            self.end_job(now, job, Status::Failed, Some(why));
        }
    }

    /// Looks at the next identities and does with them what the job says.
    fn step(&mut self, now: Now, job: &mut Job, most: usize, out: &mut Vec<Output>) {
        for _ in 0..most {
            if job.invokes() && self.jobs.calls.len() >= CALLS {
                return;
            }
            let next = self.registry.following(job.cursor.as_ref()).next();
            let Some(identity) = next else {
                job.scanned = true;
                return;
            };
            let (address, selected) = (identity.address.clone(), job.selects(identity));
            job.cursor = Some(address.clone());
            if selected {
                job.statistics.devices += 1;
                self.work_on(now, job, &address, out);
            }
        }
    }

    fn work_on(&mut self, now: Now, job: &mut Job, address: &Address, out: &mut Vec<Output>) {
        let outcome = match &job.work {
            Work::UpdateTwin(update, condition) => {
                self.write_twin(now, address, update, Write::Merge, condition, out).map(|_| None)
            }
            Work::Method(request) => self.invoke(now, address, request, out).map(Some),
        };
        let record = DeviceJob {
            status: DeviceStatus::Completed,
            began: now.wall,
            updated: now.wall,
            answer: None,
            error: None,
        };
        match outcome {
            Ok(None) => {
                job.statistics.succeeded += 1;
                self.jobs.put_down(job, address, record, true);
            }
            Ok(Some(call)) => {
                job.statistics.running += 1;
                job.calls.insert(call);
                self.jobs.calls.insert(call, (job.id.clone(), address.clone()));
                self.jobs.put_down(job, address, DeviceJob { status: DeviceStatus::Running, ..record }, true);
            }
            Err(fault) => self.put_outcome(now, job, address, Err(fault), true),
        }
    }

    fn put_outcome(&mut self, now: Now, job: &mut Job, address: &Address, outcome: Outcome, is_first: bool) {
        let began = job.devices.get(address).map_or(now.wall, |record| record.began);
        let (status, answer, error) = match outcome {
            Ok(answer) => {
                job.statistics.succeeded += 1;
                (DeviceStatus::Completed, Some(answer), None)
            }
            Err(fault) => {
                job.statistics.failed += 1;
                (DeviceStatus::Failed, None, Some((fault.name, fault.message)))
            }
        };
        let record = DeviceJob { status, began, updated: now.wall, answer, error };
        self.jobs.put_down(job, address, record, is_first);
    }

    fn end_job(&mut self, now: Now, job: &mut Job, status: Status, failure: Option<String>) {
        for call in job.calls.clone() {
            self.methods.cancel(call);
            job.statistics.running = job.statistics.running.saturating_sub(1);
            job.statistics.failed += 1;
            let Some((_, address)) = self.jobs.calls.remove(&call) else { continue };
            if let Some(record) = job.devices.get_mut(&address) {
                record.updated = now.wall;
                record.status = DeviceStatus::Canceled;
                if let Some(why) = &failure {
                    record.status = DeviceStatus::Failed;
                    record.error = Some(("JobTimedOut", why.clone()));
                }
            }
        }
        job.status = status;
        job.failure = failure;
        self.jobs.finished(job, now);
    }
}
