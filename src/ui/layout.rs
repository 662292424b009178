//! Which pane goes where at which size. The only place that splits the screen.

use ratatui::layout::{Constraint, Layout, Rect};

use super::panes;
use super::text::width;
use crate::app::{AppState, PaneId};

use PaneId::{Commands, Connection, Log, Operator, Properties, Telemetry};

/// The screen, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// Device, hub and link.
    pub header: Rect,
    /// The names of the panes, where only one of them is shown.
    pub tabs: Rect,
    /// The panes that are shown.
    pub panes: Vec<(PaneId, Rect)>,
    /// Whether they have frames; a small screen has no cells to spare for them.
    pub framed: bool,
    /// The keys that work now.
    pub footer: Rect,
}

/// Splits the screen.
pub fn screen(state: &AppState, area: Rect) -> Screen {
    // What has to give way first: the tabs, then the panes, then the footer.
    let header = match area.height {
        0..=15 => 1,
        _ => 2,
    };
    let roomy = area.width >= 70 && area.height >= 20;
    let tabs = u16::from(!roomy && area.height >= 4);
    let [header, tabs, body, footer] = Layout::vertical([
        Constraint::Length(header.min(area.height)),
        Constraint::Length(tabs),
        Constraint::Fill(1),
        Constraint::Length(u16::from(area.height >= 2)),
    ])
    .areas(area);
    let focus = state.ui.focus;
    let panes = match (body.width, body.height) {
        _ if state.ui.zoomed || !roomy => vec![(focus, body)],
        (150.., _) => wide(body),
        (100.., 27..) => grid(body),
        (_, 33..) => tall(body),
        _ => compact(body, focus),
    };
    Screen { header, tabs, panes, framed: roomy, footer }
}

/// The panes that are shown, and where.
pub fn panes(state: &AppState, area: Rect) -> Vec<(PaneId, Rect)> {
    screen(state, area).panes
}

/// The pane, or its name among the tabs, at a place of the screen.
pub fn pane_at(state: &AppState, area: Rect, column: u16, row: u16) -> Option<PaneId> {
    let screen = screen(state, area);
    let inside = |rect: &Rect| {
        (rect.left()..rect.right()).contains(&column) && (rect.top()..rect.bottom()).contains(&row)
    };
    if inside(&screen.tabs) {
        let mut x = usize::from(screen.tabs.x);
        for (pane, label) in tab_labels(state, screen.tabs.width) {
            let end = x + width(&label);
            if (x..end).contains(&usize::from(column)) {
                return Some(pane);
            }
            x = end;
        }
        return None;
    }
    screen.panes.iter().find(|(_, rect)| inside(rect)).map(|(pane, _)| *pane)
}

/// The names of the panes, as they stand side by side in this width: all of them, or only that of
/// the focused one and the others' keys.
pub fn tab_labels(state: &AppState, room: u16) -> Vec<(PaneId, String)> {
    let label = |full: bool| {
        panes::PANES.iter().map(move |pane| {
            if full || pane.id == state.ui.focus {
                (pane.id, format!(" {} {} ", pane.key, pane.title))
            } else {
                (pane.id, format!(" {} ", pane.key))
            }
        })
    };
    let all: Vec<_> = label(true).collect();
    let wide: usize = all.iter().map(|(_, label)| width(label)).sum();
    if wide <= usize::from(room) { all } else { label(false).collect() }
}

fn columns<const N: usize>(area: Rect, parts: [Constraint; N]) -> [Rect; N] {
    Layout::horizontal(parts).areas(area)
}

fn rows<const N: usize>(area: Rect, parts: [Constraint; N]) -> [Rect; N] {
    Layout::vertical(parts).areas(area)
}

/// Every pane in its place, in the order of their keys.
fn all(places: [Rect; PaneId::ALL.len()]) -> Vec<(PaneId, Rect)> {
    PaneId::ALL.into_iter().zip(places).collect()
}

