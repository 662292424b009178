//! A text to read, over the panes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::ui::Theme;
use crate::ui::text::{clean, wrap};
use crate::ui::widgets::{list, popup};

/// The widest a text is laid out.
const WIDEST: u16 = 104;

/// Draws title and lines from a line on; tells whether there are more than have room.
pub fn draw(
    theme: &Theme,
    (title, lines, from): (&str, &[String], usize),
    area: Rect,
    frame: &mut Frame<'_>,
) -> bool {
    let room = room(area);
    let lines = lines.iter().flat_map(|line| wrap_indented(line, room));
    let lines = lines.map(|line| Line::styled(line, theme.text)).collect();
    show(theme, title, lines, from, area, frame)
}

/// A line in as many as it needs, each indented as it is.
pub(super) fn wrap_indented(line: &str, room: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let indent = (line.len() - text.len()).min(room / 2);
    let wrapped = wrap(text, room.saturating_sub(indent).max(1));
    if wrapped.is_empty() {
        return vec![String::new()];
    }
    wrapped.into_iter().map(|text| " ".repeat(indent) + &text).collect()
}

/// How many cells wide a text may be.
pub(super) fn room(area: Rect) -> usize {
    let width = area.width.min(WIDEST);
    usize::from(if area.height < 3 || width < 8 { width } else { width - 4 })
}

/// Draws lines; `from` stops where the last line is at the bottom. Tells whether there are more than
/// have room.
pub(super) fn show(
    theme: &Theme,
    title: &str,
    mut lines: Vec<Line<'static>>,
    from: usize,
    area: Rect,
    frame: &mut Frame<'_>,
) -> bool {
    let count = lines.len();
    let height = u16::try_from(count + 2).unwrap_or(u16::MAX).min(area.height).max(5);
    let inside = usize::from(if area.height < 3 { area.height } else { height.min(area.height) - 2 });
    let first = from.min(count.saturating_sub(inside));
    let hint = if count > inside {
        format!("{}-{} of {count}", first + 1, (first + inside).min(count))
    } else {
        "Esc closes".to_owned()
    };
    let inner = popup::popup(frame, theme, area, (WIDEST, height), &clean(title), &hint);
    list::lines(frame, inner, lines.split_off(first));
    count > inside
}
