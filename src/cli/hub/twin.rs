//! `envsim hub twin`: reading and changing twins.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::examples;
use super::values::{self, InputError, Target};
use super::watch::{self, WatchArgs};
use super::which::{Hub, HubError, advised, explained};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::operator::{OperatorError, TwinPatch};

/// What can be done with a twin.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum TwinVerb {
    /// Show the twin of a device or module
    #[command(after_help = examples::TWIN_SHOW)]
    Show {
        /// Which device or module.
        #[command(flatten)]
        target: Target,
    },
    /// Merge into a twin's desired properties or tags; null removes
    Update(UpdateArgs),
    /// Replace all of a twin's desired properties or tags; what is not given stays
    Replace(ReplaceArgs),
    /// Watch a twin change, until Ctrl-C
    Watch(WatchArgs),
}

/// The options of `envsim hub twin update`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = examples::TWIN_UPDATE,
    override_usage = "envsim hub twin update [OPTIONS] <DEVICE> <FILE|--desired <JSON>|--tags <JSON>>",
    group(clap::ArgGroup::new("change").args(["file", "desired", "tags"]).required(true).multiple(true)))]
pub struct UpdateArgs {
    /// Which device or module.
    #[command(flatten)]
    pub target: Target,

    /// What to merge in a file, in the form of a twin; - for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["desired", "tags"])]
    pub file: Option<PathBuf>,

    /// Desired properties to merge, a JSON object
    #[arg(long, value_name = "JSON")]
    pub desired: Option<String>,

    /// Tags to merge, a JSON object
    #[arg(long, value_name = "JSON")]
    pub tags: Option<String>,

    /// Only if this is still the twin's etag
    #[arg(long, value_name = "ETAG", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub etag: Option<String>,
}

/// The options of `envsim hub twin replace`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = examples::TWIN_REPLACE,
    override_usage = "envsim hub twin replace [OPTIONS] <DEVICE> <FILE|--desired <JSON>|--tags <JSON>>",
    group(clap::ArgGroup::new("change").args(["file", "desired", "tags"]).required(true).multiple(true)))]
pub struct ReplaceArgs {
    /// Which device or module.
    #[command(flatten)]
    pub target: Target,

    /// A twin in a file, as `twin show --format json` writes it; - for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["desired", "tags"])]
    pub file: Option<PathBuf>,

    /// All desired properties, a JSON object
    #[arg(long, value_name = "JSON")]
    pub desired: Option<String>,

    /// All tags, a JSON object
    #[arg(long, value_name = "JSON")]
    pub tags: Option<String>,

    /// Only if this is still the twin's etag
    #[arg(long, value_name = "ETAG", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub etag: Option<String>,
}

/// Carries one out.
pub async fn run(hub: &mut Hub, verb: &TwinVerb) -> anyhow::Result<Exit> {
    let twin = match verb {
        TwinVerb::Show { target } => {
            explained(hub.client.twin(&target.device, target.module.as_ref()).await)?
        }
        TwinVerb::Update(args) => {
            let (target, patch) = (&args.target, twin_patch(args).await?);
            changed(hub.client.update_twin(&target.device, target.module.as_ref(), &patch).await)?
        }
        TwinVerb::Replace(args) => replace(hub, args).await?,
        TwinVerb::Watch(args) => return watch::run(hub, args).await,
    };
    hub.say(&told(&twin, hub.format))
}

fn changed(outcome: Result<Value, OperatorError>) -> Result<Value, HubError> {
    advised(outcome, |why| match why {
        OperatorError::Changed { .. } => {
            Some("`envsim hub twin show` tells its etag; without --etag any version is changed".to_owned())
        }
        _ => None,
    })
}

/// A hub replaces both sections at once. So that one of them can stay as it is, it is read and
/// written back, on the condition that nobody was faster.
async fn replace(hub: &Hub, args: &ReplaceArgs) -> anyhow::Result<Value> {
    let (target, module) = (&args.target, args.target.module.as_ref());
    let (desired, tags) =
        sections(args.file.as_deref(), args.desired.as_deref(), args.tags.as_deref()).await?;
    let mut etag = args.etag.clone();
    let (desired, tags) = if let (Some(desired), Some(tags)) = (&desired, &tags) {
        (desired.clone(), tags.clone())
    } else {
        let mut now = explained(hub.client.twin(&target.device, module).await)?;
        etag = etag.or_else(|| now["etag"].as_str().map(str::to_owned));
        let section = |value: &mut Value| match value.take() {
            Value::Object(members) => written(members),
            _ => Map::new(),
        };
        let desired = desired.unwrap_or_else(|| section(&mut now["properties"]["desired"]));
        (desired, tags.unwrap_or_else(|| section(&mut now["tags"])))
    };
    let patch = TwinPatch { desired, tags, etag };
    Ok(changed(hub.client.replace_twin(&target.device, module, &patch).await)?)
}

type Sections = (Option<Map<String, Value>>, Option<Map<String, Value>>);