/// Three columns: what goes out, what was asked, what stands behind it.
fn wide(body: Rect) -> Vec<(PaneId, Rect)> {
    let [left, middle, right] =
        columns(body, [Constraint::Fill(42), Constraint::Fill(31), Constraint::Fill(27)]);
    let [telemetry, log] = rows(left, [Constraint::Fill(11), Constraint::Fill(9)]);
    let [commands, properties] = rows(middle, [Constraint::Fill(11), Constraint::Fill(9)]);
    let [connection, operator] = rows(right, [Constraint::Fill(11), Constraint::Fill(9)]);
    all([connection, telemetry, commands, properties, operator, log])
}

/// Three rows of two.
fn grid(body: Rect) -> Vec<(PaneId, Rect)> {
    let [left, right] = columns(body, [Constraint::Fill(57), Constraint::Fill(43)]);
    let parts = [Constraint::Fill(13), Constraint::Fill(12), Constraint::Fill(11)];
    let [telemetry, commands, log] = rows(left, parts);
    let [connection, properties, operator] = rows(right, parts);
    all([connection, telemetry, commands, properties, operator, log])
}

/// Four rows for a narrow, high window.
fn tall(body: Rect) -> Vec<(PaneId, Rect)> {
    let [top, middle, operator, log] =
        rows(body, [Constraint::Fill(13), Constraint::Fill(11), Constraint::Fill(8), Constraint::Fill(8)]);
    let [telemetry, connection] = columns(top, [Constraint::Fill(3), Constraint::Fill(2)]);
    let [commands, properties] = columns(middle, [Constraint::Fill(1), Constraint::Fill(1)]);
    all([connection, telemetry, commands, properties, operator, log])
}

/// What fits into 80×24: the operator's desk takes the first row while it has the keyboard, so
/// that commands and properties stay in sight while they are being asked for.
fn compact(body: Rect, focus: PaneId) -> Vec<(PaneId, Rect)> {
    let [top, middle, log] = rows(body, [Constraint::Fill(9), Constraint::Fill(7), Constraint::Fill(5)]);
    let [commands, properties] = columns(middle, [Constraint::Fill(1), Constraint::Fill(1)]);
    let mut panes = if focus == Operator {
        vec![(Operator, top)]
    } else {
        let [telemetry, connection] = columns(top, [Constraint::Fill(3), Constraint::Fill(2)]);
        vec![(Connection, connection), (Telemetry, telemetry)]
    };
    panes.extend([(Commands, commands), (Properties, properties), (Log, log)]);
    panes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;

    #[test]
    fn nothing_overlaps_and_nothing_lies_outside() {
        let mut state = sample::online();
        for focus in PaneId::ALL {
            state.ui.focus = focus;
            for zoomed in [false, true] {
                state.ui.zoomed = zoomed;
                for width in (0..=250).step_by(25) {
                    for height in (0..6).chain((6..=80).step_by(9)) {
                        let area = Rect::new(0, 0, width, height);
                        let screen = screen(&state, area);
                        let mut rects = vec![screen.header, screen.tabs, screen.footer];
                        rects.extend(screen.panes.iter().map(|(_, rect)| *rect));
                        let cells: u32 = rects.iter().map(|rect| rect.area()).sum();
                        assert_eq!(cells, area.area(), "{width}x{height}");
                        assert!(rects.iter().all(|rect| rect.union(area) == area || rect.is_empty()));
                        assert!(screen.panes.iter().any(|(pane, _)| *pane == focus));
                    }
                }
            }
        }
    }

    #[test]
    fn all_six_panes_are_shown_where_there_is_room() {
        let state = sample::online();
        for (width, height) in [(200, 60), (120, 40), (160, 24), (80, 50)] {
            assert_eq!(panes(&state, Rect::new(0, 0, width, height)).len(), 6, "{width}x{height}");
        }
    }

    #[test]
    fn a_tab_can_be_clicked() {
        let state = sample::online();
        let area = Rect::new(0, 0, 40, 10);
        assert_eq!(pane_at(&state, area, 1, 1), Some(Connection));
        assert_eq!(pane_at(&state, area, 5, 1), Some(Telemetry));
        assert_eq!(pane_at(&state, area, 39, 1), None);
        assert_eq!(pane_at(&state, area, 5, 5), Some(Telemetry));
    }
}
