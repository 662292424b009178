//! The options of `envsim run`.
//!
//! All are taken as plain text: an error of the parser would repeat the value, and a value may be
//! a key. `config` checks them.

#![expect(
    clippy::doc_markdown,
    reason = "doc comments of options are the help, where back quotes only disturb"
)]

use clap::{ArgAction, Args};

use super::suggest;
use crate::config::setting::RUN;
use crate::config::{Layer, Setting};

const DEVICE: &str = "Where the device goes (nothing given: to the local cloud)";
const CONNECTION: &str = "Connection";
const BEHAVIOUR: &str = "What the device does";
const OUTPUT: &str = "Screen, lines and end";

/// The options of `envsim run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// ID scope of the provisioning service in Azure
    /// [env: IOTHUB_DEVICE_DPS_ID_SCOPE]
    #[arg(verbatim_doc_comment, long, value_name = "SCOPE", help_heading = DEVICE)]
    id_scope: Option<String>,

    /// Registration id; env-sensor-01 in the local cloud. Several with commas: several devices
    /// [env: IOTHUB_DEVICE_DPS_DEVICE_ID]
    #[arg(verbatim_doc_comment, long, value_name = "ID", help_heading = DEVICE)]
    device_id: Option<String>,

    /// Of the profile module: which module of the device, made in its hub's registry;
    /// myFirstModule of myFirstDevice
    /// [env: IOTHUB_CONNECTION_STRING, a service's, for a hub that is not in here]
    #[arg(verbatim_doc_comment, long, value_name = "ID", help_heading = DEVICE)]
    module_id: Option<String>,

    /// The device's symmetric key
    /// [env: IOTHUB_DEVICE_DPS_DEVICE_KEY]
    #[arg(verbatim_doc_comment, long, value_name = "KEY", help_heading = DEVICE)]
    key: Option<String>,

    /// The key from a file, so that it stands in no process list
    #[arg(long, value_name = "FILE", help_heading = DEVICE)]
    key_file: Option<String>,

    /// Enrolment group's key; the device's is derived from it
    /// [env: ENVSIM_GROUP_KEY]
    #[arg(verbatim_doc_comment, long, value_name = "KEY", help_heading = DEVICE)]
    group_key: Option<String>,

    /// A device's or module's connection string: straight to its hub, no DPS
    /// [env: IOTHUB_DEVICE_CONNECTION_STRING]
    #[arg(verbatim_doc_comment, long, value_name = "STRING", help_heading = DEVICE)]
    connection_string: Option<String>,

    /// The connection string from a file
    #[arg(long, value_name = "FILE", help_heading = DEVICE)]
    connection_string_file: Option<String>,

    /// Provisioning service, a host or https://host:port
    /// [env: IOTHUB_DEVICE_DPS_ENDPOINT]
    /// [default: global.azure-devices-provisioning.net]
    #[arg(verbatim_doc_comment, long, value_name = "HOST", help_heading = DEVICE)]
    provisioning_host: Option<String>,

    /// Certificates (PEM) to trust besides the system's; checking is never off
    /// [env: ENVSIM_CA]
    #[arg(verbatim_doc_comment, long, value_name = "FILE", help_heading = CONNECTION)]
    ca: Option<String>,

    /// MQTT port of a hub that is assigned without one [default: 8883]
    /// [env: ENVSIM_MQTT_PORT]
    #[arg(verbatim_doc_comment, long, value_name = "PORT", help_heading = CONNECTION)]
    mqtt_port: Option<String>,

    /// MQTT keep-alive, 1s to 1177s [default: 60s]
    #[arg(long, value_name = "TIME", help_heading = CONNECTION)]
    keep_alive: Option<String>,

    /// Life of a SAS token; it is renewed well before it ends [default: 1h]
    #[arg(long, value_name = "TIME", help_heading = CONNECTION)]
    sas_ttl: Option<String>,

    /// What the device can do; several with commas [default: environment]
    #[arg(long, value_name = "PROFILE", value_parser = suggest::PROFILES, help_heading = BEHAVIOUR)]
    profile: Option<String>,

    /// What edge-filter sends on: alerts, or all with alerts marked [default: alerts]
    #[arg(long, value_name = "WHAT", value_parser = suggest::FORWARDED, hide_possible_values = true, help_heading = BEHAVIOUR)]
    edge_forward: Option<String>,

    /// Period of telemetry, as 500ms, 2s or 1m30s [default: 2s]
    #[arg(long, value_name = "TIME", help_heading = BEHAVIOUR)]
    interval: Option<String>,

    /// Same seed, same values; random, and shown, when not given
    #[arg(long, value_name = "N", help_heading = BEHAVIOUR)]
    seed: Option<String>,

    /// Divides simulated durations, such as those of diagnostics [default: 1]
    #[arg(long, value_name = "X", help_heading = BEHAVIOUR)]
    time_scale: Option<String>,

    /// What a reboot does to the link: hold keeps it, link drops it and connects anew [default: hold]
    #[arg(long, value_name = "STYLE", value_parser = suggest::REBOOT_STYLES, hide_possible_values = true, help_heading = BEHAVIOUR)]
    reboot_style: Option<String>,

    /// Keep firmware images here, each device in its own folder; else they go with the run
    #[arg(long, value_name = "DIR", help_heading = BEHAVIOUR)]
    firmware_dir: Option<String>,

    /// Lines instead of the screen; chosen by itself when standard output is no terminal
    #[arg(long, help_heading = OUTPUT)]
    headless: bool,

    /// Form of the lines: text, json (one object a line) or quiet [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = suggest::FORMATS, hide_possible_values = true, help_heading = OUTPUT)]
    format: Option<String>,

    /// End after this time, with a summary
    #[arg(long = "for", value_name = "TIME", help_heading = OUTPUT)]
    run_for: Option<String>,

    /// End after N acknowledged telemetry messages, with a summary
    #[arg(long, value_name = "N", help_heading = OUTPUT)]
    count: Option<String>,

    /// TOML with the same names; a flag beats a variable beats the file
    /// [env: ENVSIM_CONFIG]
    #[arg(verbatim_doc_comment, long, value_name = "FILE", help_heading = OUTPUT)]
    config: Option<String>,

    /// Append diagnostics to this file; they hold no secrets
    /// [env: RUST_LOG filters them]
    #[arg(verbatim_doc_comment, long, value_name = "FILE", help_heading = OUTPUT)]
    log_file: Option<String>,

    /// More diagnostics (-vv: all); without --log-file on standard error, if there is no screen
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT)]
    verbose: u8,
}

