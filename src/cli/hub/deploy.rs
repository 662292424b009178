//! `envsim hub deploy`: the modules and routes of an IoT Edge device.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::examples::DEPLOY;
use super::tell::{Table, cell, clean};
use super::values::{self, InputError};
use super::which::{Hub, advised, even_unread, explained};
use crate::cli::Exit;
use crate::device::{DeviceId, ModuleId};
use crate::operator::OperatorError;
use crate::wire::local::{EdgeRoute, EdgeStatus};
use crate::wire::service::{EDGE_AGENT, EDGE_HUB};

/// The options of `envsim hub deploy`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = DEPLOY)]
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

/// Where routes stand, as messages name it.
const ROUTES: &str = "`modulesContent.$edgeHub.properties.desired.routes`";

/// Sets them, or only shows them.
pub async fn run(hub: &Hub, args: &DeployArgs) -> anyhow::Result<Exit> {
    if let Some(file) = &args.file {
        let content = content(values::object_of(file).await?)
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
    let agent = twin(hub, device, EDGE_AGENT).await?["desired"].take();
    let router = twin(hub, device, EDGE_HUB).await?;
    let status = explained(hub.client.edge_status(device).await)?;
    let modules: Vec<_> = modules.iter().map(|module| self::module(&module.told, &agent)).collect();
    let taken = Taken::read(&router);
    let mut told = json!({"event": "deployment", "deviceId": device.as_str(), "deployed": deployed,
        "modules": modules, "routes": routes(&router["desired"], status.as_ref()),
        "unrouted": status.as_ref().map(|status| status.unrouted),
        "taken": taken == Taken::Yes, "refused": null});
    if let Taken::Refused(why) = &taken {
        told["refused"] = json!(why);
        told["inForce"] = json!(status.as_ref().map(in_force));
    }
    even_unread(hub.tell(&told, || for_people(device, deployed, &told, &taken)))?;
    match taken {
        Taken::Refused(why) if deployed => {
            anyhow::bail!(
                "the Edge hub of {device} refused the deployment, and goes on as before: {}",
                clean(&why)
            )
        }
        _ => Ok(Exit::Done),
    }
}

/// What an Edge hub says of the properties desired of it. "Properties of the IoT Edge agent and IoT
/// Edge hub module twins", reported properties.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Taken {
    Yes,
    /// There is nothing to take.
    Nothing,
    /// The device has not been there since.
    NotYet,
    Refused(String),
}

impl Taken {
    fn read(router: &Value) -> Self {
        let (desired, reported) = (&router["desired"], &router["reported"]);
        let status = &reported["lastDesiredStatus"];
        if desired.get("routes").is_none() {
            Self::Nothing
        } else if reported["lastDesiredVersion"] != desired["$version"] {
            Self::NotYet
        } else if status["code"] == 200 {
            Self::Yes
        } else {
            Self::Refused(status["description"].as_str().unwrap_or("it does not say why").to_owned())
        }
    }
}

