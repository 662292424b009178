//! What configurations say: values for paths of desired properties.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::Address;
use crate::cloud::core::twins::{Twin, TwinUpdate};
use crate::device::ModuleId;
pub use crate::wire::service::EDGE_AGENT;

/// What the keys of content begin with.
const DESIRED: &str = "properties.desired";

/// A value for a path below `properties.desired`. The empty path is all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Where.
    pub path: Vec<String>,
    /// What.
    pub value: Value,
}

/// What a configuration says about one twin.
pub type Settings = Vec<Setting>;

/// For whom content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `deviceContent`.
    Device,
    /// `moduleContent`.
    Module,
    /// `modulesContent`.
    Edge,
}

/// Content, as it was written and as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// As it was written.
    pub written: Map<String, Value>,
    /// `deviceContent`: for devices.
    pub device: Settings,
    /// `moduleContent`: for single modules.
    pub module: Settings,
    /// `modulesContent`: for modules of IoT Edge devices, by their names.
    pub modules: BTreeMap<ModuleId, Settings>,
}

impl Content {
    /// Reads content. Whatever no twin would take is refused here.
    pub fn read(written: &Map<String, Value>, now: Timestamp) -> Result<Self, Fault> {
        let mut content = Self {
            written: Map::new(),
            device: Settings::new(),
            module: Settings::new(),
            modules: BTreeMap::new(),
        };
        for (name, part) in written {
            let part = match part {
                Value::Null => continue,
                Value::Object(part) => part,
                _ => return Err(Fault::bad_request(format!("`{name}` is not a JSON object"))),
            };
            content.written.insert(name.clone(), Value::Object(part.clone()));
            match name.as_str() {
                "deviceContent" => content.device = settings(name, part, now)?,
                "moduleContent" => content.module = settings(name, part, now)?,
                "modulesContent" => {
                    for (module, part) in part {
                        let place = format!("{name}.{module}");
                        let id = module.parse().map_err(|error| {
                            Fault::bad_request(format!("`{name}` has a module whose name is none: {error}"))
                        })?;
                        let Value::Object(part) = part else {
                            return Err(Fault::bad_request(format!("`{place}` is not a JSON object")));
                        };
                        content.modules.insert(id, settings(&place, part, now)?);
                    }
                }
                _ => {
                    return Err(Fault::bad_request(format!(
                        "content has `{name}`, it has to be one of deviceContent, moduleContent, modulesContent"
                    )));
                }
            }
        }
        Ok(content)
    }

    /// For whom it is, when it is for one kind only, as that of a configuration has to be.
    pub fn kind(&self) -> Result<Kind, Fault> {
        match (self.device.is_empty(), self.module.is_empty(), self.modules.is_empty()) {
            (false, true, true) => Ok(Kind::Device),
            (true, false, true) => Ok(Kind::Module),
            (true, true, false) => Ok(Kind::Edge),
            // Nothing is said at all: what there is of members tells for whom.
            (true, true, true) => {
                let has = |name: &str| self.written.get(name).is_some_and(Value::is_object);
                match (has("deviceContent"), has("moduleContent"), has("modulesContent")) {
                    (_, false, false) => Ok(Kind::Device),
                    (false, true, false) => Ok(Kind::Module),
                    (false, false, true) => Ok(Kind::Edge),
                    _ => Err(one_kind()),
                }
            }
            _ => Err(one_kind()),
        }
    }

    /// What it says about the twin of `address`.
    pub fn about(&self, address: &Address) -> &[Setting] {
        match &address.module {
            None => &self.device,
            Some(module) => self.modules.get(module).map_or(&self.module, |settings| settings),
        }
    }

    /// Whether it is all that runs on an IoT Edge device, and not a layer upon that. "Understand
    /// IoT Edge automatic deployments": layers name paths within the agent's desired properties.
    pub fn is_base(&self) -> bool {
        self.modules.iter().any(|(module, settings)| {
            module.as_str() == EDGE_AGENT && settings.iter().any(|setting| setting.path.is_empty())
        })
    }

    /// The modules of an IoT Edge device that it names, as such or for the agent to run.
    pub fn named_modules(&self) -> Result<Vec<ModuleId>, Fault> {
        let mut names: Vec<ModuleId> = self.modules.keys().cloned().collect();
        let agent = self.modules.iter().find(|(module, _)| module.as_str() == EDGE_AGENT);
        for setting in agent.into_iter().flat_map(|(_, settings)| settings) {
            let path: Vec<&str> = setting.path.iter().map(String::as_str).collect();
            let mut add = |name: &str| {
                let id: ModuleId = name.parse().map_err(|error| {
                    Fault::bad_request(format!("the agent is to run a module whose name is none: {error}"))
                })?;
                if !names.contains(&id) {
                    names.push(id);
                }
                Ok::<_, Fault>(())
            };
            // `systemModules` has the names without the `$` of `$edgeAgent` and `$edgeHub`, which
            // every IoT Edge device has anyway.
            match path.as_slice() {
                ["modules", name, ..] => add(name)?,
                ["modules"] => setting
                    .value
                    .as_object()
                    .into_iter()
                    .flat_map(Map::keys)
                    .try_for_each(|name| add(name))?,
                [] => {
                    let modules = setting.value.get("modules").and_then(Value::as_object);
                    modules.into_iter().flat_map(Map::keys).try_for_each(|name| add(name))?;
                }
                _ => {}
            }
        }
        Ok(names)
    }
}

fn one_kind() -> Fault {
    Fault::bad_request(
        "the content of a configuration is one of deviceContent, moduleContent, modulesContent",
    )
}

fn settings(place: &str, part: &Map<String, Value>, now: Timestamp) -> Result<Settings, Fault> {
    let mut settings = Settings::new();
    for (key, value) in part {
        let rest = key.strip_prefix(DESIRED).and_then(|rest| rest.strip_prefix('.'));
        if rest.is_none() && key != DESIRED {
            return Err(Fault::bad_request(format!(
                "`{place}` has the key `{key}`, it has to be {DESIRED} or a path below such as {DESIRED}.interval"
            )));
        }
        let path: Vec<String> =
            rest.map(|rest| rest.split('.').map(str::to_owned).collect()).unwrap_or_default();
        if value.is_null() || (path.is_empty() && !value.is_object()) {
            let wanted = if path.is_empty() { "a JSON object" } else { "a value that is not null" };
            return Err(Fault::bad_request(format!("`{key}` in `{place}` has to be {wanted}")));
        }
        let update = TwinUpdate { tags: None, desired: nested(&path, value.clone()).as_object().cloned() };
        Twin::new(now).update(&update, now)?;
        settings.push(Setting { path, value: value.clone() });
    }
    // What is said about all of it comes before what is said about parts.
    settings.sort_by_key(|setting| setting.path.len());
    Ok(settings)
}

/// `{"a": {"b": value}}` for the path `a.b`.
fn nested(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, name| Value::Object(Map::from_iter([(name.clone(), value)])))
}
