//! One line of pieces, some at the left end and some at the right; those that matter least give
//! way when there is no room.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::ui::text;

/// Cells between two pieces.
const GAP: usize = 2;

/// What is left of a piece that may be cut, at least.
const LEAST: usize = 12;

/// A piece of a line.
#[derive(Debug, Clone)]
pub struct Piece {
    spans: Vec<Span<'static>>,
    keep: u8,
    /// What is left of it at least, when it may be cut.
    least: Option<usize>,
}

impl Piece {
    /// A piece that stays longer the higher `keep` is.
    pub fn new(keep: u8, text: impl Into<String>, style: Style) -> Self {
        Self { spans: vec![Span::styled(text.into(), style)], keep, least: None }
    }

    /// Adds text of another style.
    #[must_use]
    pub fn and(mut self, text: impl Into<String>, style: Style) -> Self {
        self.spans.push(Span::styled(text.into(), style));
        self
    }

    /// Rather cut than left out.
    #[must_use]
    pub fn cuttable(self) -> Self {
        self.cuttable_to(LEAST)
    }

    /// Rather cut to so many cells than left out, and to few where even that has no room.
    #[must_use]
    pub fn cuttable_to(mut self, least: usize) -> Self {
        self.least = Some(least);
        self
    }

    fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }

    fn least(&self) -> usize {
        self.least.map_or(self.width(), |least| self.width().min(least))
    }
}

/// Lays pieces out in `room` cells.
pub fn strip(mut left: Vec<Piece>, mut right: Vec<Piece>, room: usize) -> Line<'static> {
    let total = |left: &[Piece], right: &[Piece], width: fn(&Piece) -> usize| {
        let pieces = left.len() + right.len();
        let widths: usize = left.iter().chain(right).map(width).sum();
        widths + pieces.saturating_sub(1) * GAP
    };
    while left.len() + right.len() > 1 && total(&left, &right, Piece::least) > room {
        let lowest = left.iter().chain(&right).map(|piece| piece.keep).min().unwrap_or(0);
        let to_cut = left.iter_mut().chain(&mut right).find(|piece| {
            piece.keep == lowest && piece.least.is_some_and(|least| least > LEAST) && piece.width() > LEAST
        });
        if let Some(piece) = to_cut {
            piece.least = Some(LEAST);
            continue;
        }
        if let Some(place) = right.iter().position(|piece| piece.keep == lowest) {
            right.remove(place);
        } else if let Some(place) = left.iter().rposition(|piece| piece.keep == lowest) {
            left.remove(place);
        }
    }
    let over = total(&left, &right, Piece::width).saturating_sub(room);
    if over > 0
        && let Some(piece) = left.iter_mut().chain(&mut right).find(|piece| piece.least.is_some())
    {
        let keep = piece.width().saturating_sub(over);
        piece.spans = text::cut(Line::from(std::mem::take(&mut piece.spans)), keep).spans;
    }
    let space = room.saturating_sub(total(&left, &right, Piece::width));
    let space = if left.is_empty() || right.is_empty() { space } else { space + GAP };
    let mut spans = joined(left);
    let right = joined(right);
    if !right.is_empty() {
        spans.push(Span::raw(" ".repeat(space)));
        spans.extend(right);
    }
    text::cut(Line::from(spans), room)
}

fn joined(pieces: Vec<Piece>) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (place, piece) in pieces.into_iter().enumerate() {
        if place > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        spans.extend(piece.spans);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(room: usize) -> String {
        let piece = |keep, text: &str| Piece::new(keep, text, Style::new());
        let left = vec![piece(9, "name"), piece(1, "detail"), piece(5, "a long cause of it").cuttable()];
        strip(left, vec![piece(8, "online")], room).to_string()
    }

    #[test]
    fn the_least_important_gives_way_first() {
        assert_eq!(said(42), "name  detail  a long cause of it    online");
        assert_eq!(said(37), "name  detail  a long cause o…  online");
        assert_eq!(said(29), "name  a long cause o…  online");
        assert_eq!(said(12), "name  online");
        assert_eq!(said(9), "name");
        assert_eq!(said(3), "na…");
    }

    #[test]
    fn a_piece_that_is_to_be_kept_whole_is_cut_before_it_is_left_out() {
        let said = |room| {
            let name = Piece::new(9, "myFirstDevice/myFirst", Style::new()).cuttable_to(30);
            let place = Piece::new(3, "(local)", Style::new());
            let link = Piece::new(10, "online", Style::new());
            strip(vec![name, place], vec![link], room).to_string()
        };
        assert_eq!(said(38), "myFirstDevice/myFirst  (local)  online");
        assert_eq!(said(37), "myFirstDevice/myFirst          online");
        assert_eq!(said(28), "myFirstDevice/myFir…  online");
        assert_eq!(said(20), "myFirstDevi…  online");
        assert_eq!(said(19), "             online");
    }

    #[test]
    fn no_line_is_wider_than_its_room() {
        for room in 0..60 {
            assert!(text::width(&said(room)) <= room, "{room}");
        }
    }
}
