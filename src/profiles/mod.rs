//! Kinds of device, one file or folder each, and the catalogue that names them.
//!
//! Adding one: a file or folder here, its DTDL in `assets/models/`, a row in [`CATALOG`]. Screens, help and
//! checks follow from the profile's own tables.
//!
//! Never here: topics, sockets, screens, clocks.
//!
//! In reading order: the catalogue here, [`mod@compose`] (what goes with what), then the kinds.

pub mod compose;
pub mod edge_filter;
pub mod environment;
pub mod firmware;
pub mod module;
pub mod reboot;

#[cfg(test)]
mod testing;

pub use compose::compose;

use crate::device::{Field, Model, Profile, Reading};
use crate::sensors::Walk;

/// A kind of device that the command line knows.
pub struct Entry {
    /// The name on the command line.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// As whom it connects.
    pub seat: Seat,
    /// The options of the command line that it makes use of and not every other kind does too.
    pub options: &'static [&'static str],
    /// What it is made of: one part, or several that each connect by themselves.
    pub parts: &'static [Part],
}

/// As whom a kind of device connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// As a device. Several such profiles make one device.
    Device,
    /// As a module of a device, these two unless others are named.
    Module {
        /// The device.
        device: &'static str,
        /// The module.
        module: &'static str,
    },
    /// As modules of one IoT Edge device, whose deployment this is.
    Edge {
        /// The device.
        device: &'static str,
        /// The deployment, as JSON: `{"modulesContent": …}`.
        deployment: &'static str,
    },
}

/// What connects by itself.
pub struct Part {
    /// The module that it connects as, on an IoT Edge device.
    pub module: Option<&'static str>,
    /// What it offers.
    pub model: &'static Model,
    /// Its DTDL, compiled in.
    pub dtdl: &'static str,
    /// Makes one.
    pub build: fn(&Making) -> Box<dyn Profile>,
}

/// What a profile is made with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Making {
    /// For everything random in it.
    pub seed: u64,
    /// Whether a filter sends on every message, and not only alerts.
    pub forward_all: bool,
}

/// Every kind of device.
pub const CATALOG: &[Entry] = &[
    Entry {
        name: "environment",
        title: "environmental sensor",
        seat: Seat::Device,
        options: &["count"],
        parts: &[Part {
            module: None,
            model: &environment::MODEL,
            dtdl: include_str!("../../assets/models/environment.json"),
            build: |making| Box::new(environment::Environment::new(making.seed)),
        }],
    },
    Entry {
        name: "module",
        title: "module on a machine, with a twin of its own",
        seat: Seat::Module { device: "myFirstDevice", module: "myFirstModule" },
        options: &["count"],
        parts: &[Part {
            module: None,
            model: &module::MODEL,
            dtdl: include_str!("../../assets/models/module.json"),
            build: |making| Box::new(module::Machine::new(making.seed)),
        }],
    },
    Entry {
        name: "edge-filter",
        title: "two modules of an IoT Edge device: a sensor, and a filter behind it",
        seat: Seat::Edge {
            device: "edge-01",
            deployment: include_str!("../../assets/deployments/edge-filter.json"),
        },
        options: &["count", "edge-forward"],
        parts: &[
            Part {
                module: Some("tempSensor"),
                model: &edge_filter::sensor::MODEL,
                dtdl: include_str!("../../assets/models/edge-sensor.json"),
                build: |making| Box::new(edge_filter::Sensor::new(making.seed)),
            },
            Part {
                module: Some("filterModule"),
                model: &edge_filter::filter::MODEL,
                dtdl: include_str!("../../assets/models/edge-filter.json"),
                build: |making| Box::new(edge_filter::Filter::new(making.forward_all)),
            },
        ],
    },
    Entry {
        name: "reboot",
        title: "a device that reboots on request",
        seat: Seat::Device,
        options: &["reboot-style"],
        parts: &[Part {
            module: None,
            model: &reboot::MODEL,
            dtdl: include_str!("../../assets/models/reboot.json"),
            build: |_| Box::new(reboot::Reboot::default()),
        }],
    },
    Entry {
        name: "firmware",
        title: "firmware update",
        seat: Seat::Device,
        options: &["reboot-style", "firmware-dir"],
        parts: &[Part {
            module: None,
            model: &firmware::MODEL,
            dtdl: include_str!("../../assets/models/firmware.json"),
            build: |_| Box::new(firmware::Firmware::new()),
        }],
    },
];

/// The kind of device called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.name == name)
}

