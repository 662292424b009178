//! What a twin is to hold by several configurations, and how to get there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::content::Setting;

/// Where a value stands that is no object with members.
type Place = Vec<String>;

/// Several configurations' settings for one twin, put upon each other.
#[derive(Debug, Default)]
pub(super) struct Layers<'a> {
    /// Whether all other desired properties are to go.
    whole: bool,
    leaves: BTreeMap<Place, (Value, &'a str)>,
    /// Configurations that say nothing about this twin, and so are in force without a word.
    silent: BTreeSet<&'a str>,
}

impl<'a> Layers<'a> {
    /// Puts a configuration's settings on top.
    pub(super) fn put(&mut self, id: &'a str, settings: &[Setting]) {
        if settings.is_empty() {
            self.silent.insert(id);
        }
        for setting in settings {
            if setting.path.is_empty() {
                self.whole = true;
                self.leaves.clear();
            }
            let mut leaves = Vec::new();
            collect(&setting.path, &setting.value, &mut leaves);
            for (place, value) in leaves {
                self.leaves.retain(|other, _| !is_above(other, &place) && !is_above(&place, other));
                self.leaves.insert(place, (value, id));
            }
        }
    }

    /// Whether anything of a configuration is in force.
    pub(super) fn holds(&self, id: &str) -> bool {
        self.silent.contains(id) || self.leaves.values().any(|(_, by)| *by == id)
    }

    /// The patch that brings `desired` to what these layers say, without what `former` settings
    /// had brought there. `None` when there is nothing to change.
    pub(super) fn patch(
        &self,
        desired: &Map<String, Value>,
        former: impl Iterator<Item = &'a Setting>,
    ) -> Option<Map<String, Value>> {
        let mut target = if self.whole { Map::new() } else { desired.clone() };
        if !self.whole {
            let mut places = Vec::new();
            for setting in former {
                collect(&setting.path, &setting.value, &mut places);
            }
            for (place, _) in places {
                if !self.leaves.contains_key(&place) {
                    remove(&mut target, &place);
                }
            }
        }
        for (place, (value, _)) in &self.leaves {
            // An object without members only says that there is one.
            if value.is_object() && at(&target, place).is_some_and(Value::is_object) {
                continue;
            }
            set(&mut target, place, value.clone());
        }
        let patch = difference(desired, &target);
        (!patch.is_empty()).then_some(patch)
    }
}

/// Whether `upper` is a place above `lower`.
fn is_above(upper: &[String], lower: &[String]) -> bool {
    upper.len() < lower.len() && lower.starts_with(upper)
}

fn collect(path: &[String], value: &Value, leaves: &mut Vec<(Place, Value)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let mut path = path.to_vec();
                path.push(name.clone());
                collect(&path, value, leaves);
            }
        }
        // In desired properties null is the same as absent.
        Value::Null => {}
        _ if path.is_empty() => {}
        value => leaves.push((path.to_vec(), value.clone())),
    }
}

fn at<'a>(members: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(members.get(first)?, |value, name| value.get(name))
}

/// Sets a value, making objects of what stands in the way.
pub(super) fn set(members: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            members.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = members.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Removes a value, and the objects around it that become empty by it.
fn remove(members: &mut Map<String, Value>, path: &[String]) {
    match path {
        [] => {}
        [name] => {
            members.shift_remove(name);
        }
        [name, rest @ ..] => {
            if let Some(Value::Object(inner)) = members.get_mut(name) {
                remove(inner, rest);
                if inner.is_empty() {
                    members.shift_remove(name);
                }
            }
        }
    }
}

/// The patch that makes `target` out of `current` when it is merged into it.
pub(super) fn difference(current: &Map<String, Value>, target: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for name in current.keys().filter(|name| !target.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, wanted) in target {
        match (current.get(name), wanted) {
            (Some(Value::Object(current)), Value::Object(wanted)) => {
                let inner = difference(current, wanted);
                if !inner.is_empty() {
                    patch.insert(name.clone(), Value::Object(inner));
                }
            }
            (Some(current), wanted) if current == wanted => {}
            (_, wanted) => {
                patch.insert(name.clone(), wanted.clone());
            }
        }
    }
    patch
}
