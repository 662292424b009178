//! `envsim hub`: one file for each family of verbs, with its options, its work, and how its outcome
//! is told to people and to programs.
//!
//! The requests themselves are `operator`'s.
//!
//! In reading order: [`mod@self`] (the shared options, and the table of verbs), [`which`] (the hub
//! that is spoken to), [`values`] (what a person typed, read), [`tell`] (what all verbs tell in the
//! same way); then the verbs: [`device`] and [`module`] with what they share in [`identity`] and
//! [`secret_file`], [`twin`], [`watch`] with [`outage`] (a hub that is away), [`invoke`] with
//! [`wait_for`] (when an outcome is there), [`send`], [`monitor`], [`deploy`], [`query`], [`faults`]; and [`examples`], which stand below the
//! help of all.

#![expect(
    clippy::doc_markdown,
    reason = "doc comments of options are the help, where back quotes only disturb"
)]

pub mod deploy;
pub mod device;
pub mod examples;
pub mod faults;
pub mod identity;
pub mod invoke;
pub mod module;
pub mod monitor;
pub mod outage;
pub mod query;
pub mod secret_file;
pub mod send;
pub mod tell;
pub mod twin;
pub mod values;
pub mod wait_for;
pub mod watch;
pub mod which;

use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use self::which::Hub;
use super::cloud_args::OutputFormat;
use super::exit::{self, Exit};
use super::overdue;
use crate::app::Ending;
use crate::config::setting::HUB;
use crate::config::{Layer, Setting};
use crate::device::HubHost;
use crate::runtime::signals::Signals;

const EXAMPLES: &str = "Examples:
  envsim hub invoke env-sensor-01 blink --payload 5
  envsim hub invoke env-sensor-01 rundiagnostics --wait-for rundiagnostics --timeout 1m
  envsim hub twin update env-sensor-01 --desired '{\"brightness\": 80}'
  envsim hub twin watch env-sensor-01
  envsim hub send env-sensor-01 '{\"on\": true}' --property level=3 --ack full
  envsim hub monitor --device env-sensor-01 --count 3 --format json
  envsim hub device create sensor-02 --save-connection-string sensor-02.txt
  envsim hub module create sensor-02 meter
  envsim hub deploy edge-01 deployment.json
  envsim hub query \"SELECT deviceId FROM devices WHERE tags.floor = 2\"
  envsim hub faults set '{\"latency\": 500}'

Without a connection string the verbs go to the local cloud that runs on this computer. With one
they go to a hub in Azure just as well; only faults and drop need the local cloud. What monitor and
send do with Azure, over AMQP on port 5671, has been tried against the local cloud only.

With --format json every line of output is one JSON object:
  device, module  the identity as the registry has it, with primaryKeyFingerprint and
                  secondaryKeyFingerprint in the place of keys; also created, differs (members that
                  are not as asked for), connectionStringFile; deleted: deviceId, moduleId
  device list     deviceId, status, statusReason, connectionState, lastActivityTime,
                  cloudToDeviceMessageCount, authenticationType, capabilities
  twin            the twin
  twin watch      watching: time, deviceId, moduleId, version; changed: time, path, old, new (null:
                  nothing), version; lost: time, why; back: time; deleted: time, deviceId, moduleId
  invoke          answer: time, command, status, payload, tookMs; wait: time, for, state (missing,
                  other, before, met), value
  send            sent: deviceId, messageId, sequenceNumber, enqueuedTimeUtc, expiryTimeUtc (over
                  AMQP the number and time taken are null; so is the expiry, unless --ttl is given)
  monitor         listening: time, deviceId, moduleId; heard: time, sequence, enqueuedTime, source,
                  deviceId, moduleId, properties, body; missed: time, count; lost: time, why; back: time
  deploy          deployment: deviceId, deployed, taken, refused, modules, routes
  query           each result as the hub gives it
  faults, drop    the faults; dropped: connections
A name before a colon is the member `event`. Every line of twin watch, invoke and monitor has it, and
`time`; device, twin, query and faults give objects as the hub has them. Errors are words on standard
error, and the exit code says of which kind.";

const WHICH: &str = "Which hub";

/// How long a verb may take to end after a signal. There is nothing to be waited for.
const GRACE: Duration = Duration::from_secs(1);

/// The options and verbs of `envsim hub`.
///
/// The shared ones have identifiers of their own: the parser hands global options up as well, where
/// `run` has options of the same names.
#[derive(Debug, Clone, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP), disable_help_subcommand = true)]
pub struct HubArgs {
    /// A back end's connection string, with SharedAccessKeyName
    /// [env: IOTHUB_CONNECTION_STRING]
    #[arg(verbatim_doc_comment, id = "hub_connection_string", long = "connection-string", value_name = "STRING", global = true, help_heading = WHICH)]
    connection_string: Option<String>,