/// The properties of one of the two modules that every IoT Edge device has.
async fn twin(hub: &Hub, device: &DeviceId, module: &str) -> anyhow::Result<Value> {
    let id: ModuleId = module.parse()?;
    let mut twin = advised(hub.client.twin(device, Some(&id)).await, |why| match why {
        OperatorError::Unknown { subject, .. } if subject.contains('/') => {
            Some(format!("{device} is not an IoT Edge device; {}", make_it_one(device)))
        }
        _ => None,
    })?;
    Ok(twin["properties"].take())
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

/// A route is its text, or an object with it; and what became of its messages, where that is known:
/// a route of the same name with another text is another one, which may be in force still.
/// "Deploy modules and establish routes in IoT Edge".
fn routes(desired: &Value, status: Option<&EdgeStatus>) -> Vec<Value> {
    let named = desired["routes"].as_object().into_iter().flatten();
    let route = |(name, route): (&String, &Value)| {
        let text = if route.is_string() { route } else { &route["route"] };
        let told = json!({"name": name, "route": text, "priority": route["priority"],
            "timeToLiveSecs": route["timeToLiveSecs"]});
        let is_it = |it: &&EdgeRoute| it.name == *name && text == it.route.as_str();
        match status.and_then(|status| status.routes.iter().find(is_it)) {
            Some(counts) => counted(told, counts),
            None => told,
        }
    };
    named.map(route).collect()
}

/// The routes that messages go by, whatever has been asked since.
fn in_force(status: &EdgeStatus) -> Vec<Value> {
    let route = |it: &EdgeRoute| {
        let told = json!({"name": it.name, "route": it.route, "priority": it.priority,
            "timeToLiveSecs": it.time_to_live_secs});
        counted(told, it)
    };
    status.routes.iter().map(route).collect()
}

fn counted(mut told: Value, counts: &EdgeRoute) -> Value {
    told["passed"] = json!(counts.passed);
    told["queued"] = json!(counts.queued);
    told["lost"] = json!(counts.expired + counts.dropped);
    told
}

fn for_people(device: &DeviceId, deployed: bool, told: &Value, taken: &Taken) -> String {
    let items = |name: &str| told[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut parts = Vec::new();
    match taken {
        Taken::Refused(_) => parts.push(format!("asked of {device}, and not in force:")),
        _ if deployed => parts.push(format!("deployed to {device}; what stands now:")),
        _ => {}
    }
    let module = |item: &Value| {
        let state = cell(&item["connectionState"]).to_lowercase();
        vec![cell(&item["moduleId"]), cell(&item["status"]), cell(&item["image"]), state]
    };
    let modules: Vec<_> = items("modules").iter().map(module).collect();
    parts.push(Table::new(["module", "status", "image", "connection"]).part(&modules));
    parts.push(route_table(items("routes")));
    if told["inForce"].is_array() {
        parts.push("in force, as before:".to_owned());
        parts.push(route_table(items("inForce")));
    }
    match told["unrouted"].as_u64() {
        None | Some(0) => {}
        Some(1) => parts.push("1 message was taken by no route, and is lost".to_owned()),
        Some(many) => parts.push(format!("{many} messages were taken by no route, and are lost")),
    }
    match taken {
        Taken::Yes | Taken::Nothing => {}
        Taken::NotYet => parts.push(format!(
            "{device} has not taken this deployment yet; `envsim hub deploy {device} --show` tells when it has"
        )),
        // Who deployed it is told so as an error.
        Taken::Refused(_) if deployed => {}
        Taken::Refused(why) => parts.push(format!("{device} has refused this deployment: {}", clean(why))),
    }
    parts.join("\n\n")
}

fn route_table(routes: &[Value]) -> String {
    if routes.is_empty() {
        return "no routes".to_owned();
    }
    let columns: &[&str] = if routes.iter().any(|route| route.get("passed").is_some()) {
        &["name", "priority", "passed", "queued", "lost"]
    } else {
        &["name", "priority"]
    };
    // A route is told whole, however long it is.
    let row = |route: &Value| {
        let whole = clean(route["route"].as_str().unwrap_or_default());
        columns.iter().map(|name| cell(&route[*name])).chain([whole]).collect()
    };
    let rows: Vec<Vec<String>> = routes.iter().map(row).collect();
    let heads = std::iter::once("route").chain(columns[1..].iter().copied()).chain(["from and to"]);
    Table::new(heads).part(&rows)
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
        let desired = json!({"routes": {"a": "FROM /* INTO $upstream",
            "b": {"route": "FROM /x INTO $upstream", "priority": 1, "timeToLiveSecs": 60}}});
        let device = "d".parse().expect("an id");
        let text = |status: Option<&EdgeStatus>| {
            let told = json!({"modules": [], "routes": routes(&desired, status)});
            for_people(&device, true, &told, &Taken::NotYet)
        };
        let bare = text(None);
        assert!(bare.contains("a                FROM /* INTO $upstream"), "{bare}");
        assert!(bare.contains("b      1         FROM /x INTO $upstream"), "{bare}");
        assert!(bare.ends_with("`envsim hub deploy d --show` tells when it has"), "{bare}");
        let counts = EdgeRoute {
            name: "b".to_owned(),
            route: "FROM /x INTO $upstream".to_owned(),
            passed: 7,
            queued: 2,
            expired: 1,
            dropped: 1,
            ..EdgeRoute::default()
        };
        let counted = text(Some(&EdgeStatus { routes: vec![counts], ..EdgeStatus::default() }));
        assert!(
            counted.contains("b      1         7       2       2     FROM /x INTO $upstream"),
            "{counted}"
        );
    }

    #[test]
    fn a_refused_route_has_no_counts_and_those_in_force_are_told_with_theirs() {
        let before = EdgeRoute {
            name: "a".to_owned(),
            route: "FROM /messages/* INTO $upstream".to_owned(),
            passed: 7,
            ..EdgeRoute::default()
        };
        let status = EdgeStatus { routes: vec![before], unrouted: 54, ..EdgeStatus::default() };
        let desired = json!({"routes": {"a": "FROM /messages/* INTO $nowhere"}});
        let asked = routes(&desired, Some(&status));
        assert!(asked[0].get("passed").is_none(), "{asked:?}");
        let told = json!({"modules": [], "routes": asked, "inForce": in_force(&status), "unrouted": status.unrouted});
        let device = "d".parse().expect("an id");
        let text = for_people(&device, false, &told, &Taken::Refused("why".to_owned()));
        let (asked, rest) = text.split_once("in force, as before:").expect("both");
        assert!(asked.contains("a                FROM /messages/* INTO $nowhere"), "{text}");
        assert!(
            rest.contains("a                7       0       0     FROM /messages/* INTO $upstream"),
            "{text}"
        );
        assert!(rest.contains("54 messages were taken by no route, and are lost"), "{text}");
    }

    #[test]
    fn what_the_edge_hub_made_of_it_is_read_from_its_twin() {
        let taken = |last: u64, code: u64| {
            Taken::read(&json!({"desired": {"routes": {}, "$version": 3}, "reported":
                {"lastDesiredVersion": last, "lastDesiredStatus": {"code": code, "description": "why"}}}))
        };
        assert_eq!(taken(3, 200), Taken::Yes);
        assert_eq!(taken(2, 200), Taken::NotYet);
        assert_eq!(taken(3, 400), Taken::Refused("why".to_owned()));
        assert_eq!(
            Taken::read(&json!({"desired": {"routes": {}, "$version": 1}, "reported": {}})),
            Taken::NotYet
        );
        assert_eq!(Taken::read(&json!({"desired": {"$version": 1}, "reported": {}})), Taken::Nothing);
    }
}
