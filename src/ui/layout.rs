//! Which pane goes where at which size. The only place that splits the screen.

use ratatui::layout::{Constraint, Layout, Position, Rect};

use super::names::names;
use super::panes;
use super::text::width;
use crate::app::{AppState, PaneId, Slot};

use PaneId::{Commands, Connection, Log, Modules, Operator, Properties, Telemetry};

/// The screen, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// Device, hub and link.
    pub header: Rect,
    /// The names of the devices, where there are several.
    pub devices: Rect,
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
    let devices = u16::from(state.has_several() && area.height >= 8);
    let [header, devices, tabs, body, footer] = Layout::vertical([
        Constraint::Length(header.min(area.height)),
        Constraint::Length(devices),
        Constraint::Length(tabs),
        Constraint::Fill(1),
        Constraint::Length(u16::from(area.height >= 2)),
    ])
    .areas(area);
    let focus = state.ui.focus;
    let panes = match (body.width, body.height) {
        _ if state.ui.zoomed || !roomy => vec![(focus, body)],
        (150.., _) => wide(state, body),
        (100.., 26..) => grid(state, body),
        (_, 33..) => tall(state, body),
        _ => compact(state, body),
    };
    Screen { header, devices, tabs, panes, framed: roomy, footer }
}

/// What may lie over the panes: all but the footer, which says how to get out of it.
pub fn over(area: Rect) -> Rect {
    Rect { height: area.height.saturating_sub(1), ..area }
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
        panes::PANES.iter().filter(|pane| state.offers(pane.id)).map(move |pane| {
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

/// A name in the strip of devices, or the way to those that have no room there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceTab {
    /// The device, or the nearest one that is left out.
    pub slot: Slot,
    /// The name, or how many are left out.
    pub text: String,
    /// Whether it stands for those that are left out.
    pub more: bool,
}

impl DeviceTab {
    /// Cells, with those for the state of the link.
    fn width(&self) -> usize {
        width(&self.text) + if self.more { 0 } else { SYMBOL }
    }
}

/// Cells around a device's name: a space, a symbol, a space, and one more behind.
const SYMBOL: usize = 4;

/// The widest a device's name stands in the strip.
const WIDEST_NAME: usize = 24;

/// The names of the devices, as they stand side by side in this width: as many as have room, the
/// shown one always among them.
pub fn device_tabs(state: &AppState, room: u16) -> Vec<DeviceTab> {
    let room = usize::from(room);
    let widest = WIDEST_NAME.min(room.saturating_sub(SYMBOL + 2 * MORE).max(4));
    let named = names(state, widest).into_iter().enumerate();
    let tabs: Vec<_> = named.map(|(slot, text)| DeviceTab { slot, text, more: false }).collect();
    let count = tabs.len();
    let total: usize = tabs.iter().map(DeviceTab::width).sum();
    if total <= room || count == 0 {
        return tabs;
    }
    let fits = |from: Slot, to: Slot| {
        let named: usize = tabs[from..to].iter().map(DeviceTab::width).sum();
        let left_out = usize::from(from > 0) + usize::from(to < count);
        named + left_out * MORE <= room
    };
    let from = state.ui.slot.min(count - 1);
    let mut shown = from..from + 1;
    loop {
        // In turn to the right and to the left, as long as there is room for one more.
        let to_right = shown.end < count && fits(shown.start, shown.end + 1);
        let to_left = shown.start > 0 && fits(shown.start - 1, shown.end);
        if to_right && (!to_left || count - shown.end >= shown.start) {
            shown.end += 1;
        } else if to_left {
            shown.start -= 1;
        } else {
            break;
        }
    }
    let more = |slot: Slot, text: String| DeviceTab { slot, text, more: true };
    let before = shown.start.checked_sub(1).map(|slot| more(slot, format!(" +{} ", shown.start)));
    let after = (shown.end < count).then(|| more(shown.end, format!(" +{} ", count - shown.end)));
    let tabs = tabs.into_iter().skip(shown.start).take(shown.len());
    before.into_iter().chain(tabs).chain(after).collect()
}

/// Cells for the number of devices that have no room.
const MORE: usize = 5;

/// The device whose name stands at a place of the screen.
pub fn device_at(state: &AppState, area: Rect, column: u16, row: u16) -> Option<Slot> {
    let strip = screen(state, area).devices;
    if !strip.contains(Position { x: column, y: row }) {
        return None;
    }
    let mut x = usize::from(strip.x);
    device_tabs(state, strip.width).into_iter().find_map(|tab| {
        let from = x;
        x += tab.width();
        (from..x).contains(&usize::from(column)).then_some(tab.slot)
    })
}

fn columns<const N: usize>(area: Rect, parts: [Constraint; N]) -> [Rect; N] {
    Layout::horizontal(parts).areas(area)
}

fn rows<const N: usize>(area: Rect, parts: [Constraint; N]) -> [Rect; N] {
    Layout::vertical(parts).areas(area)
}

/// Panes below each other, with the share of the height that each takes, as far as they have
/// anything to show.
fn stack(state: &AppState, area: Rect, parts: &[(PaneId, u16)]) -> Vec<(PaneId, Rect)> {
    let parts: Vec<_> = parts.iter().filter(|(pane, _)| state.offers(*pane)).collect();
    let areas = Layout::vertical(parts.iter().map(|(_, share)| Constraint::Fill(*share))).split(area);
    parts.iter().zip(areas.iter()).map(|((pane, _), area)| (*pane, *area)).collect()
}

/// Whether both have something to show: then modules need a place of their own, else they have
/// that of the telemetry.
fn both(state: &AppState) -> bool {
    state.offers(Telemetry) && state.offers(Modules)
}

/// What has the largest place: what goes out, telemetry or the modules; the commands where nothing
/// does.
fn foremost(state: &AppState) -> PaneId {
    [Telemetry, Modules].into_iter().find(|pane| state.offers(*pane)).unwrap_or(Commands)
}

/// Commands and properties side by side, or the properties alone where the commands are shown already.
fn beside(shown: &[(PaneId, Rect)], area: Rect) -> Vec<(PaneId, Rect)> {
    if shown.iter().any(|(pane, _)| *pane == Commands) {
        return vec![(Properties, area)];
    }
    let [commands, properties] = columns(area, [Constraint::Fill(1), Constraint::Fill(1)]);
    vec![(Commands, commands), (Properties, properties)]
}

/// Three columns: what goes out, what was asked, what stands behind it.
fn wide(state: &AppState, body: Rect) -> Vec<(PaneId, Rect)> {
    let [left, middle, right] =
        columns(body, [Constraint::Fill(42), Constraint::Fill(31), Constraint::Fill(27)]);
    let (out, asked): (&[_], &[_]) = match foremost(state) {
        Commands => (&[(Commands, 11), (Log, 9)], &[(Properties, 1)]),
        _ => (&[(Telemetry, 11), (Modules, 9), (Log, 9)], &[(Commands, 11), (Properties, 9)]),
    };
    let mut panes = stack(state, left, out);
    panes.extend(stack(state, middle, asked));
    panes.extend(stack(state, right, &[(Connection, 11), (Operator, 9)]));
    panes
}

/// Three rows of two, or two columns where seven panes have something to show.
fn grid(state: &AppState, body: Rect) -> Vec<(PaneId, Rect)> {
    let [left, right] = columns(body, [Constraint::Fill(57), Constraint::Fill(43)]);
    if both(state) {
        let mut panes = stack(state, left, &[(Telemetry, 13), (Modules, 12), (Log, 11)]);
        panes.extend(stack(state, right, &[(Connection, 9), (Commands, 9), (Properties, 9), (Operator, 9)]));
        return panes;
    }
    let mut panes = stack(state, left, &[(Telemetry, 13), (Modules, 13), (Commands, 12), (Log, 11)]);
    panes.extend(stack(state, right, &[(Connection, 13), (Properties, 12), (Operator, 11)]));
    panes
}

/// Rows for a narrow, high window.
fn tall(state: &AppState, body: Rect) -> Vec<(PaneId, Rect)> {
    let (top, body) = if both(state) {
        let [top, modules, body] =
            rows(body, [Constraint::Fill(12), Constraint::Fill(8), Constraint::Fill(25)]);
        (vec![(Modules, modules), (Telemetry, top)], body)
    } else {
        let [top, body] = rows(body, [Constraint::Fill(13), Constraint::Fill(27)]);
        (vec![(foremost(state), top)], body)
    };
    let [middle, below] = rows(body, [Constraint::Fill(11), Constraint::Fill(16)]);
    let mut panes = top;
    if let Some((_, place)) = panes.last_mut() {
        let [out, connection] = columns(*place, [Constraint::Fill(3), Constraint::Fill(2)]);
        *place = out;
        panes.push((Connection, connection));
    }
    panes.extend(beside(&panes, middle));
    panes.extend(stack(state, below, &[(Operator, 8), (Log, 8)]));
    panes
}

/// What fits into 80×24: the operator's desk takes the first row while it has the keyboard, so
/// that commands and properties stay in sight while they are being asked for; so do modules.
fn compact(state: &AppState, body: Rect) -> Vec<(PaneId, Rect)> {
    let focus = state.ui.focus;
    let [top, middle, log] = rows(body, [Constraint::Fill(9), Constraint::Fill(7), Constraint::Fill(5)]);
    let mut panes = if matches!(focus, Operator | Modules) {
        vec![(focus, top)]
    } else {
        // The header says how the link stands; the steps that led there have to give way first.
        let right_pane = if both(state) && focus != Connection { Modules } else { Connection };
        let [left, right] = columns(top, [Constraint::Fill(3), Constraint::Fill(2)]);
        vec![(foremost(state), left), (right_pane, right)]
    };
    panes.extend(beside(&panes, middle));
    panes.push((Log, log));
    panes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;

    #[test]
    fn nothing_overlaps_and_nothing_lies_outside() {
        let reboot = sample::reboot().state;
        for mut state in [sample::online(), sample::three().state, sample::edge(0), sample::edge(1), reboot] {
            for focus in state.panes() {
                state.ui.focus = focus;
                for zoomed in [false, true] {
                    state.ui.zoomed = zoomed;
                    check_sizes(&state);
                }
            }
        }
    }

    fn check_sizes(state: &AppState) {
        for width in (0..=250).step_by(25) {
            for height in (0..6).chain((6..=80).step_by(9)) {
                let area = Rect::new(0, 0, width, height);
                let screen = screen(state, area);
                let mut rects = vec![screen.header, screen.devices, screen.tabs, screen.footer];
                rects.extend(screen.panes.iter().map(|(_, rect)| *rect));
                let cells: u32 = rects.iter().map(|rect| rect.area()).sum();
                assert_eq!(cells, area.area(), "{width}x{height}");
                assert!(rects.iter().all(|rect| rect.union(area) == area || rect.is_empty()));
                assert!(screen.panes.iter().any(|(pane, _)| *pane == state.ui.focus));
                let unique: std::collections::HashSet<_> =
                    screen.panes.iter().map(|(pane, _)| pane).collect();
                assert_eq!(unique.len(), screen.panes.len(), "a pane twice at {width}x{height}");
            }
        }
    }

    #[test]
    fn all_panes_with_anything_to_show_are_shown_where_there_is_room() {
        let reboot = sample::reboot().state;
        for (state, count) in [(sample::online(), 6), (sample::edge(0), 7), (sample::edge(1), 6), (reboot, 5)]
        {
            assert_eq!(state.panes().len(), count);
            for (width, height) in [(200, 60), (120, 40), (160, 24), (100, 30), (80, 50)] {
                assert_eq!(panes(&state, Rect::new(0, 0, width, height)).len(), count, "{width}x{height}");
            }
        }
    }

    #[test]
    fn the_shown_device_always_stands_in_the_strip() {
        let mut state = sample::three().state;
        for slot in 0..3 {
            state.ui.slot = slot;
            for width in 0..90 {
                let tabs = device_tabs(&state, width);
                assert!(tabs.iter().any(|tab| tab.slot == slot && !tab.more), "{width}");
                let total: usize = tabs.iter().map(DeviceTab::width).sum();
                assert!(width < 20 || total <= usize::from(width), "{width}: {tabs:?}");
            }
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
