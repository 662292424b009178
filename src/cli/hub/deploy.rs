//! `envsim hub deploy`: the modules and routes of an IoT Edge device.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::tell::{Table, cell};
use super::values::{self, InputError};
use super::which::{Hub, advised, explained};
use crate::cli::Exit;
use crate::device::{DeviceId, ModuleId};
use crate::operator::OperatorError;
use crate::wire::service::{EDGE_AGENT, EDGE_HUB};

/// The options of `envsim hub deploy`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = EXAMPLE)]
pub struct DeployArgs {
    /// The IoT Edge device
    pub device: DeviceId,

    /// The deployment, JSON with `modulesContent`, on its own or below `content`; - for standard input
    #[arg(value_name = "FILE", required_unless_present = "show")]
    pub file: Option<PathBuf>,

    /// Only show the modules and routes that stand
    #[arg(long, conflicts_with = "file")]
    pub show: bool,
}

const EXAMPLE: &str = r#"A deployment:
  {"modulesContent": {
    "$edgeAgent": {"properties.desired": {"schemaVersion": "1.0", "modules": {
      "tempSensor": {"type": "docker", "status": "running", "settings": {"image": "sensor:1.0"}},
      "filterModule": {"type": "docker", "status": "running", "settings": {"image": "filter:1.0"}}}}},
    "$edgeHub": {"properties.desired": {"schemaVersion": "1.0", "routes": {
      "sensorToFilter": "FROM /messages/modules/tempSensor/outputs/temperatureOutput INTO BrokeredEndpoint(\"/modules/filterModule/inputs/input1\")",
      "filterToIoTHub": "FROM /messages/modules/filterModule/outputs/output1 INTO $upstream"}}},
    "filterModule": {"properties.desired": {"TemperatureThreshold": 25}}}}"#;

/// Where routes stand, as messages name it.
const ROUTES: &str = "`modulesContent.$edgeHub.properties.desired.routes`";

/// Sets them, or only shows them.
pub async fn run(hub: &Hub, args: &DeployArgs) -> anyhow::Result<Exit> {
    if let Some(file) = &args.file {
        let content = content(values::object_of(file)?)
            .map_err(|why| InputError::Content { path: values::name_of(file), why })?;
        let applied = hub.client.apply_content(&args.device, &content).await;
        advised(applied, |why| is_no_edge_device(why).then(|| make_it_one(&args.device)))?;
    }
    show(hub, &args.device, args.file.is_some()).await
}

fn is_no_edge_device(why: &OperatorError) -> bool {
    matches!(why, OperatorError::Refused { said, .. } if said.contains("not an IoT Edge device"))
}

fn make_it_one(device: &DeviceId) -> String {
    format!("such a device is made with `envsim hub device create {device} --edge`")
}

/// The content to apply. Only what a hub's own words would not make plain is refused here.
fn content(mut file: Map<String, Value>) -> Result<Value, String> {
    const MODULES: &str = "modulesContent";
    if !file.contains_key(MODULES) {
        match file.remove("content") {
            Some(Value::Object(content)) => return self::content(content),
            Some(_) => return Err("has `content` that is not a JSON object".to_owned()),
            None => {}
        }
    }
    let Some(modules) = file.get(MODULES) else {
        let why = if file.contains_key("routes") {
            format!("holds routes only: they stand in {ROUTES}")
        } else if file.contains_key("properties.desired") {
            "holds the desired properties of one module only: they stand in `modulesContent.MODULE`"
                .to_owned()
        } else {
            "has no `modulesContent`".to_owned()
        };
        return Err(format!("{why}; `envsim hub deploy --help` shows a whole deployment"));
    };
    let Value::Object(modules) = modules else {
        return Err("has `modulesContent` that is not a JSON object".to_owned());
    };
    if let Some((name, _)) = modules.iter().find(|(_, content)| !content.is_object()) {
        return Err(format!("has `modulesContent.{name}` that is not a JSON object"));
    }
    // All of the router's properties are replaced, so without routes no message would go anywhere.
    let all_of_it = modules.get(EDGE_HUB).and_then(|router| router.get("properties.desired"));
    if all_of_it.is_some_and(|desired| !desired["routes"].is_object()) {
        return Err(format!("has no routes: they stand in {ROUTES}, {{}} for none"));
    }
    Ok(Value::Object(file))
}

/// The modules and routes that stand.
async fn show(hub: &Hub, device: &DeviceId, deployed: bool) -> anyhow::Result<Exit> {
    let modules = explained(hub.client.modules(device).await)?;
    let agent = desired(hub, device, EDGE_AGENT).await?;
    let routes = routes(&desired(hub, device, EDGE_HUB).await?);
    let modules: Vec<_> = modules.iter().map(|module| self::module(&module.told, &agent)).collect();
    let told = json!({"event": "deployment", "deviceId": device.as_str(), "deployed": deployed,
        "modules": modules, "routes": routes});
    hub.tell(&told, || for_people(device, deployed, &modules, &routes))
}

/// What is desired of one of the two modules that every IoT Edge device has.
async fn desired(hub: &Hub, device: &DeviceId, module: &str) -> anyhow::Result<Value> {
    let id: ModuleId = module.parse()?;
    let mut twin = advised(hub.client.twin(device, Some(&id)).await, |why| match why {
        OperatorError::Unknown { subject, .. } if subject.contains('/') => {
            Some(format!("{device} is not an IoT Edge device; {}", make_it_one(device)))
        }
        _ => None,
    })?;
    Ok(twin["properties"]["desired"].take())
}

