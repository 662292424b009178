//! The last line: the keys that work now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::{AppState, Intent, Mode, Overlay};
use crate::ui::keymap::{self, Binding, Context};
use crate::ui::{Theme, text};

/// One hint: keys and what they do.
struct Hint {
    keys: String,
    words: String,
    pinned: bool,
}

/// Draws it. The ways out, to the help and to other devices stay in sight when the rest has no room;
/// `scrolls` is whether what lies over the panes has more lines than room.
pub fn draw(state: &AppState, theme: &Theme, scrolls: bool, area: Rect, frame: &mut Frame<'_>) {
    if area.is_empty() {
        return;
    }
    let room = usize::from(area.width);
    let hints = hints(state, scrolls, !theme.symbols.arrow.contains('→'));
    let (pinned, rest): (Vec<_>, Vec<_>) = hints.into_iter().partition(|hint| hint.pinned);
    let wide = |hint: &Hint| text::width(&hint.keys) + 1 + text::width(&hint.words);
    let end: usize = pinned.iter().map(|hint| wide(hint) + 2).sum::<usize>().saturating_sub(2);
    let mut spans = Vec::new();
    let mut taken = 0;
    for hint in &rest {
        if taken + wide(hint) + 2 + end > room {
            break;
        }
        taken += wide(hint) + 2;
        push(&mut spans, theme, hint);
        spans.push(Span::raw("  "));
    }
    spans.push(Span::raw(" ".repeat(room.saturating_sub(taken + end))));
    for (place, hint) in pinned.iter().enumerate() {
        if place > 0 {
            spans.push(Span::raw("  "));
        }
        push(&mut spans, theme, hint);
    }
    frame.render_widget(text::cut(Line::from(spans), room), area);
}

fn push(spans: &mut Vec<Span<'static>>, theme: &Theme, hint: &Hint) {
    spans.push(Span::styled(hint.keys.clone(), theme.key));
    spans.push(Span::styled(format!(" {}", hint.words), theme.text));
}

fn hints(state: &AppState, scrolls: bool, ascii: bool) -> Vec<Hint> {
    let works = |row: &&Binding| {
        !row.short.is_empty()
            && (scrolls || row.context != Context::Overlay || !matches!(row.intent, Intent::Move(_)))
    };
    let mut hints: Vec<(Vec<&Binding>, &'static str)> = Vec::new();
    for row in keymap::working(state).into_iter().filter(works) {
        match hints.last_mut() {
            Some((rows, short)) if *short == row.short => rows.push(row),
            _ => hints.push((vec![row], row.short)),
        }
    }
    let plain = state.ui.mode == Mode::Keys && state.ui.overlay == Overlay::None;
    let hint = |(rows, short): (Vec<&Binding>, &'static str)| {
        let keys: Vec<_> =
            rows.iter().filter_map(|row| row.keys.first()).map(|key| keymap::name(*key, ascii)).collect();
        let arrows = keys.iter().all(|key| "↑↓←→".contains(key.as_str()));
        Hint {
            keys: keys.join(if arrows { "" } else { "/" }),
            words: keymap::words(state, short),
            pinned: if plain {
                matches!(short, "devices" | "help" | "quit")
            } else {
                matches!(short, "done" | "leave" | "close")
            },
        }
    };
    // What helps against trouble goes before everything else.
    hints.sort_by_key(|(_, short)| *short != "try now");
    hints.into_iter().map(hint).collect()
}
