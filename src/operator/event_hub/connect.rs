//! One connection to the endpoint, and a link to each partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fe2o3_amqp::Receiver;
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{Body, Source as LinkSource};
use fe2o3_amqp::types::primitives::{Symbol, Value};
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use super::discover::discover;
use super::{Origin, Place, Source, event, peer_of};
use crate::operator::OperatorError;
use crate::operator::amqp::{self, Asker, End, Peer, open};
use crate::operator::monitor::Heard;
use crate::wire::amqp::CBS;
use crate::wire::event_hub::{self, EventHub};

/// When the next token is put, before the last runs out.
const RENEWAL: Duration = Duration::from_secs(45 * 60);
/// The largest message; IoT Hub's has 256 KB.
const MESSAGE: u64 = 1024 * 1024;
/// Messages that may be under way for all partitions, and for one at the least.
const CREDIT: usize = 256;
const LEAST_CREDIT: usize = 8;
/// The most partitions that an endpoint in Azure has, and many more.
const PARTITIONS: usize = 1024;

/// A connection that stands.
pub(super) struct Standing {
    peer: Peer,
    endpoint: EventHub,
    /// Whoever holds it holds the connection.
    _connection: ConnectionHandle<()>,
    _session: SessionHandle<()>,
    cbs: Asker,
    partitions: Vec<(Receiver, Place)>,
}

impl Source {
    /// Connects, and attaches to all partitions.
    pub(super) async fn connect(&mut self) -> Result<Standing, OperatorError> {
        let endpoint = match &self.origin {
            Origin::Endpoint(endpoint) => endpoint.clone(),
            Origin::Hub(hub, port) => discover(hub, *port, &self.config).await?,
        };
        let peer = peer_of(&endpoint.host, endpoint.port);
        peer.in_time(self.attach(endpoint, &peer)).await
    }

    async fn attach(&mut self, endpoint: EventHub, peer: &Peer) -> Result<Standing, OperatorError> {
        let (connection, mut session) = open(peer, &self.config, SaslProfile::Anonymous).await?;
        let mut cbs = Asker::attach(&mut session, CBS).await.map_err(|end| peer.ended(end))?;
        put_token(&mut cbs, &endpoint, peer).await?;
        let mut management =
            Asker::attach(&mut session, event_hub::MANAGEMENT).await.map_err(|end| peer.ended(end))?;
        let ids = partition_ids(&mut management, &endpoint, peer).await?;
        let credit = (CREDIT / ids.len().max(1)).max(LEAST_CREDIT);
        let credit = u32::try_from(credit).unwrap_or(u32::MAX);
        let mut partitions = Vec::with_capacity(ids.len());
        for id in ids {
            let last = last_number(&mut management, &endpoint, &id, peer).await?;
            let place = self.place(&id, last);
            let begin = event_hub::after(place.load(Ordering::Relaxed));
            let address = endpoint.partition_address(&self.group, &id);
            let link = Receiver::builder()
                .name(format!("envsim-{id}"))
                .source(filtered(address, begin))
                // Not every service says the filter again.
                .verify_incoming_source(false)
                .max_message_size(MESSAGE)
                .credit_mode(CreditMode::Auto(credit))
                .auto_accept(true)
                .attach(&mut session)
                .await
                .map_err(|error| peer.ended(error.into()))?;
            partitions.push((link, place));
        }
        let peer = peer.clone();
        Ok(Standing { peer, endpoint, _connection: connection, _session: session, cbs, partitions })
    }

    /// Where a partition goes on. At first that is with what comes next, by the partition's own
    /// count, because clocks differ; a count that is lower than ours has begun anew.
    fn place(&mut self, id: &str, last: i64) -> Place {
        let place = self.places.entry(id.to_owned()).or_insert_with(|| Arc::new(AtomicI64::new(last)));
        if last < place.load(Ordering::Relaxed) {
            place.store(-1, Ordering::Relaxed);
        }
        Arc::clone(place)
    }
}

impl Standing {
    /// Reads until the connection is lost, or nobody listens. Answers why.
    pub(super) async fn read(mut self, queue: &mpsc::Sender<Result<Heard, OperatorError>>) -> OperatorError {
        let mut readers = JoinSet::new();
        for (link, place) in self.partitions.drain(..) {
            readers.spawn(partition(link, place, queue.clone()));
        }
        let mut renewal = interval_at(Instant::now() + RENEWAL, RENEWAL);
        loop {
            tokio::select! {
                ended = readers.join_next() => {
                    let end = ended.and_then(Result::ok).flatten();
                    return self.peer.ended(end.unwrap_or_else(|| End::Other("nothing is read any more".to_owned())));
                }
                _ = renewal.tick() => {
                    let renewing = put_token(&mut self.cbs, &self.endpoint, &self.peer);
                    if let Err(error) = self.peer.in_time(renewing).await {
                        return error;
                    }
                }
            }
        }
    }
}

