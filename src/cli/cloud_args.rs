//! The options of `envsim cloud`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::difficult_args::DifficultArgs;
use super::exit;
use crate::config::error::quoted;
use crate::config::secrets::{self, Reader};
use crate::config::{ConfigError, Given, IdPattern, Logging, Origin, durations};
use crate::device::{DeviceId, HubHost};

const EXAMPLES: &str = "Examples:
  envsim cloud                            on 127.0.0.1, MQTT on 8883 and HTTPS on 8443
  envsim cloud --env > cloud.env          for a shell: . ./cloud.env
  envsim cloud --https-port 443 --env > cloud.env
                                          for SDKs that know no other port: Node's and C's service
                                          side, DPS over HTTPS, MQTT over WebSocket
  envsim cloud --data-dir ~/.envsim       the same devices, twins, keys and CA after every start
  envsim cloud --bind 127.0.0.2 --hostname 127.0.0.2
                                          a second cloud beside the first, on the same ports
  envsim cloud --mqtt-port 0 --https-port 0 --format json --devices 1000
                                          free ports, a thousand devices, a line for a script
  envsim cloud --latency 200ms --refuse 3 --drop-every 30s
                                          a bad day in the cloud, to see what a device makes of it

Official SDKs, unchanged, once `. ./cloud.env` has told them which authority to trust:
  Python device    IoTHubDeviceClient.create_from_connection_string(
                       'HostName=localhost;DeviceId=sensor-01;SharedAccessKey=…')
  Python service   IoTHubRegistryManager.from_connection_string(IOTHUB_CONNECTION_STRING)
  Node device      Client.fromConnectionString('HostName=localhost;DeviceId=…', Mqtt)
  Node service     Registry.fromConnectionString(IOTHUB_CONNECTION_STRING)   (with --https-port 443)
  C#, C, Java, az  and whole programs: README, The local cloud for your own programs

HTTPS serves DPS, the hub's REST side, MQTT over WebSocket, and GET /health. AMQP takes messages to
devices, and gives feedback and telemetry, as the Event Hubs compatible endpoint does. Without
--data-dir nothing is kept after the end, and the keys in its output are throw-away keys of this run.";

/// The form of what is printed for people or programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// The options of `envsim cloud`.
#[derive(Debug, Clone, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct CloudArgs {
    /// Address to listen on; anything but this computer itself lets others in
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), help_heading = "Listening")]
    pub bind: IpAddr,

    /// Port of MQTT over TLS, the one that SDKs hard-code; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 8883, help_heading = "Listening")]
    pub mqtt_port: u16,

    /// Port of HTTPS; 0 for any free one, 443 for SDKs that know no other
    #[arg(long, value_name = "PORT", default_value_t = 8443, help_heading = "Listening")]
    pub https_port: u16,

    /// Port of AMQP over TLS, for services; 0 for any free one. If not given, 5671, the one that
    /// SDKs know, or any when that is taken
    #[arg(long, value_name = "PORT", help_heading = "Listening")]
    pub amqp_port: Option<u16>,

    /// Name by which devices reach it, in its certificate and connection strings; the address if
    /// not given, localhost for 127.0.0.1
    #[arg(long, value_name = "NAME", value_parser = host_name, help_heading = "Listening")]
    pub hostname: Option<String>,

    /// Keep identities, keys, twins, sessions and the CA in this folder between runs
    ///
    /// What has been acknowledged is there again after every end, kill -9 too; after a loss of
    /// power the latest changes may be missing. The folder holds keys: it is for this user only
    /// (on Windows: inside the user's profile folder), and for one process at a time.
    #[arg(long, value_name = "FOLDER", help_heading = "Data")]
    pub data_dir: Option<PathBuf>,

    /// Create these devices at start; those that are kept stay as they are
    #[arg(long, value_name = "ID", num_args = 1.., help_heading = "Devices")]
    pub device: Vec<DeviceId>,

    /// Create N devices at start, with keys derived from the group's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200_000), help_heading = "Devices")]
    pub devices: Option<u32>,

    /// Names of the N devices, with a place for the number, from 0
    #[arg(
        long,
        value_name = "PATTERN",
        default_value = "dev{:06}",
        requires = "devices",
        help_heading = "Devices"
    )]
    pub id_pattern: IdPattern,

    /// Tell devices for so long that they are being assigned to a hub, as 500ms or 5s
    #[arg(long, value_name = "TIME", value_parser = span, help_heading = "Provisioning")]
    pub assigning_for: Option<Duration>,

    /// Serve N more ID scopes, for devices to move to as if each were another application: the
    /// first one's name with 2, 3 … behind it. All have the same enrolments
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(0..=100),
        help_heading = "Provisioning"
    )]
    pub more_scopes: u32,

    /// Know these certificate authorities (PEM) from the start, by their files' names: devices with
    /// certificates from them come in, once they are created as devices with a CA
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "Devices")]
    pub device_ca: Vec<String>,

    /// What goes wrong.
    #[command(flatten)]
    pub difficult: DifficultArgs,

    /// When ready, print the facts as `export` lines
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub env: bool,

    /// When ready, print a line for people, or one JSON object for programs
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Output")]
    pub format: OutputFormat,

    /// The file that diagnostics are appended to.
    #[arg(
        long,
        value_name = "FILE",
        help = "Append diagnostics to this file; they hold no secrets\n[env: RUST_LOG filters them]",
        help_heading = "Output"
    )]
    pub log_file: Option<PathBuf>,

    /// More diagnostics (-vv: all), with the reason of each refusal; without --log-file on standard
    /// error
    #[arg(short, long, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
}

fn span(text: &str) -> Result<Duration, String> {
    durations::parse(text).map_err(|error| error.to_string())
}

impl CloudArgs {
    /// Where diagnostics go; `filter` is what `RUST_LOG` says.
    pub fn logging(&self, filter: Option<String>) -> Logging {
        Logging { file: self.log_file.clone(), verbose: self.verbose, filter }
    }

    /// The certificate authorities, each with its name, read through `read`.
    pub fn authorities(&self, read: Reader<'_>) -> Result<Vec<(String, Vec<u8>)>, ConfigError> {
        let origin = Origin::Option("device-ca");
        let mut authorities: Vec<(String, Vec<u8>)> = Vec::new();
        for file in &self.device_ca {
            let given = Given { text: file.clone(), origin: origin.clone() };
            let authority = secrets::authority(&given, read)?;
            let name = authority.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if authorities.iter().any(|(other, _)| *other == name) {
                let why = format!(
                    "two files are called {}: an authority has its file's name, rename one",
                    quoted(&name)
                );
                return Err(ConfigError::Invalid { origin, why });
            }
            authorities.push((name, authority.pem));
        }
        Ok(authorities)
    }
}

fn host_name(text: &str) -> Result<String, String> {
    match text.parse::<HubHost>() {
        Ok(HubHost { name, port: None }) => Ok(name),
        Ok(_) => Err("a port does not belong here, see --mqtt-port and --https-port".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
