//! What is kept, against the file that keeps it.

mod folder;
mod harm;
mod records;
mod writing;

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::cloud::core::registry::{Address, Precondition};
use crate::cloud::core::service::Write;
use crate::cloud::core::testing;
use crate::cloud::core::twins::TwinUpdate;
use crate::device::{Millis, Now};
use crate::wire::SharedKey;

fn now() -> Now {
    testing::now(0)
}

fn key(byte: u8) -> SharedKey {
    SharedKey::from_bytes(vec![byte; 32]).expect("a key")
}

fn core() -> Core {
    let mut core = testing::core();
    core.changes.begin();
    core
}

fn address(device: &str, module: Option<&str>) -> Address {
    Address {
        device: device.parse().expect("an id"),
        module: module.map(|module| module.parse().expect("an id")),
    }
}

fn store(folder: &Path) -> Result<Store, StoreError> {
    Store::open(DataFolder::take(folder)?)
}

fn open(folder: &Path) -> Store {
    store(folder).expect("a store")
}

fn keep(store: &mut Store, core: &mut Core) {
    let records = core.changes.take();
    store.write(core, &records).expect("stored");
}

fn loaded(store: &Store) -> Core {
    let mut core = core();
    store.load(&mut core, now()).expect("loaded");
    core.changes.take();
    core
}
