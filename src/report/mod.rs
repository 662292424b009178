//! Facts as lines, for runs without a screen, and what is left to say after one. Pure formatting.
//!
//! Adding a format: a file here and a row in [`FORMATS`].
//!
//! Never here: output streams, or anything that a fact does not hold.

pub mod json;
pub mod quiet;
pub mod text;
mod trouble;

use jiff::tz::TimeZone;

use crate::app::Entry;

pub use trouble::last_trouble;

/// The device that a fact happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'a> {
    /// The only one there is; also for facts that are about none.
    Only(&'a str),
    /// One of several.
    One(&'a str),
    /// None of several: the fact is the program's.
    Program,
}

impl Of<'_> {
    /// What stands before a fact for people: who it is, where that could be a question.
    fn prefix(self) -> String {
        match self {
            Self::One(device) => format!("{device}: "),
            Self::Only(_) | Self::Program => String::new(),
        }
    }
}

/// One way to write a fact down; `None` when this format leaves it out.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The name on the command line.
    pub name: &'static str,
    /// One line, without its end.
    pub line: fn(&Entry, of: Of<'_>, zone: &TimeZone) -> Option<String>,
}

/// Every format.
pub const FORMATS: &[Format] = &[
    Format { name: "text", line: text::line },
    Format { name: "json", line: json::line },
    Format { name: "quiet", line: quiet::line },
];

/// The format called `name`.
pub fn find(name: &str) -> Option<Format> {
    FORMATS.iter().find(|format| format.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{EntryId, Fact};
    use crate::device::outbox::Counters;
    use crate::device::{Failure, FailureKind, Millis, Now, Severity};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn entry(fact: Fact) -> Entry {
        let now = Now { at: Millis(1_500), wall: "2030-01-01T00:00:01.5Z".parse().expect("a timestamp") };
        Entry { id: EntryId(1), now, slot: Some(0), fact, packet: None }
    }

    fn line(format: &str, fact: Fact) -> Option<String> {
        (find(format).expect("a format").line)(&entry(fact), Of::Only("env-sensor-01"), &TimeZone::UTC)
    }

    fn sent() -> Fact {
        Fact::Sent { message: 3, body: r#"{"temp":68.2,"humid":45.1}"#.to_owned() }
    }

    #[test]
    fn text_says_when_who_and_what() {
        assert_eq!(
            line("text", sent()).as_deref(),
            Some(r#"00:00:01.500 telemetry  sent #3 {"temp":68.2,"humid":45.1}"#)
        );
    }

    #[test]
    fn of_several_devices_each_line_names_its_own() {
        let line = |format, of| (find(format).expect("a format").line)(&entry(sent()), of, &TimeZone::UTC);
        let text = line("text", Of::One("edge-01/tempSensor")).expect("a line");
        assert!(text.starts_with("00:00:01.500 telemetry  edge-01/tempSensor: sent #3 "), "{text}");
        let said = |of| serde_json::from_str::<Value>(&line("json", of).expect("a line")).expect("JSON");
        assert_eq!(said(Of::One("b"))["device"], "b");
        assert_eq!(said(Of::Program)["device"], Value::Null);
        assert_eq!(line("text", Of::Program), line("text", Of::Only("a")));
    }

    #[test]
    fn json_is_one_object_with_time_event_and_device() {
        let said: Value = serde_json::from_str(&line("json", sent()).expect("a line")).expect("JSON");
        assert_eq!(
            said,
            json!({"time": "2030-01-01T00:00:01.500Z", "event": "sent", "device": "env-sensor-01",
                   "message": 3, "body": {"temp": 68.2, "humid": 45.1}})
        );
    }

    #[test]
    fn routine_is_left_out_of_text_and_kept_in_json() {
        let routine = || Fact::Acknowledged { message: 3, took: Duration::from_millis(12) };
        assert_eq!(line("text", routine()), None);
        assert!(line("json", routine()).is_some_and(|line| line.contains("\"tookMs\":12")));
    }

    #[test]
    fn quiet_speaks_of_what_needs_a_person_and_of_the_end() {
        let failure = Failure::new(FailureKind::Unauthorized, "the hub refused the key").advise("check it");
        let failed = Fact::Failed { failure, again_in: None, attempt: 0 };
        assert_eq!(line("quiet", failed).as_deref(), Some("the hub refused the key; check it"));
        assert_eq!(line("quiet", sent()), None);
        let note = Fact::Note { severity: Severity::Info, text: "x".to_owned() };
        assert_eq!(line("quiet", note), None);
        let summary = Fact::Summary { counters: Counters::default(), lasted: Duration::from_secs(2) };
        assert_eq!(
            line("quiet", summary).as_deref(),
            Some("0 sent, 0 acknowledged, 0 unacknowledged, 0 waiting, 0 dropped in 2 s")
        );
    }

    #[test]
    fn control_characters_from_the_network_do_not_reach_a_terminal() {
        let note = Fact::Note { severity: Severity::Info, text: "a\u{1b}[2Jb\nc".to_owned() };
        assert!(line("text", note).is_some_and(|line| line.ends_with("a\u{fffd}[2Jb\u{fffd}c")));
    }
}