/// A module as the registry has it, and as the agent is to run it. Nothing else of what the agent
/// is told: there are passwords of image registries in it.
fn module(identity: &Value, agent: &Value) -> Value {
    let name = identity["moduleId"].as_str().unwrap_or_default();
    let wanted = match name.strip_prefix('$') {
        Some(system) => &agent["systemModules"][system],
        None => &agent["modules"][name],
    };
    json!({"moduleId": name, "connectionState": identity["connectionState"],
        "image": wanted["settings"]["image"], "status": wanted["status"]})
}

/// A route is its text, or an object with it. "Deploy modules and establish routes in IoT Edge".
fn routes(router: &Value) -> Vec<Value> {
    let named = router["routes"].as_object().into_iter().flatten();
    let route = |(name, route): (&String, &Value)| {
        let text = if route.is_string() { route } else { &route["route"] };
        json!({"name": name, "route": text, "priority": route["priority"],
            "timeToLiveSecs": route["timeToLiveSecs"]})
    };
    named.map(route).collect()
}

fn for_people(device: &DeviceId, deployed: bool, modules: &[Value], routes: &[Value]) -> String {
    let rows = |items: &[Value], names: &[&str]| -> Vec<Vec<String>> {
        items.iter().map(|item| names.iter().map(|name| cell(&item[*name])).collect()).collect()
    };
    let mut parts = Vec::new();
    if deployed {
        parts.push(format!("deployed to {device}; what stands now:"));
    }
    let mut modules = rows(modules, &["moduleId", "status", "image", "connectionState"]);
    modules.iter_mut().filter_map(|row| row.last_mut()).for_each(|state| *state = state.to_lowercase());
    parts.push(Table::new(["module", "status", "image", "connection"]).part(&modules));
    if routes.is_empty() {
        parts.push("no routes: no message of a module goes anywhere".to_owned());
    } else {
        // A route is told whole, however long it is.
        let whole = |route: &Value| {
            let text = |name: &str| route[name].as_str().unwrap_or_default().to_owned();
            vec![text("name"), cell(&route["priority"]), text("route")]
        };
        let rows: Vec<_> = routes.iter().map(whole).collect();
        parts.push(Table::new(["route", "priority", "from and to"]).part(&rows));
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        content(serde_json::from_str(text).expect("an object"))
    }

    #[test]
    fn content_is_taken_bare_and_as_the_tutorial_s_file_has_it() {
        let bare = r#"{"modulesContent": {"$edgeHub": {"properties.desired": {"routes": {"r": "FROM /* INTO $upstream"}}}}}"#;
        let wanted: Value = serde_json::from_str(bare).expect("JSON");
        assert_eq!(read(bare), Ok(wanted.clone()));
        assert_eq!(read(&format!(r#"{{"id": "x", "content": {bare}}}"#)), Ok(wanted));
        // A part of the router's properties, and no router at all.
        for part in [
            r#"{"modulesContent": {"$edgeHub": {"properties.desired.routes.r": "FROM /* INTO $upstream"}}}"#,
            r#"{"modulesContent": {"filterModule": {"properties.desired": {"TemperatureThreshold": 25}}}}"#,
        ] {
            assert!(read(part).is_ok(), "{part}");
        }
    }

    #[test]
    fn what_is_no_deployment_is_told_from_what_is_part_of_one() {
        for (text, why) in [
            ("{}", "has no `modulesContent`"),
            (r#"{"routes": {}}"#, "holds routes only"),
            (
                r#"{"properties.desired": {"TemperatureThreshold": 25}}"#,
                "desired properties of one module only",
            ),
            (r#"{"content": 5}"#, "`content` that is not"),
            (r#"{"content": {}}"#, "has no `modulesContent`"),
            (r#"{"modulesContent": []}"#, "`modulesContent` that is not"),
            (r#"{"modulesContent": {"m": 5}}"#, "`modulesContent.m` that is not"),
            (r#"{"modulesContent": {"$edgeHub": {"properties.desired": {}}}}"#, "has no routes"),
        ] {
            assert!(read(text).is_err_and(|said| said.contains(why)), "{text}");
        }
    }

    #[test]
    fn modules_and_routes_are_told_without_anybody_s_password() {
        let agent = json!({"runtime": {"settings": {"registryCredentials": {"r": {"password": "secret"}}}},
            "systemModules": {"edgeHub": {"status": "running", "settings": {"image": "hub:1"}}},
            "modules": {"m": {"status": "running", "settings": {"image": "m:1"}}}});
        assert_eq!(
            module(&json!({"moduleId": "m", "connectionState": "Connected"}), &agent),
            json!({"moduleId": "m", "connectionState": "Connected", "image": "m:1", "status": "running"})
        );
        assert_eq!(module(&json!({"moduleId": "$edgeHub"}), &agent)["image"], "hub:1");
        let routes = routes(&json!({"routes": {"a": "FROM /* INTO $upstream",
            "b": {"route": "FROM /x INTO $upstream", "priority": 1, "timeToLiveSecs": 60}}}));
        let device = "d".parse().expect("an id");
        let text = for_people(&device, true, &[], &routes);
        assert!(text.contains("a                FROM /* INTO $upstream"), "{text}");
        assert!(text.contains("b      1         FROM /x INTO $upstream"), "{text}");
    }
}
