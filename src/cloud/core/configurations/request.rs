//! Reading a configuration as a service writes it, and writing it down. IoT Hub REST,
//! `Configuration`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::content::{Content, EDGE_AGENT, Kind};
use super::{Configuration, METRICS, Metric};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::query::{Condition, Query, Source};
use crate::device::DeviceId;

impl Configuration {
    /// Reads a configuration that is to be called `id`, written at `now`.
    pub(super) fn read(id: &str, body: &Map<String, Value>, now: Timestamp) -> Result<Self, Fault> {
        id.parse::<DeviceId>()
            .map_err(|error| Fault::bad_request(format!("the configuration id is not one: {error}")))?;
        if id.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(Fault::bad_request(format!(
                "the configuration id `{id}` has capital letters; Azure takes small ones only"
            )));
        }
        if let Some(named) = text(body, "id")?
            && named != id
        {
            return Err(Fault::bad_request(format!("the body has `id` `{named}`, the path is about `{id}`")));
        }
        let none = Map::new();
        let content = Content::read(section(body, "content")?.unwrap_or(&none), now)?;
        let kind = content.kind()?;
        let target_text = text(body, "targetCondition")?.unwrap_or_default().to_owned();
        let target = condition(&target_text)?;
        if !target.is_empty() && (target.source == Some(Source::Modules)) != (kind == Kind::Module) {
            return Err(Fault::bad_request(
                "moduleContent goes with a `targetCondition` that begins with FROM devices.modules WHERE, other content does not",
            ));
        }
        let priority = match body.get("priority") {
            None | Some(Value::Null) => 0,
            Some(value) => value.as_u64().ok_or_else(|| {
                Fault::bad_request(format!("`priority` is {value}, it has to be a whole number from 0"))
            })?,
        };
        let labels = section(body, "labels")?.cloned().unwrap_or_default();
        if labels.values().any(|value| !value.is_string()) {
            return Err(Fault::bad_request("the values of `labels` have to be texts"));
        }
        let system_metrics = system_metrics(id, kind, &target_text, &target)?;
        Ok(Self {
            id: id.to_owned(),
            schema_version: text(body, "schemaVersion")?.unwrap_or("1.0").to_owned(),
            labels,
            content: Arc::new(content),
            kind,
            target_text,
            target,
            priority,
            created: now,
            updated: now,
            etag: String::new(),
            metrics: metrics(body)?,
            system_metrics,
        })
    }

    /// The configuration as a service reads it.
    pub fn told(&self) -> Value {
        let told = |metrics: &BTreeMap<String, Metric>| {
            let counted = metrics.iter().filter_map(|(name, m)| Some((name.clone(), json!(m.result?))));
            let results: Map<_, _> = counted.collect();
            let queries: Map<_, _> = metrics.iter().map(|(name, m)| (name.clone(), json!(m.text))).collect();
            json!({"results": results, "queries": queries})
        };
        json!({
            "id": self.id,
            "schemaVersion": self.schema_version,
            "labels": self.labels,
            "content": self.content.written,
            "targetCondition": self.target_text,
            "createdTimeUtc": self.created.to_string(),
            "lastUpdatedTimeUtc": self.updated.to_string(),
            "priority": self.priority,
            "systemMetrics": told(&self.system_metrics),
            "metrics": told(&self.metrics),
            "etag": self.etag,
        })
    }

    /// Reads back what [`Configuration::told`] has written.
    pub(super) fn restore(record: &Value) -> Result<Self, Fault> {
        let bad = |what: &str| {
            Fault::undeserializable(format!("the record of a configuration has no sound `{what}`"))
        };
        let body = record.as_object().ok_or_else(|| bad("body"))?;
        let time = |name: &str| text(body, name)?.and_then(|text| text.parse().ok()).ok_or_else(|| bad(name));
        let id = text(body, "id")?.ok_or_else(|| bad("id"))?;
        let mut configuration = Self::read(id, body, time("createdTimeUtc")?)?;
        configuration.updated = time("lastUpdatedTimeUtc")?;
        text(body, "etag")?.ok_or_else(|| bad("etag"))?.clone_into(&mut configuration.etag);
        Ok(configuration)
    }
}

