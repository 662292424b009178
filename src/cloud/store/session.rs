//! Sessions: what clients that asked for it (`CleanSession` 0) have subscribed to. The official
//! Python SDK never subscribes again, so that without them it would be deaf after a restart.

use serde::{Deserialize, Serialize};

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::cloud::core::clients::Subscriptions;
use crate::device::Now;

pub(super) const TABLE: Table = Table { name: "sessions", read, restore };

/// The quality granted to each subscription.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    methods: Option<u8>,
    twin_answers: Option<u8>,
    desired: Option<u8>,
    device_bound: Option<u8>,
    inputs: Option<u8>,
}

fn read(core: &Core, key: &Key) -> Option<String> {
    let Subscriptions { methods, twin_answers, desired, device_bound, inputs } =
        *core.kept_session(&key.to_address().ok()?)?;
    serde_json::to_string(&Document { methods, twin_answers, desired, device_bound, inputs }).ok()
}

fn restore(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let document: Option<Document> = body.map(forms::read).transpose()?;
    let session = document.map(|Document { methods, twin_answers, desired, device_bound, inputs }| {
        Subscriptions { methods, twin_answers, desired, device_bound, inputs }
    });
    core.restore_session(&key.to_address()?, session);
    Ok(())
}
