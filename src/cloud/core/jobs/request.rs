//! Reading a job as a service writes it. IoT Hub REST, `JobRequest`.

use crate::cloud::core::reading;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{DEVICE_METHOD, Job, Statistics, Status, UPDATE_TWIN, Work};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::methods::Methods;
use crate::cloud::core::query::{Condition, Source};
use crate::cloud::core::registry::Precondition;
use crate::cloud::core::twins::{Twin, TwinUpdate};
use crate::device::{DeviceId, Millis};
use crate::wire::service::MethodCall;

/// How long a job may run when nobody says: what Azure's SDKs send then.
const MOST_SECONDS: u64 = 3600;
const MOST_SECONDS_LIMIT: u64 = 30 * 24 * 3600;

/// Reads a job that is to be called `id`, taken at `now`.
pub fn read(id: &str, body: &Map<String, Value>, now: Timestamp) -> Result<Job, Fault> {
    // Jobs have names like devices; `query` is what the path of all jobs ends with.
    id.parse::<DeviceId>().map_err(|error| Fault::bad_request(format!("the job id is not one: {error}")))?;
    if id == "query" {
        return Err(Fault::bad_request(
            "a job cannot be called `query`: that is the path that lists all jobs",
        ));
    }
    if let Some(named) = text(body, "jobId")?
        && named != id
    {
        return Err(Fault::bad_request(format!("the body has `jobId` `{named}`, the path is about `{id}`")));
    }
    let work = work(body, now)?;
    let condition_text = text(body, "queryCondition")?.unwrap_or_default().to_owned();
    let condition = Condition::parse(&condition_text)
        .map_err(|error| Fault::bad_request(format!("`queryCondition`: {error}")))?;
    if condition.source == Some(Source::DeviceJobs) {
        return Err(Fault::bad_request("a job works on devices or devices.modules, not on devices.jobs"));
    }
    let most_seconds = match body.get("maxExecutionTimeInSeconds") {
        None | Some(Value::Null) => MOST_SECONDS,
        Some(value) => value.as_u64().filter(|most| (1..=MOST_SECONDS_LIMIT).contains(most)).ok_or_else(|| {
            Fault::bad_request(format!(
                "`maxExecutionTimeInSeconds` is {value}, it has to be a whole number from 1 to {MOST_SECONDS_LIMIT}"
            ))
        })?,
    };
    Ok(Job {
        id: id.to_owned(),
        work,
        condition_text,
        condition,
        start: text(body, "startTime")?.map(time).transpose()?,
        most_seconds,
        created: now,
        began: None,
        ended: None,
        status: Status::Queued,
        failure: None,
        statistics: Statistics::default(),
        unrecorded: 0,
        number: 0,
        due: Millis(0),
        cursor: None,
        scanned: false,
        calls: BTreeSet::new(),
        devices: BTreeMap::new(),
    })
}

/// What a job does, by its type.
fn work(body: &Map<String, Value>, now: Timestamp) -> Result<Work, Fault> {
    match text(body, "type")? {
        Some(UPDATE_TWIN) => twin_update(body, now),
        Some(DEVICE_METHOD) => method(body).map(Work::Method),
        Some(
            other @ ("export"
            | "import"
            | "backup"
            | "readDeviceProperties"
            | "writeDeviceProperties"
            | "updateDeviceConfiguration"
            | "rebootDevice"
            | "factoryResetDevice"
            | "firmwareUpdate"),
        ) => Err(Fault::unsupported(format!(
            "envsim's local cloud does not support jobs of the type {other}, only {UPDATE_TWIN} and {DEVICE_METHOD}"
        ))),
        other => {
            let other = other.unwrap_or_default();
            Err(Fault::bad_request(format!(
                "the job's `type` is `{other}`, it has to be {UPDATE_TWIN} or {DEVICE_METHOD}"
            )))
        }
    }
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Fault::bad_request(format!("`{name}` is {other}, it has to be a text"))),
    }
}

/// A time with its zone, or without one: then it is UTC, as .NET's SDK means it.
fn time(text: &str) -> Result<Timestamp, Fault> {
    text.parse()
        .or_else(|_| {
            text.parse::<DateTime>()
                .and_then(|time| time.to_zoned(TimeZone::UTC))
                .map(|time| time.timestamp())
        })
        .map_err(|_| {
            Fault::bad_request(format!(
                "`startTime` is `{text}`, it has to be a time such as 2030-01-31T12:00:00Z"
            ))
        })
}

fn section(name: &str, value: Option<&Value>) -> Result<Option<Map<String, Value>>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members.clone())),
        Some(_) => Err(Fault::bad_request(format!("`{name}` is not a JSON object"))),
    }
}

fn twin_update(body: &Map<String, Value>, now: Timestamp) -> Result<Work, Fault> {
    let twin = section("updateTwin", body.get("updateTwin"))?
        .ok_or_else(|| Fault::bad_request(format!("a job of the type {UPDATE_TWIN} needs `updateTwin`")))?;
    let tags = section("updateTwin.tags", twin.get("tags"))?;
    let properties = section("updateTwin.properties", twin.get("properties"))?.unwrap_or_default();
    let desired = section("updateTwin.properties.desired", properties.get("desired"))?;
    if tags.is_none() && desired.is_none() {
        return Err(Fault::bad_request("`updateTwin` has neither `tags` nor `properties.desired` to write"));
    }
    let condition = match text(&twin, "etag")?.map(|etag| etag.trim_matches('"')) {
        None | Some("" | "*") => Precondition::Any,
        Some(etag) => Precondition::Etag(etag.to_owned()),
    };
    let update = TwinUpdate { tags, desired };
    // What no twin takes is refused here, and not a thousand times later.
    Twin::new(now).update(&update, now)?;
    Ok(Work::UpdateTwin(update, condition))
}

fn method(body: &Map<String, Value>) -> Result<MethodCall, Fault> {
    let value = body.get("cloudToDeviceMethod").ok_or_else(|| {
        Fault::bad_request(format!("a job of the type {DEVICE_METHOD} needs `cloudToDeviceMethod`"))
    })?;
    let call = reading::from_value(value.clone())
        .map_err(|error| Fault::bad_request(format!("`cloudToDeviceMethod` cannot be read: {error}")))?;
    Methods::check(&call)?;
    Ok(call)
}
