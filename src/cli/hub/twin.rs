//! `envsim hub twin`: reading and changing twins.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::values::{self, InputError};
use super::which::{Hub, explained};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::device::DeviceId;
use crate::operator::TwinPatch;

/// What can be done with a twin.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum TwinVerb {
    /// Show a device's twin
    Show {
        /// The device
        device: DeviceId,
    },
    /// Merge into a twin's desired properties or tags; null removes
    Update(TwinUpdateArgs),
}

/// The options of `envsim hub twin update`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct TwinUpdateArgs {
    /// The device
    pub device: DeviceId,

    /// Desired properties to merge, a JSON object
    #[arg(long, value_name = "JSON", required_unless_present = "tags")]
    pub desired: Option<String>,

    /// Tags to merge, a JSON object
    #[arg(long, value_name = "JSON")]
    pub tags: Option<String>,
}

/// Carries one out.
pub async fn run(hub: &Hub, verb: &TwinVerb) -> anyhow::Result<Exit> {
    let twin = match verb {
        TwinVerb::Show { device } => hub.client.twin(device, None).await,
        TwinVerb::Update(args) => hub.client.update_twin(&args.device, None, &twin_patch(args)?).await,
    };
    hub.say(&told(&explained(twin)?, hub.format))
}

/// What is merged into a twin.
fn twin_patch(args: &TwinUpdateArgs) -> Result<TwinPatch, InputError> {
    let object =
        |option, text: &Option<String>| text.as_deref().map(|text| values::object(option, text)).transpose();
    Ok(TwinPatch {
        desired: object("desired", &args.desired)?.unwrap_or_default(),
        tags: object("tags", &args.tags)?.unwrap_or_default(),
        etag: None,
    })
}

/// A twin. For people without the hub's notes on when each value was written.
fn told(twin: &Value, format: OutputFormat) -> String {
    match format {
        OutputFormat::Json => twin.to_string(),
        OutputFormat::Text => {
            let mut twin = twin.clone();
            strip_metadata(&mut twin);
            serde_json::to_string_pretty(&twin).unwrap_or_default()
        }
    }
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

    fn update(desired: Option<&str>, tags: Option<&str>) -> Result<(Value, Value), String> {
        let args = TwinUpdateArgs {
            device: "d".parse().expect("an id"),
            desired: desired.map(str::to_owned),
            tags: tags.map(str::to_owned),
        };
        let patch = twin_patch(&args).map_err(|error| error.to_string())?;
        Ok((Value::Object(patch.desired), Value::Object(patch.tags)))
    }

    #[test]
    fn a_patch_merges_desired_properties_and_tags() {
        assert_eq!(
            update(Some(r#"{"brightness": 80, "name": null}"#), Some(r#"{"floor": 2}"#)),
            Ok((json!({"brightness": 80, "name": null}), json!({"floor": 2})))
        );
        assert!(update(Some("80"), None).expect_err("an error").contains("not a JSON object"));
        assert!(update(None, Some("{\"$x\": 1}")).expect_err("an error").contains("`$x`"));
    }

    #[test]
    fn a_twin_for_people_has_no_metadata() {
        let document =
            json!({"deviceId": "d", "properties": {"reported": {"x": 1, "$metadata": {}, "$version": 2}}});
        assert!(!told(&document, OutputFormat::Text).contains("$metadata"));
        assert!(told(&document, OutputFormat::Text).contains("\"$version\": 2"));
        assert_eq!(told(&document, OutputFormat::Json), document.to_string());
    }
}
