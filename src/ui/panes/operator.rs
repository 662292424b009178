//! The operator's desk.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::is_focused;
use crate::app::desk::Exchange;
use crate::app::{Action, AppState, PaneId};
use crate::device::property::Convention;
use crate::device::time::Spoken;
use crate::ui::Theme;
use crate::ui::names::names;
use crate::ui::text::{clean, clock, column, fit, width, wrap};
use crate::ui::widgets::list;

/// In which generation of the convention properties are set, where there are any.
pub fn note(state: &AppState, theme: &Theme, room: usize) -> Line<'static> {
    if state.desk.closed.is_some() {
        return Line::styled("closed", theme.dim);
    }
    if state.station().device.properties().is_empty() {
        return Line::default();
    }
    let to = match state.desk.convention {
        Convention::Current => "x",
        Convention::Wrapped => "{\"value\": x}",
    };
    let long = format!("sets properties to {to}");
    Line::styled(if width(&long) <= room { long } else { format!("sets {to}") }, theme.dim)
}

/// Draws what can be done, and beside or below it what came of what was done.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    if let Some(reason) = &state.desk.closed {
        let symbol = theme.symbols.dark;
        let mut lines = vec![Line::styled(format!("{symbol} the operator's desk is closed"), theme.strong)];
        let wrapped = wrap(reason, usize::from(area.width));
        lines.extend(wrapped.into_iter().map(|text| Line::styled(text, theme.text)));
        return list::lines(frame, area, lines);
    }
    let actions = state.desk.actions(state.station());
    let exchanges = state.desk.exchanges().count();
    let height = usize::from(area.height);
    let (left, right) = if area.width >= 72 {
        let left = 40.max(area.width / 2 - 10).min(56);
        (Rect { width: left, ..area }, Rect { x: area.x + left + 2, width: area.width - left - 2, ..area })
    } else {
        // The last answers stay in sight, the actions can be scrolled.
        let below = match height.saturating_sub(actions.len()) {
            0..=2 => exchanges.min(2).min(height / 3),
            rest => rest,
        };
        list::split(area, height - below)
    };
    rows(state, theme, &actions, left, frame);
    answers(state, theme, right, frame);
}

fn rows(state: &AppState, theme: &Theme, actions: &[Action], area: Rect, frame: &mut Frame<'_>) {
    let room = usize::from(area.width);
    let height = usize::from(area.height);
    let cursor = state.desk.cursor.min(actions.len().saturating_sub(1));
    let first = list::first(actions.len(), cursor, height);
    let focused = is_focused(state, PaneId::Operator);
    let names = actions.iter().map(|action| parts(action).1.len()).max().unwrap_or(0).min(16);
    let rows = actions.iter().enumerate().skip(first).take(height).map(|(place, action)| {
        let (verb, name, title) = parts(action);
        let here = place == cursor && focused;
        let mark = if here { theme.symbols.cursor } else { " " };
        let line = Line::from(vec![
            Span::styled(format!("{mark} "), theme.accent),
            Span::styled(format!("{verb:6} "), theme.dim),
            Span::styled(if room >= 40 { column(name, names) } else { name.to_owned() } + "  ", theme.accent),
            Span::styled(title, theme.dim),
        ]);
        if here { list::selected(line, theme.selected, room) } else { line }
    });
    list::lines(frame, area, rows.collect());
    list::hidden(frame, theme, area, first, actions.len().saturating_sub(first + height));
}

/// Verb, name and title of an action.
pub(super) fn parts(action: &Action) -> (&'static str, &'static str, &'static str) {
    match action {
        Action::Invoke { command, title, .. } => ("invoke", command, title),
        Action::Set { property, title, .. } => ("set", property, title),
        Action::ShowTwin => ("show", "twin", "all of it"),
        Action::CutLink => ("drop", "link", "to see it come back"),
        Action::Trouble(mishap) => (mishap.verb, mishap.name, mishap.title),
    }
}

fn answers(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let height = usize::from(area.height);
    let room = usize::from(area.width);
    let mut lines = Vec::new();
    if height >= 4 {
        lines.push(list::rule("answers", theme.symbols.rule, theme.dim, room));
    }
    // What was asked has to have room beside whom.
    let labels = if state.has_several() { names(state, room / 4) } else { Vec::new() };
    let exchanges = state.desk.exchanges().take(height);
    lines.extend(exchanges.map(|exchange| answer(state, theme, exchange, &labels, room)));
    if lines.len() < 2 && height >= 4 {
        lines.push(Line::styled("nothing has been asked of the hub yet", theme.dim));
    }
    list::lines(frame, area, lines);
}

fn answer(
    state: &AppState,
    theme: &Theme,
    exchange: &Exchange,
    labels: &[String],
    room: usize,
) -> Line<'static> {
    let symbols = theme.symbols;
    let (symbol, style, text, took) = match &exchange.answer {
        None => (symbols.pending, theme.warn, String::new(), String::new()),
        Some((Ok(text), took)) => (symbols.ok, theme.ok, clean(text), Spoken(*took).to_string()),
        Some((Err(text), took)) => (symbols.bad, theme.bad, clean(text), Spoken(*took).to_string()),
    };
    let mut spans = Vec::new();
    if room >= 44 {
        spans.push(Span::styled(clock(state.now.wall_at(exchange.asked), &state.zone) + " ", theme.dim));
    }
    spans.push(Span::styled(format!("{symbol} "), style));
    let request = match labels.get(exchange.slot) {
        Some(label) => format!("{label}: {}", exchange.request),
        None => exchange.request.clone(),
    };
    spans.push(Span::styled(fit(&request, room / 2), theme.strong));
    if !text.is_empty() {
        spans.push(Span::styled(format!(" {} {text}", symbols.arrow), theme.text));
    }
    if !took.is_empty() {
        spans.push(Span::styled(format!(" ({took})"), theme.dim));
    }
    Line::from(spans)
}
