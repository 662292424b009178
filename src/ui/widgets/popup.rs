//! A box over everything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Padding};

use crate::ui::{Theme, text};

/// The place of a box of at most this size in the middle of `area`: a small screen gives all it has.
fn place(area: Rect, (width, height): (u16, u16)) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// The frame of a box at a place, unless it would leave too little inside.
fn block(place: Rect) -> Option<Block<'static>> {
    let framed = place.height >= 3 && place.width >= 8;
    framed.then(|| Block::bordered().padding(Padding::horizontal(1)))
}

/// What is inside the box that [`popup`] draws.
pub fn inner(area: Rect, size: (u16, u16)) -> Rect {
    let place = place(area, size);
    block(place).map_or(place, |block| block.inner(place))
}

/// Clears a box of at most this size in the middle of `area`, draws its frame and returns what is
/// inside.
pub fn popup(
    frame: &mut Frame<'_>,
    theme: &Theme,
    area: Rect,
    size: (u16, u16),
    title: &str,
    hint: &str,
) -> Rect {
    let inner = inner(area, size);
    let place = place(area, size);
    frame.render_widget(Clear, place);
    let Some(block) = block(place) else { return inner };
    let room = usize::from(place.width).saturating_sub(4);
    let title = Line::styled(text::fit(&format!(" {title} "), room), theme.accent);
    let mut block = block.border_set(theme.border_focused).border_style(theme.frame_focused).title_top(title);
    if !hint.is_empty() && text::width(hint) + 2 <= room {
        block = block.title_bottom(Line::styled(format!(" {hint} "), theme.dim).right_aligned());
    }
    frame.render_widget(block, place);
    inner
}
