//! What a value may be, and words for one that is not.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::device::IdScope;
use crate::device::discreet::discreet_value;

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// Text.
    Text {
        /// The longest, in characters.
        most: usize,
    },
    /// The ID scope of an application.
    IdScope,
    /// A whole number.
    Integer {
        /// Bounds.
        range: RangeInclusive<i64>,
        /// Words for some of the values.
        labels: &'static [(i64, &'static str)],
    },
    /// A number.
    Number {
        /// Bounds.
        range: RangeInclusive<f64>,
        /// For people: `seconds`.
        unit: &'static str,
    },
    /// An object; members that are not named here are let be.
    Object(&'static [Member]),
    /// Anything, nothing too.
    Any,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub schema: Schema,
    /// Whether it has to be there.
    pub required: bool,
}

impl Schema {
    /// Checks a value; the error is a sentence that starts with `subject`.
    pub fn check(&self, subject: &str, value: &Value) -> Result<(), String> {
        let expected = self.describe();
        let refuse = || Err(format!("{subject} takes {expected}, not {}", brief(value)));
        match self {
            Self::Text { most } => match value.as_str() {
                Some(text) if text.chars().count() <= *most => Ok(()),
                Some(text) => {
                    Err(format!("{subject} takes {expected}, not one of {} characters", text.chars().count()))
                }
                None => refuse(),
            },
            Self::IdScope => match value.as_str().map(str::parse::<IdScope>) {
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(format!("{subject} takes {expected}: {error}")),
                None => refuse(),
            },
            Self::Integer { range, .. } => match whole(value) {
                Some(number) if range.contains(&number) => Ok(()),
                _ => refuse(),
            },
            Self::Number { range, .. } => match value.as_f64() {
                Some(number) if range.contains(&number) => Ok(()),
                _ => refuse(),
            },
            Self::Object(members) => {
                let Some(object) = value.as_object() else { return refuse() };
                members.iter().try_for_each(|member| match object.get(member.name) {
                    // Many back ends write a member that is not there as null.
                    Some(Value::Null) if !member.required => Ok(()),
                    Some(value) => member.schema.check(member.name, value),
                    None if member.required => Err(format!("{subject} needs the member `{}`", member.name)),
                    None => Ok(()),
                })
            }
            Self::Any => Ok(()),
        }
    }

    /// What is allowed, in words: `a whole number from 1 to 3 (1 high, 2 medium, 3 low)`.
    pub fn describe(&self) -> String {
        match self {
            Self::Text { most } => format!("text of at most {most} characters"),
            Self::IdScope => "an ID scope".to_owned(),
            Self::Integer { range, labels } => {
                let mut said = format!("a whole number from {} to {}", range.start(), range.end());
                if !labels.is_empty() {
                    let words: Vec<_> = labels.iter().map(|(n, word)| format!("{n} {word}")).collect();
                    said.push_str(&format!(" ({})", words.join(", ")));
                }
                said
            }
            Self::Number { range, unit } => {
                format!("a number of {unit} from {} to {}", range.start(), range.end())
            }
            Self::Object(members) => {
                let members: Vec<_> =
                    members
                        .iter()
                        .map(|member| {
                            if member.required { member.name.to_owned() } else { format!("{}?", member.name) }
                        })
                        .collect();
                format!("an object with {}", members.join(", "))
            }
            Self::Any => "anything".to_owned(),
        }
    }
}

/// A JSON number without a fraction: `2`, and `2.0` as some services write it.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        // Whole floats up to 2^52 are exact, and twins hold no larger integers.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
        (number.fract() == 0.0 && number.abs() <= 4_503_599_627_370_496.0).then_some(number as i64)
    })
}

/// A value in at most forty characters, for messages, which people see: its addresses hold nothing secret.
pub fn brief(value: &Value) -> String {
    let text = discreet_value(value).to_string();
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BRIGHTNESS: Schema =
        Schema::Integer { range: 1..=3, labels: &[(1, "high"), (2, "medium"), (3, "low")] };

    #[test]
    fn a_schema_says_what_it_takes_and_what_it_got() {
        let said = |value: Value| BRIGHTNESS.check("brightness", &value).expect_err("a bad value");
        assert_eq!(
            said(json!(4)),
            "brightness takes a whole number from 1 to 3 (1 high, 2 medium, 3 low), not 4"
        );
        assert!(said(json!("2")).ends_with("not \"2\""));
        assert!(said(json!(null)).ends_with("not null"));
        assert!(said(json!(1.5)).ends_with("not 1.5"));
        assert!(said(json!([1])).ends_with("not [1]"));
        for good in [json!(1), json!(3), json!(2.0)] {
            assert_eq!(BRIGHTNESS.check("brightness", &good), Ok(()), "{good}");
        }
    }

    #[test]
    fn text_is_counted_in_characters() {
        let schema = Schema::Text { most: 3 };
        assert_eq!(schema.check("name", &json!("äöü")), Ok(()));
        assert_eq!(
            schema.check("name", &json!("abcd")),
            Err("name takes text of at most 3 characters, not one of 4 characters".to_owned())
        );
    }

    #[test]
    fn an_object_is_checked_member_by_member() {
        const UPDATE: Schema = Schema::Object(&[
            Member { name: "uri", schema: Schema::Text { most: 9 }, required: true },
            Member { name: "version", schema: Schema::Text { most: 3 }, required: false },
        ]);
        let said = |value: Value| UPDATE.check("update", &value).expect_err("a bad value");
        assert_eq!(said(json!(null)), "update takes an object with uri, version?, not null");
        assert_eq!(said(json!({"version": "1"})), "update needs the member `uri`");
        assert_eq!(said(json!({"uri": 1})), "uri takes text of at most 9 characters, not 1");
        assert_eq!(UPDATE.check("update", &json!({"uri": "a", "else": 1})), Ok(()));
        assert_eq!(UPDATE.check("update", &json!({"uri": "a", "version": null})), Ok(()));
        assert_eq!(said(json!({"uri": null})), "uri takes text of at most 9 characters, not null");
    }

    #[test]
    fn a_long_value_is_cut_in_messages() {
        assert_eq!(brief(&json!("é".repeat(100))).chars().count(), 41);
        assert_eq!(brief(&json!({"u": "http://u:pw@h/x?sig=S"})), r#"{"u":"http://…@h/x?…"}"#);
    }
}
