//! Certificate authorities whose devices are let in, by their names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::device::Now;

pub(super) const TABLE: Table = Table { name: "authorities", read, restore };

/// The certificate: DER in base64.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    certificate: String,
}

fn read(core: &Core, key: &Key) -> Option<String> {
    let certificate = STANDARD.encode(core.authorities().get(&key.name)?);
    serde_json::to_string(&Document { certificate }).ok()
}

fn restore(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let document: Option<Document> = body.map(forms::read).transpose()?;
    let certificate = document
        .map(|document| STANDARD.decode(document.certificate))
        .transpose()
        .map_err(|error| error.to_string())?;
    core.restore_authority(&key.name, certificate.as_deref()).map_err(|fault| fault.message)
}
