//! A writable property: a desired value comes in, an acknowledgement goes out.
//!
//! Two generations of IoT Central's convention exist, and the shape of the desired value tells
//! which one its sender speaks ("Telemetry, property, and command payloads", and the tutorials of
//! 2020): `{"name": X}` is acknowledged with `{"value", "ac", "av", "ad"}`, `{"name": {"value": X}}`
//! with `{"value", "status", "desiredVersion"}`.

use serde_json::{Map, Value, json};

use super::PropertySpec;

/// Which generation of the property convention the operator speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// `{"name": X}`, acknowledged by `ac`, `av` and `ad`.
    Current,
    /// `{"name": {"value": X}}`, acknowledged by `status` and `desiredVersion`.
    Wrapped,
}

/// One desired value, taken out of its wrapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// What is wanted.
    pub value: Value,
    /// How it was said.
    pub convention: Convention,
    /// The version of the desired section that it stands in.
    pub version: u64,
}

impl Wish {
    /// Reads a member of the desired section. An object with the member `value` is the wrapped form.
    pub fn read(member: &Value, version: u64) -> Self {
        match member.as_object().and_then(|object| object.get("value")) {
            Some(value) => Self { value: value.clone(), convention: Convention::Wrapped, version },
            None => Self { value: member.clone(), convention: Convention::Current, version },
        }
    }

    /// The acknowledgement, the member to report under the property's name.
    ///
    /// `value` is what the device holds now; a verdict of `Err` carries the status (400, 404) and
    /// the reason.
    pub fn acknowledgement(&self, value: &Value, verdict: &Result<(), (u16, String)>) -> Value {
        let mut ack = Map::new();
        // A null in a reported patch would delete the member instead of stating it.
        if !value.is_null() {
            ack.insert("value".to_owned(), value.clone());
        }
        let rest = match (self.convention, verdict) {
            (Convention::Current, Ok(())) => json!({"ac": 200, "av": self.version, "ad": "completed"}),
            (Convention::Current, Err((status, reason))) => {
                json!({"ac": status, "av": self.version, "ad": reason})
            }
            (Convention::Wrapped, Ok(())) => json!({"status": "completed", "desiredVersion": self.version}),
            (Convention::Wrapped, Err((status, reason))) => json!({
                "status": "failed", "statusCode": status, "message": reason,
                "desiredVersion": self.version,
            }),
        };
        if let Value::Object(rest) = rest {
            ack.extend(rest);
        }
        Value::Object(ack)
    }
}

/// What acknowledgements are made of, in both conventions, besides the value.
const WORDS: [&str; 7] = ["ac", "av", "ad", "status", "statusCode", "message", "desiredVersion"];

/// Has an acknowledgement delete what an earlier one, in other words, has left `before` it: merged
/// into each other they would say that a value was taken and refused.
pub fn forget_other_words(acknowledgement: &mut Value, before: Option<&Value>) {
    let (Some(Value::Object(before)), Value::Object(members)) = (before, acknowledgement) else { return };
    for word in WORDS.iter().filter(|word| before.contains_key(**word)) {
        members.entry(*word).or_insert(Value::Null);
    }
}

/// The version that an acknowledgement in the reported section answers, in either convention.
pub fn acknowledged_version(reported: &Value) -> Option<u64> {
    reported.get("av").or_else(|| reported.get("desiredVersion"))?.as_u64()
}

/// The value that an acknowledgement in the reported section states.
pub fn acknowledged_value(reported: &Value) -> Option<&Value> {
    reported.get("value")
}

/// Where a writable property stands between what is wanted and what has been acknowledged.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Standing {
    /// Nobody has asked for a value.
    #[default]
    Unset,
    /// A desired value is being applied.
    Pending {
        /// The version it stands in.
        version: u64,
    },
    /// The desired value is in force and acknowledged.
    InStep {
        /// The version acknowledged.
        version: u64,
    },
    /// The desired value was refused.
    Refused {
        /// The version refused.
        version: u64,
        /// Why.
        reason: String,
    },
}

impl Standing {
    /// The version it speaks of.
    pub fn version(&self) -> Option<u64> {
        match self {
            Self::Unset => None,
            Self::Pending { version } | Self::InStep { version } | Self::Refused { version, .. } => {
                Some(*version)
            }
        }
    }
}

/// A writable property as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyState {
    /// What it is.
    pub spec: &'static PropertySpec,
    /// What the operator wants, as last heard; `None` when nobody has asked for anything.
    pub desired: Option<Value>,
    /// What the device holds; `Null` before anybody has set it.
    pub value: Value,
    /// How the two stand to each other.
    pub standing: Standing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_convention_is_acknowledged_by_ac_av_ad() {
        let wish = Wish::read(&json!(2), 7);
        assert_eq!(wish.convention, Convention::Current);
        assert_eq!(
            wish.acknowledgement(&json!(2), &Ok(())),
            json!({"value": 2, "ac": 200, "av": 7, "ad": "completed"})
        );
        assert_eq!(
            wish.acknowledgement(&json!(1), &Err((400, "too high".to_owned()))),
            json!({"value": 1, "ac": 400, "av": 7, "ad": "too high"})
        );
    }

    #[test]
    fn the_convention_of_2020_is_acknowledged_by_status() {
        let wish = Wish::read(&json!({"value": "Kitchen"}), 3);
        assert_eq!((wish.convention, &wish.value), (Convention::Wrapped, &json!("Kitchen")));
        assert_eq!(
            wish.acknowledgement(&json!("Kitchen"), &Ok(())),
            json!({"value": "Kitchen", "status": "completed", "desiredVersion": 3})
        );
        assert_eq!(
            wish.acknowledgement(&Value::Null, &Err((400, "not text".to_owned()))),
            json!({"status": "failed", "statusCode": 400, "message": "not text", "desiredVersion": 3})
        );
    }

    #[test]
    fn an_object_without_value_is_taken_as_it_is() {
        let wish = Wish::read(&json!({"val": 1}), 1);
        assert_eq!((wish.convention, wish.value), (Convention::Current, json!({"val": 1})));
        let wish = Wish::read(&json!({"value": null}), 1);
        assert_eq!((wish.convention, wish.value), (Convention::Wrapped, Value::Null));
    }

    #[test]
    fn the_acknowledged_version_is_found_in_both_conventions() {
        assert_eq!(acknowledged_version(&json!({"value": 1, "ac": 200, "av": 5})), Some(5));
        assert_eq!(
            acknowledged_version(&json!({"value": 1, "status": "completed", "desiredVersion": 6})),
            Some(6)
        );
        assert_eq!(acknowledged_version(&json!("plain")), None);
    }

    #[test]
    fn an_acknowledgement_takes_back_the_words_of_the_other_convention() {
        let before = json!({"value": 2, "ac": 400, "av": 2, "ad": "no"});
        let mut ack = json!({"value": 3, "status": "completed", "desiredVersion": 3});
        forget_other_words(&mut ack, Some(&before));
        assert_eq!(
            ack,
            json!({"value": 3, "status": "completed", "desiredVersion": 3, "ac": null, "av": null, "ad": null})
        );
        let mut same = json!({"value": 3, "ac": 200, "av": 3, "ad": "completed"});
        forget_other_words(&mut same, Some(&before));
        forget_other_words(&mut same, None);
        assert_eq!(same, json!({"value": 3, "ac": 200, "av": 3, "ad": "completed"}));
    }
}
