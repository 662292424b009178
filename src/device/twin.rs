//! A twin's two sections as the device sees them, and the merge that changes them.

use serde_json::{Map, Value};

/// The whole twin, as the hub answers a device's request for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TwinDocument {
    /// What the operator wants, without `$version`.
    pub desired: Map<String, Value>,
    /// The version of the desired section.
    pub desired_version: u64,
    /// What the device has said, without `$version`.
    pub reported: Map<String, Value>,
    /// The version of the reported section.
    pub reported_version: u64,
}

impl TwinDocument {
    /// Whether it cannot come after `known` in the life of one twin, whose versions only grow.
    pub fn is_before(&self, known: &Self) -> bool {
        self.desired_version < known.desired_version || self.reported_version < known.reported_version
    }
}

/// Merges `patch` into `document`.
///
/// IoT Hub, "Understand and use device twins": a null deletes the key, an object is merged into
/// an object, anything else replaces what stood there.
pub fn merge(document: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                document.remove(key);
            }
            Value::Object(inner) => {
                if let Some(Value::Object(existing)) = document.get_mut(key) {
                    merge(existing, inner);
                } else {
                    let mut fresh = Map::new();
                    merge(&mut fresh, inner);
                    document.insert(key.clone(), Value::Object(fresh));
                }
            }
            _ => {
                document.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(before: Value, patch: Value, after: Value) {
        let (Value::Object(mut document), Value::Object(patch)) = (before, patch) else {
            panic!("objects only")
        };
        merge(&mut document, &patch);
        assert_eq!(Value::Object(document), after);
    }

    #[test]
    fn a_patch_merges_as_the_documentation_says() {
        check(json!({"a": 1}), json!({"b": 2}), json!({"a": 1, "b": 2}));
        check(json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2}));
        check(json!({"a": 1}), json!({"zzz": null}), json!({"a": 1}));
        check(
            json!({"a": {"x": 1, "y": 2}}),
            json!({"a": {"y": null, "z": 3}}),
            json!({"a": {"x": 1, "z": 3}}),
        );
        check(json!({"a": 1}), json!({"a": {"x": 1, "y": null}}), json!({"a": {"x": 1}}));
        check(json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]}));
    }
}
