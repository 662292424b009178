//! Scheduled jobs: twin updates and commands for all devices that a condition selects.
//!
//! IoT Hub, "Schedule jobs on multiple devices". A job waits for its time and for its turn, then
//! goes through the identities in their order, a bounded number with every tick, so that a hundred
//! thousand devices never make anybody else wait for long.
//!
//! Never here: HTTP, clocks, and jobs that import or export identities through blob containers.
//!
//! In reading order: this file says what a job is, [`request`] reads one, [`told`] writes it down,
//! `book` keeps all of them, and `run` carries them out.

mod book;
pub mod request;
mod run;
#[cfg(test)]
mod tests;
pub mod told;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub(super) use self::book::Jobs;
use super::methods::CallId;
use super::query::Condition;
use super::registry::{Address, Precondition};
use super::twins::TwinUpdate;
use crate::device::Millis;
use crate::wire::service::{MethodCall, MethodResult};

/// The most jobs that wait or run.
pub const ACTIVE: usize = 100;
/// The most jobs that run at the same time, as in Azure's largest tier.
pub const RUNNING: usize = 10;
/// The most finished jobs that are remembered.
pub const FINISHED: usize = 1000;
/// How long finished jobs are remembered: Azure's 30 days.
pub const HISTORY_SECONDS: i64 = 30 * 24 * 3600;
/// The most records of what jobs did with single devices, over all jobs.
pub const DEVICE_RECORDS: usize = 200_000;
/// The most bytes of devices' answers in these records, over all jobs.
pub const ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// How many identities all jobs together look at with one tick.
pub const SLICE: usize = 500;
/// The most commands that all jobs together have under way.
pub const CALLS: usize = 500;

/// What a job does with each device.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// `scheduleUpdateTwin`: merges into the twin, where its etag is the one given.
    UpdateTwin(TwinUpdate, Precondition),
    /// `scheduleDeviceMethod`.
    Method(MethodCall),
}

impl Work {
    /// Its name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UpdateTwin(..) => UPDATE_TWIN,
            Self::Method(_) => DEVICE_METHOD,
        }
    }
}

/// The type of jobs that update twins.
pub const UPDATE_TWIN: &str = "scheduleUpdateTwin";
/// The type of jobs that invoke commands.
pub const DEVICE_METHOD: &str = "scheduleDeviceMethod";

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its time has not come.
    Scheduled,
    /// It waits for its turn.
    Queued,
    /// It goes through the devices.
    Running,
    /// It has been through with all of them, however it went with each.
    Completed,
    /// It ended before it was through.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl Status {
    /// All of them, with the names that queries may ask for besides.
    pub const NAMES: [&str; 8] =
        ["unknown", "enqueued", "scheduled", "queued", "running", "completed", "failed", "cancelled"];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Scheduled, Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// With how many devices a job is how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Found so far.
    pub devices: u64,
    /// Done.
    pub succeeded: u64,
    /// Not done, for whatever reason.
    pub failed: u64,
    /// Under way.
    pub running: u64,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name.
    pub id: String,
    /// What it does.
    pub work: Work,
    /// Which devices, as it was written.
    pub condition_text: String,
    condition: Condition,
    /// Not before.
    pub start: Option<Timestamp>,
    /// How long it may run.
    pub most_seconds: u64,
    /// When it was taken.
    pub created: Timestamp,
    /// When it began to run.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How far it is.
    pub status: Status,
    /// Why it failed.
    pub failure: Option<String>,
    /// With how many devices it is how far.
    pub statistics: Statistics,
    /// How many devices there is no record of, for want of room.
    pub unrecorded: u64,
    /// Jobs begin in the order in which they were taken.
    number: u64,
    /// When it begins while it is scheduled, when it is given up while it runs.
    due: Millis,
    /// The last identity it has looked at.
    cursor: Option<Address>,
    /// Whether it has looked at all of them.
    scanned: bool,
    calls: BTreeSet<CallId>,
    devices: BTreeMap<Address, DeviceJob>,
}

/// How far a job is with one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceStatus {
    /// Under way.
    Running,
    /// Done.
    Completed,
    /// Not done.
    Failed,
    /// The job was cancelled in between.
    Canceled,
}

impl DeviceStatus {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// What a job has done with one device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceJob {
    /// How far it is.
    pub status: DeviceStatus,
    /// When it began.
    pub began: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// What the device answered.
    pub answer: Option<MethodResult>,
    /// Azure's name for what went wrong, and words.
    pub error: Option<(&'static str, String)>,
}
