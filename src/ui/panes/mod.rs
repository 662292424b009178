//! The panes, one file each, and the table that names them.
//!
//! Adding one: a file here, a row in [`PANES`], a place in `layout`.
//!
//! Never here: splitting the screen, key bindings, colours by name.

pub mod commands;
pub mod connection;
pub mod devices;
pub mod footer;
pub mod form;
pub mod header;
pub mod help;
pub mod log;
pub mod modules;
pub mod operator;
pub mod packet;
pub mod properties;
pub mod reading;
pub mod telemetry;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding};

use self::reading::Page;
use super::{Theme, layout, text};
use crate::app::{AppState, Mode, Motion, Overlay, PaneId};

/// A pane.
pub struct Pane {
    /// Which.
    pub id: PaneId,
    /// For people.
    pub title: &'static str,
    /// Its key.
    pub key: char,
    /// What it shows, in a sentence.
    pub about: &'static str,
    /// A few words at the right end of its title, in so many cells.
    pub note: fn(&AppState, &Theme, usize) -> Line<'static>,
    /// Draws what is inside its frame.
    pub draw: fn(&AppState, &Theme, Rect, &mut Frame<'_>),
}

/// Every pane, in the order of their keys.
pub static PANES: &[Pane] = &[
    Pane {
        id: PaneId::Connection,
        title: "Connection",
        key: '1',
        about: "How the device came to its hub: every step of provisioning and connecting, with its time and outcome.",
        note: connection::note,
        draw: connection::draw,
    },
    Pane {
        id: PaneId::Telemetry,
        title: "Telemetry",
        key: '2',
        about: "What the device measures and sends. Turn a value by hand and it stays until you let it go.",
        note: telemetry::note,
        draw: telemetry::draw,
    },
    Pane {
        id: PaneId::Commands,
        title: "Commands",
        key: '3',
        about: "What can be asked of the device, what has been asked, and what it answered.",
        note: commands::note,
        draw: commands::draw,
    },
    Pane {
        id: PaneId::Properties,
        title: "Properties",
        key: '4',
        about: "What the operator wants (desired), what the device says (reported), and whether they agree.",
        note: properties::note,
        draw: properties::draw,
    },
    Pane {
        id: PaneId::Operator,
        title: "Operator",
        key: '5',
        about: "The other side: invoke commands and set properties through the hub, as a back end would.",
        note: operator::note,
        draw: operator::draw,
    },
    Pane {
        id: PaneId::Log,
        title: "Log",
        key: '6',
        about: "Everything that happened, and the raw message of each line.",
        note: log::note,
        draw: log::draw,
    },
    Pane {
        id: PaneId::Modules,
        title: "Modules",
        key: '7',
        about: "Every module here: its inputs and outputs, how many messages went through each, and the last one.",
        note: modules::note,
        draw: modules::draw,
    },
];

/// The row of a pane.
pub fn pane(id: PaneId) -> &'static Pane {
    PANES.iter().find(|pane| pane.id == id).unwrap_or(&PANES[0])
}

/// Whether a pane has the keyboard.
pub(super) fn is_focused(state: &AppState, id: PaneId) -> bool {
    state.ui.focus == id
}

/// Draws a pane, with its frame where there is room for frames.
pub(super) fn draw(
    id: PaneId,
    state: &AppState,
    theme: &Theme,
    area: Rect,
    framed: bool,
    frame: &mut Frame<'_>,
) {
    let pane = pane(id);
    if area.is_empty() {
        return;
    }
    if !framed {
        return (pane.draw)(state, theme, area, frame);
    }
    let focused = is_focused(state, id);
    let (border, style) =
        if focused { (theme.border_focused, theme.frame_focused) } else { (theme.border, theme.frame) };
    let title = Line::from(vec![
        Span::styled(format!(" {} ", pane.key), if focused { theme.badge } else { theme.key }),
        Span::styled(format!(" {} ", pane.title), if focused { theme.accent } else { theme.strong }),
    ]);
    let room = usize::from(area.width).saturating_sub(title.width() + 6);
    let mut note = (pane.note)(state, theme, room);
    let mut block = Block::bordered()
        .border_set(border)
        .border_style(style)
        .padding(Padding::horizontal(1))
        .title_top(title);
    if room >= 4 && note.width() > 0 {
        note = text::cut(note, room);
        note.spans.insert(0, Span::raw(" "));
        note.spans.push(Span::raw(" "));
        block = block.title_top(note.right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    (pane.draw)(state, theme, inner, frame);
}

/// Draws the names of the panes side by side.
pub(super) fn tabs(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    if area.is_empty() {
        return;
    }
    let labels = layout::tab_labels(state, area.width).into_iter().map(|(pane, label)| {
        Span::styled(label, if is_focused(state, pane) { theme.badge } else { theme.dim })
    });
    let line = text::cut(labels.collect(), usize::from(area.width));
    frame.render_widget(line, area);
}

/// Draws what lies over the panes; tells whether there is more of it than has room.
pub(super) fn over(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) -> bool {
    let area = layout::over(area);
    if area.is_empty() {
        return false;
    }
    if let (Mode::Form, Some(form)) = (state.ui.mode, &state.desk.form) {
        form::draw(state, theme, form, area, frame);
    }
    if let Overlay::Devices(cursor) = state.ui.overlay {
        devices::draw(state, theme, cursor, area, frame);
    }
    let Some((page, from)) = page(state, theme, area) else { return false };
    let scrolls = page.last(area) > 0;
    page.draw(theme, from, area, frame);
    scrolls
}

/// What lies over the panes to be read, and the line it is shown from.
fn page(state: &AppState, theme: &Theme, area: Rect) -> Option<(Page, usize)> {
    match &state.ui.overlay {
        Overlay::None | Overlay::Devices(_) => None,
        Overlay::Help(from) => Some((help::page(state, theme, area), *from)),
        Overlay::Packet(id, from) => Some((packet::page(state, theme, *id, area), *from)),
        Overlay::Text(title, lines, from) => Some((reading::page(theme, title, lines, area), *from)),
    }
}

/// The line that a motion leads to in what lies over the panes to be read, never past the end.
pub(super) fn scrolled(state: &AppState, theme: &Theme, area: Rect, motion: Motion) -> Option<usize> {
    let area = layout::over(area);
    let (page, from) = page(state, theme, area)?;
    let last = page.last(area);
    Some(motion.moved(from.min(last), last + 1))
}
