//! Firmware images to try updates with, for everybody: a device downloads with no credential of the
//! hub's. They are made while they are sent.
//!
//! Ranges by RFC 9110, 14: one range a request; several are answered with the whole image, as a server
//! may. `If-Range` by 13.1.5.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode, header};
use futures_util::stream;
use serde_json::{Value, json};

use super::Call;
use super::reply::{self, set};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::firmware::{SAMPLES, Sample};
use crate::wire::local::FIRMWARE_PATH;

/// What is made and sent at once.
const PIECE: usize = 64 * 1024;

/// What a request wants of an image.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// From the first byte up to the one before the last.
    Part(u64, u64),
    Nothing,
}

/// Every image that there is.
pub(super) fn list() -> Response<Body> {
    let samples: Vec<Value> = SAMPLES
        .iter()
        .map(|sample| {
            json!({
                "name": sample.name,
                "version": sample.version,
                "path": format!("{FIRMWARE_PATH}/{}", sample.name),
                "size": sample.size,
                "sha256": sample.sha256,
            })
        })
        .collect();
    reply::json(200, &Value::from(samples))
}

/// An image, or a part of it.
pub(super) fn show(call: &Call, name: &str) -> Result<Response<Body>, Fault> {
    let sample = Sample::named(name).ok_or_else(|| Fault::unknown_firmware(name))?;
    let (mut response, from, to) = head_of(sample, &call.headers);
    let pieces = stream::unfold(from, move |at| async move {
        let length = usize::try_from(to.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
        if length == 0 {
            return None;
        }
        let piece = Bytes::from(sample.bytes(at, length));
        Some((Ok::<_, Infallible>(piece), at + length as u64))
    });
    *response.body_mut() = Body::from_stream(pieces);
    Ok(response)
}

/// The same without the bytes.
pub(super) fn head(call: &Call, name: &str) -> Result<Response<Body>, Fault> {
    // A range has a meaning for GET only (14.2).
    let mut headers = call.headers.clone();
    headers.remove(header::RANGE);
    let sample = Sample::named(name).ok_or_else(|| Fault::unknown_firmware(name))?;
    Ok(head_of(sample, &headers).0)
}

/// The head of an answer, and which bytes follow.
fn head_of(sample: &Sample, headers: &HeaderMap) -> (Response<Body>, u64, u64) {
    let etag = format!("\"{}\"", &sample.sha256[..32]);
    let size = sample.size;
    let mut response = Response::new(Body::empty());
    set(&mut response, "content-type", "application/octet-stream");
    set(&mut response, "accept-ranges", "bytes");
    set(&mut response, "etag", &etag);
    let (from, to) = match wanted(headers, &etag, size) {
        Wanted::All => (0, size),
        Wanted::Part(from, to) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, "content-range", &format!("bytes {from}-{}/{size}", to - 1));
            (from, to)
        }
        Wanted::Nothing => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(&mut response, "content-range", &format!("bytes */{size}"));
            (0, 0)
        }
    };
    set(&mut response, "content-length", &(to - from).to_string());
    (response, from, to)
}

/// What the headers ask for. A range that cannot be read is passed over (14.2).
fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text(header::IF_RANGE).is_some_and(|known| known.trim() != etag) {
        return Wanted::All;
    }
    let range =
        text(header::RANGE).and_then(|range| range.trim().strip_prefix("bytes=")?.trim().split_once('-'));
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok());
    match range {
        Some(("", last)) => match number(last).flatten() {
            Some(0) => Wanted::Nothing,
            Some(last) => Wanted::Part(size.saturating_sub(last), size),
            None => Wanted::All,
        },
        Some((first, last)) => match (number(first).flatten(), last, number(last)) {
            (Some(first), "", _) if first < size => Wanted::Part(first, size),
            (Some(_), "", _) => Wanted::Nothing,
            // Backwards is no range.
            (Some(first), _, Some(Some(last))) if last < first => Wanted::All,
            (Some(first), _, Some(Some(last))) if first < size => {
                Wanted::Part(first, last.saturating_add(1).min(size))
            }
            (Some(_), _, Some(Some(_))) => Wanted::Nothing,
            _ => Wanted::All,
        },
        None => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &'static str, if_range: Option<&'static str>) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().expect("a value"));
        if let Some(if_range) = if_range {
            headers.insert(header::IF_RANGE, if_range.parse().expect("a value"));
        }
        wanted(&headers, "\"e\"", 100)
    }

    #[test]
    fn one_range_is_understood_and_nonsense_is_passed_over() {
        for (range, expected) in [
            ("bytes=0-9", Wanted::Part(0, 10)),
            ("bytes=90-", Wanted::Part(90, 100)),
            ("bytes=90-1000", Wanted::Part(90, 100)),
            ("bytes=-10", Wanted::Part(90, 100)),
            ("bytes=-1000", Wanted::Part(0, 100)),
            ("bytes=0-18446744073709551615", Wanted::Part(0, 100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-0", Wanted::All),
            ("bytes=0-9,20-29", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=99999999999999999999-", Wanted::All),
            ("lines=0-9", Wanted::All),
        ] {
            assert_eq!(asked(range, None), expected, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_image_is_answered_with_the_whole() {
        assert_eq!(asked("bytes=10-", Some("\"e\"")), Wanted::Part(10, 100));
        assert_eq!(asked("bytes=10-", Some("\"f\"")), Wanted::All);
        assert_eq!(asked("bytes=10-", Some("Sat, 21 Nov 2026 10:00:00 GMT")), Wanted::All);
        assert_eq!(asked("bytes=100-", Some("\"f\"")), Wanted::All);
    }
}
