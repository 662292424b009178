//! How the device came to its hub.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::is_focused;
use crate::app::{AppState, PaneId, Step, StepState};
use crate::device::time::Spoken;
use crate::ui::Theme;
use crate::ui::text::{clean, clock, column, right, width, wrap_at_most};
use crate::ui::widgets::list;

/// Cells for the number of steps that have no room above.
const MARK: usize = 4;

/// How far up from the newest the pane is scrolled.
pub fn note(state: &AppState, theme: &Theme, _: usize) -> Line<'static> {
    match state.ui.step.min(state.station().steps.len().saturating_sub(1)) {
        0 => Line::default(),
        up => Line::styled(format!("{up} newer below"), theme.dim),
    }
}

/// Draws the steps, the newest at the bottom.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let steps = &state.station().steps;
    if steps.is_empty() {
        let line = Line::styled("no step has been taken yet", theme.dim);
        return list::lines(frame, area, vec![line]);
    }
    let room = usize::from(area.width);
    let height = usize::from(area.height);
    let newest = steps.len() - 1 - state.ui.step.min(steps.len() - 1);
    // Filled from the bottom: the newest steps are the ones to see, with their reasons in full.
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut above = 0;
    for (place, step) in steps.iter().enumerate().take(newest + 1).rev() {
        if lines.len() >= height {
            above = place + 1;
            break;
        }
        let reasons = match &step.state {
            StepState::Failed(reason) => {
                // Older failures in one line, the newest in full.
                let most = if place == newest { height.saturating_sub(1).clamp(1, 6) } else { 1 };
                reasons(theme, reason, room, most)
            }
            _ => Vec::new(),
        };
        // How many there are above stands at the end of the first row.
        let is_first = place > 0 && lines.len() + 1 + reasons.len() >= height;
        let mut own = vec![row(state, theme, step, room - if is_first { MARK.min(room) } else { 0 })];
        own.extend(reasons);
        if lines.is_empty() && is_focused(state, PaneId::Connection) && state.ui.step > 0 {
            own[0] = list::selected(own[0].clone(), theme.selected, room);
        }
        own.append(&mut lines);
        lines = own;
    }
    let surplus = lines.len().saturating_sub(height);
    list::lines(frame, area, lines.split_off(surplus));
    list::hidden(frame, theme, area, above, 0);
}

fn reasons(theme: &Theme, reason: &str, room: usize, most: usize) -> Vec<Line<'static>> {
    let indent = if room > 40 { 11 } else { 2 };
    let wrapped = wrap_at_most(reason, room.saturating_sub(indent), most);
    let line = |text: String| Line::styled(format!("{}{text}", " ".repeat(indent)), theme.text);
    wrapped.into_iter().map(line).collect()
}

fn row(state: &AppState, theme: &Theme, step: &Step, room: usize) -> Line<'static> {
    let symbols = theme.symbols;
    let (symbol, style, took) = match &step.state {
        StepState::Running => {
            let span = state.now.at.since(step.began.at).as_secs();
            (symbols.pending, theme.warn, format!("{span} s"))
        }
        StepState::Done(span) => (symbols.ok, theme.ok, Spoken(*span).to_string()),
        StepState::Failed(_) => (symbols.bad, theme.bad, String::new()),
    };
    let narrow = room < 40;
    let mut spans = Vec::new();
    if !narrow {
        spans.push(Span::styled(clock(step.began.wall, &state.zone) + " ", theme.dim));
    }
    spans.push(Span::styled(format!("{symbol} "), style));
    let name = if narrow { format!("{} ", step.name) } else { column(step.name, 9) + "  " };
    spans.push(Span::styled(name, theme.strong));
    let taken: usize = spans.iter().map(Span::width).sum();
    let rest = room.saturating_sub(taken);
    let took_room = width(&took).max(if narrow { 0 } else { 7 });
    let detail = rest.saturating_sub(took_room + 1);
    spans.push(Span::styled(column(&clean(&step.detail), detail), theme.text));
    if rest > took_room {
        spans.push(Span::styled(right(&took, took_room + 1), theme.dim));
    }
    Line::from(spans)
}
