//! The live stream of what the hub hears: one JSON object a line, for as long as it is read.
//!
//! Azure has Event Hubs over AMQP for this; the path is our own.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures_util::stream;
use tokio::sync::watch;

use super::Call;
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::shared::Shared;
use crate::wire::local::{EVENTS_AFTER, EVENTS_MISSED, EVENTS_STARTED, HubEvent};

/// Events written at once.
const BATCH: usize = 256;

struct Reader {
    shared: Arc<Shared>,
    wake: watch::Receiver<u64>,
    device: Option<String>,
    after: u64,
    first: bool,
}

/// Streams events from now on, or after number `after`; of one `device`, or of all.
pub(super) fn stream(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ServiceConnect)?;
    let device = call.query("device").filter(|device| !device.is_empty());
    let after = match call.query("after") {
        None => call.shared.look(|core, _| core.last_event()),
        Some(text) => text
            .parse()
            .map_err(|_| Fault::bad_request(format!("`after` is `{text}`, it has to be a number")))?,
    };
    let wake = call.shared.watch_events();
    let reader = Reader { shared: Arc::clone(&call.shared), wake, device, after, first: true };
    let mut response = Response::new(Body::from_stream(stream::unfold(reader, next)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(EVENTS_AFTER, after.into());
    // Digits and signs only, which every header takes.
    if let Ok(started) = HeaderValue::from_str(&call.shared.began().to_string()) {
        headers.insert(EVENTS_STARTED, started);
    }
    Ok(response)
}

async fn next(mut reader: Reader) -> Option<(Result<Bytes, Infallible>, Reader)> {
    // An empty line first, so that the reader knows that it is subscribed.
    if reader.first {
        reader.first = false;
        return Some((Ok(Bytes::from_static(b"\n")), reader));
    }
    loop {
        reader.wake.borrow_and_update();
        let batch = reader.shared.look(|core, _| core.events(reader.after, reader.device.as_deref(), BATCH));
        let moved = batch.last != reader.after;
        reader.after = batch.last;
        let mut text = String::new();
        if batch.missed > 0 {
            push(&mut text, &missed(batch.missed, batch.last, &reader.shared));
        }
        for event in &batch.events {
            push(&mut text, event);
        }
        if !text.is_empty() {
            return Some((Ok(text.into()), reader));
        }
        if moved {
            continue;
        }
        let stop = reader.shared.stop.clone();
        tokio::select! {
            changed = reader.wake.changed() => changed.ok()?,
            () = stop.cancelled() => return None,
        }
    }
}

fn push(text: &mut String, event: &HubEvent) {
    text.push_str(&serde_json::to_string(event).unwrap_or_default());
    text.push('\n');
}

/// Whoever reads too slowly is told so, and not left to believe that nothing happened.
fn missed(count: u64, last: u64, shared: &Shared) -> HubEvent {
    HubEvent {
        sequence: last,
        enqueued_time: shared.now().wall.to_string(),
        source: EVENTS_MISSED.to_owned(),
        device_id: String::new(),
        module_id: None,
        properties: serde_json::Map::new(),
        body: serde_json::json!({"missed": count}),
    }
}
