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

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The whole image follows.
    Whole { total: Option<u64>, validator: Option<String> },
    /// What was missing follows.
    Rest { total: Option<u64> },
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

/// Reads an answer to a request for what follows the first `received` bytes.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, received: u64) -> Answer {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
            if let Some(coding) = text(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
                return Answer::Refused(format!(
                    "the server sends it with the content coding `{coding}`, which was not asked for; have it send \
                     the image as it is"
                ));
            }
            let length = text(CONTENT_LENGTH).and_then(|value| value.trim().parse().ok());
            if status == StatusCode::OK {
                return Answer::Whole { total: length, validator: validator(headers) };
            }
            match text(CONTENT_RANGE).and_then(content_range) {
                Some((Some(first), total)) if first == received && received > 0 => Answer::Rest { total },
                _ if received > 0 => Answer::StartOver,
                _ => Answer::Refused("the server sends a part of it, which was not asked for".to_owned()),
            }
        }
        StatusCode::RANGE_NOT_SATISFIABLE if received > 0 => {
            match text(CONTENT_RANGE).and_then(content_range) {
                // `If-Range` has found that it is the same (13.2.2), and there is no byte behind these.
                Some((None, Some(total))) if total == received => Answer::NothingMissing,
                _ => Answer::StartOver,
            }
        }
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => match text(LOCATION) {
            Some(location) => Answer::Moved(location.to_owned()),
            None => Answer::Refused(format!(
                "the server answers {} and does not say where it is",
                status.as_u16()
            )),
        },
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Answer::Later {
            why: words(status),
            after: text(RETRY_AFTER).and_then(|value| value.trim().parse().ok()).map(Duration::from_secs),
        },
        other => Answer::Refused(words(other)),
    }
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

/// `bytes 10-19/20`, `bytes 10-19/*`, `bytes */20`: the first byte, and how many there are in all.
fn content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if range == "*" {
        return Some((None, total));
    }
    let (first, _) = range.split_once('-')?;
    Some((Some(first.parse().ok()?), total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], received: u64) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        read(StatusCode::from_u16(status).expect("a status"), &map, received)
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
        assert_eq!(answer(206, &range("bytes 5-9/10"), 5), Answer::Rest { total: Some(10) });
        assert_eq!(answer(206, &range("bytes 5-9/*"), 5), Answer::Rest { total: None });
        assert_eq!(answer(206, &range("bytes 4-9/10"), 5), Answer::StartOver);
        assert_eq!(answer(206, &range("lines 5-9/10"), 5), Answer::StartOver);
        assert_eq!(answer(206, &[], 5), Answer::StartOver);
        assert!(matches!(answer(206, &range("bytes 0-9/10"), 0), Answer::Refused(_)));
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
    fn an_image_that_is_coded_on_the_way_is_refused() {
        assert!(matches!(answer(200, &[("content-encoding", "gzip")], 0), Answer::Refused(_)));
        assert!(matches!(answer(200, &[("content-encoding", "identity")], 0), Answer::Whole { .. }));
    }
}
