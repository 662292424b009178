//! All configurations of a hub.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::content::Content;
use super::metrics::Count;
use super::{CAPACITY, Configuration};
use crate::cloud::core::Core;
use crate::cloud::core::changes::Record;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::{Address, Precondition};
use crate::device::{Millis, Now};

/// All configurations, and how far the work on them is.
#[derive(Debug, Default)]
pub(in crate::cloud::core) struct Configurations {
    pub(super) all: BTreeMap<String, Configuration>,
    /// What deleted configurations said, until it has been taken back everywhere.
    pub(super) retired: BTreeMap<String, Vec<Arc<Content>>>,
    /// Where matching all identities is, when a configuration has changed.
    pub(super) sweep: Option<Sweep>,
    pub(super) count: Count,
}

/// How far a walk through all identities is.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Sweep {
    pub(super) after: Option<Address>,
}

impl Core {
    /// When there is something to do for configurations next.
    pub(in crate::cloud::core) fn configurations_due(&self) -> Option<Millis> {
        if self.changes.is_touched() || self.configurations.sweep.is_some() {
            return Some(Millis(0));
        }
        self.configurations.count.next_due(!self.configurations.all.is_empty())
    }

    /// Makes a configuration, or changes one: then with a condition on its etag.
    pub fn put_configuration(
        &mut self,
        now: Now,
        id: &str,
        body: &Map<String, Value>,
        condition: Option<&Precondition>,
    ) -> Result<&Configuration, Fault> {
        let mut new = Configuration::read(id, body, now.wall)?;
        match (self.configurations.all.get(id), condition) {
            (Some(_), None) => return Err(Fault::configuration_exists(id)),
            (None, Some(Precondition::Etag(_))) => return Err(Fault::unknown_configuration(id)),
            (None, _) if self.configurations.all.len() >= CAPACITY => {
                return Err(Fault::throttled(format!("this hub holds at most {CAPACITY} configurations")));
            }
            (None, _) => {}
            (Some(old), Some(condition)) => {
                condition.check(&old.etag)?;
                // `az iot hub configuration update`: labels, metrics, priority and target condition
                // can be changed.
                if old.content.written != new.content.written {
                    return Err(Fault::bad_request(format!(
                        "the content of the configuration `{id}` cannot be changed: delete it and make another"
                    )));
                }
                new.created = old.created;
                new.content = Arc::clone(&old.content);
            }
        }
        new.etag = self.random_name();
        self.configurations.all.insert(id.to_owned(), new);
        self.configurations_changed(id);
        self.configuration(id)
    }

    /// A configuration.
    pub fn configuration(&self, id: &str) -> Result<&Configuration, Fault> {
        self.configurations.all.get(id).ok_or_else(|| Fault::unknown_configuration(id))
    }

    /// All configurations by name.
    pub fn configurations(&self) -> impl Iterator<Item = &Configuration> {
        self.configurations.all.values()
    }

    /// Deletes a configuration. What it has set is taken back.
    pub fn delete_configuration(&mut self, id: &str, condition: &Precondition) -> Result<(), Fault> {
        condition.check(&self.configuration(id)?.etag)?;
        if let Some(gone) = self.configurations.all.remove(id) {
            self.configurations.retired.entry(id.to_owned()).or_default().push(gone.content);
        }
        self.configurations_changed(id);
        Ok(())
    }

    /// A configuration for a store. `None` when it is gone. [`Record::Configuration`] says when it
    /// has changed; what it has done stands in [`super::super::registry::Identity::configurations`].
    pub fn configuration_record(&self, id: &str) -> Option<Value> {
        self.configurations.all.get(id).map(Configuration::told)
    }

    /// Takes a configuration that a store has kept, in the form of [`Core::configuration_record`].
    /// All identities are matched again then, which changes nothing where nothing has changed.
    pub fn restore_configuration(&mut self, record: &Value) -> Result<(), Fault> {
        let configuration = Configuration::restore(record)?;
        self.configurations.all.insert(configuration.id.clone(), configuration);
        self.match_all();
        Ok(())
    }

    /// Forgets a configuration that is not stored.
    pub fn forget_configuration(&mut self, id: &str) {
        if let Some(gone) = self.configurations.all.remove(id) {
            self.configurations.retired.entry(id.to_owned()).or_default().push(gone.content);
            self.match_all();
        }
    }

    fn configurations_changed(&mut self, id: &str) {
        self.changes.note(Record::Configuration(id.to_owned()));
        self.match_all();
    }

    /// Matches every identity anew: after a change, and when what was matched could not be stored.
    pub(in crate::cloud) fn match_all(&mut self) {
        self.changes.match_configurations(true);
        self.configurations.sweep = Some(Sweep::default());
        self.configurations.count.at_once();
    }
}
