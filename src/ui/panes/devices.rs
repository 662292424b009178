//! The devices beside each other, and the list to choose one from.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::header;
use crate::app::{AppState, Slot};
use crate::ui::names::names;
use crate::ui::text::{column, cut, width};
use crate::ui::widgets::{list, popup};
use crate::ui::{Theme, layout};

/// Draws the names of the devices side by side, each with how its link stands.
pub fn strip(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    if area.is_empty() {
        return;
    }
    let mut spans = Vec::new();
    for tab in layout::device_tabs(state, area.width) {
        if tab.more {
            spans.push(Span::styled(tab.text, theme.dim));
            continue;
        }
        let Some(station) = state.stations.get(tab.slot) else { continue };
        let (symbol, _, style) = header::standing(station, theme);
        let shown = tab.slot == state.ui.slot;
        let (edge, text) = if shown { (theme.badge, theme.badge) } else { (style, theme.text) };
        spans.push(Span::styled(format!(" {symbol} "), edge));
        spans.push(Span::styled(format!("{} ", tab.text), text));
    }
    frame.render_widget(cut(Line::from(spans), usize::from(area.width)), area);
}

/// How wide names may stand in the list, and how large it is with them.
fn size(state: &AppState) -> (usize, (u16, u16)) {
    let widest = state.labels().iter().map(|label| width(label)).max().unwrap_or(0).clamp(12, 48);
    let wide = u16::try_from(widest + 36).unwrap_or(u16::MAX);
    (widest, (wide, u16::try_from(state.stations.len() + 2).unwrap_or(u16::MAX)))
}

/// The device at a place of the list.
pub fn listed_at(state: &AppState, cursor: Slot, area: Rect, at: Position) -> Option<Slot> {
    let inner = popup::inner(area, size(state).1);
    let first = list::first(state.stations.len(), cursor, usize::from(inner.height));
    let slot = first + usize::from(at.y.checked_sub(inner.y)?);
    (inner.contains(at) && slot < state.stations.len()).then_some(slot)
}

/// Draws the list over the panes.
pub fn draw(state: &AppState, theme: &Theme, cursor: Slot, area: Rect, frame: &mut Frame<'_>) {
    let count = state.stations.len();
    let (widest, size) = size(state);
    let hint = format!("{} of {count}", cursor + 1);
    let inner = popup::popup(frame, theme, area, size, "Devices", &hint);
    let (room, height) = (usize::from(inner.width), usize::from(inner.height));
    let widest = widest.min(room.saturating_sub(16).max(8));
    let first = list::first(count, cursor, height);
    let rows = state.stations.iter().zip(names(state, widest)).enumerate().skip(first).take(height);
    let rows = rows.map(|(slot, (station, name))| {
        let (symbol, word, style) = header::standing(station, theme);
        let counters = station.device.counters();
        let line = Line::from(vec![
            Span::styled(format!("{symbol} "), style),
            Span::styled(column(&name, widest), theme.strong),
            Span::styled(format!("  {}", column(word, 12)), theme.text),
            Span::styled(format!("  {} acknowledged", counters.acknowledged), theme.dim),
        ]);
        if slot == cursor { list::selected(line, theme.selected, room) } else { line }
    });
    list::lines(frame, inner, rows.collect());
}
