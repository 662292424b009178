//! Text made fit for the screen: cleaned, cut, wrapped, told as a person says it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::device::harmful::is_harmful;

/// What stands for a character that must not reach the terminal.
const STAND_IN: char = '�';

/// Text in one line, without anything that a terminal would obey.
pub fn clean(text: &str) -> String {
    let one = |c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_harmful(c) => STAND_IN,
        c => c,
    };
    text.chars().map(one).collect()
}

/// How many cells a text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

pub(super) fn char_width(c: char) -> usize {
    if c.is_ascii() { 1 } else { width(c.encode_utf8(&mut [0; 4])) }
}

/// Cleans a text and cuts it to `room` cells; what is cut ends with `…`.
pub fn fit(text: &str, room: usize) -> String {
    let mut fitted = String::new();
    let mut taken = 0;
    // The cell for `…` is only needed when something is left over, so the last place that it
    // could stand at is remembered.
    let mut cut = 0;
    for c in text.chars() {
        let c = match c {
            '\n' | '\r' | '\t' => ' ',
            c if is_harmful(c) => STAND_IN,
            c => c,
        };
        let wide = char_width(c);
        if taken + wide > room {
            fitted.truncate(cut);
            if room > 0 {
                fitted.push('…');
            }
            return fitted;
        }
        taken += wide;
        fitted.push(c);
        if taken < room {
            cut = fitted.len();
        }
    }
    fitted
}

/// [`fit`], filled up with spaces on the right.
pub fn column(text: &str, room: usize) -> String {
    let fitted = fit(text, room);
    let rest = room.saturating_sub(width(&fitted));
    fitted + &" ".repeat(rest)
}

/// [`fit`], filled up with spaces on the left.
pub fn right(text: &str, room: usize) -> String {
    let fitted = fit(text, room);
    " ".repeat(room.saturating_sub(width(&fitted))) + &fitted
}

/// Breaks a text into lines of at most `room` cells, between words where there are any.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if room == 0 {
        return lines;
    }
    for paragraph in text.lines() {
        let paragraph = clean(paragraph);
        let mut line = String::new();
        let mut taken = 0;
        for word in paragraph.split_inclusive(' ') {
            let wide = width(word.trim_end());
            if taken > 0 && taken + wide > room {
                lines.push(std::mem::take(&mut line));
                taken = 0;
            }
            for c in word.chars() {
                let wide = char_width(c);
                if taken + wide > room {
                    lines.push(std::mem::take(&mut line));
                    taken = 0;
                    if c == ' ' {
                        continue;
                    }
                }
                line.push(c);
                taken += wide;
            }
        }
        lines.push(line);
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// The first `most` lines of [`wrap`]; what is left out ends the last of them with `…`.
pub fn wrap_at_most(text: &str, room: usize, most: usize) -> Vec<String> {
    let mut lines = wrap(text, room);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = fit(&format!("{last} …"), room);
        }
    }
    lines
}

/// Cuts a line of styled pieces to `room` cells; what is cut ends with `…`.
pub fn cut(line: Line<'_>, room: usize) -> Line<'_> {
    if line.width() <= room {
        return line;
    }
    let mut left = room;
    let mut spans = Vec::new();
    for span in line.spans {
        let wide = span.width();
        if wide < left {
            left -= wide;
            spans.push(span);
        } else {
            // Something follows, or is too long itself: the mark has to stand here.
            let text = fit(&format!("{} …", span.content), left);
            spans.push(Span::styled(text, span.style));
            break;
        }
    }
    Line { spans, ..line }
}

/// The time of day.
pub fn clock(wall: Timestamp, zone: &TimeZone) -> String {
    wall.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// How much is left, as far as a person wants to know: seconds in the last two minutes, else
/// minutes, else hours. Rounded up, so that zero means over.
pub fn left(span: Duration) -> String {
    let seconds = span.as_millis().div_ceil(1000);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {:02} min", seconds.div_ceil(60) / 60, seconds.div_ceil(60) % 60),
    }
}

/// A JSON value in one line: text without its quotes, because a person reads it.
pub fn spoken(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => clean(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_does_not_reach_it() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d\u{9b}"), "a�[31mb c�d�");
        assert_eq!(fit("\u{1b}]0;x\u{7}", 80), "�]0;x�");
    }

    #[test]
    fn a_long_text_ends_with_an_ellipsis_and_a_wide_one_is_measured() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!((fit("abc", 1), fit("abc", 0)), ("…".to_owned(), String::new()));
        assert_eq!(column("日本", 6), "日本  ");
    }

    #[test]
    fn a_line_is_cut_where_its_pieces_meet_too() {
        let line = |room| cut(Line::from(vec![Span::raw("abc"), Span::raw("def")]), room).to_string();
        assert_eq!(
            (line(6), line(5), line(3), line(2)),
            ("abcdef".into(), "abcd…".into(), "ab…".into(), "a…".into())
        );
    }

    #[test]
    fn text_wraps_between_words_and_breaks_long_ones() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
    }

    #[test]
    fn what_is_left_out_of_a_wrapped_text_is_marked() {
        assert_eq!(wrap_at_most("one two three", 7, 2), ["one two", "three"]);
        assert_eq!(wrap_at_most("one two three", 7, 1), ["one tw…"]);
        assert_eq!(wrap_at_most("a b c", 1, 2), ["a", "…"]);
        assert!(wrap_at_most("one", 7, 0).is_empty());
    }

    #[test]
    fn what_is_left_is_told_in_the_unit_that_matters() {
        let said = |ms| left(Duration::from_millis(ms));
        assert_eq!((said(0), said(1), said(1000)), ("0 s".into(), "1 s".into(), "1 s".into()));
        assert_eq!((said(119_000), said(120_000)), ("119 s".into(), "2 min".into()));
        assert_eq!((said(3_600_000), said(90_000_000)), ("60 min".into(), "25 h 00 min".into()));
    }
}
