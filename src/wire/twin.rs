//! The bodies of twin messages as a device exchanges them.
//!
//! A device's view has no `properties` around it, no `$metadata` and no tags:
//! `{"desired": {…, "$version": 4}, "reported": {…, "$version": 9}}`.

use serde_json::{Map, Value};

use crate::device::TwinDocument;

const VERSION: &str = "$version";

/// Reads the answer to a request for the whole twin. `None` when it is not one.
pub fn parse_document(body: &[u8]) -> Option<TwinDocument> {
    let mut whole: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let (desired, desired_version) = section(whole.remove("desired")?)?;
    let (reported, reported_version) = section(whole.remove("reported")?)?;
    Some(TwinDocument { desired, desired_version, reported, reported_version })
}

/// Reads a pushed change of desired properties: the patch without its version, and the version,
/// from the topic when the body has none.
pub fn parse_desired(body: &[u8], topic_version: Option<u64>) -> Option<(Map<String, Value>, u64)> {
    let mut patch: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let version = patch.remove(VERSION).and_then(|version| version.as_u64()).or(topic_version)?;
    Some((patch, version))
}

fn section(value: Value) -> Option<(Map<String, Value>, u64)> {
    let Value::Object(mut members) = value else { return None };
    let version = members.remove(VERSION)?.as_u64()?;
    members.retain(|name, _| !name.starts_with('$'));
    Some((members, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_twin_is_read() {
        let body =
            br#"{"desired":{"name":{"value":"x"},"$version":4},"reported":{"state":"true","$version":9}}"#;
        let twin = parse_document(body).expect("a twin");
        assert_eq!((twin.desired_version, twin.reported_version), (4, 9));
        assert_eq!(Value::Object(twin.desired), json!({"name": {"value": "x"}}));
        assert_eq!(Value::Object(twin.reported), json!({"state": "true"}));
    }

    #[test]
    fn what_is_no_twin_is_none() {
        for body in
            ["", "{}", "[]", r#"{"desired":{},"reported":{"$version":1}}"#, r#"{"desired":1,"reported":2}"#]
        {
            assert_eq!(parse_document(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_change_carries_its_version_in_body_or_topic() {
        let (patch, version) = parse_desired(br#"{"name":null,"$version":5}"#, Some(4)).expect("a patch");
        assert_eq!((Value::Object(patch), version), (json!({"name": null}), 5));
        assert_eq!(parse_desired(b"{}", Some(4)).map(|(_, version)| version), Some(4));
        assert_eq!(parse_desired(b"{}", None), None);
        assert_eq!(parse_desired(b"7", Some(4)), None);
    }
}
