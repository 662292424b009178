//! Twins: merging, versions, metadata and limits.
//!
//! IoT Hub, "Understand and use device twins in IoT Hub".

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::fault::Fault;

/// The most that `desired` and `reported` may hold, in the documentation's count.
pub const SECTION_LIMIT: usize = 32 * 1024;
/// The most that `tags` may hold.
pub const TAGS_LIMIT: usize = 8 * 1024;
const DEPTH_LIMIT: usize = 10;
const KEY_LIMIT: usize = 1024;
const STRING_LIMIT: usize = 4096;
/// Whole numbers lie in -2^52 ..= 2^52-1.
const INTEGER_LIMIT: i64 = 1 << 52;

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

/// Who stamps metadata: only desired properties carry their version in it.
struct Stamp {
    at: String,
    version: Option<u64>,
}

impl Stamp {
    fn members(&self) -> Map<String, Value> {
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

/// What a service wrote without what it merely read back: SDKs send a whole twin that they got.
fn own_members(patch: &Map<String, Value>) -> Map<String, Value> {
    let mut own = patch.clone();
    own.remove("$metadata");
    own.remove("$version");
    own
}

/// JSON merge: null deletes, an object merges into an object, anything else replaces.
fn merge(document: &mut Map<String, Value>, patch: &Map<String, Value>) {
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

fn mark(metadata: &mut Map<String, Value>, patch: &Map<String, Value>, stamp: &Stamp) {
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

fn check(section: &str, patch: &Map<String, Value>) -> Result<(), Fault> {
    check_object(section, patch, 1)
}

fn check_object(path: &str, members: &Map<String, Value>, depth: usize) -> Result<(), Fault> {
    if depth > DEPTH_LIMIT + 1 {
        return Err(Fault::bad_request(format!("`{path}` is nested deeper than {DEPTH_LIMIT} levels")));
    }
    for (key, value) in members {
        if key.is_empty() || key.len() > KEY_LIMIT {
            return Err(Fault::bad_request(format!("a key in `{path}` has not 1 to {KEY_LIMIT} bytes")));
        }
        if let Some(bad) = key.chars().find(|c| c.is_control() || ".$# ".contains(*c)) {
            return Err(Fault::bad_request(format!("the key `{key}` in `{path}` has the character {bad:?}")));
        }
        check_value(&format!("{path}.{key}"), value, depth)?;
    }
    Ok(())
}

fn check_value(path: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    match value {
        Value::Object(members) => check_object(path, members, depth + 1),
        Value::Array(items) => {
            if depth > DEPTH_LIMIT {
                return Err(Fault::bad_request(format!(
                    "`{path}` is nested deeper than {DEPTH_LIMIT} levels"
                )));
            }
            items.iter().try_for_each(|item| match item {
                Value::Null => Err(Fault::bad_request(format!("the array `{path}` holds null"))),
                item => check_value(path, item, depth + 1),
            })
        }
        Value::String(text) if text.len() > STRING_LIMIT => {
            Err(Fault::bad_request(format!("the text `{path}` has more than {STRING_LIMIT} bytes")))
        }
        Value::Number(number) => {
            let fits = match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => (-INTEGER_LIMIT..INTEGER_LIMIT).contains(&whole),
                (None, Some(_)) => false,
                (None, None) => true,
            };
            if fits {
                Ok(())
            } else {
                Err(Fault::bad_request(format!(
                    "the number `{path}` lies outside of -2^52 to 2^52-1: send it as text"
                )))
            }
        }
        _ => Ok(()),
    }
}

fn check_size(section: &str, members: &Map<String, Value>, most: usize) -> Result<(), Fault> {
    let size = size_of(members);
    if size > most {
        let message = format!("`{section}` would hold {size} bytes, the most is {most}");
        return Err(Fault::bad_request(message));
    }
    Ok(())
}

/// The documentation's count: characters of keys and texts without control characters, 8 for a
/// number, 4 for a truth value.
fn size_of(members: &Map<String, Value>) -> usize {
    members.iter().map(|(key, value)| text_size(key) + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(items) => items.iter().map(value_size).sum(),
        Value::Object(members) => size_of(members),
    }
}

fn text_size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(second: i64) -> Timestamp {
        Timestamp::from_second(1_893_456_000 + second).expect("a moment")
    }

    fn twin() -> Twin {
        Twin::new(moment(0))
    }

    fn desired(value: Value) -> TwinUpdate {
        TwinUpdate { tags: None, desired: value.as_object().cloned() }
    }

    #[test]
    fn a_fresh_twin_is_what_the_documentation_shows() {
        assert_eq!(twin().for_device(), json!({"desired": {"$version": 1}, "reported": {"$version": 1}}));
    }

    #[test]
    fn a_report_merges_and_counts_up() {
        let mut twin = twin();
        let patch = json!({"a": {"x": 1, "y": null}, "b": [1], "gone": null});
        assert_eq!(twin.report(&patch, None, moment(1)), Ok(2));
        assert_eq!(twin.report(&json!({"a": {"x": null, "z": 2}}), None, moment(2)), Ok(3));
        assert_eq!(
            twin.for_device(),
            json!({"desired": {"$version": 1}, "reported": {"a": {"z": 2}, "b": [1], "$version": 3}})
        );
        assert_eq!(
            Value::Object(twin.reported.metadata),
            json!({
                "$lastUpdated": "2030-01-01T00:00:02Z",
                "a": {"$lastUpdated": "2030-01-01T00:00:02Z", "z": {"$lastUpdated": "2030-01-01T00:00:02Z"}},
                "b": {"$lastUpdated": "2030-01-01T00:00:01Z"}
            })
        );
    }

    #[test]
    fn a_report_for_another_version_is_refused() {
        let mut twin = twin();
        assert_eq!(twin.report(&json!({}), Some(7), moment(1)).map_err(|fault| fault.status), Err(412));
        assert_eq!(twin.report(&json!({}), Some(1), moment(1)), Ok(2));
    }

    #[test]
    fn desired_properties_carry_their_version_in_the_metadata() {
        let mut twin = twin();
        let push = twin.update(&desired(json!({"interval": 60, "$version": 9})), moment(5)).expect("taken");
        assert_eq!(push, Some(json!({"interval": 60})));
        assert_eq!(
            twin.desired.for_service(),
            json!({
                "interval": 60,
                "$metadata": {
                    "$lastUpdated": "2030-01-01T00:00:05Z", "$lastUpdatedVersion": 2,
                    "interval": {"$lastUpdated": "2030-01-01T00:00:05Z", "$lastUpdatedVersion": 2}
                },
                "$version": 2
            })
        );
    }

    #[test]
    fn tags_alone_leave_the_desired_version_and_push_nothing() {
        let mut twin = twin();
        let etag = twin.etag();
        let update = TwinUpdate { tags: json!({"site": "a"}).as_object().cloned(), desired: None };
        assert_eq!(twin.update(&update, moment(1)), Ok(None));
        assert_eq!(twin.desired.version, 1);
        assert_ne!(twin.etag(), etag);
    }

    #[test]
    fn a_replacement_pushes_the_whole_section() {
        let mut twin = twin();
        twin.update(&desired(json!({"a": 1, "b": 2})), moment(1)).expect("taken");
        assert_eq!(twin.replace(&desired(json!({"c": 3})), moment(2)), Ok(Some(json!({"c": 3}))));
        assert_eq!(twin.desired.for_device(), json!({"c": 3, "$version": 3}));
    }

    #[test]
    fn an_etag_is_eight_bytes_of_a_counter() {
        let mut twin = twin();
        twin.revision = 4;
        assert_eq!(twin.etag(), "AAAAAAAAAAQ=");
    }

    #[test]
    fn what_breaks_a_limit_is_refused_and_changes_nothing() {
        let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({"k": inner}));
        let mut twin = twin();
        for bad in [
            json!(7),
            json!([1]),
            json!({"a.b": 1}),
            json!({"$a": 1}),
            json!({"a b": 1}),
            json!({"a#b": 1}),
            json!({"": 1}),
            json!({"a\u{1}": 1}),
            json!({"k".repeat(1025): 1}),
            json!({"a": [1, null]}),
            json!({"a": [{"b": [null]}]}),
            json!({"a": "x".repeat(4097)}),
            json!({"a": 4_503_599_627_370_496_i64}),
            json!({"a": -4_503_599_627_370_497_i64}),
            json!({"a": u64::MAX}),
            deep(12),
            json!({"a": [deep(12)]}),
            json!({"a": (0..9).map(|_| "x".repeat(4000)).collect::<Vec<_>>()}),
        ] {
            let before = twin.clone();
            assert_eq!(twin.report(&bad, None, moment(1)).map_err(|fault| fault.status), Err(400), "{bad}");
            assert_eq!(twin, before);
        }
        for good in [
            json!({"a": 4_503_599_627_370_495_i64, "b": -4_503_599_627_370_496_i64, "c": 1e300}),
            json!({"a": "x".repeat(4096), "b": true}),
            deep(11),
        ] {
            assert!(twin.report(&good, None, moment(1)).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_section_as_a_whole_counts_not_the_patch() {
        let mut twin = twin();
        for part in 0..8 {
            let patch = json!({format!("k{part}"): "x".repeat(4000)});
            assert!(twin.report(&patch, None, moment(1)).is_ok());
        }
        let patch = json!({"k8": "x".repeat(4000)});
        assert!(twin.report(&patch, None, moment(1)).is_err());
        assert_eq!(twin.reported.version, 9);
    }
}
