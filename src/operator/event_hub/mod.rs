//! Events of a hub in Azure, from its Event Hubs compatible endpoint over AMQP 1.0. IoT Hub, "Read
//! device-to-cloud messages from the built-in endpoint".
//!
//! It has been tried against this program's own local cloud, which the official SDKs read in the
//! same way, and never against Azure itself.
//!
//! In reading order: [`mod@self`] (a reader that goes on when the connection is lost), `connect` (a
//! connection made, and its partitions read), `discover` (the hub asked where its events are), `event`
//! (a message as everybody sees it).

mod connect;
mod discover;
mod event;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use self::connect::Standing;
use super::OperatorError;
use super::amqp::Peer;
use super::monitor::Heard;
use crate::trust::Trust;
use crate::wire::ConnectionString;
use crate::wire::event_hub::EventHub;

/// Events that wait to be taken. What is beyond waits in the hub.
const QUEUE: usize = 64;
/// The first pause before connecting again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where events are read.
#[derive(Debug, Clone)]
pub enum Origin {
    /// At the endpoint itself.
    Endpoint(EventHub),
    /// Wherever the hub sends its readers, asked on this port. The connection string is a service's.
    Hub(ConnectionString, u16),
}

/// Up to which event a partition has been read, by its number.
type Place = Arc<AtomicI64>;

/// Whoever is asked for events.
fn peer_of(host: &str, port: u16) -> Peer {
    Peer { host: host.to_owned(), port, task: format!("read the events of {host}") }
}

/// A running reader. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Reader {
    news: mpsc::Receiver<Result<Heard, OperatorError>>,
    _task: AbortOnDropHandle<()>,
}

impl Reader {
    /// Connects, and reads what comes from then on.
    pub(super) async fn open(origin: Origin, group: &str, trust: &Trust) -> Result<Self, OperatorError> {
        let config = trust.config()?;
        let mut source = Source { origin, group: group.to_owned(), config, places: BTreeMap::new() };
        let standing = source.connect().await?;
        let (queue, news) = mpsc::channel(QUEUE);
        let task = AbortOnDropHandle::new(tokio::spawn(source.run(standing, queue)));
        Ok(Self { news, _task: task })
    }

    /// What is heard next; `None` only when the reader has said why it ended. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Heard>, OperatorError> {
        self.news.recv().await.transpose()
    }
}

/// What it takes to connect, again and again.
struct Source {
    origin: Origin,
    group: String,
    config: Arc<ClientConfig>,
    /// By partition.
    places: BTreeMap<String, Place>,
}

impl Source {
    async fn run(mut self, mut standing: Standing, queue: mpsc::Sender<Result<Heard, OperatorError>>) {
        loop {
            let mut why = standing.read(&queue).await;
            // Whoever listened has gone.
            if queue.is_closed() {
                return;
            }
            if queue.send(Ok(Heard::Lost(why.to_string()))).await.is_err() {
                return;
            }
            let mut pause = FIRST_PAUSE;
            standing = loop {
                // A token that is refused will be refused again.
                if matches!(why, OperatorError::Unauthorized { .. }) {
                    let _ = queue.send(Err(why)).await;
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.connect().await {
                    Ok(standing) => break standing,
                    Err(error) => {
                        // Whoever hears it tells a reason once.
                        if queue.send(Ok(Heard::Lost(error.to_string()))).await.is_err() {
                            return;
                        }
                        why = error;
                    }
                }
            };
            if queue.send(Ok(Heard::Back)).await.is_err() {
                return;
            }
        }
    }
}
