//! Enrolments of the provisioning service: individual ones and groups, each kind in a table.

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::cloud::core::provisioning::{Enrolment, EnrolmentName};
use crate::device::Now;

pub(super) const INDIVIDUAL: Table =
    Table { name: "enrolments", read: read_individual, restore: restore_individual };
pub(super) const GROUP: Table = Table { name: "enrolment_groups", read: read_group, restore: restore_group };

fn read_individual(core: &Core, key: &Key) -> Option<String> {
    read(core, &EnrolmentName::individual(&key.name))
}

fn restore_individual(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    restore(core, &EnrolmentName::individual(&key.name), body)
}

fn read_group(core: &Core, key: &Key) -> Option<String> {
    read(core, &EnrolmentName::group(&key.name))
}

fn restore_group(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    restore(core, &EnrolmentName::group(&key.name), body)
}

fn read(core: &Core, name: &EnrolmentName) -> Option<String> {
    Some(core.enrolment(name).ok()?.record().to_string())
}

fn restore(core: &mut Core, name: &EnrolmentName, body: Option<&str>) -> Result<(), String> {
    let Some(body) = body else {
        core.forget_enrolment(name);
        return Ok(());
    };
    let enrolment = Enrolment::from_record(forms::read(body)?).map_err(|fault| fault.message)?;
    core.restore_enrolment(enrolment).map_err(|fault| fault.message)
}
