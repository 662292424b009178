//! What the head of a server's answer means for a download. RFC 9110: 13.1.5 (`If-Range`), 14 (ranges),
//! 15 (status codes).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
    LOCATION, RETRY_AFTER,
};

/// The longest validator that is kept.
const MAX_VALIDATOR: usize = 1024;

/// What there is of an image whose rest is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// How many bytes.
    pub(super) received: u64,
    /// By what the server knows the image that they are of.
    pub(super) validator: &'a str,
    /// How many bytes that image has.
    pub(super) total: Option<u64>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The whole image follows.
    Whole { total: Option<u64>, validator: Option<String> },
    /// What was missing follows, up to a byte that is not of it.
    Rest { end: u64, total: Option<u64> },
    /// Nothing is missing.
    NothingMissing,
    /// What is here cannot be gone on from.
    StartOver,
    /// It is elsewhere.
    Moved(String),
    /// Not now; perhaps after a time that the server says.
    Later { why: String, after: Option<Duration> },
    /// Not at all.
    Refused(String),
}

/// Reads an answer to a request for an image, or for what is behind a part of it.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, part: Option<Part<'_>>) -> Answer {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let range = || text(CONTENT_RANGE).and_then(content_range);
    match (status, part) {
        (StatusCode::OK | StatusCode::PARTIAL_CONTENT, part) => {
            if let Some(coding) = text(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
                return Answer::Refused(format!(
                    "the server sends it with the content coding `{coding}`, which was not asked for; have it send \
                     the image as it is"
                ));
            }
            if status == StatusCode::OK {
                let total = text(CONTENT_LENGTH).and_then(|value| value.trim().parse().ok());
                return Answer::Whole { total, validator: validator(headers) };
            }
            let Some(part) = part else {
                return Answer::Refused("the server sends a part of it, which was not asked for".to_owned());
            };
            match range() {
                Some(Range { bytes: Some((first, end)), total })
                    if first == part.received && is_same(headers, part, total) =>
                {
                    Answer::Rest { end, total }
                }
                _ => Answer::StartOver,
            }
        }
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(part)) => match range() {
            // `If-Range` has found that it is the same (13.2.2), and there is no byte behind these.
            Some(Range { bytes: None, total: Some(total) })
                if total == part.received && is_same(headers, part, Some(total)) =>
            {
                Answer::NothingMissing
            }
            _ => Answer::StartOver,
        },
        _ => without_image(status, headers),
    }
}

/// Whether an answer is about the image that the part is of. A server may take no notice of `If-Range`;
/// parts are put together only when they have one strong validator (15.3.7.3).
fn is_same(headers: &HeaderMap, part: Part<'_>, total: Option<u64>) -> bool {
    let name = if part.validator.starts_with('"') { ETAG } else { LAST_MODIFIED };
    let is_known = headers.get(name).is_none_or(|value| value.as_bytes() == part.validator.as_bytes());
    is_known && total.zip(part.total).is_none_or(|(is, was)| is == was)
}

/// Reads an answer that has no image in it.
fn without_image(status: StatusCode, headers: &HeaderMap) -> Answer {
    match status {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => match headers.get(LOCATION) {
            // Some servers write the letters of other languages there as they are.
            Some(location) => Answer::Moved(String::from_utf8_lossy(location.as_bytes()).into_owned()),
            None => Answer::Refused(format!(
                "the server answers {} and does not say where it is",
                status.as_u16()
            )),
        },
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => {
            Answer::Refused(words(status))
        }
        other if other.is_server_error() || [408, 429].contains(&other.as_u16()) => {
            Answer::Later { why: words(other), after: retry_after(headers) }
        }
        other => Answer::Refused(words(other)),
    }
}

/// When a server says that it will be ready, in seconds or by a date (10.2.3), by its own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let span = date(after)?.duration_since(date(text(DATE)?)?);
    // One that has passed is now.
    Some(Duration::try_from(span).unwrap_or_default())
}

