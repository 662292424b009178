//! What the device measures and sends.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::app::{AppState, Series};
use crate::device::time::Spoken;
use crate::device::{Millis, Reading};
use crate::ui::Theme;
use crate::ui::text::{self, clock, fit, left, width};
use crate::ui::widgets::chart::{self, Chart};
use crate::ui::widgets::list;
use crate::ui::widgets::strip::{Piece, strip};

/// The shortest time that a chart spans, in milliseconds: two samples are no curve yet.
const SHORTEST: u64 = 60_000;

/// The period, and whether telemetry is paused.
pub fn note(state: &AppState, theme: &Theme, _: usize) -> Line<'static> {
    let device = &state.station().device;
    let mut spans = Vec::new();
    if device.is_paused() {
        spans.push(Span::styled(format!(" {} paused ", theme.symbols.paused), theme.badge));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::styled("every ", theme.dim));
    spans.push(Span::styled(Spoken(device.period()).to_string(), theme.strong));
    Line::from(spans)
}

/// Draws charts as far as there is room for them, values in any case, and the next message.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let readings = state.station().device.readings();
    let room = usize::from(area.width);
    let height = usize::from(area.height);
    let next = next_message(state, theme, &readings, room);
    let (top, bottom) = if height > readings.len() {
        list::split(area, height - next.len().min(height - readings.len()))
    } else {
        (area, Rect::default())
    };
    list::lines(frame, bottom, next);
    let cells = cells(top, readings.len());
    let charts = cells.iter().all(|cell| cell.height > chart::LEAST.1 && cell.width >= chart::LEAST.0);
    if !charts {
        let rows = readings.iter().enumerate().map(|(n, reading)| values(theme, n, reading, room));
        return list::lines(frame, top, rows.collect());
    }
    for (n, (cell, reading)) in cells.iter().zip(&readings).enumerate() {
        let (head, plot) = list::split(*cell, 1);
        list::lines(frame, head, vec![values(theme, n, reading, usize::from(head.width))]);
        if let Some(series) = state.station().series.get(n) {
            chart::draw(frame, theme, plot, &curve(state, theme, n, series, reading, plot.width));
        }
    }
}

/// Why nothing is sent, while a device restarts: its link may stand all the same.
fn silence(state: &AppState, theme: &Theme) -> Option<Line<'static>> {
    let away = state.station().device.away()?;
    let span = left(away.until.since(state.now.at));
    let text = format!("{} nothing is sent for {span}: restarting", theme.symbols.pending);
    Some(Line::styled(text, theme.warn))
}

/// What the next message will hold, and when it goes.
fn next_message(state: &AppState, theme: &Theme, readings: &[Reading], room: usize) -> Vec<Line<'static>> {
    if let Some(line) = silence(state, theme) {
        return vec![line];
    }
    let device = &state.station().device;
    let when = match device.next_sample() {
        _ if device.is_paused() => "next when you go on".to_owned(),
        Some(at) => format!("next at {}", clock(state.now.wall_at(at), &state.zone)),
        None => "next once connected".to_owned(),
    };
    let body = Reading::body(readings);
    let when = Span::styled(format!("{when}  "), theme.dim);
    let body = Span::styled(text::clean(&Value::Object(body).to_string()), theme.text);
    if when.width() + body.width() <= room || room < 30 {
        vec![Line::from(vec![when, body])]
    } else {
        // The body alone says most, where both have no room in one line.
        vec![Line::from(vec![Span::styled("next  ", theme.dim), body])]
    }
}

/// One value: its name, how much, where it tends to, and whether by hand.
fn values(theme: &Theme, place: usize, reading: &Reading, room: usize) -> Line<'static> {
    let symbols = theme.symbols;
    let digits = reading.field.digits;
    let style = theme.series[place % theme.series.len()];
    let (hand, word, hand_style) = if reading.manual {
        (symbols.manual, "by hand", theme.warn)
    } else {
        (symbols.automatic, "automatic", theme.dim)
    };
    let value = format!("{:.digits$} {}", reading.value, reading.field.unit);
    if room < 34 {
        // The mark of the hand stays, the name gives way; a held value is its own set point.
        let told = if reading.manual {
            format!(" {hand} {word}")
        } else {
            format!("  set {:.digits$}", reading.set_point)
        };
        let fits = width(reading.field.title) + 1 + width(&value) + width(&told) <= room;
        let mark = match (fits, reading.manual) {
            (true, _) => told,
            (false, true) => format!(" {hand}"),
            (false, false) => String::new(),
        };
        let title = fit(reading.field.title, room.saturating_sub(width(&value) + width(&mark) + 1));
        return Line::from(vec![
            Span::styled(title + " ", style),
            Span::styled(value, theme.strong),
            Span::styled(mark, hand_style),
        ]);
    }
    strip(
        vec![Piece::new(9, reading.field.title, style).and(format!(" {value}"), theme.strong)],
        vec![
            Piece::new(3, "set ", theme.dim).and(format!("{:.digits$}", reading.set_point), theme.text),
            Piece::new(if reading.manual { 6 } else { 1 }, format!("{hand} {word}"), hand_style),
        ],
        room,
    )
}

/// Splits an area into `count` cells, below each other or side by side, whichever lets the
/// flattest of them breathe.
fn cells(area: Rect, count: usize) -> Vec<Rect> {
    let count = u16::try_from(count).unwrap_or(u16::MAX).max(1);
    let score = |columns: &u16| {
        let rows = count.div_ceil(*columns);
        // Four columns of a terminal's cells for each row make a chart of a pleasant shape.
        (area.width / columns / 4).min(area.height / rows)
    };
    let columns = (1..=count.min(4)).rev().max_by_key(score).unwrap_or(1);
    let rows = count.div_ceil(columns);
    let gap = 2;
    let width = (area.width + gap) / columns;
    let height = area.height / rows;
    let cell = |n: u16| {
        let (row, column) = (n / columns, n % columns);
        Rect {
            x: area.x + column * width,
            y: area.y + row * height,
            width: width.saturating_sub(gap),
            // The last row takes what is left over.
            height: if row + 1 == rows { area.height - row * height } else { height },
        }
    };
    (0..count).map(cell).map(|cell| cell.intersection(area)).collect()
}

fn curve(
    state: &AppState,
    theme: &Theme,
    place: usize,
    series: &Series,
    reading: &Reading,
    width: u16,
) -> Chart {
    // Braille has two dots in each cell's width; more samples than dots say nothing more.
    let most = usize::from(width) * 2;
    let skip = series.samples().len().saturating_sub(most);
    let samples: Vec<(Millis, f64)> = series.samples().skip(skip).collect();
    let first = samples.first().map_or(state.now.at, |(at, _)| *at);
    let last = samples.last().map_or(state.now.at, |(at, _)| *at);
    let end = Millis(last.0.max(first.0.saturating_add(SHORTEST)));
    let middle = Millis(first.0 + (end.0 - first.0) / 2);
    let time = |at: Millis| clock(state.now.wall_at(at), &state.zone);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run, far below 2^52")]
    let x = |at: Millis| at.0 as f64;
    let period = state.station().device.period().as_secs_f64() * 1_000.0;
    Chart {
        points: samples.iter().map(|(at, value)| (x(*at), *value)).collect(),
        x: (x(first), x(end)),
        times: [time(first), time(middle), time(end)],
        is_young: end > state.now.at,
        set_point: reading.set_point,
        value: reading.value,
        range: reading.field.range,
        style: theme.series[place % theme.series.len()],
        gap: (period * 5.0).max(15_000.0),
    }
}