/// Desired properties and tags, as options or a file give them.
async fn sections(
    file: Option<&Path>,
    desired: Option<&str>,
    tags: Option<&str>,
) -> Result<Sections, InputError> {
    let Some(file) = file else {
        let object = |option, text: Option<&str>| text.map(|text| values::object(option, text)).transpose();
        return Ok((object("desired", desired)?, object("tags", tags)?));
    };
    let content = |why: &str| InputError::Content { path: values::name_of(file), why: why.to_owned() };
    let mut twin = values::object_of(file).await?;
    let properties = twin.remove("properties").unwrap_or_default();
    let desired = match properties.get("desired").cloned().unwrap_or_default() {
        Value::Null => None,
        Value::Object(members) => Some(written(members)),
        _ => return Err(content("has `properties.desired` that is not a JSON object")),
    };
    let tags = match twin.remove("tags").unwrap_or_default() {
        Value::Null => None,
        Value::Object(members) => Some(members),
        _ => return Err(content("has `tags` that is not a JSON object")),
    };
    if desired.is_none() && tags.is_none() {
        return Err(content(
            "has neither `properties.desired` nor `tags`: `envsim hub twin show --format json` writes such a file",
        ));
    }
    Ok((desired, tags))
}

/// What was written into a section, without the hub's own notes.
pub fn written(mut members: Map<String, Value>) -> Map<String, Value> {
    members.retain(|name, _| !name.starts_with('$'));
    members
}

/// What is merged into a twin.
async fn twin_patch(args: &UpdateArgs) -> Result<TwinPatch, InputError> {
    let (desired, tags) =
        sections(args.file.as_deref(), args.desired.as_deref(), args.tags.as_deref()).await?;
    Ok(TwinPatch {
        desired: desired.unwrap_or_default(),
        tags: tags.unwrap_or_default(),
        etag: args.etag.clone(),
    })
}

/// A twin. For people without the hub's notes on when each value was written.
fn told(twin: &Value, format: OutputFormat) -> String {
    match format {
        OutputFormat::Json => twin.to_string(),
        OutputFormat::Text => {
            serde_json::to_string_pretty(&without_metadata(twin.clone())).unwrap_or_default()
        }
    }
}

/// A twin without the hub's notes on when each value was written.
fn without_metadata(mut twin: Value) -> Value {
    strip_metadata(&mut twin);
    twin
}

fn strip_metadata(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|name, _| name != "$metadata");
        members.values_mut().for_each(strip_metadata);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn update(desired: Option<&str>, tags: Option<&str>) -> Result<(Value, Value), String> {
        let args = UpdateArgs {
            target: Target { device: "d".parse().expect("an id"), module: None },
            etag: None,
            file: None,
            desired: desired.map(str::to_owned),
            tags: tags.map(str::to_owned),
        };
        let patch = twin_patch(&args).await.map_err(|error| error.to_string())?;
        Ok((Value::Object(patch.desired), Value::Object(patch.tags)))
    }

    #[tokio::test]
    async fn a_patch_merges_desired_properties_and_tags() {
        assert_eq!(
            update(Some(r#"{"brightness": 80, "name": null}"#), Some(r#"{"floor": 2}"#)).await,
            Ok((json!({"brightness": 80, "name": null}), json!({"floor": 2})))
        );
        assert!(update(Some("80"), None).await.expect_err("an error").contains("not a JSON object"));
        assert!(update(None, Some("{\"$x\": 1}")).await.expect_err("an error").contains("`$x`"));
    }

    #[test]
    fn a_twin_for_people_has_no_metadata() {
        let document =
            json!({"deviceId": "d", "properties": {"reported": {"x": 1, "$metadata": {}, "$version": 2}}});
        assert!(!told(&document, OutputFormat::Text).contains("$metadata"));
        assert!(told(&document, OutputFormat::Text).contains("\"$version\": 2"));
        assert_eq!(told(&document, OutputFormat::Json), document.to_string());
    }

    #[tokio::test]
    async fn a_twin_in_a_file_is_replaced_without_the_hub_s_notes() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = async |text: &str| {
            let path = folder.path().join("twin.json");
            std::fs::write(&path, text).expect("written");
            sections(Some(&path), None, None).await.map_err(|error| error.to_string())
        };
        let text = r#"{"etag": "x", "tags": {"floor": 2},
            "properties": {"desired": {"a": 1, "$version": 2, "$metadata": {}}, "reported": {"b": 1}}}"#;
        let (desired, tags) = read(text).await.expect("a twin");
        assert_eq!((json!(desired), json!(tags)), (json!({"a": 1}), json!({"floor": 2})));
        assert_eq!(read(r#"{"tags": {}}"#).await.expect("a twin"), (None, Some(Map::new())));
        for (text, why) in [
            ("{}", "has neither"),
            ("[]", "is not a JSON object"),
            ("{", "is not JSON: EOF"),
            (r#"{"tags": 5}"#, "`tags` that is not"),
            (r#"{"properties": {"desired": 5}}"#, "`properties.desired` that is not"),
        ] {
            let said = read(text).await.expect_err(text);
            assert!(said.contains("twin.json") && said.contains(why), "{said}");
        }
    }
}
