//! Identities as the query language and the service side see them: one document for each twin.
//!
//! A query asks a row for one path at a time, so that no twin is written out which the condition
//! does not select.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::query::{Row, Step, lookup};
use super::registry::{Authentication, Identity, Thumbprints};
use super::twins::Section;

/// The registry's word for "never".
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// A time as the service side tells it.
pub fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

/// Whether an identity is connected, in Azure's word.
pub fn connection(identity: &Identity) -> &'static str {
    if identity.connected { "Connected" } else { "Disconnected" }
}

/// Whether an identity may connect, in Azure's word.
pub fn status(identity: &Identity) -> &'static str {
    if identity.enabled { "enabled" } else { "disabled" }
}

/// The thumbprints of an identity, null where there is none.
pub fn thumbprints(identity: &Identity) -> Value {
    let none = Thumbprints::default();
    let thumbprints = match &identity.authentication {
        Authentication::SelfSigned(thumbprints) => thumbprints,
        _ => &none,
    };
    json!({"primaryThumbprint": thumbprints.primary, "secondaryThumbprint": thumbprints.secondary})
}

/// A device or module as a row of `devices` or `devices.modules`.
#[derive(Debug, Clone, Copy)]
pub struct IdentityRow<'a>(pub &'a Identity);

/// The members of the document besides tags and properties, in its order.
const MEMBERS: [&str; 17] = [
    "deviceId",
    "moduleId",
    "etag",
    "deviceEtag",
    "status",
    "statusReason",
    "statusUpdateTime",
    "connectionState",
    "lastActivityTime",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "x509Thumbprint",
    "modelId",
    "version",
    "deviceScope",
    "managedBy",
    "configurations",
];

impl IdentityRow<'_> {
    /// A member that is not a section; `None` where the document has none.
    fn member(self, name: &str) -> Option<Value> {
        let identity = self.0;
        let twin = &identity.twin;
        Some(match name {
            "deviceId" => json!(identity.address.device.as_str()),
            "moduleId" => json!(identity.address.module.as_ref()?.as_str()),
            "etag" => json!(twin.etag()),
            "deviceEtag" => json!(identity.etag),
            "status" => json!(status(identity)),
            "statusReason" => json!(identity.status_reason),
            "statusUpdateTime" => json!(time(identity.status_updated)),
            "connectionState" => json!(connection(identity)),
            "lastActivityTime" => json!(time(identity.last_activity)),
            "cloudToDeviceMessageCount" => json!(identity.messages),
            "authenticationType" => json!(identity.authentication.name()),
            "x509Thumbprint" => thumbprints(identity),
            "modelId" => json!(identity.model_id.as_deref().unwrap_or("")),
            "version" => json!(twin.version),
            "deviceScope" => json!(identity.scope.as_ref()?),
            "managedBy" => json!(identity.managed_by.as_ref()?),
            "configurations" if !identity.configurations.is_empty() => {
                let told = |(id, placed): (&String, &super::registry::Placed)| {
                    (id.clone(), json!({"status": placed.name()}))
                };
                Value::Object(identity.configurations.iter().map(told).collect())
            }
            "capabilities" if identity.address.module.is_none() => json!({"iotEdge": identity.edge}),
            _ => return None,
        })
    }
}

impl Row for IdentityRow<'_> {
    fn value(&self, path: &[Step]) -> Option<Cow<'_, Value>> {
        let (first, rest) = path.split_first()?;
        let twin = &self.0.twin;
        match first.name()? {
            "tags" => within(&twin.tags, rest),
            "properties" => match rest.split_first() {
                None => Some(Cow::Owned(sections(self.0))),
                Some((section, rest)) => match section.name()? {
                    "desired" => in_section(&twin.desired, rest),
                    "reported" => in_section(&twin.reported, rest),
                    _ => None,
                },
            },
            "configurations" => match rest {
                // Most conditions of metrics ask this of every row.
                [Step::Name(id), Step::Name(status)] if status == "status" => {
                    Some(Cow::Owned(json!(self.0.configurations.get(id)?.name())))
                }
                rest => below(self.member("configurations")?, rest),
            },
            name => below(self.member(name)?, rest),
        }
    }

    fn whole(&self) -> Value {
        let mut document = Map::new();
        for name in MEMBERS {
            if let Some(value) = self.member(name) {
                document.insert(name.to_owned(), value);
            }
        }
        document.insert("tags".to_owned(), Value::Object(self.0.twin.tags.clone()));
        document.insert("properties".to_owned(), sections(self.0));
        if let Some(capabilities) = self.member("capabilities") {
            document.insert("capabilities".to_owned(), capabilities);
        }
        Value::Object(document)
    }
}

