//! What the operator wants, what the device says, and whether they agree.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::is_focused;
use crate::app::{AppState, PaneId};
use crate::device::{PropertyState, Schema, Standing};
use crate::ui::Theme;
use crate::ui::text::{clean, column, fit, spoken, width, wrap_at_most};
use crate::ui::widgets::{gauge, list};

/// The versions of the two sections.
pub fn note(state: &AppState, theme: &Theme, room: usize) -> Line<'static> {
    let Some(twin) = state.station().device.twin() else {
        return Line::styled("no twin yet", theme.dim);
    };
    if room < 26 {
        return Line::styled(format!("v{} / v{}", twin.desired_version, twin.reported_version), theme.dim);
    }
    let version = |version: u64| Span::styled(version.to_string(), theme.strong);
    Line::from(vec![
        Span::styled("desired v", theme.dim),
        version(twin.desired_version),
        Span::styled(format!(" {} reported v", theme.symbols.separator), theme.dim),
        version(twin.reported_version),
    ])
}

/// Draws the writable properties, then those that the device reports by itself.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let room = usize::from(area.width);
    let height = usize::from(area.height);
    let device = &state.station().device;
    let properties = device.properties();
    let reported = reported(state);
    let focused = is_focused(state, PaneId::Properties);
    let cursor = state.ui.property.min(properties.len().saturating_sub(1));
    let spacious = height > properties.len() * 3 + reported.len() && room >= 30;
    let mut lines = Vec::new();
    // Which line the cursor's property begins at, to keep it in sight.
    let mut at = 0;
    for (place, property) in properties.iter().enumerate() {
        if place == cursor {
            at = lines.len();
        }
        let mut own = if spacious {
            let gap = (place > 0 && height > properties.len() * 4 + reported.len() + 2).then(Line::default);
            gap.into_iter().chain(card(theme, property, room)).collect()
        } else {
            compact(theme, property, room)
        };
        if focused && place == cursor {
            let head = own.iter().position(|line| line.width() > 0).unwrap_or(0);
            own[head] = list::selected(own[head].clone(), theme.selected, room);
        }
        lines.append(&mut own);
    }
    if spacious && !reported.is_empty() {
        if !lines.is_empty() && height > lines.len() + reported.len() + 1 {
            lines.push(Line::default());
        }
        lines.push(list::rule("reported by itself", theme.symbols.rule, theme.dim, room));
    }
    let widest = reported.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let wide = widest.clamp((room / 3).clamp(6, 12), (room / 2).max(12));
    let indent = if spacious { "  " } else { "" };
    let beside = room.saturating_sub(width(indent) + wide + 1);
    // Lines for what is longer than one, as far as nothing else needs them.
    let mut spare = height.saturating_sub(lines.len() + reported.len());
    for (name, value) in reported {
        let value = spoken(value.get("value").unwrap_or(value));
        let wrapped = wrap_at_most(&value, beside, spare + 1);
        spare -= wrapped.len().saturating_sub(1);
        for (n, text) in wrapped.into_iter().enumerate() {
            let label = if n == 0 { clean(name) } else { String::new() };
            lines.push(Line::from(vec![
                Span::styled(indent, theme.text),
                Span::styled(column(&label, wide) + " ", theme.strong),
                Span::styled(text, theme.text),
            ]));
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled("this kind of device has no properties", theme.dim));
    }
    let first = list::first(lines.len(), if focused { at } else { 0 }, height);
    let below = lines.len().saturating_sub(first + height);
    list::lines(frame, area, lines.split_off(first));
    list::hidden(frame, theme, area, first, below);
}

/// What stands in the reported section beside the writable properties.
fn reported(state: &AppState) -> Vec<(&String, &Value)> {
    let device = &state.station().device;
    let writable = |name: &str| device.properties().iter().any(|property| property.spec.name == name);
    let twin = device.twin().into_iter();
    twin.flat_map(|twin| &twin.reported).filter(|(name, _)| !writable(name)).collect()
}

/// How a property stands: symbol, words, and the reason when it was refused.
fn standing<'a>(theme: &Theme, standing: &'a Standing) -> (&'static str, String, Style, Option<&'a str>) {
    let symbols = theme.symbols;
    match standing {
        Standing::Unset => (symbols.trace, "not set".to_owned(), theme.dim, None),
        Standing::Pending { version } => (symbols.pending, format!("pending v{version}"), theme.warn, None),
        Standing::InStep { version } => (symbols.ok, format!("in step v{version}"), theme.ok, None),
        Standing::Refused { version, reason } => {
            (symbols.bad, format!("refused v{version}"), theme.bad, Some(reason.as_str()))
        }
    }
}

