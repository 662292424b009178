//! Scheduled jobs. IoT Hub REST, "Jobs".

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;

use super::Call;
use super::query::page_size;
use super::reply::{json as respond, set};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::jobs::{DEVICE_METHOD, Job, Status, UPDATE_TWIN};

const CONTINUATION: &str = "x-ms-continuation";

fn respond_with(job: &Job) -> Response<Body> {
    respond(200, &job.told())
}

fn check(call: &Call) -> Result<(), Fault> {
    call.authorize(Right::ServiceConnect)?;
    call.need_version()
}

pub(super) fn create(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    check(call)?;
    let body = call.object()?;
    call.shared.change(|core, now, _| core.create_job(now, id, &body).map(respond_with))
}

pub(super) fn show(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    check(call)?;
    call.shared.look(|core, _| core.job(id).map(respond_with))
}

pub(super) fn cancel(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    check(call)?;
    call.shared.change(|core, now, _| core.cancel_job(now, id).map(respond_with))
}

/// Lists jobs by name, as an array, like Azure: Node's SDK reads that; Python's, which expects an
/// object here, fails on Azure in the same way. A page ends with the name from which the next one
/// goes on: jobs that come or go in between move no others.
pub(super) fn query(call: &Call) -> Result<Response<Body>, Fault> {
    check(call)?;
    let kind = one_of(call, "jobType", &[UPDATE_TWIN, DEVICE_METHOD, "unknown", "export", "import"])?;
    let status = one_of(call, "jobStatus", &Status::NAMES)?;
    let most = page_size(call)?;
    let after = call.header(CONTINUATION).filter(|text| !text.is_empty());
    let matches = |job: &&Job| {
        after.is_none_or(|after| job.id.as_str() > after)
            && kind.as_ref().is_none_or(|kind| job.work.name() == kind)
            && status.as_ref().is_none_or(|status| job.status.name() == status)
    };
    let (jobs, next): (Vec<Value>, _) = call.shared.look(|core, _| {
        let mut jobs = core.all_jobs().filter(matches);
        let page: Vec<&Job> = jobs.by_ref().take(most).collect();
        let last = page.last().map(|job| job.id.clone()).filter(|_| jobs.next().is_some());
        (page.into_iter().map(Job::told).collect(), last)
    });
    let mut response = respond(200, &Value::Array(jobs));
    set(&mut response, "x-ms-item-type", "JobResponse");
    if let Some(next) = next {
        set(&mut response, CONTINUATION, &next);
    }
    Ok(response)
}

fn one_of(call: &Call, name: &str, known: &[&str]) -> Result<Option<String>, Fault> {
    match call.query(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => {
            let known_value = known.iter().find(|known| known.eq_ignore_ascii_case(&value));
            known_value.map(|known| Some((*known).to_owned())).ok_or_else(|| {
                Fault::bad_request(format!("`{name}` is `{value}`, it has to be one of {}", known.join(", ")))
            })
        }
    }
}
