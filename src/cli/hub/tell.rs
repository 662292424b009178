//! What all verbs tell in the same way. One line for each thing told; [`super::which::Hub`] writes it.

use std::io::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The time of day, with milliseconds.
pub fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f").to_string()
}

/// Keeps what others wrote from moving the cursor of this terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Beside the events, which may be read by a program. It goes on without the note when that cannot
/// be written.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "envsim: {}", clean(text));
}

/// A span for programs.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Names and values, one to a line and in step.
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines: Vec<_> =
        pairs.iter().map(|(name, value)| format!("  {name:width$}  {}", clean(value))).collect();
    lines.join("\n")
}

/// A table that is told in parts, as they come: its columns stay in step with the part before.
#[derive(Debug)]
pub struct Table {
    columns: Vec<String>,
    widths: Vec<usize>,
    begun: bool,
}

impl Table {
    /// One with these columns.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        let widths = columns.iter().map(|column| column.chars().count()).collect();
        Self { columns, widths, begun: false }
    }

    /// The next rows, below the names of the columns the first time.
    pub fn part(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let head = if self.begun { None } else { Some(self.columns.clone()) };
        self.begun = true;
        let lines: Vec<_> = head.iter().chain(rows).map(|row| self.line(row)).collect();
        lines.join("\n")
    }

    fn line(&self, row: &[String]) -> String {
        let cells: Vec<_> = row
            .iter()
            .zip(&self.widths)
            .map(|(cell, width)| {
                let cell = clean(cell);
                format!("{cell:width$}")
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    }
}

/// A value in a table's cell: a text as it is, nothing for null, anything else as JSON, and not
/// without end.
pub fn cell(value: &Value) -> String {
    const MOST: usize = 60;
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MOST) {
        Some(_) => text.chars().take(MOST - 1).chain(['…']).collect(),
        None => text,
    }
}

/// A moment as a hub tells it, in the time of this place. Nothing for the year 1, which is a hub's
/// word for never.
pub fn moment(value: &Value, zone: &TimeZone) -> Option<String> {
    let text = value.as_str()?;
    // The registry leaves the zone out, twins do not.
    let at: Timestamp = text.parse().or_else(|_| format!("{text}Z").parse()).ok()?;
    let told = || at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    (!text.starts_with("0001-")).then(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_keeps_its_columns_from_part_to_part() {
        let mut table = Table::new(["device", "status"]);
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            table.part(&[row(["a", "enabled"]), row(["sensor-01", "\x1b[2J"])]),
            "device     status\na          enabled\nsensor-01  \u{fffd}[2J"
        );
        assert_eq!(table.part(&[row(["b", ""])]), "b");
        assert_eq!(table.part(&[row(["b", "x"])]), "b          x");
    }

    #[test]
    fn cells_and_moments_are_short() {
        assert_eq!(
            (cell(&json!("a")), cell(&json!({"a": 1})), cell(&Value::Null)),
            ("a".into(), r#"{"a":1}"#.into(), String::new())
        );
        assert_eq!(cell(&json!("x".repeat(61))).chars().count(), 60);
        let told = |text: &str| moment(&json!(text), &TimeZone::UTC);
        assert_eq!(told("2026-11-21T13:03:07.12Z").as_deref(), Some("2026-11-21 13:03:07"));
        assert_eq!(told("2026-11-21T13:03:07").as_deref(), Some("2026-11-21 13:03:07"));
        assert_eq!((told("0001-01-01T00:00:00"), told("never")), (None, None));
    }
}
