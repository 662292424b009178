//! Real files, and a real server that does what it is told.

mod downloads;
mod large;
mod local_cloud;
mod orders;
mod patience;
mod resumption;
mod server;
mod stores;

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{FirmwareEvent, FirmwareHandle, FirmwareOptions, Limits, Store, spawn};
use crate::device::{ImageNews, ImageOrder, ImageUri};
use crate::trust::Trust;

/// How long anything may take before a test is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Limits that let a test go on at once.
fn quick() -> Limits {
    let pause = Duration::from_millis(1);
    // Images here are small: any byte is progress.
    Limits { pause, longest_pause: pause * 4, least: 0, tries: 8, ..Limits::default() }
}

/// A device's images, and what is told of them.
struct Bench {
    handle: FirmwareHandle,
    events: mpsc::Receiver<FirmwareEvent>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Bench {
    fn new(folder: &Path, limits: Limits) -> Self {
        Self::trusting(folder, limits, Trust::system())
    }

    fn trusting(folder: &Path, limits: Limits, trust: Trust) -> Self {
        let store = Store::open(folder).expect("a store");
        let (sender, events) = mpsc::channel(16);
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let options = FirmwareOptions { slot: 3, store, trust, limits };
        let handle = spawn(options, sender, stop.clone(), &mut tasks);
        Self { handle, events, tasks, stop }
    }

    fn order(&self, order: ImageOrder) {
        self.handle.send(order).expect("room");
    }

    fn fetch(&self, run: u64, uri: &str, sha256: Option<&str>) {
        self.order(ImageOrder::Fetch { run, uri: ImageUri::new(uri), sha256: sha256.map(str::to_owned) });
    }

    async fn next(&mut self) -> ImageNews {
        let (slot, news) = timeout(PATIENCE, self.events.recv()).await.expect("in time").expect("an event");
        assert_eq!(slot, 3);
        news
    }

    /// The next news that is no progress; what was interrupted before it.
    async fn outcome(&mut self) -> (Vec<String>, ImageNews) {
        let mut interruptions = Vec::new();
        loop {
            match self.next().await {
                ImageNews::Progress { .. } => {}
                ImageNews::Interrupted { reason, .. } => interruptions.push(reason),
                news => return (interruptions, news),
            }
        }
    }

    async fn failure(&mut self) -> String {
        match self.outcome().await.1 {
            ImageNews::Failed { reason, .. } => reason,
            news => panic!("{news:?}"),
        }
    }

    /// Until the first byte that is told of.
    async fn first_bytes(&mut self) -> u64 {
        loop {
            if let ImageNews::Progress { received, .. } = self.next().await
                && received > 0
            {
                return received;
            }
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        timeout(PATIENCE, all).await.expect("in time");
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
