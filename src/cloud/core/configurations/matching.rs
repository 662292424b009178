//! Matching configurations with identities, and writing what they say into twins.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Configuration;
use super::content::{Content, Kind};
use super::layers::Layers;
use crate::cloud::core::identities::Spec;
use crate::cloud::core::registry::{Address, Identity, Placed, Precondition};
use crate::cloud::core::rows::IdentityRow;
use crate::cloud::core::service::Write;
use crate::cloud::core::twins::TwinUpdate;
use crate::cloud::core::{Core, Output};
use crate::device::{ModuleId, Now};

/// How many conditions are asked with one tick, more or less.
const CONDITIONS: usize = 20_000;
/// How many identities are matched with one tick at most.
const SLICE: usize = 500;

/// What is to be done with an identity.
#[derive(Debug, Default)]
struct Plan {
    statuses: BTreeMap<String, Placed>,
    patch: Option<Map<String, Value>>,
    /// Modules of an IoT Edge device that have to be there.
    modules: Vec<ModuleId>,
}

impl Configuration {
    fn selects(&self, identity: &Identity) -> bool {
        self.target.selects(&IdentityRow(identity))
    }
}

impl super::Configurations {
    /// The configurations of one kind that select an identity, the one that wins last.
    fn selecting(&self, kind: Kind, identity: &Identity) -> Vec<&Configuration> {
        let mut selecting: Vec<_> =
            self.all.values().filter(|one| one.kind == kind && one.selects(identity)).collect();
        selecting.sort_by_key(|one| (one.priority, one.created));
        selecting
    }

    /// The deployments that select an IoT Edge device, and whether each is in force: the base of
    /// the highest priority, and the layers of higher priority than that. "Understand IoT Edge
    /// automatic deployments", priority.
    fn deployments(&self, device: &Identity) -> Vec<(&Configuration, bool)> {
        if !device.edge {
            return Vec::new();
        }
        let selecting = self.selecting(Kind::Edge, device);
        let base = selecting.iter().rposition(|one| one.content.is_base());
        let in_force = |place: usize| base.is_some_and(|base| place >= base);
        selecting.into_iter().enumerate().map(|(place, one)| (one, in_force(place))).collect()
    }

    fn plan(&self, identity: &Identity, device: &Identity) -> Plan {
        let address = &identity.address;
        let mut plan = Plan::default();
        let mut chosen = Vec::new();
        let deployments = self.deployments(device);
        if let Some(module) = &address.module {
            chosen = self.selecting(Kind::Module, identity);
            for (one, in_force) in deployments {
                if one.content.modules.contains_key(module) {
                    plan.statuses.insert(one.id.clone(), Placed::Targeted);
                    if in_force {
                        chosen.push(one);
                    }
                }
            }
            chosen.sort_by_key(|one| (one.priority, one.created));
        } else {
            chosen.extend(self.selecting(Kind::Device, identity));
            for (one, in_force) in deployments {
                let placed = if in_force { Placed::Applied } else { Placed::Targeted };
                plan.statuses.insert(one.id.clone(), placed);
                if in_force {
                    plan.modules.extend(one.content.named_modules().unwrap_or_default());
                }
            }
        }
        let mut layers = Layers::default();
        for one in &chosen {
            layers.put(&one.id, one.content.about(address));
        }
        for one in chosen {
            let placed = if layers.holds(&one.id) { Placed::Applied } else { Placed::Targeted };
            plan.statuses.insert(one.id.clone(), placed);
        }
        let applied = identity.configurations.iter().filter(|(_, placed)| **placed == Placed::Applied);
        let former = applied.flat_map(|(id, _)| self.contents(id)).flat_map(|content| content.about(address));
        plan.patch = layers.patch(&identity.twin.desired.value, former);
        plan
    }

    /// What a configuration says, and what one of its name has said before it was deleted.
    fn contents(&self, id: &str) -> impl Iterator<Item = &Content> {
        let now = self.all.get(id).map(|one| &one.content);
        let before = self.retired.get(id).into_iter().flatten();
        now.into_iter().chain(before).map(Arc::as_ref)
    }
}

impl Core {
    /// Matches the next identities, and counts.
    pub(in crate::cloud::core) fn work_on_configurations(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.configurations_due().is_none_or(|due| due > now.at) {
            return;
        }
        let most = (CONDITIONS / self.configurations.all.len().max(1)).clamp(1, SLICE);
        for _ in 0..most {
            let Some(address) = self.changes.next_touched() else { break };
            self.match_one(now, &address, out);
        }
        for _ in 0..most {
            let Some(sweep) = self.configurations.sweep.take() else { break };
            let next = self.registry.following(sweep.after.as_ref()).next();
            let Some(address) = next.map(|identity| identity.address.clone()) else {
                self.configurations.retired.clear();
                self.changes.match_configurations(!self.configurations.all.is_empty());
                break;
            };
            self.configurations.sweep = Some(super::book::Sweep { after: Some(address.clone()) });
            self.match_one(now, &address, out);
        }
        self.count(now);
    }

    /// Matches one identity, and writes what follows into its twin.
    fn match_one(&mut self, now: Now, address: &Address, out: &mut Vec<Output>) {
        self.configurations.count.stale();
        let Some(identity) = self.registry.get(address) else { return };
        let Some(device) = self.registry.get(&address.of_device()) else { return };
        let Plan { mut statuses, patch, modules } = self.configurations.plan(identity, device);
        let before = identity.configurations.clone();
        if let Some(patch) = patch {
            let update = TwinUpdate { tags: None, desired: Some(patch) };
            let written =
                self.write_twin(now, address, &update, Write::Merge, &Precondition::Any, out).map(|_| ());
            if written.is_err() {
                // The twin is full. Nothing of it has been written, so nothing has been applied.
                for (id, placed) in &mut statuses {
                    *placed = before.get(id).copied().unwrap_or(Placed::Targeted);
                }
            }
        }
        if statuses != before {
            if let Some(identity) = self.registry.get_mut(address) {
                identity.configurations = statuses;
            }
            self.changes.identity(address);
            if address.module.is_none() {
                self.see_to_modules(now, address, modules);
            }
        }
        // What has just been written here does not need to be matched again: two configurations
        // that make each other come and go would never rest.
        self.changes.untouch(address);
    }

    /// Creates the modules that deployments name, and has all of the device's matched.
    fn see_to_modules(&mut self, now: Now, device: &Address, named: Vec<ModuleId>) {
        self.create_modules(now, device, named);
        let modules: Vec<_> =
            self.registry.modules(&device.device).map(|module| module.address.clone()).collect();
        for module in modules {
            self.changes.touch(&module);
        }
    }

    /// Creates modules that are not there yet, as far as a device can have more.
    pub(super) fn create_modules(&mut self, now: Now, device: &Address, named: Vec<ModuleId>) {
        for module in named {
            let address = Address::module(device.device.clone(), module);
            if self.registry.get(&address).is_none() {
                let spec = Spec { managed_by: Some("iotEdge".to_owned()), ..Spec::plain(address) };
                // A device that has as many as it can have goes on with those.
                let _ = self.create(now, spec);
            }
        }
    }
}
