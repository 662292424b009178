//! Lines below each other, of which only some fit.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::ui::{Theme, text};

/// Draws lines from the top; what is too wide ends with `…`.
pub fn lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    let room = usize::from(area.width);
    let shown: Vec<_> =
        lines.into_iter().take(usize::from(area.height)).map(|line| text::cut(line, room)).collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// The first row to show of `count`, so that the row at `cursor` is among the `room` shown, in
/// the middle where that is possible.
pub fn first(count: usize, cursor: usize, room: usize) -> usize {
    cursor.saturating_sub(room / 2).min(count.saturating_sub(room))
}

/// The cells above and below `split`: an area in two.
pub fn split(area: Rect, above: usize) -> (Rect, Rect) {
    let above = u16::try_from(above).unwrap_or(u16::MAX).min(area.height);
    (Rect { height: above, ..area }, Rect { y: area.y + above, height: area.height - above, ..area })
}

/// Marks the right ends of a list of which rows are hidden above and below.
pub fn hidden(frame: &mut Frame<'_>, theme: &Theme, area: Rect, above: usize, below: usize) {
    let mut mark = |count: usize, symbol: &str, y: u16| {
        let text = format!(" {symbol}{count}");
        let width = u16::try_from(text::width(&text)).unwrap_or(u16::MAX);
        if count > 0 && area.height > 0 && area.width > width {
            let place = Rect { x: area.right() - width, y, width, height: 1 };
            frame.render_widget(Line::styled(text, theme.accent), place);
        }
    };
    mark(above, theme.symbols.outbound, area.top());
    mark(below, theme.symbols.inbound, area.bottom().saturating_sub(1));
}

/// A line in the style of the row under the cursor, over the whole width.
pub fn selected(line: Line<'static>, style: Style, room: usize) -> Line<'static> {
    let mut line = text::cut(line, room);
    let rest = room.saturating_sub(line.width());
    line.spans.push(Span::raw(" ".repeat(rest)));
    // A colour on a reversed row may be hard to read, and says nothing that its symbol does not.
    line.spans.iter_mut().for_each(|span| span.style = style);
    line
}

/// A heading with a rule up to the right end.
pub fn rule(title: &str, rule: &str, style: Style, room: usize) -> Line<'static> {
    let rest = room.saturating_sub(text::width(title) + 1);
    Line::styled(format!("{title} {}", rule.repeat(rest)), style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_under_the_cursor_is_always_shown() {
        for count in 0..30 {
            for cursor in 0..count {
                for room in 1..12 {
                    let first = first(count, cursor, room);
                    assert!((first..first + room).contains(&cursor), "{count} {cursor} {room}");
                    assert!(first == 0 || first + room <= count, "{count} {cursor} {room}");
                }
            }
        }
    }
}
