//! What can be asked of the device, what has been asked, and what it answered.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::is_focused;
use crate::app::{AppState, CommandRecord, PaneId};
use crate::device::time::Spoken;
use crate::device::{CommandSpec, Job, Led, Outcome, Profile};
use crate::ui::Theme;
use crate::ui::text::{clean, clock, column, fit, left, right, spoken, width, wrap, wrap_at_most};
use crate::ui::widgets::{gauge, list};

/// How many jobs are shown at once; the others are counted.
const JOBS: usize = 3;

/// The least that is left of a command's name where what it does needs the room.
const LEAST_NAME: usize = 6;

/// The shortest bar that says anything.
const LEAST_BAR: usize = 4;

/// What stands where there is no history.
const NO_CALLS: &str = "nothing has been asked yet: 5 is the operator's desk";

/// Cells for how long an answer took.
const TOOK: usize = 8;

/// The light.
pub fn note(state: &AppState, theme: &Theme, room: usize) -> Line<'static> {
    let Some(led) = state.station().device.led() else { return Line::default() };
    let symbols = theme.symbols;
    let (symbol, style) =
        if led.is_lit(state.now.at) { (symbols.lit, theme.warn) } else { (symbols.dark, theme.dim) };
    let word = match led {
        Led::Off => "off".to_owned(),
        Led::On => "on".to_owned(),
        Led::Blinking { period, .. } if room < 26 => format!("every {}", Spoken(period)),
        Led::Blinking { period, .. } => format!("blinks every {}", Spoken(period)),
    };
    Line::from(vec![
        Span::styled("light ", theme.dim),
        Span::styled(symbol, style),
        Span::styled(format!(" {word}"), theme.text),
    ])
}

/// Draws jobs, the commands there are, and the history with the newest at the bottom.
pub fn draw(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let room = usize::from(area.width);
    let height = usize::from(area.height);
    let mut head = jobs(state, theme, room);
    for one in state.station().device.outcomes() {
        // In full where the names of the commands and the last calls have room all the same.
        let most = height.saturating_sub(head.len() + 4).max(1);
        head.extend(outcome(theme, &one, room, most));
    }
    let specs: Vec<&CommandSpec> = state
        .station()
        .device
        .profiles()
        .flat_map(|profile: &dyn Profile| profile.model().commands)
        .collect();
    if specs.is_empty() && state.station().commands.is_empty() {
        head.push(Line::styled("this kind of device has no commands", theme.dim));
        return list::lines(frame, area, head);
    }
    if height >= head.len() + specs.len() + 5 {
        head.extend(specs.iter().map(|spec| offer(theme, spec, room)));
        head.push(list::rule("history", theme.symbols.rule, theme.dim, room));
    } else if height >= head.len() + 3 && !specs.is_empty() {
        // The last calls go before names that need more lines than one.
        let most = height.saturating_sub(head.len() + calls(state, room)).max(1);
        head.extend(names(theme, &specs, room, most));
    }
    let (top, bottom) = list::split(area, head.len());
    list::lines(frame, top, head);
    history(state, theme, bottom, frame);
}

fn jobs(state: &AppState, theme: &Theme, room: usize) -> Vec<Line<'static>> {
    let jobs = state.station().device.jobs();
    let mut lines: Vec<_> = jobs.iter().take(JOBS).map(|one| job(state, theme, one, room)).collect();
    if jobs.len() > JOBS {
        lines.push(Line::styled(format!("and {} more", jobs.len() - JOBS), theme.dim));
    }
    lines
}

/// What came of work that is over.
fn outcome(theme: &Theme, outcome: &Outcome, room: usize, most: usize) -> Vec<Line<'static>> {
    let symbols = theme.symbols;
    let (symbol, style) = if outcome.good { (symbols.ok, theme.ok) } else { (symbols.bad, theme.bad) };
    let wrapped = wrap_at_most(&outcome.text, room.saturating_sub(2), most);
    let line = |(n, text): (usize, String)| {
        let mark = if n == 0 { symbol } else { " " };
        Line::from(vec![Span::styled(format!("{mark} "), style), Span::styled(text, theme.text)])
    };
    wrapped.into_iter().enumerate().map(line).collect()
}

fn job(state: &AppState, theme: &Theme, job: &Job, room: usize) -> Line<'static> {
    let ratio = match job.until {
        Some(until) => gauge::share(state.now.at.since(job.since), until.since(job.since)),
        None => f64::from(job.done) / f64::from(job.steps.max(1)),
    };
    let span = job.until.filter(|_| job.steps <= 1).map(|until| left(until.since(state.now.at)));
    let phase = clean(&job.phase);
    let said =
        |end: &str| span.as_ref().map_or_else(|| phase.clone(), |span| format!("{phase}, {span}{end}"));
    let percent = format!(" {:>3.0} % ", ratio * 100.0);
    let name = |name: &str| format!("{} {name} ", theme.symbols.pending);
    // What is done and how long it takes goes before all else; then the command's name, then how far
    // it is in figures, and a bar where there is room for one too.
    let whole = width(&name(job.command));
    let tries = [(&*percent, " left"), (&*percent, ""), ("", " left"), ("", "")];
    let fits = |(percent, end): &(&str, &str)| whole + width(percent) + width(&said(end)) <= room;
    let (percent, end) = tries.into_iter().find(fits).unwrap_or(("", ""));
    let said = said(end);
    let words = width(percent) + width(&said);
    let command = fit(job.command, room.saturating_sub(words + width(&name(""))).max(LEAST_NAME));
    let bar = room.saturating_sub(width(&name(&command)) + words).min((room / 4).max(4));
    let bar = if bar < LEAST_BAR || percent.is_empty() { 0 } else { bar };
    let mut spans = vec![Span::styled(name(&command), theme.strong)];
    spans.extend(gauge::progress(theme, ratio, bar, theme.ok));
    spans.push(Span::styled(if bar == 0 { percent.trim_start() } else { percent }.to_owned(), theme.text));
    spans.push(Span::styled(said, theme.dim));
    Line::from(spans)
}

