//! `envsim hub faults` and `drop`: trouble on request, which only the local cloud makes.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::examples;
use super::tell::{clean, note};
use super::values::InputError;
use super::which::{Hub, explained};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::device::DeviceId;
use crate::operator::OperatorError;
use crate::operator::faults::words;

/// What can be done with what goes wrong.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum FaultsVerb {
    /// Show what goes wrong
    #[command(after_help = examples::FAULTS_SHOW)]
    Show,
    /// Replace what goes wrong
    #[command(after_help = examples::FAULTS_SET)]
    Set {
        /// A JSON object; what it does not name goes right
        faults: String,
    },
    /// End all of it
    #[command(after_help = examples::FAULTS_CLEAR)]
    Clear,
}

/// The options of `envsim hub drop`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = examples::DROP)]
pub struct DropArgs {
    /// The device; all of them if not given
    pub device: Option<DeviceId>,
}

/// Shows or changes what goes wrong.
pub async fn run(hub: &Hub, verb: &FaultsVerb) -> anyhow::Result<Exit> {
    let faults = match verb {
        FaultsVerb::Show => hub.client.faults().await,
        FaultsVerb::Set { faults } => {
            let faults = read(faults)?;
            let set = hub.client.set_faults(&faults).await;
            if set.is_ok() {
                doubt(hub, &faults).await;
            }
            set
        }
        FaultsVerb::Clear => hub.client.clear_faults().await,
    };
    hub.say(&told(&explained(faults)?, hub.format))
}

/// Says which devices, that something is to go wrong with, the hub does not know. It is no mistake for
/// certain: a device may come by way of the provisioning service later.
async fn doubt(hub: &Hub, faults: &Value) {
    for (fault, device) in devices(faults) {
        let known = match device.parse::<DeviceId>() {
            Ok(id) => hub.client.twin(&id, None).await,
            Err(_) => {
                Err(OperatorError::Unknown { host: hub.client.host().to_owned(), subject: device.clone() })
            }
        };
        if matches!(known, Err(OperatorError::Unknown { .. })) {
            note(&format!(
                "`{fault}` is set, but the hub {} has no device `{device}`; check the device id, case matters, \
                 unless it is provisioned later",
                hub.client.host()
            ));
        }
    }
}

/// Which fault names which device.
fn devices(faults: &Value) -> Vec<(String, String)> {
    let members = faults.as_object().into_iter().flatten();
    let named =
        members.filter_map(|(fault, value)| Some((fault.clone(), value["device"].as_str()?.to_owned())));
    named.collect()
}

/// Drops connections.
pub async fn drop_connections(hub: &Hub, args: &DropArgs) -> anyhow::Result<Exit> {
    let count = explained(hub.client.drop_connections(args.device.as_ref()).await)?;
    hub.say(&dropped(count, hub.format))
}

/// What shall go wrong. What it means is the cloud's to judge.
fn read(text: &str) -> Result<Value, InputError> {
    serde_json::from_str::<Map<String, Value>>(text)
        .map(Value::Object)
        .map_err(|error| InputError::Faults { why: error.to_string() })
}

/// What goes wrong on request.
fn told(faults: &Value, format: OutputFormat) -> String {
    match format {
        OutputFormat::Json => faults.to_string(),
        OutputFormat::Text => clean(&words(faults)),
    }
}

/// How many connections were dropped.
fn dropped(count: u64, format: OutputFormat) -> String {
    match format {
        OutputFormat::Json => json!({"event": "dropped", "connections": count}).to_string(),
        OutputFormat::Text if count == 1 => "dropped 1 connection".to_owned(),
        OutputFormat::Text => format!("dropped {count} connections"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devices_that_faults_name_are_found() {
        let faults =
            json!({"latency": 5, "refuse": {"device": "d"}, "elsewhere": {"hub": "h", "device": "e"}});
        let of = |fault: &str, device: &str| (fault.to_owned(), device.to_owned());
        let mut found = devices(&faults);
        found.sort();
        assert_eq!(found, [of("elsewhere", "e"), of("refuse", "d")]);
    }

    #[test]
    fn faults_are_an_object() {
        assert_eq!(read(r#"{"latency": 5}"#), Ok(json!({"latency": 5})));
        for bad in ["", "5", "latency", "[]"] {
            let error = read(bad).expect_err(bad).to_string();
            assert!(error.starts_with("the faults are not a JSON object"), "{error}");
        }
    }
}
