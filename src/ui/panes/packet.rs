//! The raw message behind a line of the log.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::log;
use super::reading::{self, Page};
use crate::app::{AppState, CommandRecord, Entry, EntryId};
use crate::device::time::Spoken;
use crate::ui::Theme;
use crate::ui::text::{clock, column, width, wrap};

/// How it is read.
pub(super) fn page(state: &AppState, theme: &Theme, id: EntryId, area: Rect) -> Page {
    let room = reading::room(area);
    let Some(entry) = state.log.get(id) else {
        let gone = "this entry is so old that it is not kept any more";
        return Page::new("Message", vec![Line::styled(gone, theme.dim)]);
    };
    let title = format!("{} {}", clock(entry.now.wall, &state.zone), entry.fact.name());
    let mut lines = lines(theme, entry, room);
    if let Some(record) = state.call_of(entry) {
        lines.push(Line::default());
        answer(&mut lines, theme, record, room);
    }
    Page::new(&title, lines)
}

/// What became of a call, in full: the history has a line for both.
fn answer(lines: &mut Vec<Line<'static>>, theme: &Theme, record: &CommandRecord, room: usize) {
    match &record.answer {
        None => heading(lines, theme, "Not answered yet"),
        Some((status, response, took)) => {
            heading(lines, theme, &format!("Answered {status} after {}", Spoken(*took)));
            if response.is_null() {
                lines.push(Line::styled("(empty)", theme.dim));
            } else {
                pretty(lines, theme, &response.to_string(), room);
            }
        }
    }
}

fn lines(theme: &Theme, entry: &Entry, room: usize) -> Vec<Line<'static>> {
    let (symbol, style) = log::severity(theme, entry.severity());
    let mut lines = Vec::new();
    for (n, text) in wrap(&entry.fact.to_string(), room.saturating_sub(2)).into_iter().enumerate() {
        let mark = if n == 0 { symbol } else { " " };
        lines.push(Line::from(vec![Span::styled(format!("{mark} "), style), Span::styled(text, theme.text)]));
    }
    lines.push(Line::default());
    let Some(packet) = &entry.packet else {
        heading(&mut lines, theme, "No message on the wire came with it. What is known");
        let fields = Value::Object(entry.fact.fields());
        pretty(&mut lines, theme, &fields.to_string(), room);
        return lines;
    };
    let way = if packet.outbound {
        format!("Topic  {} device to hub", theme.symbols.outbound)
    } else {
        format!("Topic  {} hub to device", theme.symbols.inbound)
    };
    heading(&mut lines, theme, &way);
    lines.extend(wrap(&packet.topic, room).into_iter().map(|text| Line::styled(text, theme.text)));
    if !packet.properties.is_empty() {
        lines.push(Line::default());
        heading(&mut lines, theme, "Properties, decoded");
        let names = packet.properties.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        let names = names.clamp(1, (room / 2).max(1));
        for (name, value) in &packet.properties {
            let wrapped = wrap(value, room.saturating_sub(names + 2).max(1));
            let name = column(name, names);
            for (n, text) in wrapped.into_iter().enumerate() {
                let label = if n == 0 { name.clone() } else { " ".repeat(names) };
                lines.push(Line::from(vec![
                    Span::styled(label + "  ", theme.accent),
                    Span::styled(text, theme.text),
                ]));
            }
        }
    }
    lines.push(Line::default());
    let bytes = packet.size;
    let unit = if bytes == 1 { "byte" } else { "bytes" };
    heading(&mut lines, theme, &format!("Payload, {bytes} {unit}"));
    pretty(&mut lines, theme, &packet.payload, room);
    lines
}

fn heading(lines: &mut Vec<Line<'static>>, theme: &Theme, text: &str) {
    lines.push(Line::styled(text.to_owned(), theme.dim));
}

/// JSON with a line for each member, anything else as it is.
fn pretty(lines: &mut Vec<Line<'static>>, theme: &Theme, payload: &str, room: usize) {
    if payload.is_empty() {
        return lines.push(Line::styled("(empty)", theme.dim));
    }
    let pretty = serde_json::from_str::<Value>(payload)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| payload.to_owned());
    let wrapped = pretty.lines().flat_map(|line| reading::wrap_indented(line, room));
    lines.extend(wrapped.map(|text| Line::styled(text, theme.text)));
}
