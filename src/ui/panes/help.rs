//! The keys that work, of the focused pane and everywhere.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::reading::Page;
use crate::app::AppState;
use crate::ui::keymap::{self, Binding, Context};
use crate::ui::text::{column, width, wrap};
use crate::ui::widgets::popup;
use crate::ui::{Theme, panes};

/// How it is read.
pub(super) fn page(state: &AppState, theme: &Theme, area: Rect) -> Page {
    let pane = panes::pane(state.ui.focus);
    let rows = rows(state, !theme.symbols.arrow.contains('→'));
    let keys = rows.iter().map(|(keys, _)| width(keys)).max().unwrap_or(0).min(24);
    let words = rows.iter().map(|(_, words)| width(words)).max().unwrap_or(0);
    let cell = keys + 2 + words + 3;
    let most = usize::from(area.width).saturating_sub(4);
    let columns = if most >= cell * 2 { 2 } else { 1 };
    let wide = (cell * columns).clamp(30, 110).min(most.max(1));
    let about = wrap(pane.about, wide);
    let high = rows.len().div_ceil(columns);
    let height = u16::try_from(high + about.len() + 3).unwrap_or(u16::MAX);
    let width = u16::try_from(wide + 4).unwrap_or(u16::MAX);
    let title = format!("Help: {}", pane.title);
    let room = usize::from(popup::inner(area, (width, height)).height);
    let about = about.into_iter().map(|text| Line::styled(text, theme.text));
    let keys = (0..high).map(|n| {
        let mut spans = Vec::new();
        for column_at in 0..columns {
            let Some((names, words)) = rows.get(column_at * high + n) else { continue };
            spans.push(Span::styled(column(names, keys), theme.key));
            spans.push(Span::raw("  "));
            let room = (wide / columns).saturating_sub(keys + 3).min(cell);
            spans.push(Span::styled(column(words, room) + " ", theme.text));
        }
        Line::from(spans)
    });
    let gap = std::iter::once(Line::default());
    // The keys matter most where there is no room for everything: the words follow them there.
    let lines = match room.checked_sub(high + about.len()) {
        None => keys.chain(gap).chain(about).collect(),
        Some(0) => about.chain(keys).collect(),
        Some(_) => about.chain(gap).chain(keys).collect(),
    };
    Page { title, lines, size: (width, height), marked: true }
}

/// Keys and what they do, those of the focused pane first; neighbours with the same words are one.
fn rows(state: &AppState, ascii: bool) -> Vec<(String, String)> {
    let contexts = [Context::Pane(state.ui.focus), Context::Global, Context::Always];
    let mut grouped: Vec<(Vec<&Binding>, &'static str)> = Vec::new();
    for row in keymap::working_in(state, &contexts) {
        match grouped.last_mut() {
            Some((rows, help)) if *help == row.help => rows.push(row),
            _ => grouped.push((vec![row], row.help)),
        }
    }
    let told = |(rows, help): (Vec<&Binding>, &'static str)| {
        let name = |row: &&Binding, n: usize| row.keys.get(n).map(|key| keymap::name(*key, ascii));
        let first: Vec<_> = rows.iter().filter_map(|row| name(row, 0)).collect();
        let second: Vec<_> = rows.iter().filter_map(|row| name(row, 1)).collect();
        let mut keys = joined(&first);
        if !second.is_empty() {
            keys = format!("{keys}  {}", joined(&second));
        }
        (keys, keymap::words(state, help))
    };
    grouped.into_iter().map(told).collect()
}

/// What the names of keys with Shift begin with.
const SHIFT: &str = "Shift-";

/// Keys side by side, what they have in common said once: `1-6`, `Shift-↑↓`.
fn joined(keys: &[String]) -> String {
    let digit = |key: &String| key.len() == 1 && key.as_bytes()[0].is_ascii_digit();
    if keys.len() > 2 && keys.iter().all(digit) {
        return runs(keys);
    }
    let shifted = keys.len() > 1 && keys.iter().all(|key| key.starts_with(SHIFT));
    let bare: Vec<_> = keys.iter().map(|key| if shifted { &key[SHIFT.len()..] } else { key }).collect();
    let arrows = bare.iter().all(|key| "↑↓←→".contains(*key));
    format!("{}{}", if shifted { SHIFT } else { "" }, bare.join(if arrows { "" } else { " " }))
}

/// Digits, those that follow each other as a range: `1 3-7`.
fn runs(digits: &[String]) -> String {
    let mut runs: Vec<(&str, &str)> = Vec::new();
    for digit in digits {
        let follows = |last: &str| last.as_bytes()[0] + 1 == digit.as_bytes()[0];
        match runs.last_mut() {
            Some((_, last)) if follows(last) => *last = digit,
            _ => runs.push((digit, digit)),
        }
    }
    let told = |(first, last): (&str, &str)| {
        if first == last { first.to_owned() } else { format!("{first}-{last}") }
    };
    runs.into_iter().map(told).collect::<Vec<_>>().join(" ")
}