fn offer(theme: &Theme, spec: &CommandSpec, room: usize) -> Line<'static> {
    let name = column(spec.name, 15.min(room / 2));
    let mut spans = vec![Span::styled(name + " ", theme.accent), Span::styled(spec.title, theme.text)];
    if let Some(schema) = &spec.request {
        spans.push(Span::styled(format!(" ({})", schema.describe()), theme.dim));
    }
    Line::from(spans)
}

/// The names of the commands, in as many lines as they need; what is beyond the `most` is cut.
fn names(theme: &Theme, specs: &[&CommandSpec], room: usize, most: usize) -> Vec<Line<'static>> {
    let separator = format!(" {} ", theme.symbols.separator);
    let mut lines: Vec<String> = Vec::new();
    for spec in specs {
        let full = lines.len() == most;
        match lines.last_mut() {
            Some(line) if full || width(line) + width(&separator) + width(spec.name) <= room => {
                *line += &separator;
                *line += spec.name;
            }
            _ => lines.push(spec.name.to_owned()),
        }
    }
    lines.into_iter().map(|line| Line::styled(line, theme.dim)).collect()
}

/// How many rows the history would like.
fn calls(state: &AppState, room: usize) -> usize {
    match state.station().commands.len() {
        0 => wrap(NO_CALLS, room).len(),
        count => count,
    }
}

fn history(state: &AppState, theme: &Theme, area: Rect, frame: &mut Frame<'_>) {
    let records = &state.station().commands;
    let room = usize::from(area.width);
    if records.is_empty() {
        let hint = wrap(NO_CALLS, room);
        let lines = hint.into_iter().map(|text| Line::styled(text, theme.dim)).collect();
        return list::lines(frame, area, lines);
    }
    let cursor = records.len() - 1 - state.ui.command.min(records.len() - 1);
    let height = usize::from(area.height);
    let first = list::first(records.len(), cursor, height);
    let focused = is_focused(state, PaneId::Commands);
    let rows = records.iter().enumerate().skip(first).take(height).map(|(place, record)| {
        let line = row(state, theme, record, room);
        if focused && place == cursor { list::selected(line, theme.selected, room) } else { line }
    });
    list::lines(frame, area, rows.collect());
    // Whoever has moved up is told how much newer there is; that there is older goes without saying.
    list::hidden(frame, theme, area, 0, records.len().saturating_sub(first + height));
}

/// A status as a symbol and a number.
fn status(theme: &Theme, record: &CommandRecord) -> (&'static str, String, Style) {
    let symbols = theme.symbols;
    match &record.answer {
        None => (symbols.pending, String::new(), theme.warn),
        Some((status @ 200..=299, ..)) => (symbols.ok, status.to_string(), theme.ok),
        Some((status, ..)) => (symbols.bad, status.to_string(), theme.bad),
    }
}

fn row(state: &AppState, theme: &Theme, record: &CommandRecord, room: usize) -> Line<'static> {
    let (symbol, code, style) = status(theme, record);
    let mut spans = Vec::new();
    if room >= 34 {
        spans.push(Span::styled(clock(record.now.wall, &state.zone) + " ", theme.dim));
    }
    spans.push(Span::styled(format!("{symbol} {} ", column(&code, 3)), style));
    let call = if record.request.is_null() {
        clean(&record.name)
    } else {
        format!("{} {}", clean(&record.name), spoken(&record.request))
    };
    // The call may be as long as the answer; neither may push the other out.
    let (answer, took) = match &record.answer {
        Some((_, response, took)) if response.is_null() => (String::new(), Spoken(*took).to_string()),
        Some((_, response, took)) => {
            (format!(" {} {}", theme.symbols.arrow, spoken(response)), Spoken(*took).to_string())
        }
        None => (String::new(), String::new()),
    };
    let taken: usize = spans.iter().map(Span::width).sum();
    let rest = room.saturating_sub(taken + if took.is_empty() { 0 } else { TOOK });
    let call = match room {
        _ if answer.is_empty() => fit(&call, rest),
        60.. => column(&call, 20),
        _ => fit(&call, rest * 2 / 3),
    };
    spans.push(Span::styled(call, theme.strong));
    let taken: usize = spans.iter().map(Span::width).sum();
    let wide = TOOK.min(room.saturating_sub(taken));
    let rest = room.saturating_sub(taken + wide);
    spans.push(Span::styled(column(&answer, rest), theme.text));
    spans.push(Span::styled(right(&took, wide), theme.dim));
    Line::from(spans)
}
