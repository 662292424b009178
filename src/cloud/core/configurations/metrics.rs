//! Counting how far configurations are.
//!
//! Azure counts whenever it matches, every five minutes. Here it is counted again after anything
//! has been matched, with a pause that grows with the hub, so that counting takes a small part of
//! the time however busy devices are.

use std::collections::BTreeMap;
use std::time::Duration;

use super::book::Sweep;
use super::{Configuration, Metric};
use crate::cloud::core::Core;
use crate::cloud::core::query::Source;
use crate::cloud::core::rows::IdentityRow;
use crate::device::{Millis, Now};

/// How many queries are asked with one tick, more or less.
const QUERIES: usize = 20_000;
/// How many identities are counted with one tick at most.
const SLICE: usize = 500;

/// How far counting is.
#[derive(Debug, Default)]
pub(super) struct Count {
    stale: bool,
    next: Millis,
    walk: Option<Walk>,
}

/// A walk through all identities, with what has been counted for each configuration in its present
/// form: by its name and etag, system metrics first.
#[derive(Debug, Default)]
struct Walk {
    at: Sweep,
    totals: BTreeMap<(String, String), Vec<u64>>,
}

impl Count {
    /// What has been counted may not be true any more.
    pub(super) fn stale(&mut self) {
        self.stale = true;
    }

    /// Counts without a pause.
    pub(super) fn at_once(&mut self) {
        self.stale = true;
        self.next = Millis(0);
    }

    pub(super) fn next_due(&self, is_any: bool) -> Option<Millis> {
        if self.walk.is_some() { Some(Millis(0)) } else { (self.stale && is_any).then_some(self.next) }
    }
}

impl Configuration {
    fn all_metrics(&self) -> impl Iterator<Item = &Metric> {
        self.system_metrics.values().chain(self.metrics.values())
    }

    fn key(&self) -> (String, String) {
        (self.id.clone(), self.etag.clone())
    }
}

impl Core {
    /// Counts on.
    pub(super) fn count(&mut self, now: Now) {
        let configurations = &mut self.configurations;
        let count = &mut configurations.count;
        if count.walk.is_none() {
            if !count.stale || count.next > now.at || configurations.sweep.is_some() {
                return;
            }
            count.stale = false;
            let none = |one: &Configuration| (one.key(), vec![0; one.all_metrics().count()]);
            let totals = configurations.all.values().map(none).collect();
            count.walk = Some(Walk { at: Sweep::default(), totals });
        }
        let Some(walk) = &mut count.walk else { return };
        let queries: usize = walk.totals.values().map(Vec::len).sum();
        let most = (QUERIES / queries.max(1)).clamp(1, SLICE);
        let mut seen = 0;
        let mut last = None;
        for identity in self.registry.following(walk.at.after.as_ref()).take(most) {
            seen += 1;
            last = Some(&identity.address);
            let source = if identity.address.module.is_some() { Source::Modules } else { Source::Devices };
            let row = IdentityRow(identity);
            for one in configurations.all.values() {
                let Some(totals) = walk.totals.get_mut(&one.key()) else { continue };
                for (metric, total) in one.all_metrics().zip(totals) {
                    if metric
                        .query
                        .as_ref()
                        .is_some_and(|query| query.source == source && query.selects(&row))
                    {
                        *total += 1;
                    }
                }
            }
        }
        walk.at.after = last.cloned().or_else(|| walk.at.after.take());
        if seen < most {
            let totals = count.walk.take().map(|walk| walk.totals).unwrap_or_default();
            for one in configurations.all.values_mut() {
                let Some(totals) = totals.get(&one.key()) else { continue };
                let metrics = one.system_metrics.values_mut().chain(one.metrics.values_mut());
                for (metric, total) in metrics.zip(totals) {
                    metric.result = Some(*total);
                }
            }
            let pause = 1000 + self.registry.len() as u64 / 2;
            count.next = now.at + Duration::from_millis(pause);
        }
    }
}
