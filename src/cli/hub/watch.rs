//! `envsim hub twin watch`: what changes in a twin, as it changes.
//!
//! A hub has no stream of that for whoever asks over HTTPS, so the twin is read again and again, at a
//! rate that a hub in Azure allows, and compared with what it was.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::examples::TWIN_WATCH;
use super::outage::Outage;
use super::tell::{clean, time_of_day};
use super::values::{self, Target};
use super::which::{Hub, explained};
use crate::cli::Exit;
use crate::device::time::Spoken;
use crate::operator::OperatorError;

/// The options of `envsim hub twin watch`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = TWIN_WATCH)]
pub struct WatchArgs {
    /// Which device or module.
    #[command(flatten)]
    pub target: Target,

    /// How often the twin is read, 100ms or more
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,

    /// End after N changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after this time; with --count it is a failure if not all of them have come
    #[arg(long = "for", value_name = "TIME", value_parser = values::positive)]
    pub span: Option<Duration>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let span = values::positive(text)?;
    if span < Duration::from_millis(100) { Err("give 100ms or more".to_owned()) } else { Ok(span) }
}

/// A value of a twin that is another one than before.
#[derive(Debug, Clone, PartialEq)]
struct Change {
    /// From the twin's root, with dots.
    path: String,
    /// None for what was not there.
    old: Option<Value>,
    /// None for what is not there any more.
    new: Option<Value>,
    /// The version of the section that it stands in, or of the twin.
    version: Value,
    /// When the hub says that it was written.
    written: Option<String>,
}

/// Watches, until there is enough of it or a signal comes.
pub async fn run(hub: &mut Hub, args: &WatchArgs) -> anyhow::Result<Exit> {
    let mut left = args.count.unwrap_or(u64::MAX);
    let Some(span) = args.span else { return watch(hub, args, &mut left).await };
    let Ok(ended) = tokio::time::timeout(span, watch(hub, args, &mut left)).await else {
        return match args.count {
            None => Ok(Exit::Done),
            Some(count) => anyhow::bail!("{} of {count} changes came within {}", count - left, Spoken(span)),
        };
    };
    ended
}

async fn watch(hub: &mut Hub, args: &WatchArgs, left: &mut u64) -> anyhow::Result<Exit> {
    let target = &args.target;
    let mut twin = explained(hub.client.twin(&target.device, target.module.as_ref()).await)?;
    begin(hub, target, &twin)?;
    let mut outage = Outage::none(hub.format, &hub.zone);
    loop {
        tokio::time::sleep(args.interval).await;
        let now = match hub.client.twin(&target.device, target.module.as_ref()).await {
            Ok(now) => now,
            Err(OperatorError::Unknown { .. }) => {
                deleted(hub, target)?;
                anyhow::bail!("the twin of {target} is not there any more: it was deleted");
            }
            Err(why) => {
                outage.failed(hub, why)?;
                continue;
            }
        };
        outage.over()?;
        for change in changes(&twin, &now) {
            hub.tell(&for_programs(&change), || for_people(&change, hub))?;
            *left -= 1;
            if *left == 0 {
                return Ok(Exit::Done);
            }
        }
        twin = now;
    }
}

fn begin(hub: &Hub, target: &Target, twin: &Value) -> anyhow::Result<Exit> {
    let module = target.module.as_ref().map(ToString::to_string);
    let told = json!({"event": "watching", "time": Timestamp::now().to_string(),
        "deviceId": target.device.as_str(), "moduleId": module, "version": twin["version"]});
    hub.tell(&told, || format!("watching the twin of {target}, version {}; Ctrl-C ends it", twin["version"]))
}

fn deleted(hub: &Hub, target: &Target) -> anyhow::Result<()> {
    if hub.is_for_programs() {
        let module = target.module.as_ref().map(ToString::to_string);
        let told = json!({"event": "deleted", "time": Timestamp::now().to_string(),
            "deviceId": target.device.as_str(), "moduleId": module});
        hub.say(&told.to_string())?;
    }
    Ok(())
}

fn for_programs(change: &Change) -> Value {
    json!({"event": "changed", "time": change.time().to_string(), "path": change.path,
        "old": change.old, "new": change.new, "version": change.version})
}

fn for_people(change: &Change, hub: &Hub) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    clean(&format!(
        "{}  {}: {} → {}  (version {})",
        time_of_day(change.time(), &hub.zone),
        change.path,
        value(&change.old),
        value(&change.new),
        change.version
    ))
}

impl Change {
    fn time(&self) -> Timestamp {
        self.written.as_deref().and_then(|text| text.parse().ok()).unwrap_or_else(Timestamp::now)
    }
}

/// What is another one, in the order of the sections.
fn changes(before: &Value, now: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    for name in ["status", "connectionState", "tags"] {
        let mut differ = Differ { found: &mut found, version: &now["version"], metadata: None };
        differ.compare(name, before.get(name), now.get(name));
    }
    for name in ["desired", "reported"] {
        let (before, section) = (&before["properties"][name], &now["properties"][name]);
        let mut differ =
            Differ { found: &mut found, version: &section["$version"], metadata: section.get("$metadata") };
        differ.compare(&format!("properties.{name}"), Some(before), Some(section));
    }
    found
}

