//! The task that carries out what one device asks of its images.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::download::{Ended, Fetch};
use super::error::StoreError;
use super::store::{Installed, Store};
use crate::device::{ImageNews, ImageOrder};
use crate::trust::Trust;

/// How many orders may wait. A device has one update at a time, which is a handful of orders.
const ORDERS: usize = 16;

/// One device's images.
pub struct FirmwareOptions {
    /// Which device, in the program's list; comes back with every event.
    pub slot: usize,
    /// Where they are kept.
    pub store: Store,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// What is too much, and too long.
    pub limits: Limits,
}

/// What is too much, and too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest image, in bytes.
    pub largest: u64,
    /// The most that a download may take, as if the disk were full then.
    pub room: Option<u64>,
    /// How long a server may be silent.
    pub stall: Duration,
    /// The bytes that have to come in that time at least: what trickles is no better than silence.
    pub least: u64,
    /// How often in a row a connection may be lost before it has brought as many.
    pub tries: u32,
    /// How often a connection may be lost in all.
    pub tries_in_all: u32,
    /// How long a download may take in all, with every try.
    pub longest: Duration,
    /// How long to wait before the first new try; twice as long before each that follows in vain.
    pub pause: Duration,
    /// How long to wait at most.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest: 512 * 1024 * 1024,
            room: None,
            stall: Duration::from_secs(30),
            // 1 KiB a second.
            least: 30 * 1024,
            // A server that is there and sends nothing: five times 30 s, and 15 s of pauses.
            tries: 5,
            tries_in_all: 100,
            longest: Duration::from_secs(60 * 60),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// What became of one device's order: which device, by its place in the program's list, and what
/// happened.
pub type FirmwareEvent = (usize, ImageNews);

/// The way to the program's loop, bounded by whoever makes it.
pub type FirmwareSink = mpsc::Sender<FirmwareEvent>;

/// No more orders are taken: too many wait, or the task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no more orders about firmware images are taken")]
pub struct Full;

/// The way to one device's images.
#[derive(Clone)]
pub struct FirmwareHandle {
    orders: mpsc::Sender<ImageOrder>,
}

impl FirmwareHandle {
    /// The same way, for who has other queues of this kind beside it.
    pub fn into_sender(self) -> mpsc::Sender<ImageOrder> {
        self.orders
    }

    /// Hands over something the device wants done. Never waits.
    pub fn send(&self, order: ImageOrder) -> Result<(), Full> {
        self.orders.try_send(order).map_err(|_| Full)
    }
}

impl fmt::Debug for FirmwareHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirmwareHandle").field("room", &self.orders.capacity()).finish()
    }
}

/// Starts the task of one device. It ends when `stop` is cancelled, when the handle is dropped, or when
/// nobody reads `events` any more. Orders are carried out in order, except that [`ImageOrder::Pause`] and
/// [`ImageOrder::RollBack`] end a download.
pub fn spawn(
    options: FirmwareOptions,
    events: FirmwareSink,
    stop: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> FirmwareHandle {
    let (sender, orders) = mpsc::channel(ORDERS);
    let FirmwareOptions { slot, store, trust, limits } = options;
    let sink = Sink { slot, events, stop: stop.clone() };
    let disk = Disk(Arc::new(Mutex::new(store)));
    let queue = Queue { orders, held: VecDeque::new(), stop };
    tasks.spawn(Worker { disk, trust, limits, sink, queue, fetched: None }.run());
    FirmwareHandle { orders: sender }
}

/// The program's loop has gone; there is nobody left to work for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Where one device's events go.
#[derive(Debug)]
pub(super) struct Sink {
    slot: usize,
    events: FirmwareSink,
    stop: CancellationToken,
}

impl Sink {
    pub(super) async fn tell(&self, news: ImageNews) -> Result<(), Gone> {
        match self.events.try_send((self.slot, news)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Gone),
            // A loop that is stopping may hold its end and read no more.
            Err(TrySendError::Full(event)) => tokio::select! {
                sent = self.events.send(event) => sent.map_err(|_| Gone),
                () = self.stop.cancelled() => Err(Gone),
            },
        }
    }
}

/// The store, worked on where waiting for a disk holds nobody up.
#[derive(Clone)]
pub(super) struct Disk(Arc<Mutex<Store>>);

impl Disk {
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut store.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.unwrap_or_else(|error| Err(StoreError::BrokenOff(error.to_string())))
    }
}

/// What waits to be done.
struct Queue {
    orders: mpsc::Receiver<ImageOrder>,
    /// What came during a download, in order. Never longer than [`ORDERS`].
    held: VecDeque<ImageOrder>,
    stop: CancellationToken,
}

/// Why a download is not needed any more.
enum Off {
    Paused,
    RolledBack,
    Over,
}

impl Queue {
    async fn next(&mut self) -> Option<ImageOrder> {
        if self.stop.is_cancelled() {
            return None;
        }
        if let Some(order) = self.held.pop_front() {
            return Some(order);
        }
        tokio::select! {
            () = self.stop.cancelled() => None,
            order = self.orders.recv() => order,
        }
    }

