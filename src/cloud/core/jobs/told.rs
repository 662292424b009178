//! Jobs as they are written down: for services, for queries, and for a store.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{DeviceJob, DeviceStatus, Job, Status, Work, request};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::query::{Row, Step, lookup};
use crate::cloud::core::registry::{Address, Precondition};
use crate::device::ModuleId;

impl Job {
    /// The job as a service reads it: `JobResponse`.
    pub fn told(&self) -> Value {
        let statistics = &self.statistics;
        let mut told = json!({
            "jobId": self.id,
            "type": self.work.name(),
            "queryCondition": self.condition_text,
            "createdTime": self.created.to_string(),
            "startTime": self.start.or(self.began).unwrap_or(self.created).to_string(),
            "endTime": self.ended.map(|at| at.to_string()),
            "maxExecutionTimeInSeconds": self.most_seconds,
            "status": self.status.name(),
            "failureReason": self.failure,
            "statusMessage": self.message(),
            "deviceJobStatistics": {
                "deviceCount": statistics.devices,
                "failedCount": statistics.failed,
                "succeededCount": statistics.succeeded,
                "runningCount": statistics.running,
                "pendingCount": 0,
            },
        });
        match &self.work {
            Work::Method(call) => {
                told["cloudToDeviceMethod"] = serde_json::to_value(call).unwrap_or_default();
            }
            Work::UpdateTwin(update, condition) => {
                let etag = match condition {
                    Precondition::Any => "*",
                    Precondition::Etag(etag) => etag,
                };
                told["updateTwin"] = json!({"etag": etag});
                if let Some(tags) = &update.tags {
                    told["updateTwin"]["tags"] = Value::Object(tags.clone());
                }
                if let Some(desired) = &update.desired {
                    told["updateTwin"]["properties"] = json!({"desired": desired});
                }
            }
        }
        told
    }

    fn message(&self) -> Option<String> {
        (self.unrecorded > 0).then(|| {
            format!(
                "what became of {} devices is counted, but not recorded one by one: there was no more room",
                self.unrecorded
            )
        })
    }

    /// What has been done with each device, for queries of `devices.jobs`.
    pub fn devices(&self) -> impl Iterator<Item = DeviceJobRow<'_>> {
        self.devices.iter().map(|(address, record)| DeviceJobRow { job: self, address, record })
    }

    /// The job for a store, without what it did with each device.
    pub(in crate::cloud::core) fn record(&self) -> Value {
        let place = |address: &Address| {
            json!([address.device.as_str(), address.module.as_ref().map(ModuleId::as_str)])
        };
        json!({
            "job": self.told(),
            "begins": self.start.map(|at| at.to_string()),
            "began": self.began.map(|at| at.to_string()),
            "unrecorded": self.unrecorded,
            "number": self.number,
            "cursor": self.cursor.as_ref().map(place),
            "scanned": self.scanned,
        })
    }

    /// Reads it back. Commands that were under way are lost, and count as failed.
    pub(in crate::cloud::core) fn restore(record: &Value) -> Result<Self, Fault> {
        let bad = |what: &str| Fault::undeserializable(format!("the record of a job has no sound `{what}`"));
        let body = record["job"].as_object().ok_or_else(|| bad("job"))?;
        let time = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let id = body.get("jobId").and_then(Value::as_str).ok_or_else(|| bad("jobId"))?;
        let created = body.get("createdTime").and_then(time).ok_or_else(|| bad("createdTime"))?;
        let mut job = request::read(id, body, created)?;
        job.start = time(&record["begins"]);
        job.began = time(&record["began"]);
        job.ended = body.get("endTime").and_then(time);
        let status = body.get("status").and_then(Value::as_str).and_then(Status::parse);
        job.status = status.ok_or_else(|| bad("status"))?;
        job.failure = body.get("failureReason").and_then(Value::as_str).map(str::to_owned);
        let count = |name: &str| record["job"]["deviceJobStatistics"][name].as_u64().unwrap_or_default();
        job.statistics.devices = count("deviceCount");
        job.statistics.succeeded = count("succeededCount");
        job.statistics.failed = count("failedCount") + count("runningCount");
        job.unrecorded = record["unrecorded"].as_u64().unwrap_or_default();
        job.number = record["number"].as_u64().unwrap_or_default();
        job.scanned = record["scanned"].as_bool().unwrap_or_default();
        if let Some([device, module]) = record["cursor"].as_array().map(Vec::as_slice) {
            let device = device.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| bad("cursor"))?;
            let module = module.as_str().map(str::parse).transpose().map_err(|_| bad("cursor"))?;
            job.cursor = Some(Address { device, module });
        }
        Ok(job)
    }
}

/// What a job has done with a device, as a row of `devices.jobs`.
#[derive(Debug, Clone, Copy)]
pub struct DeviceJobRow<'a> {
    job: &'a Job,
    address: &'a Address,
    record: &'a DeviceJob,
}

impl Row for DeviceJobRow<'_> {
    fn value(&self, path: &[Step]) -> Option<Cow<'_, Value>> {
        let (first, rest) = path.split_first()?;
        // What conditions ask for most, without writing the rest.
        let text = match first.name()? {
            "deviceId" => self.address.device.as_str(),
            "jobId" => &self.job.id,
            "jobType" => self.job.work.name(),
            "status" => self.record.status.name(),
            _ => return lookup(&self.whole(), path).cloned().map(Cow::Owned),
        };
        rest.is_empty().then(|| Cow::Owned(json!(text)))
    }

    fn whole(&self) -> Value {
        let Self { job, address, record } = self;
        let mut told = Map::new();
        let mut set = |name: &str, value: Value| told.insert(name.to_owned(), value);
        set("deviceId", json!(address.device.as_str()));
        if let Some(module) = &address.module {
            set("moduleId", json!(module.as_str()));
        }
        set("jobId", json!(job.id));
        set("jobType", json!(job.work.name()));
        set("status", json!(record.status.name()));
        set("createdDateTimeUtc", json!(record.began.to_string()));
        set("startTimeUtc", json!(record.began.to_string()));
        if record.status != DeviceStatus::Running {
            set("endTimeUtc", json!(record.updated.to_string()));
        }
        set("lastUpdatedDateTimeUtc", json!(record.updated.to_string()));
        if let Some(answer) = &record.answer {
            let response = json!({"status": answer.status, "payload": answer.payload});
            set("outcome", json!({"deviceMethodResponse": response}));
        }
        if let Some((code, description)) = &record.error {
            set("error", json!({"code": code, "description": description}));
        }
        Value::Object(told)
    }
}