/// A status in words, and what to do next.
fn words(status: StatusCode) -> String {
    let code = status.as_u16();
    let what = match code {
        401 => "the server wants to know who asks; give an address that needs no password, or has it in it",
        403 => {
            "the server does not allow it; check the address's signature or permissions, which may have expired"
        }
        404 => "there is no such image; check the address for typing errors",
        408 => "the server has waited too long for the request",
        410 => "the image is there no more; ask for another one",
        429 => "the server has too many requests",
        500 => "the server has failed; look into its log",
        502 | 504 => "the server behind the server does not answer",
        503 => "the server is not ready",
        _ => {
            let said = status.canonical_reason().unwrap_or("a status that has no name");
            return format!("the server answers {code} ({said}); check the address");
        }
    };
    format!("the server answers {code}: {what}")
}

/// By what the server can tell later that it is still the same image; strong validators only, because
/// others do not promise that every byte is (13.1.5).
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(tag) = text(ETAG)
        && tag.starts_with('"')
        && tag.len() <= MAX_VALIDATOR
    {
        return Some(tag.to_owned());
    }
    let modified = text(LAST_MODIFIED)?;
    // A date is a strong one when the image was not changed in the second that it was sent (8.8.2.2).
    let (changed, sent) = (date(modified)?, date(text(DATE)?)?);
    (sent.duration_since(changed).as_secs() >= 1 && headers.get(ETAG).is_none()).then(|| modified.to_owned())
}

fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// What a `Content-Range` says.
struct Range {
    /// The first byte, and the first one behind the last. `None` when there is none of the wanted.
    bytes: Option<(u64, u64)>,
    /// How many there are in all.
    total: Option<u64>,
}

