//! Twins, apart from their identities: a device that reports changes nothing else.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::cloud::core::twins::{Section, Twin};
use crate::device::Now;

pub(super) const TABLE: Table = Table { name: "twins", read, restore };

#[derive(Debug, Serialize, Deserialize)]
struct Properties {
    value: Map<String, Value>,
    metadata: Map<String, Value>,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    tags: Map<String, Value>,
    desired: Properties,
    reported: Properties,
    version: u64,
    revision: u64,
}

impl From<Section> for Properties {
    fn from(Section { value, metadata, version }: Section) -> Self {
        Self { value, metadata, version }
    }
}

impl From<Properties> for Section {
    fn from(Properties { value, metadata, version }: Properties) -> Self {
        Self { value, metadata, version }
    }
}

fn read(core: &Core, key: &Key) -> Option<String> {
    let Twin { tags, desired, reported, version, revision } =
        core.kept_identity(&key.to_address().ok()?)?.twin.clone();
    let document = Document { tags, desired: desired.into(), reported: reported.into(), version, revision };
    serde_json::to_string(&document).ok()
}

fn restore(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    // Without an identity there is no twin, and that has been seen to.
    let Some(body) = body else { return Ok(()) };
    let Document { tags, desired, reported, version, revision } = forms::read(body)?;
    let twin = Twin { tags, desired: desired.into(), reported: reported.into(), version, revision };
    if core.restore_twin(&key.to_address()?, twin) {
        Ok(())
    } else {
        Err("there is no identity that it belongs to".to_owned())
    }
}
