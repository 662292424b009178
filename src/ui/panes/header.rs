//! The first lines: which device, where, and whether it is connected.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::{AppState, Place, Station};
use crate::device::time::Spoken;
use crate::device::{Phase, Profile};
use crate::ui::Theme;
use crate::ui::text::{clean, left};
use crate::ui::widgets::list;
use crate::ui::widgets::strip::{Piece, strip};

/// Draws it, in one line or in two.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let room = usize::from(area.width);
    let lines = if area.height < 2 {
        let mut right = counters(state, theme, true);
        right.extend(again(state, theme, true));
        right.push(link(state, theme));
        vec![strip(vec![name(state, theme, room)], right, room)]
    } else {
        let mut first = vec![name(state, theme, room)];
        first.extend(place(state, theme));
        let mut second = trouble(state, theme);
        if second.is_empty() {
            second = identity(state, theme);
        }
        let mut end = token(state, theme);
        end.push(link(state, theme));
        vec![strip(first, end, room), strip(second, counters(state, theme, false), room)]
    };
    list::lines(frame, area, lines);
}

fn name(state: &AppState, theme: &Theme, room: usize) -> Piece {
    let name = clean(&state.station().label());
    let place = format!("{}/{} ", state.ui.slot + 1, state.stations.len());
    let piece = if state.has_several() {
        Piece::new(9, place, theme.dim).and(name, theme.strong)
    } else {
        Piece::new(9, name, theme.strong)
    };
    // Where it is can rather be left out than a usual name be cut.
    piece.cuttable_to(room / 2)
}

/// How the link of a device stands: a symbol and a word.
pub(super) fn standing(station: &Station, theme: &Theme) -> (&'static str, &'static str, Style) {
    let symbols = theme.symbols;
    if station.device.away().is_some() {
        return (symbols.pending, "restarting", theme.warn);
    }
    match station.device.phase() {
        Phase::Idle => (symbols.dark, "not started", theme.dim),
        Phase::Provisioning => (symbols.pending, "provisioning", theme.warn),
        Phase::Connecting(_) => (symbols.pending, "connecting", theme.warn),
        Phase::Online { .. } => (symbols.lit, "online", theme.ok),
        Phase::Waiting { .. } => (symbols.warning, "offline", theme.bad),
        Phase::Restarting { .. } => (symbols.pending, "restarting", theme.warn),
        Phase::Stopped(_) => (symbols.bad, "gave up", theme.bad),
        Phase::Leaving => (symbols.pending, "leaving", theme.warn),
        Phase::Left => (symbols.dark, "disconnected", theme.dim),
    }
}

fn link(state: &AppState, theme: &Theme) -> Piece {
    if let Some(away) = state.station().device.away() {
        let span = left(away.until.since(state.now.at));
        return Piece::new(10, format!("{} restarting, back in {span}", theme.symbols.pending), theme.warn);
    }
    let (symbol, word, style) = standing(state.station(), theme);
    Piece::new(10, format!("{symbol} {word}"), style)
}

fn place(state: &AppState, theme: &Theme) -> Vec<Piece> {
    let to = theme.symbols.arrow;
    let local = match &state.place {
        Place::Local { .. } => Some("local cloud"),
        Place::Service(_) | Place::Hub(_) => None,
    };
    let hub = match (state.station().device.phase().assignment(), &state.place) {
        (Some(assignment), _) => assignment.hub.to_string(),
        (None, Place::Local { hub, .. } | Place::Hub(hub)) => hub.clone(),
        (None, Place::Service(host)) => host.clone(),
    };
    let mut pieces = vec![Piece::new(6, format!("{to} "), theme.dim).and(clean(&hub), theme.accent)];
    pieces.extend(local.map(|text| Piece::new(3, format!("({text})"), theme.dim)));
    pieces.extend(scope(state, theme));
    if state.desk.troubled {
        pieces.push(Piece::new(7, format!("{} trouble on request", theme.symbols.warning), theme.warn));
    }
    pieces
}

