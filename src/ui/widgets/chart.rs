//! A line chart of one value over time, with axes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::canvas::{Canvas, Line as Stroke, Points};

use crate::ui::{Theme, text};

/// What a chart shows.
pub struct Chart {
    /// Time and value, oldest first.
    pub points: Vec<(f64, f64)>,
    /// The times at the two ends.
    pub x: (f64, f64),
    /// Three labels below: left end, middle, right end.
    pub times: [String; 3],
    /// Whether the time at the right end is still to come: where one label has room it is the left one.
    pub is_young: bool,
    /// Where the value tends to.
    pub set_point: f64,
    /// The value now.
    pub value: f64,
    /// The lowest and highest value there can be.
    pub range: (f64, f64),
    /// Of the line.
    pub style: Style,
    /// Samples further apart than this are not joined: nothing is known in between.
    pub gap: f64,
}

/// The least height and width in which a chart says something.
pub const LEAST: (u16, u16) = (16, 3);

/// Cells for the labels at the left, and the axis.
const LABELS: u16 = 6;

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, theme: &Theme, area: Rect, chart: &Chart) {
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return;
    }
    let plot =
        Rect { x: area.x + LABELS + 1, y: area.y, width: area.width - LABELS - 1, height: area.height - 1 };
    let (low, high) = bounds(chart);
    axes(frame, theme, area, plot, (low, high), chart);
    let (left, right) = chart.x;
    let fg = chart.style.fg.unwrap_or_default();
    let dim = if fg == Color::Reset { fg } else { Color::DarkGray };
    let width = f64::from(plot.width);
    let canvas =
        Canvas::default().marker(theme.marker).x_bounds([left, right]).y_bounds([low, high]).paint(|ctx| {
            // Below the curve, which has to stay whole; without Braille they would look the same.
            if theme.marker == Marker::Braille {
                let dots = (0..plot.width)
                    .map(|cell| (left + (f64::from(cell) + 0.25) / width * (right - left), chart.set_point));
                ctx.draw(&Points { coords: &dots.collect::<Vec<_>>(), color: dim });
            }
            ctx.layer();
            for pair in chart.points.windows(2) {
                let [(x1, y1), (x2, y2)] = [pair[0], pair[1]];
                if x2 - x1 <= chart.gap {
                    ctx.draw(&Stroke { x1, y1, x2, y2, color: fg });
                }
            }
            ctx.draw(&Points { coords: &chart.points, color: fg });
        });
    frame.render_widget(canvas, plot);
}

fn axes(
    frame: &mut Frame<'_>,
    theme: &Theme,
    area: Rect,
    plot: Rect,
    (low, high): (f64, f64),
    chart: &Chart,
) {
    let middle = f64::midpoint(low, high);
    let last = plot.height - 1;
    // As many labels as stand apart from each other.
    let rows: &[u16] = if last >= 4 { &[0, last / 2, last] } else { &[0, last] };
    let digits = usize::from(low.fract() != 0.0 || (rows.len() == 3 && middle.fract() != 0.0));
    for row in 0..plot.height {
        let labelled = rows.contains(&row) && (row == 0 || last > 0);
        let axis = if labelled { theme.symbols.axis_tick } else { theme.symbols.axis };
        let label = if labelled {
            let value = match row {
                0 => high,
                row if row == last => low,
                _ => middle,
            };
            text::right(&format!("{value:.digits$}"), usize::from(LABELS) - 1) + " "
        } else {
            " ".repeat(usize::from(LABELS))
        };
        let line = Line::from(vec![Span::styled(label, theme.dim), Span::styled(axis, theme.dim)]);
        frame.render_widget(line, Rect { x: area.x, y: area.y + row, width: LABELS + 1, height: 1 });
    }
    let below = Rect { y: area.y + plot.height, height: 1, ..area };
    let room = usize::from(plot.width);
    let [first, middle, end] = &chart.times;
    let sum = |labels: &[&String]| labels.iter().map(|label| text::width(label) + 2).sum::<usize>();
    let line = if sum(&[first, middle, end]) <= room {
        let half = room / 2 - text::width(middle) / 2;
        let left = text::column(first, half) + middle;
        let rest = room - text::width(&left);
        left + &text::right(end, rest)
    } else if sum(&[first, end]) <= room + 2 {
        text::column(first, room - text::width(end)) + end
    } else if chart.is_young {
        text::column(first, room)
    } else {
        text::right(end, room)
    };
    let corner = format!("{}{}", " ".repeat(usize::from(LABELS)), theme.symbols.axis_corner);
    frame.render_widget(Line::styled(corner + &line, theme.dim), below);
}

/// A round range that holds every value and the set point.
fn bounds(chart: &Chart) -> (f64, f64) {
    let values = || chart.points.iter().map(|(_, value)| *value).chain([chart.set_point, chart.value]);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let grain = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0]
        .into_iter()
        .find(|grain| (high - low) / grain <= 4.0)
        .unwrap_or(10_000.0);
    let mut low = ((low / grain).floor() * grain).min(chart.range.1 - grain);
    let mut high = ((high / grain).ceil() * grain).max(chart.range.0 + grain);
    // A flat line belongs in the middle, and a small wobble must not look like a storm.
    while high - low < 4.0 * grain.min(1.0) || high <= low {
        high += grain;
        low -= grain;
    }
    // No label is for what cannot be, as long as the values keep to their range.
    let (least, most) = chart.range;
    if low < least && high - low <= most - least && values().all(|value| value >= least) {
        (low, high) = (least, high + least - low);
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_round_and_holds_everything() {
        let chart = |values: &[f64], set_point| Chart {
            points: values.iter().map(|value| (0.0, *value)).collect(),
            x: (0.0, 1.0),
            times: [const { String::new() }; 3],
            is_young: false,
            set_point,
            value: set_point,
            range: (1.0, 75.0),
            style: Style::new(),
            gap: 1.0,
        };
        assert_eq!(bounds(&chart(&[67.3, 68.4], 68.0)), (66.0, 70.0));
        assert_eq!(bounds(&chart(&[20.0, 68.4], 68.0)), (20.0, 80.0));
        assert_eq!(bounds(&chart(&[], 68.0)), (66.0, 70.0));
        assert_eq!(bounds(&chart(&[1.2, 1.4], 1.3)), (1.0, 6.0), "not from -1");
        let (low, high) = bounds(&chart(&[f64::NAN], f64::NAN));
        assert!(low < high || low.is_nan() || high.is_infinite());
    }
}