/// A value in words, with a gauge where its schema has steps.
fn value(theme: &Theme, schema: &Schema, value: &Value, room: usize) -> Vec<Span<'static>> {
    if let Schema::Integer { range, labels } = schema
        && let Some(number) = value.as_i64().filter(|number| range.contains(number))
        && let Ok(all) = usize::try_from(range.end() - range.start() + 1)
        && (2..=10).contains(&all)
    {
        // Where the lowest number is called high, as with brightness, it fills the gauge.
        let downward = labels.iter().any(|(n, word)| n == range.start() && *word == "high");
        let steps = if downward { range.end() - number } else { number - range.start() } + 1;
        let label = labels.iter().find(|(n, _)| *n == number).map_or("", |(_, word)| word);
        let mut spans = gauge::level(theme, usize::try_from(steps).unwrap_or(0), all, theme.ok);
        let text = fit(&format!(" {number} {label}"), room.saturating_sub(all));
        spans.push(Span::styled(text.trim_end().to_owned(), theme.text));
        return spans;
    }
    vec![Span::styled(fit(&spoken(value), room), theme.text)]
}

fn pad(mut spans: Vec<Span<'static>>, room: usize) -> Vec<Span<'static>> {
    let taken: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(room.saturating_sub(taken))));
    spans
}

/// Two lines, and one or two more for the reason of a refusal.
fn card(theme: &Theme, property: &PropertyState, room: usize) -> Vec<Line<'static>> {
    let schema = &property.spec.schema;
    let (symbol, words, style, reason) = standing(theme, &property.standing);
    let state = format!("{symbol} {words}");
    let rest = room.saturating_sub(crate::ui::text::width(&state) + 1);
    let title = format!("{}  {}", property.spec.name, property.spec.title);
    let name = column(&title, rest);
    let cut = property.spec.name.len().min(name.len());
    let (name, title) =
        if name.starts_with(property.spec.name) { name.split_at(cut) } else { (name.as_str(), "") };
    let head = Line::from(vec![
        Span::styled(name.to_owned(), theme.accent),
        Span::styled(format!("{title} "), theme.dim),
        Span::styled(state, style),
    ]);
    let half = room.saturating_sub(4) / 2;
    let desired = property.desired.as_ref().unwrap_or(&Value::Null);
    let mut spans = vec![Span::styled("  desired ", theme.dim)];
    spans.extend(pad(value(theme, schema, desired, half.saturating_sub(9)), half.saturating_sub(8)));
    spans.push(Span::styled(" reported ", theme.dim));
    spans.extend(value(theme, schema, &property.value, (room - half.min(room)).saturating_sub(12)));
    let mut lines = vec![head, Line::from(spans)];
    if let Some(reason) = reason {
        let wrapped = wrap_at_most(reason, room.saturating_sub(2), 2);
        lines.extend(wrapped.into_iter().map(|text| Line::styled(format!("  {text}"), theme.bad)));
    }
    lines
}

/// One line, and another for the reason of a refusal.
fn compact(theme: &Theme, property: &PropertyState, room: usize) -> Vec<Line<'static>> {
    let schema = &property.spec.schema;
    let (symbol, words, style, reason) = standing(theme, &property.standing);
    let name = column(property.spec.name, 10.min(room / 3));
    let version = words.rsplit(' ').next().filter(|word| word.starts_with('v')).unwrap_or("").to_owned();
    let rest = room.saturating_sub(crate::ui::text::width(&name) + version.len() + 7);
    let mut spans =
        vec![Span::styled(format!("{symbol} "), style), Span::styled(format!("{name} "), theme.accent)];
    let desired = property.desired.as_ref().unwrap_or(&Value::Null);
    if desired == &property.value || property.desired.is_none() {
        spans.extend(pad(value(theme, schema, &property.value, rest + 3), rest + 3));
    } else {
        let half = rest / 2;
        spans.extend(value(theme, schema, desired, half));
        spans.push(Span::styled(format!(" {} ", theme.symbols.arrow), theme.dim));
        let taken: usize = spans.iter().map(Span::width).sum();
        let room = room.saturating_sub(taken + version.len() + 1);
        spans.extend(pad(value(theme, schema, &property.value, room), room));
    }
    spans.push(Span::styled(format!(" {version}"), style));
    let mut lines = vec![Line::from(spans)];
    lines.extend(
        reason.map(|reason| Line::styled(format!("  {}", fit(reason, room.saturating_sub(2))), theme.bad)),
    );
    lines
}