/// What is wrong with a condition and with queries, in the shape of
/// `ConfigurationQueriesTestResponse`: nothing is stored.
pub fn test_queries(body: &Map<String, Value>) -> Result<Value, Fault> {
    let target = match condition(text(body, "targetCondition")?.unwrap_or_default()) {
        Ok(_) => String::new(),
        Err(fault) => fault.message,
    };
    let mut errors = Map::new();
    for (name, query) in section(body, "customMetricQueries")?.into_iter().flatten() {
        let query = query.as_str().ok_or_else(|| Fault::bad_request(format!("`{name}` is not a text")))?;
        if let Err(fault) = metric(name, query) {
            errors.insert(name.clone(), json!(fault.message));
        }
    }
    Ok(json!({"targetConditionError": target, "customMetricQueryErrors": errors}))
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Fault::bad_request(format!("`{name}` is {other}, it has to be a text"))),
    }
}

fn section<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Map<String, Value>>, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(Fault::bad_request(format!("`{name}` is not a JSON object"))),
    }
}

fn condition(text: &str) -> Result<Condition, Fault> {
    let condition =
        Condition::parse(text).map_err(|error| Fault::bad_request(format!("`targetCondition`: {error}")))?;
    if condition.source == Some(Source::DeviceJobs) {
        return Err(Fault::bad_request(
            "`targetCondition` is about devices or devices.modules, not devices.jobs",
        ));
    }
    Ok(condition)
}

fn metric(name: &str, text: &str) -> Result<Metric, Fault> {
    let query =
        Query::parse(text).map_err(|error| Fault::bad_request(format!("the metric `{name}`: {error}")))?;
    if query.source == Source::DeviceJobs || query.is_aggregated() || query.top.is_some() {
        return Err(Fault::unsupported(format!(
            "the metric `{name}`: envsim's local cloud counts the rows of plain SELECT queries on devices or \
             devices.modules, not those with aggregates, GROUP BY, TOP, or on devices.jobs"
        )));
    }
    Ok(Metric { text: text.to_owned(), query: Some(query), result: None })
}

fn metrics(body: &Map<String, Value>) -> Result<BTreeMap<String, Metric>, Fault> {
    let Some(metrics) = section(body, "metrics")? else { return Ok(BTreeMap::new()) };
    let Some(queries) = section(metrics, "queries")? else { return Ok(BTreeMap::new()) };
    if queries.len() > METRICS {
        return Err(Fault::bad_request(format!(
            "the configuration has {} metrics, the most is {METRICS}",
            queries.len()
        )));
    }
    let read = |(name, text): (&String, &Value)| {
        let text =
            text.as_str().ok_or_else(|| Fault::bad_request(format!("the metric `{name}` is not a text")))?;
        Ok((name.clone(), metric(name, text)?))
    };
    queries.iter().map(read).collect()
}

/// The metrics that every configuration has, as Azure names and defines them.
fn system_metrics(
    id: &str,
    kind: Kind,
    target_text: &str,
    target: &Condition,
) -> Result<BTreeMap<String, Metric>, Fault> {
    let status = format!("configurations.[[{id}]].status = 'Applied'");
    let selects = match (target_text.trim(), kind) {
        ("" | "*", Kind::Module) => "SELECT deviceId, moduleId FROM devices.modules".to_owned(),
        ("" | "*", _) => "SELECT deviceId FROM devices".to_owned(),
        // The condition itself begins with FROM.
        (text, _) if target.source.is_some() => format!("SELECT deviceId, moduleId {text}"),
        (text, _) => format!("SELECT deviceId FROM devices WHERE {text}"),
    };
    let mut targeted = metric("targetedCount", &selects)?;
    if target.is_empty() {
        targeted = Metric { text: String::new(), query: None, result: None };
    }
    let agent = format!("SELECT deviceId FROM devices.modules WHERE moduleId = '{EDGE_AGENT}' AND {status}");
    let applied = match kind {
        Kind::Device => format!("SELECT deviceId FROM devices WHERE {status}"),
        Kind::Module => format!("SELECT deviceId, moduleId FROM devices.modules WHERE {status}"),
        Kind::Edge => agent.clone(),
    };
    let mut metrics = BTreeMap::from([
        ("targetedCount".to_owned(), targeted),
        ("appliedCount".to_owned(), metric("appliedCount", &applied)?),
    ]);
    if kind == Kind::Edge {
        let reported =
            format!("{agent} AND properties.desired.$version = properties.reported.lastDesiredVersion");
        for (name, comparison) in [("reportedSuccessfulCount", "="), ("reportedFailedCount", "!=")] {
            let text = format!("{reported} AND properties.reported.lastDesiredStatus.code {comparison} 200");
            metrics.insert(name.to_owned(), metric(name, &text)?);
        }
    }
    Ok(metrics)
}
