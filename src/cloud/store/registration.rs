//! Registrations with the provisioning service: which enrolment let a device in, and where it was
//! sent.

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::cloud::core::provisioning::Registration;
use crate::device::Now;

pub(super) const TABLE: Table = Table { name: "registrations", read, restore };

fn read(core: &Core, key: &Key) -> Option<String> {
    Some(core.registration(&key.name).ok()?.record().to_string())
}

fn restore(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let Some(body) = body else {
        core.forget_registration(&key.name);
        return Ok(());
    };
    let registration = Registration::from_record(&forms::read(body)?).map_err(|fault| fault.message)?;
    core.restore_registration(registration).map_err(|fault| fault.message)
}