/// Reads one partition. Answers how the link ended; nothing when nobody listens.
async fn partition(
    mut link: Receiver,
    place: Place,
    queue: mpsc::Sender<Result<Heard, OperatorError>>,
) -> Option<End> {
    loop {
        let message = match link.recv::<Body<Value>>().await {
            Ok(delivery) => delivery.into_message(),
            Err(error) if error.recovery().link_is_usable() => {
                tracing::warn!("a message that cannot be read is passed over: {error}");
                continue;
            }
            Err(error) => return Some(error.into()),
        };
        let heard = Heard::Event(Box::new(event::event(&message)));
        queue.send(Ok(heard)).await.ok()?;
        if let Some(number) = event::sequence_number(&message) {
            place.store(number, Ordering::Relaxed);
        }
    }
}

/// Puts a token for the whole endpoint.
async fn put_token(cbs: &mut Asker, endpoint: &EventHub, peer: &Peer) -> Result<(), OperatorError> {
    let key = endpoint.key.as_written();
    amqp::put_token(cbs, peer, &endpoint.audience(), &endpoint.policy, &key).await
}

async fn read(
    management: &mut Asker,
    properties: &[(&str, &str)],
    peer: &Peer,
) -> Result<BTreeMap<String, Value>, OperatorError> {
    let answer = management.ask(properties, "").await.map_err(|end| peer.ended(end))?;
    if matches!(answer.status, 401 | 403) {
        return Err(peer.unauthorized(answer.words));
    }
    match answer.body {
        Value::Map(map) if answer.status == 200 => {
            Ok(map.into_iter().filter_map(|(name, value)| Some((text(&name)?, value))).collect())
        }
        _ => Err(peer.trouble(format!("it does not say what it has: {} ({})", answer.words, answer.status))),
    }
}

async fn partition_ids(
    management: &mut Asker,
    endpoint: &EventHub,
    peer: &Peer,
) -> Result<Vec<String>, OperatorError> {
    let question = [("operation", "READ"), ("type", event_hub::ENDPOINT_TYPE), ("name", &*endpoint.name)];
    let facts = read(management, &question, peer).await?;
    let mut ids: Vec<String> = match facts.get("partition_ids") {
        Some(Value::Array(ids)) => ids.iter().filter_map(text).collect(),
        Some(Value::List(ids)) => ids.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    if ids.is_empty() {
        let count = facts.get("partition_count").and_then(number).unwrap_or(0);
        ids = (0..count.clamp(0, i64::try_from(PARTITIONS).unwrap_or(i64::MAX)))
            .map(|id| id.to_string())
            .collect();
    }
    if ids.is_empty() || ids.len() > PARTITIONS {
        return Err(peer.trouble(format!("it says that it has {} partitions", ids.len())));
    }
    Ok(ids)
}

/// The number of the last event of a partition; -1 when it never had one.
async fn last_number(
    management: &mut Asker,
    endpoint: &EventHub,
    id: &str,
    peer: &Peer,
) -> Result<i64, OperatorError> {
    let kind = ("type", event_hub::PARTITION_TYPE);
    let question = [("operation", "READ"), kind, ("name", &*endpoint.name), ("partition", id)];
    let facts = read(management, &question, peer).await?;
    facts
        .get("last_enqueued_sequence_number")
        .and_then(number)
        .ok_or_else(|| peer.trouble(format!("it does not say where its partition {id} ends")))
}

/// The source of a partition's link, from the place where the reader goes on.
fn filtered(address: String, begin: String) -> LinkSource {
    let selector =
        Described { descriptor: Descriptor::Name(Symbol::from(event_hub::SELECTOR)), value: begin.into() };
    LinkSource::builder().address(address).add_to_filter(event_hub::SELECTOR, selector).build()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Symbol(symbol) => Some(symbol.as_str().to_owned()),
        Value::Binary(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Long(number) => Some(*number),
        Value::Int(number) => Some(i64::from(*number)),
        Value::Uint(number) => Some(i64::from(*number)),
        Value::Short(number) => Some(i64::from(*number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Trust;

    #[test]
    fn a_partition_begins_after_the_place_that_the_selector_names() {
        let source =
            filtered("amqps://h/e/ConsumerGroups/$Default/Partitions/0".to_owned(), event_hub::after(41));
        let filter = source.filter.and_then(|filter| filter.get(&Symbol::from(event_hub::SELECTOR)).cloned());
        let Some(Value::Described(described)) = filter else { panic!("{filter:?}") };
        assert_eq!(described.descriptor, Descriptor::Name(Symbol::from("apache.org:selector-filter:string")));
        assert_eq!(described.value, Value::String("amqp.annotation.x-opt-sequence-number > '41'".to_owned()));
    }

    #[test]
    fn a_count_that_began_anew_is_read_from_its_beginning() {
        let config = Trust::system().config().expect("a configuration");
        let endpoint = EventHub::parse(
            "Endpoint=sb://h/;SharedAccessKeyName=s;SharedAccessKey=c3VwZXJzZWNyZXRrZXkxMjM=;EntityPath=e",
        );
        let origin = Origin::Endpoint(endpoint.expect("an endpoint"));
        let mut source = Source { origin, group: String::new(), config, places: BTreeMap::new() };
        let mut place = |last| source.place("0", last).load(Ordering::Relaxed);
        assert_eq!((place(40), place(45), place(7)), (40, 40, -1));
    }
}
