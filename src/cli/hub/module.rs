//! `envsim hub module`: the modules of a device.

use clap::{Args, Subcommand};

use super::examples;
use super::identity::{self, ProofArgs, SaveArgs};
use super::tell::{Table, cell, moment};
use super::values::Target;
use super::which::{Hub, explained};
use crate::cli::Exit;
use crate::device::{DeviceId, ModuleId};
use crate::operator::NewIdentity;

/// What can be done with modules.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum ModuleVerb {
    /// Make a module on a device
    #[command(after_help = examples::MODULE_CREATE)]
    Create(CreateArgs),
    /// Show a module; keys as fingerprints
    #[command(after_help = examples::MODULE_SHOW)]
    Show {
        /// Which module.
        #[command(flatten)]
        on: On,
        /// Where its connection string goes.
        #[command(flatten)]
        save: SaveArgs,
    },
    /// List the modules of a device
    #[command(after_help = examples::MODULE_LIST)]
    List {
        /// The device
        device: DeviceId,
    },
    /// Delete a module and its twin
    #[command(after_help = examples::MODULE_DELETE)]
    Delete {
        /// Which module.
        #[command(flatten)]
        on: On,
        /// Only if this is still its etag
        #[arg(long, value_name = "ETAG", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        etag: Option<String>,
    },
}

/// A module, and the device it is on.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct On {
    /// The device
    device: DeviceId,

    /// The module on it
    module: ModuleId,
}

impl On {
    fn target(&self) -> Target {
        Target { device: self.device.clone(), module: Some(self.module.clone()) }
    }
}

/// The options of `envsim hub module create`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct CreateArgs {
    /// Which module.
    #[command(flatten)]
    on: On,

    /// Show the module if it is there already, and succeed
    #[arg(long)]
    or_show: bool,

    #[command(flatten)]
    proof: ProofArgs,

    /// Where its connection string goes.
    #[command(flatten)]
    save: SaveArgs,
}

/// Carries one out.
pub async fn run(hub: &Hub, verb: &ModuleVerb) -> anyhow::Result<Exit> {
    match verb {
        ModuleVerb::Create(args) => {
            let new = NewIdentity { proof: args.proof.read()?, ..NewIdentity::default() };
            identity::create(hub, &args.on.target(), &new, args.or_show, &args.save).await
        }
        ModuleVerb::Show { on, save } => identity::show(hub, &on.target(), save).await,
        ModuleVerb::List { device } => list(hub, device).await,
        ModuleVerb::Delete { on, etag } => identity::delete(hub, &on.target(), etag.as_deref()).await,
    }
}

async fn list(hub: &Hub, device: &DeviceId) -> anyhow::Result<Exit> {
    let modules = explained(hub.client.modules(device).await)?;
    if hub.is_for_programs() {
        for module in &modules {
            hub.say(&module.told.to_string())?;
        }
        return Ok(Exit::Done);
    }
    if modules.is_empty() {
        return hub.say(&format!("{device} has no modules"));
    }
    let rows = modules.iter().map(|module| {
        let told = &module.told;
        vec![
            cell(&told["moduleId"]),
            cell(&told["connectionState"]).to_lowercase(),
            cell(&told["authentication"]["type"]),
            cell(&told["managedBy"]),
            moment(&told["lastActivityTime"], &hub.zone).unwrap_or_else(|| "never".to_owned()),
        ]
    });
    let mut table = Table::new(["module", "connection", "authentication", "managed by", "last active"]);
    hub.say(&table.part(&rows.collect::<Vec<_>>()))
}
