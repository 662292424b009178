//! Every setting there is: its option, its variable, its default. One table, from which the
//! environment and the file are read and against which the command line's help is tested.

/// A thing that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is explained by its row, and by the option's help")]
pub enum Setting {
    ProvisioningHost,
    IdScope,
    DeviceId,
    ModuleId,
    Key,
    KeyFile,
    GroupKey,
    ConnectionString,
    ConnectionStringFile,
    Service,
    Ca,
    MqttPort,
    Profile,
    EdgeForward,
    Interval,
    KeepAlive,
    SasTtl,
    Seed,
    TimeScale,
    RebootStyle,
    FirmwareDir,
    Headless,
    Format,
    For,
    Count,
    Config,
    LogFile,
    Verbose,
    LogFilter,
}

/// How a setting's text is treated before its own check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it stands.
    Text,
    /// A key or what holds one: no message repeats it.
    Secret,
    /// A path. In a configuration file it is relative to that file's folder.
    Path,
    /// On or off.
    Switch,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which setting.
    pub setting: Setting,
    /// Its option without the dashes, which is also its name in the file. `None`: only a variable.
    pub option: Option<&'static str>,
    /// Its environment variable.
    pub variable: Option<&'static str>,
    /// What holds when nothing is said, in words that could have been given.
    pub default: Option<&'static str>,
    /// How its text is treated.
    pub kind: Kind,
}

const fn row(
    setting: Setting,
    option: &'static str,
    variable: Option<&'static str>,
    default: Option<&'static str>,
    kind: Kind,
) -> Row {
    Row { setting, option: Some(option), variable, default, kind }
}

/// The host that serves every provisioning service in Azure's public cloud.
pub const GLOBAL_PROVISIONING_HOST: &str = "global.azure-devices-provisioning.net";

/// Who the device is in the local cloud when nobody says otherwise.
pub const LOCAL_DEVICE_ID: &str = "env-sensor-01";

/// The settings of `envsim run`.
pub const RUN: &[Row] = {
    use Kind::{Path, Secret, Switch, Text};
    use Setting as S;
    &[
        row(
            S::ProvisioningHost,
            "provisioning-host",
            Some("IOTHUB_DEVICE_DPS_ENDPOINT"),
            Some(GLOBAL_PROVISIONING_HOST),
            Text,
        ),
        row(S::IdScope, "id-scope", Some("IOTHUB_DEVICE_DPS_ID_SCOPE"), None, Text),
        row(S::DeviceId, "device-id", Some("IOTHUB_DEVICE_DPS_DEVICE_ID"), None, Text),
        row(S::ModuleId, "module-id", None, None, Text),
        row(S::Key, "key", Some("IOTHUB_DEVICE_DPS_DEVICE_KEY"), None, Secret),
        row(S::KeyFile, "key-file", None, None, Path),
        row(S::GroupKey, "group-key", Some("ENVSIM_GROUP_KEY"), None, Secret),
        row(S::ConnectionString, "connection-string", Some("IOTHUB_DEVICE_CONNECTION_STRING"), None, Secret),
        row(S::ConnectionStringFile, "connection-string-file", None, None, Path),
        Row {
            setting: S::Service,
            option: None,
            variable: Some("IOTHUB_CONNECTION_STRING"),
            default: None,
            kind: Secret,
        },
        row(S::Ca, "ca", Some("ENVSIM_CA"), None, Path),
        row(S::MqttPort, "mqtt-port", Some("ENVSIM_MQTT_PORT"), Some("8883"), Text),
        row(S::Profile, "profile", None, Some("environment"), Text),
        row(S::EdgeForward, "edge-forward", None, Some("alerts"), Text),
        row(S::Interval, "interval", None, Some("2s"), Text),
        row(S::KeepAlive, "keep-alive", None, Some("60s"), Text),
        row(S::SasTtl, "sas-ttl", None, Some("1h"), Text),
        row(S::Seed, "seed", None, None, Text),
        row(S::TimeScale, "time-scale", None, Some("1"), Text),
        row(S::RebootStyle, "reboot-style", None, Some("hold"), Text),
        row(S::FirmwareDir, "firmware-dir", None, None, Path),
        row(S::Headless, "headless", None, None, Switch),
        row(S::Format, "format", None, Some("text"), Text),
        row(S::For, "for", None, None, Text),
        row(S::Count, "count", None, None, Text),
        row(S::Config, "config", Some("ENVSIM_CONFIG"), None, Path),
        row(S::LogFile, "log-file", None, None, Path),
        row(S::Verbose, "verbose", None, None, Text),
        Row {
            setting: S::LogFilter,
            option: None,
            variable: Some("RUST_LOG"),
            default: None,
            kind: Kind::Text,
        },
    ]
};

/// The settings of `envsim hub` that every verb shares. A service's connection string has its own
/// variable, the one Microsoft's service samples use.
pub const HUB: &[Row] = &[
    row(Setting::ConnectionString, "connection-string", Some("IOTHUB_CONNECTION_STRING"), None, Kind::Secret),
    row(Setting::ConnectionStringFile, "connection-string-file", None, None, Kind::Path),
    row(Setting::Ca, "ca", Some("ENVSIM_CA"), None, Kind::Path),
];

/// The ways to give `setting`, as a message names them: `--key or IOTHUB_DEVICE_DPS_DEVICE_KEY`.
pub fn ways(rows: &[Row], setting: Setting) -> String {
    let Some(row) = rows.iter().find(|row| row.setting == setting) else { return String::new() };
    let option = row.option.map(|name| format!("--{name}"));
    option.into_iter().chain(row.variable.map(str::to_owned)).collect::<Vec<_>>().join(" or ")
}

/// The default of `setting` in [`RUN`]; empty where there is none.
pub fn default_of(setting: Setting) -> &'static str {
    RUN.iter().find(|row| row.setting == setting).and_then(|row| row.default).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_option_or_variable_stands_twice() {
        for rows in [RUN, HUB] {
            let settings: BTreeSet<_> = rows.iter().map(|row| row.setting).collect();
            assert_eq!(settings.len(), rows.len());
            for name in [|row: &Row| row.option, |row: &Row| row.variable] {
                let names: Vec<_> = rows.iter().filter_map(name).collect();
                assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
            }
        }
    }

    #[test]
    fn a_message_can_name_every_way() {
        assert_eq!(ways(RUN, Setting::Key), "--key or IOTHUB_DEVICE_DPS_DEVICE_KEY");
        assert_eq!(ways(RUN, Setting::KeyFile), "--key-file");
        assert_eq!(ways(HUB, Setting::ConnectionString), "--connection-string or IOTHUB_CONNECTION_STRING");
    }
}
