//! What the desired properties of `$edgeHub` say: its routes, and how long messages wait.
//!
//! "Properties of the IoT Edge agent and IoT Edge hub module twins", desired properties;
//! schema 1.0 has routes as texts, 1.1 and later also as objects. As in Edge hub, all of it holds or
//! nothing does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Route;
pub use crate::wire::service::EDGE_HUB;

/// The priority of routes that have none of their own, behind 0 to 9. Edge hub has a number of its
/// own for it, which it takes in deployments too.
pub const LOWEST: u8 = 10;
const LOWEST_IN_EDGE_HUB: u64 = 2_000_000_000;
/// How long a message waits when nothing else is said. Edge hub, `StoreAndForwardConfiguration`.
const TIME_TO_LIVE: Duration = Duration::from_secs(7200);
/// As good as for ever, and far from the end of any clock.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A route with its name's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// As the deployment has it.
    pub text: String,
    /// What it says.
    pub route: Route,
    /// 0 goes first, [`LOWEST`] last.
    pub priority: u8,
    /// How long a message waits for its sink.
    pub time_to_live: Duration,
}

/// The routes of an IoT Edge device by their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployment {
    /// By name.
    pub routes: BTreeMap<Arc<str>, Arc<Declared>>,
}

impl Deployment {
    /// Reads desired properties; `None` when nothing has been deployed. Fails with the reason in
    /// words.
    pub fn read(desired: &Map<String, Value>) -> Result<Option<Self>, String> {
        if !desired.contains_key("routes") && !desired.contains_key("schemaVersion") {
            return Ok(None);
        }
        let takes_objects = schema(desired.get("schemaVersion"))?;
        let time_to_live = waiting(desired.get("storeAndForwardConfiguration"))?;
        let mut routes = BTreeMap::new();
        let written = match desired.get("routes") {
            None => &Map::new(),
            Some(Value::Object(written)) => written,
            Some(_) => return Err("`routes` is not a JSON object".to_owned()),
        };
        for (name, value) in written {
            let declared = declared(value, takes_objects, time_to_live);
            let declared = declared.map_err(|why| format!("route `{name}`: {why}"))?;
            if let Some(declared) = declared {
                routes.insert(name.as_str().into(), Arc::new(declared));
            }
        }
        Ok(Some(Self { routes }))
    }
}

/// Whether the schema has routes as objects. Edge hub insists on a version; tutorials and hand-made
/// deployments leave it out, and then the newest is meant.
fn schema(version: Option<&Value>) -> Result<bool, String> {
    let Some(version) = version else { return Ok(true) };
    let text = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
    let mut numbers = text.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(1)), Some(Ok(minor @ 0..=3))) => Ok(minor > 0),
        _ => Err(format!("`schemaVersion` is `{text}`, it has to be 1.0, 1.1, 1.2 or 1.3")),
    }
}

fn waiting(settings: Option<&Value>) -> Result<Duration, String> {
    let Some(settings) = settings else { return Ok(TIME_TO_LIVE) };
    let settings = settings.as_object().ok_or("`storeAndForwardConfiguration` is not a JSON object")?;
    let Some(seconds) = settings.get("timeToLiveSecs") else { return Ok(TIME_TO_LIVE) };
    match seconds.as_i64() {
        // Nothing would ever arrive.
        Some(0) => {
            Err("`storeAndForwardConfiguration.timeToLiveSecs` is 0, it has to be at least 1; leave it out \
                        for two hours"
                .to_owned())
        }
        // Edge hub, `StoreAndForwardConfiguration`: below zero is for ever.
        Some(seconds) => {
            Ok(u64::try_from(seconds).map_or(FOR_EVER, |seconds| Duration::from_secs(seconds).min(FOR_EVER)))
        }
        None => Err(format!(
            "`storeAndForwardConfiguration.timeToLiveSecs` is {seconds}, it has to be a whole number"
        )),
    }
}

/// A route as text, or as an object. Schema 1.0 passes over empty texts: so routes were taken out.
fn declared(value: &Value, takes_objects: bool, waiting: Duration) -> Result<Option<Declared>, String> {
    let members = match value {
        Value::String(text) if text.trim().is_empty() && !takes_objects => return Ok(None),
        Value::String(text) => return plain(text, waiting).map(Some),
        Value::Object(_) if !takes_objects => {
            return Err("schema 1.0 has routes as texts only: set `schemaVersion` to 1.1".to_owned());
        }
        Value::Object(members) => members,
        _ => return Err("it is neither a text nor an object with `route`".to_owned()),
    };
    let text = members.get("route").and_then(Value::as_str).ok_or("`route` is not a text")?;
    let mut declared = plain(text, waiting)?;
    if let Some(priority) = members.get("priority") {
        declared.priority = match priority.as_u64() {
            Some(LOWEST_IN_EDGE_HUB) => LOWEST,
            Some(number @ 0..=9) => u8::try_from(number).unwrap_or(LOWEST),
            _ => return Err(format!("`priority` is {priority}, it has to be a whole number from 0 to 9")),
        };
    }
    if let Some(seconds) = members.get("timeToLiveSecs") {
        let number = seconds.as_u64().filter(|seconds| u32::try_from(*seconds).is_ok());
        let number = number.ok_or_else(|| {
            format!("`timeToLiveSecs` is {seconds}, it has to be a whole number from 0 to {}", u32::MAX)
        })?;
        // Edge hub, `RouteSpec`: 0 is the same as not said.
        if number > 0 {
            declared.time_to_live = Duration::from_secs(number).min(FOR_EVER);
        }
    }
    Ok(Some(declared))
}

