//! Configurations by their names.

use serde_json::Value;

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::device::Now;

pub(super) const TABLE: Table = Table { name: "configurations", read, restore };

fn read(core: &Core, key: &Key) -> Option<String> {
    core.configuration_record(&key.name).map(|record| record.to_string())
}

fn restore(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let Some(document) = body.map(forms::read::<Value>).transpose()? else {
        core.forget_configuration(&key.name);
        return Ok(());
    };
    core.restore_configuration(&document).map_err(|fault| fault.message)
}