    /// Waits until a download is not needed any more. Everything else that the device asks for
    /// meanwhile waits its turn.
    async fn called_off(&mut self) -> Off {
        loop {
            if self.held.iter().any(|order| matches!(order, ImageOrder::RollBack { .. })) {
                return Off::RolledBack;
            }
            if self.held.iter().any(|order| matches!(order, ImageOrder::Pause { .. })) {
                return Off::Paused;
            }
            tokio::select! {
                () = self.stop.cancelled() => return Off::Over,
                order = self.orders.recv(), if self.held.len() < ORDERS => match order {
                    Some(order) => self.held.push_back(order),
                    None => return Off::Over,
                },
            }
        }
    }
}

struct Worker {
    disk: Disk,
    trust: Trust,
    limits: Limits,
    sink: Sink,
    queue: Queue,
    /// Of which update an image lies ready.
    fetched: Option<u64>,
}

impl Worker {
    async fn run(mut self) {
        while let Some(order) = self.queue.next().await {
            let run = order.run();
            let done = match order {
                ImageOrder::Fetch { run, uri, sha256 } => {
                    self.fetched = None;
                    match self.fetch(run, uri.reveal(), sha256.as_deref()).await {
                        Ok(Some(news)) => {
                            self.fetched = matches!(news, ImageNews::Fetched { .. }).then_some(run);
                            Ok(news)
                        }
                        // What called it off is answered instead.
                        Ok(None) => continue,
                        Err(Gone) => return,
                    }
                }
                // There is no download any more: this order has ended it, if there was one.
                ImageOrder::Pause { .. } => continue,
                ImageOrder::Inspect => match self.inspect().await {
                    Ok(news) => news,
                    Err(Gone) => return,
                },
                // What another update has fetched is not what this one is about.
                ImageOrder::Install { run, version } if self.fetched != Some(run) => {
                    Err(StoreError::NothingFetched(version))
                }
                ImageOrder::Install { run, version } => {
                    let installed = self.disk.run(move |store| store.install(&version)).await;
                    installed.map(|()| ImageNews::Placed { run })
                }
                ImageOrder::Confirm { run } => {
                    self.disk.run(Store::confirm).await.map(|()| ImageNews::Confirmed { run })
                }
                ImageOrder::RollBack { run } => {
                    let version = self.disk.run(Store::roll_back).await;
                    version.map(|version| ImageNews::RolledBack { run, version })
                }
            };
            let news = done.unwrap_or_else(|error| ImageNews::Failed { run, reason: error.to_string() });
            if self.sink.tell(news).await.is_err() {
                return;
            }
        }
    }

    /// What is installed is told here, what was cut short is returned to be told after it.
    async fn inspect(&self) -> Result<Result<ImageNews, StoreError>, Gone> {
        let inspected = self.disk.run(|store| Ok((store.installed(), store.cut_short()?))).await;
        Ok(match inspected {
            Ok((Installed { version, on_trial }, cut_short)) => {
                let installed = ImageNews::Installed { version, on_trial };
                let Some((from, received)) = cut_short else { return Ok(Ok(installed)) };
                self.sink.tell(installed).await?;
                Ok(ImageNews::CutShort { from, received })
            }
            Err(error) => Err(error),
        })
    }

    /// What to tell of a download; `None` when it was called off.
    async fn fetch(&mut self, run: u64, uri: &str, sha256: Option<&str>) -> Result<Option<ImageNews>, Gone> {
        let cancel = CancellationToken::new();
        let fetch = Fetch {
            run,
            disk: &self.disk,
            trust: &self.trust,
            limits: &self.limits,
            sink: &self.sink,
            cancel: &cancel,
        };
        let fetching = fetch.fetch(uri, sha256);
        tokio::pin!(fetching);
        let ended = tokio::select! {
            biased;
            off = self.queue.called_off() => {
                // It is not dropped but ends by itself: a piece may be on its way to the disk.
                cancel.cancel();
                let ended = fetching.await;
                match off {
                    Off::Over => return Err(Gone),
                    Off::RolledBack => {
                        self.forget(ended.is_ok()).await;
                        return Ok(None);
                    }
                    Off::Paused if matches!(ended, Err(Ended::Cancelled)) => {
                        let reason = "the device is switched off; it goes on when the device is back".to_owned();
                        return Ok(Some(ImageNews::Interrupted { run, reason }));
                    }
                    // It was over just before.
                    Off::Paused => ended,
                }
            }
            ended = &mut fetching => ended,
        };
        match ended {
            Ok(news) => Ok(Some(news)),
            Err(Ended::Failed(reason)) => Ok(Some(ImageNews::Failed { run, reason })),
            Err(Ended::Cancelled | Ended::Gone) => Err(Gone),
        }
    }

    /// A part is forgotten here; a whole image is by the order to go back, which comes next.
    async fn forget(&self, is_whole: bool) {
        if is_whole {
            return;
        }
        let forgotten = self.disk.run(|store| {
            store.discard();
            Ok(())
        });
        if let Err(error) = forgotten.await {
            tracing::warn!("{error}");
        }
    }
}