fn plain(text: &str, time_to_live: Duration) -> Result<Declared, String> {
    let route = text.parse().map_err(|error: super::RouteError| error.to_string())?;
    Ok(Declared { text: text.to_owned(), route, priority: LOWEST, time_to_live })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const UP: &str = "FROM /messages/* INTO $upstream";

    fn read(desired: &Value) -> Result<Option<Deployment>, String> {
        Deployment::read(desired.as_object().expect("an object"))
    }

    #[test]
    fn routes_are_texts_or_objects_with_priority_and_time_to_live() {
        let desired = json!({
            "schemaVersion": "1.1",
            "routes": {
                "plain": UP,
                "own": {"route": UP, "priority": 0, "timeToLiveSecs": 60},
                "half": {"route": UP, "timeToLiveSecs": 0},
                "lowest": {"route": UP, "priority": 2_000_000_000_u64},
            },
            "storeAndForwardConfiguration": {"timeToLiveSecs": 10},
        });
        let deployment = read(&desired).expect("readable").expect("deployed");
        let seen: Vec<_> = deployment
            .routes
            .iter()
            .map(|(name, it)| (name.as_ref(), it.priority, it.time_to_live.as_secs()))
            .collect();
        assert_eq!(seen, [("half", 10, 10), ("lowest", 10, 10), ("own", 0, 60), ("plain", 10, 10)]);
    }

    #[test]
    fn what_is_not_said_is_as_edge_hub_has_it() {
        assert_eq!(read(&json!({})), Ok(None));
        assert_eq!(read(&json!({"other": 1})), Ok(None));
        assert_eq!(read(&json!({"schemaVersion": "1.0"})), Ok(Some(Deployment::default())));
        let waits = |more: Value| {
            let mut desired = json!({"routes": {"up": UP}});
            desired["storeAndForwardConfiguration"] = more;
            let deployment = read(&desired).expect("readable").expect("deployed");
            deployment.routes["up"].time_to_live
        };
        assert_eq!(waits(json!({})), TIME_TO_LIVE);
        assert_eq!(waits(json!({"timeToLiveSecs": -1})), FOR_EVER);
        assert_eq!(waits(json!({"timeToLiveSecs": i64::MAX})), FOR_EVER);
        // A portal of the first version emptied routes to take them out.
        let deployment = read(&json!({"schemaVersion": "1.0", "routes": {"up": " "}})).expect("readable");
        assert_eq!(deployment, Some(Deployment::default()));
    }

    #[test]
    fn what_cannot_be_taken_is_named_with_its_reason() {
        for (desired, words) in [
            (json!({"routes": []}), "`routes` is not a JSON object"),
            (json!({"schemaVersion": "2.0", "routes": {}}), "`schemaVersion` is `2.0`"),
            (json!({"schemaVersion": 1, "routes": {}}), "`schemaVersion` is `1`"),
            (
                json!({"routes": {"a": "FROM /* TO $upstream"}}),
                "route `a`: cannot read the route at column 9",
            ),
            (json!({"routes": {"a": ""}}), "route `a`: cannot read the route at column 1"),
            (json!({"routes": {"a": 5}}), "route `a`: it is neither"),
            (json!({"routes": {"a": {"priority": 1}}}), "`route` is not a text"),
            (json!({"schemaVersion": "1.0", "routes": {"a": {"route": UP}}}), "set `schemaVersion` to 1.1"),
            (json!({"routes": {"a": {"route": UP, "priority": 10}}}), "`priority` is 10"),
            (json!({"routes": {"a": {"route": UP, "priority": -1}}}), "`priority` is -1"),
            (json!({"routes": {"a": {"route": UP, "timeToLiveSecs": -1}}}), "`timeToLiveSecs` is -1"),
            (
                json!({"routes": {}, "storeAndForwardConfiguration": "abc"}),
                "`storeAndForwardConfiguration` is not a JSON object",
            ),
            (
                json!({"routes": {}, "storeAndForwardConfiguration": {"timeToLiveSecs": 0}}),
                "`storeAndForwardConfiguration.timeToLiveSecs` is 0, it has to be at least 1",
            ),
            (
                json!({"routes": {}, "storeAndForwardConfiguration": {"timeToLiveSecs": "x"}}),
                "timeToLiveSecs` is \"x\"",
            ),
        ] {
            let why = read(&desired).expect_err(&desired.to_string());
            assert!(why.contains(words), "{desired}: {why}");
        }
    }
}
