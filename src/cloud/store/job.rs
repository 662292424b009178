//! Scheduled jobs by their names, without what they did with each device.

use serde_json::Value;

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::device::Now;

pub(super) const TABLE: Table = Table { name: "jobs", read, restore };

fn read(core: &Core, key: &Key) -> Option<String> {
    core.job_record(&key.name).map(|record| record.to_string())
}

fn restore(core: &mut Core, now: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let Some(document) = body.map(forms::read::<Value>).transpose()? else {
        core.forget_job(&key.name);
        return Ok(());
    };
    core.restore_job(now, &document).map_err(|fault| fault.message)
}
