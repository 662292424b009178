//! Configurations: desired properties for all devices, modules, or IoT Edge devices that a
//! condition selects.
//!
//! IoT Hub, "Automatic device and module management". Azure matches configurations with identities
//! every five minutes; here an identity is matched as soon as something of it changes, and all of
//! them when a configuration does: a bounded number with every tick.
//!
//! Never here: HTTP, clocks.
//!
//! In reading order: [`content`] is what a configuration says, `request` reads one and writes it
//! down, `layers` puts several together to what a twin is to hold, `matching` does so with every
//! identity that has changed, `metrics` counts, `apply` sets content on one IoT Edge device, and
//! `book` keeps all of them.

mod apply;
mod book;
pub mod content;
mod layers;
mod matching;
mod metrics;
mod request;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub(super) use self::book::Configurations;
use self::content::{Content, Kind};
pub use self::request::test_queries;
use super::query::{Condition, Query};

/// The most configurations that a hub takes. IoT Hub, "Quotas and throttling".
pub const CAPACITY: usize = 100;
/// The most metrics of one configuration that are no system metrics.
pub const METRICS: usize = 20;

/// A configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// Its name.
    pub id: String,
    /// As the service wrote it.
    pub schema_version: String,
    /// As the service wrote them.
    pub labels: Map<String, Value>,
    /// What it says; never changes.
    pub content: Arc<Content>,
    kind: Kind,
    /// Whom it is for, as the service wrote it.
    pub target_text: String,
    target: Condition,
    /// Of two that say something about the same property, the higher wins; of two that are the
    /// same, the younger.
    pub priority: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Changes with every change.
    pub etag: String,
    metrics: BTreeMap<String, Metric>,
    system_metrics: BTreeMap<String, Metric>,
}

/// A number that tells how far a configuration is.
#[derive(Debug, Clone, PartialEq)]
struct Metric {
    text: String,
    /// `None` selects nothing.
    query: Option<Query>,
    /// `None` until it has been counted for the first time.
    result: Option<u64>,
}
