//! Bars: how far something is, how much of something there is.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::Span;

use crate::ui::Theme;

/// How far something is, from 0 to 1, in `room` cells.
pub fn progress(theme: &Theme, ratio: f64, room: usize, style: Style) -> Vec<Span<'static>> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few hundred cells at the very most, and the ratio is bounded"
    )]
    let full = (ratio.clamp(0.0, 1.0) * room as f64).round() as usize;
    vec![
        Span::styled(theme.symbols.bar_full.repeat(full), style),
        Span::styled(theme.symbols.bar_empty.repeat(room.saturating_sub(full)), theme.dim),
    ]
}

/// How much of `whole` has passed, from 0 to 1.
pub fn share(passed: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 1.0 } else { (passed.as_secs_f64() / whole.as_secs_f64()).clamp(0.0, 1.0) }
}

/// `filled` of `all` steps, as so many boxes.
pub fn level(theme: &Theme, filled: usize, all: usize, style: Style) -> Vec<Span<'static>> {
    let filled = filled.min(all);
    vec![
        Span::styled(theme.symbols.level_full.repeat(filled), style),
        Span::styled(theme.symbols.level_empty.repeat(all - filled), theme.dim),
    ]
}
