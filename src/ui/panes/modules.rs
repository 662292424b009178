//! The modules of a device, with what goes into them and comes out.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::{header, is_focused};
use crate::app::{AppState, PaneId, Station};
use crate::device::{Flow, Port};
use crate::ui::Theme;
use crate::ui::names::names;
use crate::ui::text::{clean, clock, column, right, spoken, width};
use crate::ui::widgets::list;

/// How many values of a message are told.
const MOST_VALUES: usize = 8;

/// How many modules there are.
pub fn note(state: &AppState, theme: &Theme, _: usize) -> Line<'static> {
    match state.modules().count() {
        0 | 1 => Line::default(),
        count => Line::styled(format!("{count} modules"), theme.dim),
    }
}

/// Draws every module: how its link stands, its figures, and a line for each input and output.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let room = usize::from(area.width);
    let focused = is_focused(state, PaneId::Modules);
    let labels = names(state, room / 2);
    let all: Vec<_> = state.modules().flat_map(|(_, station)| station.device.ports()).collect();
    let widest = all.iter().map(|port| width(port.name)).max().unwrap_or(0).min(room / 3);
    let counts = all.iter().map(|port| width(&port.count.to_string())).max().unwrap_or(0);
    let mut lines = Vec::new();
    // The lines of the module under the cursor, to keep them in sight.
    let mut under = 0..0;
    for (place, (slot, station)) in state.modules().enumerate() {
        let begins = lines.len();
        let here = focused && place == state.ui.module;
        let label = labels.get(slot).map_or("", String::as_str);
        let mut own = head(state, theme, station, label, slot == state.ui.slot, room);
        if here && let Some(first) = own.first_mut() {
            *first = list::selected(std::mem::take(first), theme.selected, room);
        }
        lines.append(&mut own);
        let ports = station.device.ports();
        lines.extend(ports.iter().map(|one| port(state, theme, one, (widest, counts), room)));
        if here {
            under = begins..lines.len();
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled("no device here has inputs or outputs", theme.dim));
    }
    let height = usize::from(area.height);
    let middle = under.start + under.len().min(height) / 2;
    let first = list::first(lines.len(), middle, height);
    let below = lines.len().saturating_sub(first + height);
    list::lines(frame, area, lines.split_off(first));
    list::hidden(frame, theme, area, first, below);
}

/// Name, state and figures: in one line where they have room there.
fn head(
    state: &AppState,
    theme: &Theme,
    station: &Station,
    label: &str,
    shown: bool,
    room: usize,
) -> Vec<Line<'static>> {
    let (symbol, word, style) = header::standing(station, theme);
    let mut spans = vec![
        Span::styled(format!("{symbol} "), style),
        Span::styled(label.to_owned(), theme.accent),
        Span::styled(format!("  {word}"), theme.text),
    ];
    if shown && state.has_several() {
        spans.push(Span::styled(" (shown)", theme.dim));
    }
    let figures: Vec<_> = station
        .device
        .figures()
        .iter()
        .map(|figure| format!("{} {}", clean(figure.title), clean(&figure.value)))
        .collect();
    let separator = format!(" {} ", theme.symbols.separator);
    let told = figures.join(&separator);
    let taken: usize = spans.iter().map(Span::width).sum();
    if told.is_empty() {
        return vec![Line::from(spans)];
    }
    if taken + 3 + width(&told) <= room {
        spans.push(Span::styled(format!("   {told}"), theme.strong));
        return vec![Line::from(spans)];
    }
    let mut lines = vec![Line::from(spans)];
    let packed = packed(figures, &separator, room.saturating_sub(2));
    lines.extend(packed.into_iter().map(|text| Line::styled(format!("  {text}"), theme.strong)));
    lines
}

/// As many figures in each line as have room there; none is broken.
fn packed(figures: Vec<String>, separator: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for figure in figures {
        match lines.last_mut() {
            Some(line) if width(line) + width(separator) + width(&figure) <= room => {
                line.push_str(separator);
                line.push_str(&figure);
            }
            _ => lines.push(figure),
        }
    }
    lines
}

/// One input or output: which way, its name, how many messages, and the last of them.
fn port(
    state: &AppState,
    theme: &Theme,
    port: &Port,
    (names, counts): (usize, usize),
    room: usize,
) -> Line<'static> {
    let (symbol, word) = match port.flow {
        Flow::In => (theme.symbols.inbound, "in "),
        Flow::Out => (theme.symbols.outbound, "out"),
    };
    let mut spans = vec![Span::styled(format!("  {symbol} "), theme.text)];
    if room >= 50 {
        spans.push(Span::styled(format!("{word} "), theme.dim));
    }
    spans.push(Span::styled(column(port.name, names), theme.text));
    spans.push(Span::styled(right(&port.count.to_string(), counts + 2), theme.strong));
    let text = match &port.last {
        None => Span::styled("  nothing yet", theme.dim),
        Some((at, body)) => {
            if room >= 60 {
                let at = clock(state.now.wall_at(*at), &state.zone);
                spans.push(Span::styled(format!("  {at}"), theme.dim));
            }
            let taken: usize = spans.iter().map(Span::width).sum();
            Span::styled(format!("  {}", brief(body, room.saturating_sub(taken + 2))), theme.text)
        }
    };
    spans.push(text);
    Line::from(spans)
}

/// A message as it is where it has room; else the values in it, which say more than braces and
/// the names around them.
fn brief(body: &str, room: usize) -> String {
    let whole = clean(body);
    if width(&whole) <= room {
        return whole;
    }
    match serde_json::from_str::<Value>(body) {
        Ok(value @ Value::Object(_)) => {
            let mut told = Vec::new();
            values("", &value, &mut told);
            told.join(", ")
        }
        _ => whole,
    }
}

/// Every value under `name`, innermost names only, as far as anybody would read.
fn values(name: &str, value: &Value, told: &mut Vec<String>) {
    match value {
        _ if told.len() >= MOST_VALUES => {}
        Value::Object(members) => members.iter().for_each(|(name, value)| values(name, value, told)),
        value => told.push(format!("{} {}", clean(name), spoken(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_room_is_told_by_its_values() {
        let body = r#"{"machine":{"temperature":21.4,"pressure":1.2},"timeCreated":"noon\u001b[2J"}"#;
        assert_eq!(brief(r#"{"a":1}"#, 7), r#"{"a":1}"#);
        assert_eq!(brief(body, 20), "temperature 21.4, pressure 1.2, timeCreated noon�[2J");
        assert_eq!(brief("not JSON, and long", 5), "not JSON, and long");
    }
}
