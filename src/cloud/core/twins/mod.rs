//! Twins: their sections, versions, and what changes them.
//!
//! IoT Hub, "Understand and use device twins in IoT Hub".
//!
//! In reading order: `limits` (what may stand in a twin), `merge` (how a patch changes a document
//! and its metadata), then the twin itself, below.

mod limits;
mod merge;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use self::limits::{SECTION_LIMIT, TAGS_LIMIT};
use self::limits::{check, check_size};
use self::merge::{Stamp, mark, merge, own_members};
use super::fault::Fault;

/// One section of properties with its history.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The properties.
    pub value: Map<String, Value>,
    /// When each was last changed, in the shape of [`Section::value`].
    pub metadata: Map<String, Value>,
    /// Counts up by one with every change.
    pub version: u64,
}

/// A whole twin.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// What the back end remembers about a device, which the device does not see.
    pub tags: Map<String, Value>,
    /// What the operator wants.
    pub desired: Section,
    /// What the device says.
    pub reported: Section,
    /// Counts every change.
    pub version: u64,
    /// Counts changes of tags and desired properties; base of the etag.
    pub revision: u64,
}

/// A service's write of a twin, as its body holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TwinUpdate {
    /// Tags, when they are written.
    pub tags: Option<Map<String, Value>>,
    /// Desired properties, when they are written.
    pub desired: Option<Map<String, Value>>,
}

impl Section {
    fn new(now: Timestamp, versioned: bool) -> Self {
        let stamp = Stamp { at: now.to_string(), version: versioned.then_some(1) };
        Self { value: Map::new(), metadata: stamp.members(), version: 1 }
    }

    fn patched(
        &self,
        name: &str,
        patch: &Map<String, Value>,
        now: Timestamp,
        versioned: bool,
    ) -> Result<Self, Fault> {
        check(name, patch)?;
        let mut next = self.clone();
        next.version += 1;
        let stamp = Stamp { at: now.to_string(), version: versioned.then_some(next.version) };
        merge(&mut next.value, patch);
        mark(&mut next.metadata, patch, &stamp);
        check_size(name, &next.value, SECTION_LIMIT)?;
        Ok(next)
    }

    /// The section as a device sees it: the properties and their version.
    pub fn for_device(&self) -> Value {
        let mut members = self.value.clone();
        members.insert("$version".to_owned(), json!(self.version));
        Value::Object(members)
    }

    /// The section as a service sees it, metadata and all.
    pub fn for_service(&self) -> Value {
        let mut members = self.value.clone();
        members.insert("$metadata".to_owned(), Value::Object(self.metadata.clone()));
        members.insert("$version".to_owned(), json!(self.version));
        Value::Object(members)
    }
}

impl Twin {
    /// A fresh twin: both sections empty, at version 1.
    pub fn new(now: Timestamp) -> Self {
        Self {
            tags: Map::new(),
            desired: Section::new(now, true),
            reported: Section::new(now, false),
            version: 2,
            revision: 1,
        }
    }

    /// Eight bytes of the revision in base64, as Azure forms it.
    pub fn etag(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(self.revision.to_be_bytes())
    }

    /// The whole twin as a device sees it: no `properties` around, no metadata, no tags.
    pub fn for_device(&self) -> Value {
        json!({"desired": self.desired.for_device(), "reported": self.reported.for_device()})
    }

    /// Takes a device's change of reported properties. `base` is the version it is meant for.
    pub fn report(&mut self, patch: &Value, base: Option<u64>, now: Timestamp) -> Result<u64, Fault> {
        let Value::Object(patch) = patch else {
            return Err(Fault::bad_request("reported properties are a JSON object"));
        };
        if base.is_some_and(|base| base != self.reported.version) {
            return Err(Fault::precondition(format!(
                "the reported properties are at version {}",
                self.reported.version
            )));
        }
        self.reported = self.reported.patched("reported", patch, now, false)?;
        self.version += 1;
        Ok(self.reported.version)
    }

    /// Takes a service's change. All of it or nothing. Returns the desired patch to push, if any.
    pub fn update(&mut self, update: &TwinUpdate, now: Timestamp) -> Result<Option<Value>, Fault> {
        let mut tags = self.tags.clone();
        if let Some(patch) = &update.tags {
            check("tags", patch)?;
            merge(&mut tags, patch);
            check_size("tags", &tags, TAGS_LIMIT)?;
        }
        let desired = match &update.desired {
            Some(patch) => Some(self.desired.patched("desired", &own_members(patch), now, true)?),
            None => None,
        };
        self.commit(tags, desired);
        Ok(update.desired.as_ref().map(|patch| Value::Object(own_members(patch))))
    }

    /// Replaces tags and desired properties. All or nothing. Returns the desired section to push.
    pub fn replace(&mut self, update: &TwinUpdate, now: Timestamp) -> Result<Option<Value>, Fault> {
        let tags = update.tags.clone().unwrap_or_default();
        check("tags", &tags)?;
        let mut clean = Map::new();
        merge(&mut clean, &tags);
        check_size("tags", &clean, TAGS_LIMIT)?;
        let desired = match &update.desired {
            Some(wanted) => {
                let version = self.desired.version + 1;
                let stamp = Stamp { at: now.to_string(), version: Some(version) };
                let base =
                    Section { value: Map::new(), metadata: stamp.members(), version: self.desired.version };
                Some(base.patched("desired", &own_members(wanted), now, true)?)
            }
            None => None,
        };
        let push = desired.as_ref().map(|section| Value::Object(section.value.clone()));
        self.commit(clean, desired);
        Ok(push)
    }

    fn commit(&mut self, tags: Map<String, Value>, desired: Option<Section>) {
        self.tags = tags;
        if let Some(desired) = desired {
            self.desired = desired;
        }
        self.version += 1;
        self.revision += 1;
    }
}
