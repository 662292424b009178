//! Everything that happened.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{form, is_focused};
use crate::app::{AppState, Cursor, Entry, Mode, PaneId};
use crate::device::Severity;
use crate::ui::Theme;
use crate::ui::names::names;
use crate::ui::text::{clean, clock, column, fit, width};
use crate::ui::widgets::list;

/// Whether the log follows what happens, and how far it lags behind.
pub fn note(state: &AppState, theme: &Theme, _: usize) -> Line<'static> {
    let Cursor::At(id) = state.ui.log else { return Line::styled("following", theme.dim) };
    let newer = state.filtered_log().rev().take_while(|entry| entry.id > id).count();
    Line::from(vec![
        Span::styled(newer.to_string(), theme.strong),
        Span::styled(format!(" newer {}", theme.symbols.inbound), theme.dim),
    ])
}

/// Draws the entries, the newest at the bottom, and the filter below them while there is one.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let editing = state.ui.mode == Mode::Filter;
    let filtered = !state.ui.filter.value().is_empty();
    let below = usize::from((editing || filtered) && area.height > 1);
    let (top, bottom) = list::split(area, usize::from(area.height) - below);
    let shown: Vec<&Entry> = state.filtered_log().collect();
    entries(state, theme, &shown, top, frame);
    if below == 0 {
        return;
    }
    let all = state.log.entries().len();
    let count = format!("{} of {all}", shown.len());
    let wide = u16::try_from(count.len()).unwrap_or(0);
    if bottom.width > wide + 16 {
        let right = Rect { x: bottom.right() - wide, width: wide, ..bottom };
        frame.render_widget(Line::styled(count, theme.dim), right);
    }
    let left = Rect { width: bottom.width.saturating_sub(wide + 2), ..bottom };
    if editing {
        form::entry(theme, &state.ui.filter, "/", left, frame);
    } else {
        let words = fit(state.ui.filter.value(), usize::from(left.width).saturating_sub(2));
        let line = Line::from(vec![Span::styled("/ ", theme.accent), Span::styled(words, theme.strong)]);
        frame.render_widget(line, left);
    }
}

fn entries(state: &AppState, theme: &Theme, shown: &[&Entry], area: Rect, frame: &mut Frame<'_>) {
    let room = usize::from(area.width);
    let height = usize::from(area.height);
    if shown.is_empty() {
        let text = if state.ui.filter.value().is_empty() {
            "nothing has happened yet"
        } else {
            "nothing passes the filter"
        };
        return list::lines(frame, area, vec![Line::styled(text, theme.dim)]);
    }
    let last = shown.len() - 1;
    let cursor = match state.ui.log {
        Cursor::Tail => last,
        Cursor::At(id) => shown.partition_point(|entry| entry.id < id).min(last),
    };
    let first = list::first(shown.len(), cursor, height);
    let marked = is_focused(state, PaneId::Log) && state.ui.mode == Mode::Keys;
    let labels = if state.has_several() { names(state, room / 4) } else { Vec::new() };
    let rows = shown.iter().enumerate().skip(first).take(height).map(|(place, entry)| {
        let line = row(state, theme, entry, &labels, room);
        if marked && place == cursor { list::selected(line, theme.selected, room) } else { line }
    });
    list::lines(frame, area, rows.collect());
}

/// How much an entry matters: a symbol and a colour.
pub(super) fn severity(theme: &Theme, severity: Severity) -> (&'static str, Style) {
    let symbols = theme.symbols;
    match severity {
        Severity::Trace => (symbols.trace, theme.dim),
        Severity::Info => (symbols.info, theme.text),
        Severity::Warning => (symbols.warning, theme.warn),
        Severity::Error => (symbols.bad, theme.bad),
    }
}

fn row(state: &AppState, theme: &Theme, entry: &Entry, labels: &[String], room: usize) -> Line<'static> {
    let (symbol, style) = severity(theme, entry.severity());
    let mut spans = Vec::new();
    if room >= 34 {
        spans.push(Span::styled(clock(entry.now.wall, &state.zone) + " ", theme.dim));
    }
    spans.push(Span::styled(format!("{symbol} "), style));
    if room >= 50 {
        spans.push(Span::styled(column(entry.source().name(), 9) + " ", theme.dim));
    }
    if room >= 80 {
        let packet = match &entry.packet {
            Some(packet) if packet.outbound => theme.symbols.outbound,
            Some(_) => theme.symbols.inbound,
            None => " ",
        };
        spans.push(Span::styled(format!("{packet} "), theme.dim));
    }
    if !labels.is_empty() {
        // What the program itself says has no device, and the same column.
        let label = entry.slot.and_then(|slot| labels.get(slot)).map_or("", String::as_str);
        let widest = labels.iter().map(|label| width(label)).max().unwrap_or(0);
        spans.push(Span::styled(column(label, widest) + " ", theme.accent));
    }
    let text = match entry.severity() {
        Severity::Trace => theme.dim,
        Severity::Error => theme.strong,
        _ => theme.text,
    };
    spans.push(Span::styled(clean(&entry.fact.to_string()), text));
    Line::from(spans)
}
