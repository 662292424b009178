//! `--wait-for PATH[=VALUE]`: when an outcome stands in a twin's reported section.
//!
//! A twin remembers: `firmwareStatus` may say `completed` of the last update while this one has
//! not begun. So only what was reported after the command was sent counts. Where the same value is
//! reported again, the twin's `$metadata` tells, for the hub notes there when each was written.

use std::str::FromStr;

use serde_json::Value;

/// Where the reported section stands in a twin.
const REPORTED: &str = "properties.reported.";

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitFor {
    path: Vec<String>,
    value: Option<String>,
}

/// Why a text is not something to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not PATH or PATH=VALUE, with dots in the path, as in `firmwareStatus=completed` or `status.phase`"
)]
pub struct WaitForError;

impl FromStr for WaitFor {
    type Err = WaitForError;

    fn from_str(text: &str) -> Result<Self, WaitForError> {
        let (path, value) = match text.split_once('=') {
            Some((path, value)) => (path, Some(value.to_owned())),
            None => (text, None),
        };
        let path = path.trim();
        // As `twin watch` and queries name it.
        let path = path.strip_prefix(REPORTED).unwrap_or(path);
        let path: Vec<_> = path.split('.').map(|name| name.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) { Err(WaitForError) } else { Ok(Self { path, value }) }
    }
}

impl std::fmt::Display for WaitFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path.join("."))?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

/// How far the twin is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Nothing stands at the path.
    Missing,
    /// Something else stands there.
    Other(Value),
    /// It matches, but it already did before the command, and has not been reported since.
    Before(Value),
    /// It is there.
    Met(Value),
}

impl WaitFor {
    /// How far the twin is, from its reported section now and before the command was sent. Without
    /// a section from before, whatever stands there counts.
    pub fn progress(&self, before: Option<&Value>, now: &Value) -> Progress {
        let Some(value) = self.find(now) else { return Progress::Missing };
        if !self.matches(value) {
            return Progress::Other(value.clone());
        }
        let is_old = before.is_some_and(|before| {
            self.find(before) == Some(value) && self.written(before) == self.written(now)
        });
        if is_old { Progress::Before(value.clone()) } else { Progress::Met(value.clone()) }
    }

    fn find<'a>(&self, reported: &'a Value) -> Option<&'a Value> {
        self.path.iter().try_fold(reported, |value, name| value.get(name)).filter(|value| !value.is_null())
    }

    /// The object that the value stands in, with its path: what else it says often tells why.
    pub fn around<'a>(&self, reported: &'a Value) -> Option<(String, &'a Value)> {
        let (_, path) = self.path.split_last().filter(|(_, path)| !path.is_empty())?;
        let found = path.iter().try_fold(reported, |value, name| value.get(name))?;
        found.is_object().then(|| (path.join("."), found))
    }

    /// When the hub says the value was written.
    pub fn written<'a>(&self, reported: &'a Value) -> Option<&'a Value> {
        let metadata = reported.get("$metadata")?;
        self.path.iter().try_fold(metadata, |value, name| value.get(name))?.get("$lastUpdated")
    }

    /// A text is compared as it was typed; anything else as JSON.
    fn matches(&self, value: &Value) -> bool {
        let Some(wanted) = &self.value else { return true };
        if value.as_str() == Some(wanted) {
            return true;
        }
        serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| {
            wanted == *value || wanted.as_f64().is_some_and(|number| value.as_f64() == Some(number))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn progress(wanted: &str, before: Option<Value>, now: Value) -> Progress {
        wanted.parse::<WaitFor>().expect("something to wait for").progress(before.as_ref(), &now)
    }

    #[test]
    fn a_path_leads_to_a_value() {
        let reported =
            json!({"state": "true", "count": 5, "on": true, "s": {"phase": "done", "list": [1]}, "no": null});
        let met = |wanted: &str| matches!(progress(wanted, None, reported.clone()), Progress::Met(_));
        for wanted in [
            "state",
            "state=true",
            "state=\"true\"",
            "count=5",
            "count=5.0",
            "on=true",
            "s.phase=done",
            "s",
            "s.list=[1]",
            "s.list= [ 1 ]",
        ] {
            assert!(met(wanted), "{wanted}");
        }
        for wanted in
            ["nothing", "no", "state=false", "state=", "count=50", "s.phase.x", "s.phase=Done", "on=1"]
        {
            assert!(!met(wanted), "{wanted}");
        }
        assert_eq!(progress("x.y", None, reported.clone()), Progress::Missing);
        assert_eq!(progress("count=6", None, reported), Progress::Other(json!(5)));
    }

    #[test]
    fn what_stands_beside_it_is_known() {
        let reported =
            json!({"move": {"status": "failed", "value": "why"}, "other": 1, "deep": {"a": {"b": 2}}});
        let beside = |wanted: &str| {
            let wanted = wanted.parse::<WaitFor>().expect("something to wait for");
            wanted.around(&reported).map(|(name, value)| (name, value.clone()))
        };
        let whole = json!({"status": "failed", "value": "why"});
        assert_eq!(beside("move.status=failed"), Some(("move".to_owned(), whole)));
        assert_eq!(beside("deep.a.b"), Some(("deep.a".to_owned(), json!({"b": 2}))));
        assert_eq!(beside("other"), None);
        assert_eq!(beside("other.x"), None);
    }

    #[test]
    fn what_stood_there_before_the_command_does_not_count() {
        let twin = |status: &str, at: &str| json!({"firmwareStatus": status, "$metadata": {"firmwareStatus": {"$lastUpdated": at}}});
        let wanted = "firmwareStatus=completed";
        let before = Some(twin("completed", "2030-01-01T00:00:00Z"));
        let now = |status, at| progress(wanted, before.clone(), twin(status, at));
        assert_eq!(now("completed", "2030-01-01T00:00:00Z"), Progress::Before(json!("completed")));
        assert_eq!(now("downloading", "2030-01-01T00:00:05Z"), Progress::Other(json!("downloading")));
        assert_eq!(now("completed", "2030-01-01T00:00:09Z"), Progress::Met(json!("completed")));
        assert_eq!(progress("x", Some(json!({"x": 1})), json!({"x": 1})), Progress::Before(json!(1)));
        assert_eq!(progress("x", Some(json!({"x": 1})), json!({"x": 2})), Progress::Met(json!(2)));
        assert_eq!(progress("x", Some(json!({})), json!({"x": 2})), Progress::Met(json!(2)));
    }

    #[test]
    fn what_is_no_path_is_refused_and_what_is_one_is_shown() {
        for text in ["", "=x", "a..b", ".a", "a."] {
            assert_eq!(text.parse::<WaitFor>(), Err(WaitForError), "{text:?}");
        }
        for text in ["a", "a.b", "a.b=c=d", "a="] {
            assert_eq!(text.parse::<WaitFor>().map(|wanted| wanted.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("properties.reported.a.b=1".parse::<WaitFor>(), "a.b=1".parse());
        assert_eq!("properties.reported.".parse::<WaitFor>(), Err(WaitForError));
    }
}
