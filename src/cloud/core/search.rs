//! Queries of what the hub knows.

use super::Core;
use super::query::{Page, Query, Source};
use super::rows::IdentityRow;

impl Core {
    /// One page of a query's result: at most `most` items after the first `skip`.
    pub fn find(&self, query: &Query, skip: usize, most: usize) -> Page {
        match query.source {
            Source::Devices => query.page(self.registry.devices().map(IdentityRow), skip, most),
            Source::Modules => {
                let modules = self.registry.all().filter(|identity| identity.address.module.is_some());
                query.page(modules.map(IdentityRow), skip, most)
            }
            Source::DeviceJobs => query.page(self.device_jobs(), skip, most),
        }
    }
}
