//! Spans of time as people write them.

use std::time::Duration;

/// Why a text is not a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time: write it like `2s`, `500ms`, `1m30s`, `1h` or `1d`; a bare number is seconds")]
pub struct DurationError;

const UNITS: &[(&str, f64)] =
    &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

/// A hundred years: more is a slip, and sums of spans must not overflow.
const MOST: f64 = 100.0 * 365.0 * 86_400.0;

/// Reads `2s`, `500ms`, `1m30s`, `1.5h`, `1d`, with spaces where one likes. A bare number is
/// seconds, as in most tools with such an option.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    if !rest.is_empty() && rest.chars().all(is_number) {
        return span(rest.parse().map_err(|_| DurationError)?);
    }
    if rest.is_empty() {
        return Err(DurationError);
    }
    while !rest.is_empty() {
        let (number, after) = split(rest, is_number);
        let (unit, after) = split(after.trim_start(), |c| c.is_ascii_alphabetic());
        let number: f64 = number.parse().map_err(|_| DurationError)?;
        let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError)?;
        seconds += number * worth;
        rest = after.trim_start();
    }
    span(seconds)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn span(seconds: f64) -> Result<Duration, DurationError> {
    if !(0.0..=MOST).contains(&seconds) {
        return Err(DurationError);
    }
    // Through whole microseconds, so that `0.1s` is a tenth and not the nearest binary fraction.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
    Ok(Duration::from_micros((seconds * 1e6).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, ms) in [
            ("2s", 2_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("1.5h", 5_400_000),
            ("1d", 86_400_000),
            ("1 min 5 s", 65_000),
            ("10", 10_000),
            ("0.25", 250),
            (" 0.1s ", 100),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text:?}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", " ", "s", "2x", "-2s", "1..2s", "2s3", "NaN", "inf", "1e9", "99999999999h", "٣s", "2 s s"]
        {
            assert_eq!(parse(text), Err(DurationError), "{text:?}");
        }
    }
}