impl RunArgs {
    /// The options that were given.
    pub fn into_layer(self) -> Layer {
        use Setting as S;
        Layer::from_options(
            RUN,
            [
                (S::IdScope, self.id_scope),
                (S::DeviceId, self.device_id),
                (S::ModuleId, self.module_id),
                (S::Key, self.key),
                (S::KeyFile, self.key_file),
                (S::GroupKey, self.group_key),
                (S::ConnectionString, self.connection_string),
                (S::ConnectionStringFile, self.connection_string_file),
                (S::ProvisioningHost, self.provisioning_host),
                (S::Ca, self.ca),
                (S::MqttPort, self.mqtt_port),
                (S::KeepAlive, self.keep_alive),
                (S::SasTtl, self.sas_ttl),
                (S::Profile, self.profile),
                (S::EdgeForward, self.edge_forward),
                (S::Interval, self.interval),
                (S::Seed, self.seed),
                (S::TimeScale, self.time_scale),
                (S::RebootStyle, self.reboot_style),
                (S::FirmwareDir, self.firmware_dir),
                (S::Headless, self.headless.then(|| "true".to_owned())),
                (S::Format, self.format),
                (S::For, self.run_for),
                (S::Count, self.count),
                (S::Config, self.config),
                (S::LogFile, self.log_file),
                (S::Verbose, (self.verbose > 0).then(|| self.verbose.to_string())),
            ],
        )
    }
}