/// In which ID scope the device is, which matters more when it is not where it began.
fn scope(state: &AppState, theme: &Theme) -> Option<Piece> {
    let station = state.station();
    let scope = station.scope.as_ref()?;
    let (keep, style) = if station.has_moved() { (4, theme.accent) } else { (2, theme.text) };
    Some(Piece::new(keep, "scope ", theme.dim).and(clean(scope.as_str()), style))
}

fn identity(state: &AppState, theme: &Theme) -> Vec<Piece> {
    let station = state.station();
    let titles: Vec<_> =
        station.device.profiles().map(|profile: &dyn Profile| profile.model().title).collect();
    let mut pieces = vec![Piece::new(3, titles.join(" + "), theme.text).cuttable()];
    // Modules show theirs in a pane of their own.
    let figures = station.device.figures();
    pieces.extend(figures.into_iter().filter(|_| !station.has_ports()).map(|figure| {
        Piece::new(2, format!("{} ", figure.title), theme.dim).and(clean(&figure.value), theme.text)
    }));
    if !station.fingerprint.is_empty() {
        pieces.push(Piece::new(1, format!("key {}", clean(&station.fingerprint)), theme.dim));
    }
    pieces.push(Piece::new(0, format!("seed {}", state.seed_of(state.ui.slot)), theme.dim));
    pieces
}

fn trouble(state: &AppState, theme: &Theme) -> Vec<Piece> {
    let mut pieces: Vec<_> = again(state, theme, false).into_iter().collect();
    if let Some(cause) = state.station().device.trouble() {
        pieces.push(Piece::new(8, clean(&cause.to_string()), theme.text).cuttable());
    }
    pieces
}

fn again(state: &AppState, theme: &Theme, short: bool) -> Option<Piece> {
    let Phase::Waiting { until, attempt, .. } = state.station().device.phase() else { return None };
    let span = left(until.since(state.now.at));
    let text = if short { format!("retry in {span}") } else { format!("attempt {attempt} in {span}") };
    Some(Piece::new(9, text, theme.warn))
}

fn token(state: &AppState, theme: &Theme) -> Vec<Piece> {
    let Phase::Online { token_ends, .. } = state.station().device.phase() else { return Vec::new() };
    let span = left(token_ends.since(state.now.at));
    vec![Piece::new(4, "token ", theme.dim).and(span, theme.text).and(" left", theme.dim)]
}

fn counters(state: &AppState, theme: &Theme, short: bool) -> Vec<Piece> {
    let station = state.station();
    let counters = station.device.counters();
    if short {
        let text = format!("{} {}/{}", theme.symbols.ok, counters.acknowledged, counters.sent);
        return vec![Piece::new(5, text, theme.text)];
    }
    let count = |keep, number: u64, word: &str, style| {
        Piece::new(keep, number.to_string(), style).and(format!(" {word}"), theme.dim)
    };
    let waiting = if counters.waiting > 0 { theme.warn } else { theme.text };
    let mut pieces = Vec::new();
    pieces.extend(
        station.last_ack.map(|took| Piece::new(2, format!("last ack after {}", Spoken(took)), theme.dim)),
    );
    pieces.push(count(6, counters.sent, "sent", theme.strong));
    pieces.push(count(7, counters.acknowledged, "acknowledged", theme.strong));
    // One or two are on their way at any moment; more means that the hub has gone silent.
    if counters.unacknowledged > 2 {
        pieces.push(count(8, counters.unacknowledged, "unacknowledged", theme.warn));
    }
    pieces.push(count(5, counters.waiting, "waiting", waiting));
    if counters.dropped > 0 {
        let text = format!("{} {}", theme.symbols.warning, counters.dropped);
        pieces.push(Piece::new(8, text, theme.bad).and(" dropped", theme.dim));
    }
    pieces
}
