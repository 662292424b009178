//! A box over everything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Padding};

use crate::ui::{Theme, text};

/// Clears a box of at most this size in the middle of `area`, draws its frame and returns what is
/// inside. A small screen gives all it has, and gives up the frame where that is too much.
pub fn popup(
    frame: &mut Frame<'_>,
    theme: &Theme,
    area: Rect,
    (width, height): (u16, u16),
    title: &str,
    hint: &str,
) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    if height < 3 || width < 8 {
        return place;
    }
    let room = usize::from(width).saturating_sub(4);
    let title = Line::styled(text::fit(&format!(" {title} "), room), theme.accent);
    let mut block = Block::bordered()
        .border_set(theme.border_focused)
        .border_style(theme.frame_focused)
        .padding(Padding::horizontal(1))
        .title_top(title);
    if !hint.is_empty() && text::width(hint) + 2 <= room {
        block = block.title_bottom(Line::styled(format!(" {hint} "), theme.dim).right_aligned());
    }
    let inner = block.inner(place);
    frame.render_widget(block, place);
    inner
}