    /// The connection string from a file, so that it stands in no process list
    #[arg(id = "hub_connection_string_file", long = "connection-string-file", value_name = "FILE", global = true, help_heading = WHICH)]
    connection_string_file: Option<String>,

    /// Which of the local clouds that run on this computer; the one that was started last if not given
    #[arg(id = "hub_hub", long = "hub", value_name = "NAME[:PORT]", global = true, help_heading = WHICH)]
    pub hub: Option<HubHost>,

    /// Certificates (PEM) to trust besides the system's; checking is never off
    /// [env: ENVSIM_CA]
    #[arg(verbatim_doc_comment, id = "hub_ca", long = "ca", value_name = "FILE", global = true, help_heading = WHICH)]
    ca: Option<String>,

    /// Form of the output
    #[arg(
        id = "hub_format",
        long = "format",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true,
        help_heading = "Output"
    )]
    pub format: OutputFormat,

    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What a back end can do.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Verb {
    /// Make, show, list and delete devices
    #[command(subcommand, disable_help_subcommand = true)]
    Device(device::DeviceVerb),
    /// Make, show, list and delete modules of a device
    #[command(subcommand, disable_help_subcommand = true)]
    Module(module::ModuleVerb),
    /// Invoke a command, and on request wait for its outcome in the twin
    Invoke(invoke::InvokeArgs),
    /// Read, change or watch a twin
    #[command(subcommand, disable_help_subcommand = true)]
    Twin(twin::TwinVerb),
    /// Send a message to a device
    Send(send::SendArgs),
    /// Watch what devices send
    Monitor(monitor::MonitorArgs),
    /// Set the modules and routes of an IoT Edge device
    Deploy(deploy::DeployArgs),
    /// Ask in the hub's query language
    Query(query::QueryArgs),
    /// Let things go wrong in the local cloud, to see what devices make of it
    #[command(subcommand, disable_help_subcommand = true)]
    Faults(faults::FaultsVerb),
    /// Drop the connections of a device, or of all, in the local cloud
    Drop(faults::DropArgs),
}

impl HubArgs {
    /// Whether an option names a hub by its connection string.
    pub fn names_connection(&self) -> bool {
        self.connection_option().is_some()
    }

    /// Which option names a hub by its connection string.
    fn connection_option(&self) -> Option<&'static str> {
        let text = self.connection_string.as_ref().map(|_| "connection-string");
        text.or(self.connection_string_file.as_ref().map(|_| "connection-string-file"))
    }

    /// The options that say which hub.
    pub fn layer(&self) -> Layer {
        Layer::from_options(
            HUB,
            [
                (Setting::ConnectionString, self.connection_string.clone()),
                (Setting::ConnectionStringFile, self.connection_string_file.clone()),
                (Setting::Ca, self.ca.clone()),
            ],
        )
    }
}

/// Carries out one verb, until it is done or a signal comes.
pub async fn run(args: HubArgs) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let exit = |ending| if ending == Ending::Terminated { Exit::Done } else { Exit::Interrupted };
    overdue::end_after(GRACE, exit).context("cannot listen for signals")?;
    let work = async {
        if let Verb::Monitor(monitor) = &args.verb
            && let Some(file) = &monitor.event_hub_connection_string_file
        {
            return monitor::run_endpoint(&args, monitor, file).await;
        }
        carry_out(&mut Hub::of(&args)?, &args.verb).await
    };
    tokio::select! {
        biased;
        ending = signals.next() => Ok(exit(ending)),
        outcome = work => outcome,
    }
}

async fn carry_out(hub: &mut Hub, verb: &Verb) -> anyhow::Result<Exit> {
    match verb {
        Verb::Device(verb) => device::run(hub, verb).await,
        Verb::Module(verb) => module::run(hub, verb).await,
        Verb::Deploy(args) => deploy::run(hub, args).await,
        Verb::Query(args) => query::run(hub, args).await,
        Verb::Invoke(args) => invoke::run(hub, args).await,
        Verb::Twin(verb) => twin::run(hub, verb).await,
        Verb::Send(args) => send::run(hub, args).await,
        Verb::Monitor(args) => monitor::run(hub, args).await,
        Verb::Faults(verb) => faults::run(hub, verb).await,
        Verb::Drop(args) => faults::drop_connections(hub, args).await,
    }
}
