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
    match body.map(forms::read::<Value>).transpose()? {
        Some(document) => core.restore_job(now, &document).map_err(|fault| fault.message),
        None => {
            core.forget_job(&key.name);
            Ok(())
        }
    }
}
