//! Telemetry and events for readers of a partition, from the ring that the core keeps.

use std::collections::VecDeque;

use fe2o3_amqp::link::delivery::DeliveryFut;
use fe2o3_amqp::link::{SendError, Sender};
use fe2o3_amqp::types::definitions::{AmqpError, Error};
use fe2o3_amqp::types::messaging::{Outcome, Source};
use fe2o3_amqp::types::primitives::{Symbol, Value};

use super::access::Access;
use super::address::Node;
use super::layout;
use super::selector::Start;

/// Events taken from the ring at once.
const BATCH: usize = 64;
/// Events, and bytes of them, that a reader may leave unsettled.
const UNSETTLED: usize = 512;
const UNSETTLED_BYTES: usize = 4 * 1024 * 1024;
/// Azure's filter for the place to begin at.
const SELECTOR: &str = "apache.org:selector-filter:string";

/// Gives events, as fast as the reader grants credit, until the link ends.
pub(super) async fn serve(
    mut link: Sender,
    access: &Access,
    partition: u8,
    group: &str,
    source: Option<&Source>,
) {
    let shared = &access.shared;
    let mut news = shared.watch_events();
    let start = match start(source) {
        Ok(start) => start,
        Err(error) => {
            let _ = link.close_with_error(error).await;
            return;
        }
    };
    let (mut after, since) = match start {
        Start::After(number) => (number, i64::MIN),
        Start::Latest => (shared.look(|core, _| core.last_event()), i64::MIN),
        Start::Since(since) => (0, since),
    };
    let resource = Node::Events { partition, group: group.to_owned() }.resource().unwrap_or_default();
    let mut unsettled = Unsettled::default();
    'link: loop {
        news.borrow_and_update();
        if let Err(error) = access.check(&resource) {
            let _ = link.close_with_error(error).await;
            return;
        }
        let (page, hub) = shared.look(|core, _| {
            (core.partition_events(after, partition, BATCH), core.settings().names.own.clone())
        });
        if page.missed > 0 && after > 0 {
            tracing::warn!(partition, "a reader of events was too slow: some are gone");
        }
        after = page.last;
        let is_all = page.is_all;
        for event in page.events {
            if event.at.as_millisecond() <= since {
                continue;
            }
            let size = event.size();
            while unsettled.is_full() {
                let settled = tokio::select! {
                    () = unsettled.oldest() => true,
                    _ = link.on_detach() => false,
                };
                if !settled {
                    break 'link;
                }
            }
            // The last field of a batchable transfer is set, on which Python's readers count.
            match link.send_batchable(layout::message(event, &hub)).await {
                Ok(delivery) => unsettled.push(delivery, size),
                Err(error) => {
                    tracing::info!(partition, "a reader of events has gone: {error}");
                    break 'link;
                }
            }
        }
        if is_all {
            tokio::select! {
                changed = news.changed() => if changed.is_err() { break },
                () = unsettled.oldest() => {}
                _ = link.on_detach() => break,
            }
        }
    }
    let _ = link.close().await;
}

/// Where the source's filter says to begin; at the beginning without one.
fn start(source: Option<&Source>) -> Result<Start, Error> {
    let filter = source.and_then(|source| source.filter.as_ref()?.get(&Symbol::from(SELECTOR)));
    let text = match filter {
        None => return Ok(Start::After(0)),
        Some(Value::Described(described)) => &described.value,
        Some(value) => value,
    };
    let text = match text {
        Value::String(text) => text.clone(),
        Value::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    Start::parse(&text).map_err(|error| Error::new(AmqpError::InvalidField, error.to_string(), None))
}

/// Events that the reader has not settled yet, oldest first. Nothing depends on their outcomes but
/// the memory they take.
#[derive(Default)]
struct Unsettled {
    deliveries: VecDeque<(DeliveryFut<Result<Outcome, SendError>>, usize)>,
    bytes: usize,
}

impl Unsettled {
    fn push(&mut self, delivery: DeliveryFut<Result<Outcome, SendError>>, size: usize) {
        self.deliveries.push_back((delivery, size));
        self.bytes += size;
    }

    fn is_full(&self) -> bool {
        self.deliveries.len() >= UNSETTLED || self.bytes >= UNSETTLED_BYTES
    }

    /// Waits until the oldest is settled; for ever when there is none.
    async fn oldest(&mut self) {
        let Some((delivery, size)) = self.deliveries.front_mut() else {
            return std::future::pending().await;
        };
        // Whatever it was: an event stays where it is.
        let _ = delivery.await;
        self.bytes -= *size;
        self.deliveries.pop_front();
    }
}
