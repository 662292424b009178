//! Sees to it that nothing is acknowledged that is not stored, and that nothing stays changed that
//! could not be.

use std::collections::BTreeSet;

use super::Store;
use crate::cloud::core::Core;
use crate::cloud::core::changes::Record;
use crate::cloud::core::fault::Fault;
use crate::device::Now;

/// Stands between the core and its store, when it has one.
#[derive(Debug, Default)]
pub(in crate::cloud) struct Keeper {
    store: Option<Store>,
    /// Changed in the core, not stored, and not taken back yet.
    unsettled: BTreeSet<Record>,
    /// Whether the last attempt to write failed: one spell of failures is told once.
    failing: bool,
    /// Whether the store has been given up, and with it every further change.
    closed: bool,
}

impl Keeper {
    /// Keeps everything that changes from now on.
    pub(in crate::cloud) fn new(store: Store, core: &mut Core) -> Self {
        core.changes.begin();
        Self { store: Some(store), ..Self::default() }
    }

    /// To be asked before every act: whether core and store agree. They do not while something
    /// could neither be written nor be read back, and after an act that ended in a panic.
    pub(in crate::cloud) fn agree(&mut self, core: &mut Core, now: Now) -> Result<(), Fault> {
        if self.closed {
            return Err(Fault::unavailable("the local cloud is being stopped"));
        }
        if self.unsettled.is_empty() && core.changes.is_empty() {
            return Ok(());
        }
        self.unsettled.append(&mut core.changes.take());
        let Some(store) = &self.store else { return Ok(()) };
        match store.reload(core, now, &self.unsettled) {
            Ok(()) => {
                self.unsettled.clear();
                // What has been put back is no news for the store.
                core.changes.take();
                Ok(())
            }
            Err(error) => Err(Fault::unavailable(format!("the data folder cannot be read: {error}"))),
        }
    }

    /// To be asked after every act: stores what it has changed. When that fails, the act has not
    /// happened as far as records go, and must not be acknowledged.
    pub(in crate::cloud) fn keep(&mut self, core: &mut Core, now: Now) -> Result<(), Fault> {
        if core.changes.is_empty() {
            return Ok(());
        }
        let records = core.changes.take();
        let Some(store) = &mut self.store else { return Ok(()) };
        let Err(error) = store.write(core, &records) else {
            if std::mem::take(&mut self.failing) {
                tracing::info!(folder = %store.folder().display(), "the data folder can be written again");
            }
            return Ok(());
        };
        let folder = store.folder().display().to_string();
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(
                folder,
                "the data folder cannot be written, changes are refused until it can: {error}"
            );
        }
        self.unsettled.extend(records);
        // When not even this succeeds, the next act is refused until it does.
        let _ = self.agree(core, now);
        Err(Fault::unavailable(format!(
            "the data folder {folder} cannot be written ({error}), so that nothing has been changed: see to the \
             disk, then try again"
        )))
    }

    /// Closes the store, whoever still holds on to the cloud: from here on another may open it,
    /// and nothing is changed any more.
    pub(in crate::cloud) fn close(&mut self) {
        self.closed = self.store.take().is_some();
    }

    /// The store.
    #[cfg(test)]
    pub(in crate::cloud) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }
}
