//! Names for many devices: `dev{:06}` is `dev000000`, `dev000001` and so on.

use std::fmt;
use std::str::FromStr;

use crate::device::DeviceId;

/// A device id with a place for a number. Every name it makes is a valid device id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPattern {
    before: String,
    width: usize,
    after: String,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not exactly one place for a number.
    #[error(
        "needs one place for the number: `{{}}`, or `{{:06}}` for six digits with zeros, as in `dev{{:06}}`"
    )]
    Place,
    /// The names it would make are no device ids.
    #[error("makes names that are no device ids: {0}")]
    Name(crate::device::identity::NameError),
}

impl FromStr for IdPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (before, rest) = text.split_once('{').ok_or(PatternError::Place)?;
        let (place, after) = rest.split_once('}').ok_or(PatternError::Place)?;
        let width = match place.strip_prefix(":0") {
            _ if place.is_empty() => 0,
            Some(digits) => {
                digits.parse().ok().filter(|width| (1..=20).contains(width)).ok_or(PatternError::Place)?
            }
            None => return Err(PatternError::Place),
        };
        let pattern = Self { before: before.to_owned(), width, after: after.to_owned() };
        // The longest name stands for all: the characters are the same in every one.
        pattern.name(u64::MAX).parse::<DeviceId>().map_err(PatternError::Name)?;
        Ok(pattern)
    }
}

impl IdPattern {
    /// The name with this number.
    pub fn name(&self, number: u64) -> String {
        let Self { before, width, after } = self;
        format!("{before}{number:0width$}{after}")
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            0 => write!(f, "{}{{}}{}", self.before, self.after),
            width => write!(f, "{}{{:0{width}}}{}", self.before, self.after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_up_from_zero() {
        let names = |pattern: &str| {
            let pattern: IdPattern = pattern.parse().expect("a pattern");
            assert_eq!(pattern.to_string().parse(), Ok(pattern.clone()));
            [pattern.name(0), pattern.name(12)]
        };
        assert_eq!(names("dev{:06}"), ["dev000000", "dev000012"]);
        assert_eq!(names("{}-x"), ["0-x", "12-x"]);
    }

    #[test]
    fn a_pattern_without_one_place_is_refused() {
        for text in ["dev", "dev{", "dev{:6}", "dev{:0}", "dev{:099}", "dev{x}"] {
            assert_eq!(text.parse::<IdPattern>(), Err(PatternError::Place), "{text}");
        }
        for text in ["a b{}", "{}{}", "", "a/{}"] {
            assert!(text.parse::<IdPattern>().is_err(), "{text}");
        }
    }
}