/// A telemetry field whose value walks, as it is now.
fn reading((field, walk): (&'static Field, &Walk)) -> Reading {
    Reading { field, value: walk.value(), set_point: walk.set_point(), manual: walk.is_manual() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Schema;
    use serde_json::{Value, json};

    fn parts() -> impl Iterator<Item = &'static Part> {
        CATALOG.iter().flat_map(|entry| entry.parts)
    }

    /// The names of a DTDL document's contents of one type, in order.
    fn contents<'a>(dtdl: &'a Value, kind: &str) -> Vec<&'a Value> {
        let is_kind = |content: &Value| match &content["@type"] {
            Value::String(one) => one == kind,
            Value::Array(many) => many.iter().any(|one| one == kind),
            _ => false,
        };
        let all = dtdl["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|content| is_kind(content)).collect()
    }

    fn names<'a>(contents: &[&'a Value]) -> Vec<&'a str> {
        contents.iter().map(|content| content["name"].as_str().unwrap_or("")).collect()
    }

    /// The paths of the numbers in a message: `temp`, `machine.temperature`.
    fn numbers(telemetry: &[&Value]) -> Vec<String> {
        let mut paths = Vec::new();
        for content in telemetry {
            let name = content["name"].as_str().unwrap_or("");
            match (&content["schema"], content["schema"]["fields"].as_array()) {
                (Value::String(schema), _) if schema == "double" => paths.push(name.to_owned()),
                (_, Some(fields)) => {
                    let inner = |field: &Value| format!("{name}.{}", field["name"].as_str().unwrap_or(""));
                    paths.extend(fields.iter().map(inner));
                }
                _ => {}
            }
        }
        paths
    }

    #[test]
    fn every_table_says_what_its_model_says() {
        for Part { model, dtdl, .. } in parts() {
            let dtdl: Value = serde_json::from_str(dtdl).expect("JSON");
            assert_eq!(dtdl["@id"], model.model_id);
            assert_eq!(dtdl["@context"], json!(["dtmi:dtdl:context;2", "dtmi:iotcentral:context;2"]));
            let telemetry: Vec<_> = model.telemetry.iter().map(|field| field.name).collect();
            assert_eq!(numbers(&contents(&dtdl, "Telemetry")), telemetry);
            let commands = contents(&dtdl, "Command");
            assert_eq!(names(&commands), model.commands.iter().map(|spec| spec.name).collect::<Vec<_>>());
            for (command, spec) in commands.iter().zip(model.commands) {
                assert_eq!(command.get("request").is_some(), spec.request.is_some(), "{}", spec.name);
            }
            let (writable, reported): (Vec<&Value>, Vec<&Value>) =
                contents(&dtdl, "Property").into_iter().partition(|property| property["writable"] == true);
            assert_eq!(names(&writable), model.properties.iter().map(|spec| spec.name).collect::<Vec<_>>());
            assert_eq!(names(&reported), model.reports);
            for (property, spec) in writable.iter().zip(model.properties) {
                let schema = match spec.schema {
                    Schema::Text { .. } | Schema::IdScope => "string",
                    Schema::Integer { .. } => "long",
                    Schema::Number { .. } => "double",
                    Schema::Object(_) | Schema::Any => panic!("no property of {} is one", model.name),
                };
                assert_eq!(property["schema"], schema, "{}", spec.name);
            }
        }
    }

    #[test]
    fn every_model_keeps_the_rules_of_dtdl_version_2() {
        for Part { model, dtdl, .. } in parts() {
            let dtdl: Value = serde_json::from_str(dtdl).expect("JSON");
            assert!(model.model_id.starts_with("dtmi:") && model.model_id.len() <= 128);
            let mut seen = std::collections::HashSet::new();
            for content in dtdl["contents"].as_array().expect("contents") {
                let name = content["name"].as_str().expect("a name");
                assert!(seen.insert(name), "{name} stands twice");
                let inner = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                assert!(
                    inner && name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.ends_with('_'),
                    "{name}"
                );
                // A unit needs a semantic type beside `Telemetry`.
                assert!(content.get("unit").is_none() || content["@type"].is_array(), "{name}");
            }
        }
    }

    #[test]
    fn every_knob_turns_a_field_and_every_example_is_taken() {
        for Part { model, .. } in parts() {
            for knob in model.knobs {
                assert!(model.telemetry.iter().any(|field| field.name == knob.field), "{}", knob.field);
            }
            for spec in model.commands {
                if let Some(schema) = &spec.request {
                    let example: Value = serde_json::from_str(spec.example).expect("JSON");
                    assert_eq!(schema.check(spec.name, &example), Ok(()));
                }
            }
        }
    }
}