struct Differ<'a> {
    found: &'a mut Vec<Change>,
    version: &'a Value,
    /// The hub's notes on the present place.
    metadata: Option<&'a Value>,
}

impl Differ<'_> {
    fn compare(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (old.filter(|value| !value.is_null()), new.filter(|value| !value.is_null()));
        if old == new {
            return;
        }
        // An object that comes or goes is told by what is in it, unless there is nothing.
        let members = |value: Option<&Value>| match value {
            None => Some(Vec::new()),
            Some(Value::Object(members)) => {
                Some(members.keys().filter(|name| !name.starts_with('$')).cloned().collect())
            }
            Some(_) => None,
        };
        if let (Some(mut names), Some(others)) = (members(new), members(old)) {
            names.extend(others.into_iter().filter(|name| new.and_then(|new| new.get(name)).is_none()));
            if !names.is_empty() {
                for name in names {
                    let get = |value: Option<&'_ Value>| value.and_then(|value| value.get(&name)).cloned();
                    let metadata = self.metadata.and_then(|metadata| metadata.get(&name));
                    let mut deeper = Differ { found: &mut *self.found, version: self.version, metadata };
                    deeper.compare(&format!("{path}.{name}"), get(old).as_ref(), get(new).as_ref());
                }
                return;
            }
            if old.is_some() == new.is_some() {
                return;
            }
        }
        let written = self.metadata.and_then(|metadata| metadata.get("$lastUpdated"));
        self.found.push(Change {
            path: path.to_owned(),
            old: old.cloned(),
            new: new.cloned(),
            version: self.version.clone(),
            written: written.and_then(Value::as_str).map(str::to_owned),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &Value, now: &Value) -> Vec<(String, Value, Value, Value)> {
        let change =
            |it: Change| (it.path, it.old.unwrap_or_default(), it.new.unwrap_or_default(), it.version);
        changes(before, now).into_iter().map(change).collect()
    }

    fn twin(tags: Value, desired: Value, reported: Value) -> Value {
        json!({"version": 7, "connectionState": "Connected", "tags": tags,
            "properties": {"desired": desired, "reported": reported}})
    }

    fn change(path: &str, old: Value, new: Value, version: u64) -> (String, Value, Value, Value) {
        (path.to_owned(), old, new, json!(version))
    }

    #[test]
    fn every_value_that_changed_is_told_by_its_path() {
        let before = twin(
            json!({}),
            json!({"a": 1, "$version": 1}),
            json!({"s": {"phase": "x", "n": 1}, "gone": true, "$version": 4}),
        );
        let now = twin(
            json!({"floor": 2}),
            json!({"a": 2, "b": {"c": [1], "d": {}}, "$version": 2}),
            json!({"s": {"phase": "y", "n": 1}, "$version": 5}),
        );
        assert_eq!(
            told(&before, &now),
            [
                change("tags.floor", Value::Null, json!(2), 7),
                change("properties.desired.a", json!(1), json!(2), 2),
                change("properties.desired.b.c", Value::Null, json!([1]), 2),
                change("properties.desired.b.d", Value::Null, json!({}), 2),
                change("properties.reported.s.phase", json!("x"), json!("y"), 5),
                change("properties.reported.gone", json!(true), Value::Null, 5),
            ]
        );
        assert_eq!(told(&now, &now), []);
    }

    #[test]
    fn an_object_in_the_place_of_a_value_is_one_change() {
        let with = |value: Value| twin(json!({}), json!({"$version": 1}), json!({"x": value, "$version": 2}));
        assert_eq!(
            told(&with(json!(1)), &with(json!({"y": 2}))),
            [change("properties.reported.x", json!(1), json!({"y": 2}), 2)]
        );
        assert_eq!(
            told(&with(json!({})), &with(json!({"y": 2}))),
            [change("properties.reported.x.y", Value::Null, json!(2), 2)]
        );
        // The object stays, and what was in it is gone.
        assert_eq!(
            told(&with(json!({"y": 2})), &with(json!({}))),
            [change("properties.reported.x.y", json!(2), Value::Null, 2)]
        );
    }

    #[test]
    fn a_change_has_the_time_at_which_the_hub_took_it() {
        let at = "2026-11-21T13:03:07.12Z";
        let section = json!({"x": {"y": 1}, "$version": 2,
            "$metadata": {"$lastUpdated": "2000-01-01T00:00:00Z", "x": {"$lastUpdated": "2001-01-01T00:00:00Z", "y": {"$lastUpdated": at}}}});
        let found = changes(&twin(json!({}), json!({}), json!({})), &twin(json!({}), json!({}), section));
        assert_eq!(found[0].time().to_string(), at);
        let mut away = twin(json!({}), json!({}), json!({}));
        away["connectionState"] = json!("Disconnected");
        let found = changes(&twin(json!({}), json!({}), json!({})), &away);
        assert_eq!((found[0].path.as_str(), found.len()), ("connectionState", 1));
    }

    #[test]
    fn the_rate_is_bounded() {
        assert!(interval("100ms").is_ok() && interval("99ms").is_err() && interval("0s").is_err());
    }
}
