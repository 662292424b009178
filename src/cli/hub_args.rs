//! The options and verbs of `envsim hub`.

#![expect(
    clippy::doc_markdown,
    reason = "doc comments of options are the help, where back quotes only disturb"
)]

use std::time::Duration;

use clap::{Args, Subcommand};

use super::cloud_args::OutputFormat;
use super::exit;
use super::hub::wait_for::WaitFor;
use crate::config::setting::HUB;
use crate::config::{Layer, Setting, durations};
use crate::device::DeviceId;

const EXAMPLES: &str = "Examples:
  envsim hub invoke env-sensor-01 blink --payload 5
  envsim hub invoke env-sensor-01 rundiagnostics --wait-for rundiagnostics --timeout 1m
  envsim hub twin update env-sensor-01 --desired '{\"brightness\": 80}'
  envsim hub send env-sensor-01 '{\"on\": true}' --property level=3 --ack full
  envsim hub monitor --device env-sensor-01 --count 3 --format json
  envsim hub faults set '{\"latency\": 500}'

Without a connection string the verbs go to the local cloud that runs on this computer.";

const WHICH: &str = "Which hub";

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
    /// Invoke a command, and on request wait for its outcome in the twin
    Invoke(InvokeArgs),
    /// Read or change a twin
    #[command(subcommand, disable_help_subcommand = true)]
    Twin(TwinVerb),
    /// Send a message to a device
    Send(SendArgs),
    /// Watch what devices send
    Monitor(MonitorArgs),
    /// Let things go wrong in the local cloud, to see what devices make of it
    #[command(subcommand, disable_help_subcommand = true)]
    Faults(FaultsVerb),
    /// Drop the connections of a device, or of all, in the local cloud
    Drop {
        /// The device; all of them if not given
        device: Option<DeviceId>,
    },
}

/// The options of `envsim hub invoke`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct InvokeArgs {
    /// The device
    pub device: DeviceId,

    /// The command
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub command: String,

    /// The request, as JSON; a text in quotes of its own: '"text"'
    #[arg(long, value_name = "JSON")]
    pub payload: Option<String>,

    /// How long the device may take to answer, 5s to 300s
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = response_timeout)]
    pub response_timeout: Duration,

    /// How long to wait for the device to be connected, 0s to 300s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = connect_timeout)]
    pub connect_timeout: Duration,

    /// Then wait until the twin's reported section shows this, reported after the command was sent
    #[arg(long, value_name = "PATH[=VALUE]")]
    pub wait_for: Option<WaitFor>,

    /// How long to wait for that
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "wait_for", value_parser = positive)]
    pub timeout: Duration,
}

/// The options of `envsim hub send`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct SendArgs {
    /// The device
    pub device: DeviceId,

    /// The message, as it is
    pub body: String,

    /// A property of the message; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = property)]
    pub property: Vec<(String, String)>,

    /// The message's id; the hub makes one up unless it is given
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub message_id: Option<String>,

    /// Which outcomes the hub is to keep feedback of
    #[arg(long, value_name = "WHICH", value_parser = ["none", "positive", "negative", "full"])]
    pub ack: Option<String>,

    /// What the message is, such as application/json
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,

    /// How long it waits for the device, 1s to 2d; an hour unless given
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub ttl: Option<Duration>,
}

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

/// What can be done with what goes wrong.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum FaultsVerb {
    /// Show what goes wrong
    Show,
    /// Replace what goes wrong
    #[command(after_help = FAULTS)]
    Set {
        /// A JSON object; what it does not name goes right
        faults: String,
    },
    /// End all of it
    Clear,
}

const FAULTS: &str = r#"Members, times in milliseconds:
  latency     answers come so much later
  dropEvery   all connections are dropped, again and again
  tokenLife   a connection ends after this time, as if its token had run out
  refuse      {"returnCode": 3, "times": 2, "device": "d"}: connections are refused
  dpsBusy     {"times": 2, "retryAfter": 3}: DPS answers 429, and how many seconds to wait
  elsewhere   {"hub": "HOST:PORT", "device": "d"}: DPS sends the device there, it is refused here
Without times it is always, without device it is all of them.

Example:
  envsim hub faults set '{"latency": 500, "refuse": {"times": 3}}'"#;

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

/// The options of `envsim hub monitor`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct MonitorArgs {
    /// Only this device
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceId>,

    /// End after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

impl HubArgs {
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

/// IoT Hub, "Understand and invoke direct methods": 5 to 300 s.
fn response_timeout(text: &str) -> Result<Duration, String> {
    whole_seconds(text, 5)
}

/// IoT Hub, as above: 0 to 300 s, and 0 asks for no waiting.
fn connect_timeout(text: &str) -> Result<Duration, String> {
    whole_seconds(text, 0)
}

fn whole_seconds(text: &str, least: u64) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.subsec_nanos() != 0 || !(least..=300).contains(&span.as_secs()) {
        return Err(format!("give whole seconds from {least}s to 300s"));
    }
    Ok(span)
}

/// IoT Hub, "Send cloud-to-device messages": two days at most.
fn life(text: &str) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.subsec_nanos() != 0 || !(1..=48 * 3600).contains(&span.as_secs()) {
        return Err("give whole seconds from 1s to 48h".to_owned());
    }
    Ok(span)
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give a name and a value, as in level=3".to_owned()),
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.is_zero() { Err("give a time longer than nothing".to_owned()) } else { Ok(span) }
}
