//! How a patch changes a document, and the metadata beside it.

use serde_json::{Map, Value, json};

/// Who stamps metadata: only desired properties carry their version in it.
pub(super) struct Stamp {
    pub(super) at: String,
    pub(super) version: Option<u64>,
}

impl Stamp {
    pub(super) fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        self.onto(&mut members);
        members
    }

    fn onto(&self, members: &mut Map<String, Value>) {
        members.insert("$lastUpdated".to_owned(), json!(self.at));
        if let Some(version) = self.version {
            members.insert("$lastUpdatedVersion".to_owned(), json!(version));
        }
    }
}

/// What a service wrote without what it merely read back: SDKs send a whole twin that they got.
pub(super) fn own_members(patch: &Map<String, Value>) -> Map<String, Value> {
    let mut own = patch.clone();
    own.remove("$metadata");
    own.remove("$version");
    own
}

/// JSON merge: null deletes, an object merges into an object, anything else replaces.
pub(super) fn merge(document: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                document.remove(key);
            }
            Value::Object(inner) => {
                let place = document.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(existing) = place {
                    merge(existing, inner);
                }
            }
            _ => {
                document.insert(key.clone(), value.clone());
            }
        }
    }
}

pub(super) fn mark(metadata: &mut Map<String, Value>, patch: &Map<String, Value>, stamp: &Stamp) {
    stamp.onto(metadata);
    for (key, value) in patch {
        match value {
            Value::Null => {
                metadata.remove(key);
            }
            Value::Object(inner) => {
                let place = metadata.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(existing) = place {
                    mark(existing, inner, stamp);
                }
            }
            _ => {
                metadata.insert(key.clone(), Value::Object(stamp.members()));
            }
        }
    }
}
