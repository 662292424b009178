//! A text to read, over the panes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::ui::Theme;
use crate::ui::text::{clean, wrap};
use crate::ui::widgets::{list, popup};

/// The widest a text is laid out.
const WIDEST: u16 = 104;

/// Lines to read, laid out for the room there is.
pub(super) struct Page {
    /// What it is.
    pub title: String,
    /// All of it, one line below the other.
    pub lines: Vec<Line<'static>>,
    /// How large a box it wants, its frame included.
    pub size: (u16, u16),
    /// Whether lines that have no room are counted where they would be, rather than in the frame.
    pub marked: bool,
}

impl Page {
    /// Lines as wide as [`room`] says, with what they are.
    pub(super) fn new(title: &str, lines: Vec<Line<'static>>) -> Self {
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).max(5);
        Self { title: clean(title), lines, size: (WIDEST, height), marked: false }
    }

    /// The line it is shown from when its end is in sight.
    pub(super) fn last(&self, area: Rect) -> usize {
        self.lines.len().saturating_sub(usize::from(popup::inner(area, self.size).height))
    }

    /// Draws it over the panes; `from` stops where the last line is at the bottom.
    pub(super) fn draw(mut self, theme: &Theme, from: usize, area: Rect, frame: &mut Frame<'_>) {
        let (count, last) = (self.lines.len(), self.last(area));
        let first = from.min(last);
        let below = last - first;
        let hint = if last > 0 && !self.marked {
            format!("{}-{} of {count}", first + 1, count - below)
        } else {
            "Esc closes".to_owned()
        };
        let inner = popup::popup(frame, theme, area, self.size, &self.title, &hint);
        list::lines(frame, inner, self.lines.split_off(first));
        if self.marked {
            list::hidden(frame, theme, inner, first, below);
        }
    }
}

/// A text as it is read.
pub(super) fn page(theme: &Theme, title: &str, lines: &[String], area: Rect) -> Page {
    let room = room(area);
    let lines = lines.iter().flat_map(|line| wrap_indented(line, room));
    Page::new(title, lines.map(|line| Line::styled(line, theme.text)).collect())
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
