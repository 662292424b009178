//! A text being entered for an operator's action.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::operator::parts;
use crate::app::desk::Form;
use crate::app::{Action, AppState};
use crate::device::Profile;
use crate::ui::Theme;
use crate::ui::text::{clean, fit, wrap};
use crate::ui::widgets::{list, popup};

/// Draws it over the panes.
pub fn draw(state: &AppState, theme: &Theme, form: &Form, area: Rect, frame: &mut Frame<'_>) {
    let (verb, name, title) = parts(&form.action);
    let verb = verb.trim_end();
    let takes = takes(state, &form.action);
    let width = 68.min(area.width);
    let room = usize::from(width).saturating_sub(4);
    let mut lines: Vec<Line<'static>> =
        wrap(&takes, room).into_iter().map(|text| Line::styled(text, theme.dim)).collect();
    let input = lines.len();
    lines.push(Line::default());
    match &form.problem {
        Some(problem) => {
            let text = format!("{} {problem}", theme.symbols.bad);
            lines.extend(wrap(&text, room).into_iter().take(3).map(|text| Line::styled(text, theme.bad)));
        }
        None => lines.push(Line::default()),
    }
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let title = format!("{verb} {name}: {title}");
    let inner = popup::popup(frame, theme, area, (width, height), &title, "Enter sends, Esc leaves");
    // On the smallest screens the line being typed matters most.
    let skip = (input + 1).saturating_sub(usize::from(inner.height));
    list::lines(frame, inner, lines.split_off(skip));
    let row = u16::try_from(input - skip).unwrap_or(0);
    if row < inner.height {
        let line = Rect { y: inner.y + row, height: 1, ..inner };
        entry(theme, &form.text, theme.symbols.cursor, line, frame);
    }
}

/// What an action takes, in words.
fn takes(state: &AppState, action: &Action) -> String {
    let schema = match action {
        Action::Set { schema, .. } => Some(*schema),
        Action::Invoke { command, .. } => state
            .station()
            .device
            .profiles()
            .flat_map(|profile: &dyn Profile| profile.model().commands)
            .find(|spec| spec.name == *command)
            .and_then(|spec| spec.request.as_ref()),
        Action::ShowTwin | Action::CutLink | Action::Trouble(_) => None,
    };
    match schema {
        Some(schema) => format!("takes {}", schema.describe()),
        None => "takes JSON, or nothing".to_owned(),
    }
}

/// Draws a line being edited, with the terminal's cursor in it.
pub(super) fn entry(theme: &Theme, text: &tui_input::Input, prompt: &str, area: Rect, frame: &mut Frame<'_>) {
    let room = usize::from(area.width);
    let prompt = format!("{prompt} ");
    let before = Span::raw(prompt.clone()).width();
    if room <= before {
        return;
    }
    let room = room - before - 1;
    let scroll = text.visual_scroll(room);
    // The text is cut in front, where the cursor has left it behind.
    let mut skipped = 0;
    let shown: String = clean(text.value())
        .chars()
        .skip_while(|c| {
            let skip = skipped < scroll;
            skipped += Span::raw(c.to_string()).width();
            skip
        })
        .collect();
    let line = Line::from(vec![
        Span::styled(prompt, theme.accent),
        Span::styled(fit(&shown, room + 1), theme.strong),
    ]);
    frame.render_widget(line, area);
    let cursor = before + text.visual_cursor().saturating_sub(scroll);
    let x = area.x + u16::try_from(cursor).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    frame.set_cursor_position(Position { x, y: area.y });
}
