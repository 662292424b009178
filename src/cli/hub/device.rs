//! `envsim hub device`: the devices of the registry.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::examples;
use super::identity::{self, ProofArgs, SaveArgs};
use super::query::Pages;
use super::tell::{Table, cell, moment};
use super::values::Target;
use super::which::Hub;
use crate::cli::Exit;
use crate::device::DeviceId;
use crate::operator::NewIdentity;

/// What can be done with devices.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum DeviceVerb {
    /// Make a device
    #[command(after_help = examples::DEVICE_CREATE)]
    Create(CreateArgs),
    /// Show a device; keys as fingerprints
    #[command(after_help = examples::DEVICE_SHOW)]
    Show {
        /// The device
        device: DeviceId,
        /// Where its connection string goes.
        #[command(flatten)]
        save: SaveArgs,
    },
    /// List all devices; in Azure a new one may be missing for some seconds
    #[command(after_help = examples::DEVICE_LIST)]
    List {
        /// At most N of them
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        top: Option<u64>,
    },
    /// Delete a device, its modules and their twins
    #[command(after_help = examples::DEVICE_DELETE)]
    Delete {
        /// The device
        device: DeviceId,
        /// Only if this is still its etag
        #[arg(long, value_name = "ETAG", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        etag: Option<String>,
    },
}

/// The options of `envsim hub device create`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct CreateArgs {
    /// The device
    pub device: DeviceId,

    /// An IoT Edge device, which has modules and routes between them
    #[arg(long)]
    pub edge: bool,

    /// May not connect until it is enabled
    #[arg(long)]
    pub disabled: bool,

    /// Show the device if it is there already, and succeed
    #[arg(long)]
    pub or_show: bool,

    #[command(flatten)]
    proof: ProofArgs,

    /// Where its connection string goes.
    #[command(flatten)]
    save: SaveArgs,
}

/// Carries one out.
pub async fn run(hub: &Hub, verb: &DeviceVerb) -> anyhow::Result<Exit> {
    let target = |device: &DeviceId| Target { device: device.clone(), module: None };
    match verb {
        DeviceVerb::Create(args) => {
            let new = NewIdentity { proof: args.proof.read()?, edge: args.edge, disabled: args.disabled };
            identity::create(hub, &target(&args.device), &new, args.or_show, &args.save).await
        }
        DeviceVerb::Show { device, save } => identity::show(hub, &target(device), save).await,
        DeviceVerb::List { top } => list(hub, *top).await,
        DeviceVerb::Delete { device, etag } => identity::delete(hub, &target(device), etag.as_deref()).await,
    }
}

/// What is told of each, for programs.
const MEMBERS: [&str; 8] = [
    "deviceId",
    "status",
    "statusReason",
    "connectionState",
    "lastActivityTime",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "capabilities",
];

/// The registry's own list ends at 1,000 and has keys in it; queries have pages, and no keys.
async fn list(hub: &Hub, top: Option<u64>) -> anyhow::Result<Exit> {
    let mut pages = Pages::new(hub, "SELECT * FROM devices", top);
    let mut table = Table::new(["device", "status", "connection", "authentication", "last active"]);
    let mut count = 0;
    while let Some(page) = pages.next().await? {
        count += page.items.len();
        if hub.is_for_programs() {
            for twin in &page.items {
                let member = |name: &str| (name.to_owned(), twin[name].clone());
                hub.say(&Value::Object(Map::from_iter(MEMBERS.map(member))).to_string())?;
            }
        } else if !page.items.is_empty() {
            let rows: Vec<_> = page.items.iter().map(|twin| row(hub, twin)).collect();
            hub.say(&table.part(&rows))?;
        }
    }
    if count == 0 && !hub.is_for_programs() {
        return hub.say("no devices");
    }
    Ok(Exit::Done)
}

fn row(hub: &Hub, twin: &Value) -> Vec<String> {
    let edge = if twin["capabilities"]["iotEdge"] == true { ", IoT Edge" } else { "" };
    vec![
        cell(&twin["deviceId"]),
        format!("{}{edge}", cell(&twin["status"])),
        cell(&twin["connectionState"]).to_lowercase(),
        cell(&twin["authenticationType"]),
        moment(&twin["lastActivityTime"], &hub.zone).unwrap_or_else(|| "never".to_owned()),
    ]
}