fn sections(identity: &Identity) -> Value {
    json!({
        "desired": identity.twin.desired.for_service(),
        "reported": identity.twin.reported.for_service(),
    })
}

fn below(value: Value, path: &[Step]) -> Option<Cow<'static, Value>> {
    if path.is_empty() { Some(Cow::Owned(value)) } else { lookup(&value, path).cloned().map(Cow::Owned) }
}

fn within<'a>(members: &'a Map<String, Value>, path: &[Step]) -> Option<Cow<'a, Value>> {
    match path.split_first() {
        None => Some(Cow::Owned(Value::Object(members.clone()))),
        Some((first, rest)) => lookup(members.get(first.name()?)?, rest).map(Cow::Borrowed),
    }
}

fn in_section<'a>(section: &'a Section, path: &[Step]) -> Option<Cow<'a, Value>> {
    match path.split_first() {
        None => Some(Cow::Owned(section.for_service())),
        Some((first, rest)) => match first.name()? {
            "$version" if rest.is_empty() => Some(Cow::Owned(json!(section.version))),
            "$metadata" => within(&section.metadata, rest),
            _ => within(&section.value, path),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::Condition;
    use super::super::registry::{Address, Keys, Placed};
    use super::super::twins::{Twin, TwinUpdate};
    use super::*;
    use crate::wire::SharedKey;

    fn identity() -> Identity {
        let at: Timestamp = "2030-01-01T00:00:00Z".parse().expect("a time");
        let key = SharedKey::from_bytes(vec![1; 32]).expect("a key");
        let mut identity = Identity::new(
            Address::device("d".parse().expect("an id")),
            Authentication::Sas(Keys { primary: key.clone(), secondary: key }),
            at,
        );
        identity.twin = Twin::new(at);
        let update = TwinUpdate {
            tags: json!({"place": {"floor": 3}}).as_object().cloned(),
            desired: json!({"interval": 5}).as_object().cloned(),
        };
        identity.twin.update(&update, at).expect("written");
        identity.twin.report(&json!({"fw": "1.0"}), None, at).expect("reported");
        identity.configurations.insert("Slow".to_owned(), Placed::Applied);
        identity
    }

    #[test]
    fn conditions_reach_every_part_of_an_identity() {
        let identity = identity();
        for (text, holds) in [
            ("deviceId = 'd'", true),
            ("tags.place.floor > 2", true),
            ("tags.place.floor > 3", false),
            ("properties.desired.interval = 5 AND properties.reported.fw = '1.0'", true),
            ("properties.desired.$version = 2", true),
            ("properties.reported.$metadata.fw.$lastUpdated = '2030-01-01T00:00:00Z'", true),
            ("status = 'enabled' AND connectionState = 'Disconnected'", true),
            ("capabilities.iotEdge = false", true),
            ("configurations.[[Slow]].status = 'Applied'", true),
            ("configurations.[[other]].status = 'Applied'", false),
            ("IS_DEFINED(moduleId)", false),
            ("IS_DEFINED(nothing)", false),
            ("lastActivityTime < '2030-01-01'", true),
            ("authenticationType = 'sas'", true),
        ] {
            let condition = Condition::parse(text).expect("a condition");
            assert_eq!(condition.selects(&IdentityRow(&identity)), holds, "{text}");
        }
    }

    #[test]
    fn the_whole_row_is_the_twin_as_services_read_it() {
        let identity = identity();
        let whole = IdentityRow(&identity).whole();
        assert_eq!(whole["deviceId"], "d");
        assert_eq!(whole["tags"], json!({"place": {"floor": 3}}));
        assert_eq!(whole["properties"]["desired"]["interval"], 5);
        assert_eq!(whole["properties"]["reported"]["$version"], 2);
        assert_eq!(whole["configurations"], json!({"Slow": {"status": "Applied"}}));
        assert_eq!(whole["capabilities"], json!({"iotEdge": false}));
        assert!(whole.get("moduleId").is_none());
    }
}