/// Reads `bytes 10-19/20`, `bytes 10-19/*`, `bytes */20`.
fn content_range(text: &str) -> Option<Range> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if range == "*" {
        return Some(Range { bytes: None, total });
    }
    let (first, last) = range.split_once('-')?;
    let (first, end) = (first.parse().ok()?, last.parse::<u64>().ok()?.checked_add(1)?);
    let is_possible = first < end && total.is_none_or(|total| end <= total);
    is_possible.then_some(Range { bytes: Some((first, end)), total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        map
    }

    fn answer(status: u16, wanted: &[(&'static str, &'static str)], received: u64) -> Answer {
        let part = Part { received, validator: "\"a\"", total: None };
        let part = (received > 0).then_some(part);
        read(StatusCode::from_u16(status).expect("a status"), &headers(wanted), part)
    }

    #[test]
    fn a_whole_image_comes_with_its_size_and_a_strong_validator() {
        let whole = |headers: &[_]| match answer(200, headers, 5) {
            Answer::Whole { total, validator } => (total, validator),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            whole(&[("content-length", "10"), ("etag", "\"a\"")]),
            (Some(10), Some("\"a\"".to_owned()))
        );
        assert_eq!(whole(&[("etag", "W/\"a\"")]), (None, None));
        let changed = ("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT");
        let at_once = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        let later = ("date", "Sat, 21 Nov 2026 10:00:01 GMT");
        assert_eq!(whole(&[changed, later]), (None, Some("Sat, 21 Nov 2026 10:00:00 GMT".to_owned())));
        assert_eq!(whole(&[changed, at_once]), (None, None));
        assert_eq!(whole(&[changed]), (None, None));
    }

    #[test]
    fn a_rest_must_begin_where_the_part_ends() {
        let range = |value| [("content-range", value)];
        assert_eq!(answer(206, &range("bytes 5-9/10"), 5), Answer::Rest { end: 10, total: Some(10) });
        assert_eq!(answer(206, &range("bytes 5-7/*"), 5), Answer::Rest { end: 8, total: None });
        for wrong in ["bytes 5-4/10", "bytes 5-10/10", "bytes 5-/10", "bytes 5-18446744073709551615/*"] {
            assert_eq!(answer(206, &range(wrong), 5), Answer::StartOver, "{wrong}");
        }
        assert_eq!(answer(206, &range("bytes 4-9/10"), 5), Answer::StartOver);
        assert_eq!(answer(206, &range("lines 5-9/10"), 5), Answer::StartOver);
        assert_eq!(answer(206, &[], 5), Answer::StartOver);
        assert!(matches!(answer(206, &range("bytes 0-9/10"), 0), Answer::Refused(_)));
    }

    /// RFC 9110, 15.3.7.3: parts may be put together only when one strong validator is of them all.
    #[test]
    fn a_rest_must_be_of_the_same_image() {
        let rest = |validator, total, status, wanted: &[_]| {
            let part = Part { received: 5, validator, total };
            read(StatusCode::from_u16(status).expect("a status"), &headers(wanted), Some(part))
        };
        let range = ("content-range", "bytes 5-9/10");
        let is_rest = Answer::Rest { end: 10, total: Some(10) };
        assert_eq!(rest("\"a\"", Some(10), 206, &[range, ("etag", "\"a\"")]), is_rest);
        assert_eq!(rest("\"a\"", None, 206, &[range, ("etag", "\"b\"")]), Answer::StartOver);
        assert_eq!(rest("\"a\"", None, 206, &[range, ("etag", "W/\"a\"")]), Answer::StartOver);
        assert_eq!(rest("\"a\"", Some(11), 206, &[range]), Answer::StartOver);
        let (date, other) = ("Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 10:00:01 GMT");
        assert_eq!(rest(date, None, 206, &[range, ("last-modified", date)]), is_rest);
        assert_eq!(rest(date, None, 206, &[range, ("last-modified", other)]), Answer::StartOver);
        let end = ("content-range", "bytes */5");
        assert_eq!(rest("\"a\"", Some(5), 416, &[end, ("etag", "\"a\"")]), Answer::NothingMissing);
        assert_eq!(rest("\"a\"", Some(5), 416, &[end, ("etag", "\"b\"")]), Answer::StartOver);
        assert_eq!(rest("\"a\"", Some(7), 416, &[end]), Answer::StartOver);
    }

    #[test]
    fn a_range_behind_the_end_is_an_image_that_is_whole_or_another_one() {
        assert_eq!(answer(416, &[("content-range", "bytes */5")], 5), Answer::NothingMissing);
        assert_eq!(answer(416, &[("content-range", "bytes */3")], 5), Answer::StartOver);
        assert_eq!(answer(416, &[], 5), Answer::StartOver);
        assert!(matches!(answer(416, &[], 0), Answer::Refused(_)));
    }

    #[test]
    fn a_status_is_told_in_words() {
        let said = |status| match answer(status, &[], 0) {
            Answer::Refused(why) | Answer::Later { why, .. } => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            said(404),
            "the server answers 404: there is no such image; check the address for typing errors"
        );
        for status in [500, 502, 503, 504, 507, 521] {
            assert!(matches!(answer(status, &[], 0), Answer::Later { .. }), "{status}");
        }
        assert!(matches!(answer(501, &[], 0), Answer::Refused(_)));
        let to = |location| answer(302, &[("location", location)], 0);
        assert_eq!(to("/größer.bin"), Answer::Moved("/größer.bin".to_owned()));
        assert!(said(403).starts_with("the server answers 403: the server does not allow it"));
        assert_eq!(said(500), "the server answers 500: the server has failed; look into its log");
        assert_eq!(said(418), "the server answers 418 (I'm a teapot); check the address");
        assert_eq!(said(302), "the server answers 302 and does not say where it is");
        assert_eq!(said(204), "the server answers 204 (No Content); check the address");
        assert_eq!(
            answer(503, &[("retry-after", "7")], 0),
            Answer::Later {
                why: "the server answers 503: the server is not ready".to_owned(),
                after: Some(Duration::from_secs(7))
            }
        );
    }

    #[test]
    fn a_server_says_in_seconds_or_by_a_date_when_it_will_be_ready() {
        let after = |wanted: &[_]| match answer(503, wanted, 0) {
            Answer::Later { after, .. } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        };
        let now = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(after(&[("retry-after", "86400")]), Some(86_400));
        assert_eq!(after(&[now, ("retry-after", "Sat, 21 Nov 2026 10:02:00 GMT")]), Some(120));
        assert_eq!(after(&[now, ("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT")]), Some(0));
        assert_eq!(after(&[("retry-after", "Sat, 21 Nov 2026 10:02:00 GMT")]), None);
        assert_eq!(after(&[("retry-after", "soon")]), None);
    }

    #[test]
    fn an_image_that_is_coded_on_the_way_is_refused() {
        assert!(matches!(answer(200, &[("content-encoding", "gzip")], 0), Answer::Refused(_)));
        assert!(matches!(answer(200, &[("content-encoding", "identity")], 0), Answer::Whole { .. }));
    }
}
