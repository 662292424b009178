//! What `envsim run` is told to do, in tables: what is given, and what comes of it.

mod destinations;
mod refused;
mod values;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::*;
use crate::config::DeviceKey;
use crate::device::{DeviceId, ModuleId, RegistrationId};

const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const K2: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA==";
const DIRECT: &str = "HostName=h.azure-devices.net;DeviceId=dev-7;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SERVICE: &str =
    "HostName=h;SharedAccessKeyName=service;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PROFILES: &[&str] = &["environment", "reboot", "firmware", "module", "edge-filter"];

const SCOPE: &str = "IOTHUB_DEVICE_DPS_ID_SCOPE";
const DEVICE_ID: &str = "IOTHUB_DEVICE_DPS_DEVICE_ID";
const KEY: &str = "IOTHUB_DEVICE_DPS_DEVICE_KEY";
const GROUP: &str = "ENVSIM_GROUP_KEY";
const HOST: &str = "IOTHUB_DEVICE_DPS_ENDPOINT";
const STRING: &str = "IOTHUB_DEVICE_CONNECTION_STRING";

const OPERATOR: &str = "IOTHUB_CONNECTION_STRING";

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Resolves what is given as options, variables and lines of a file.
fn resolve(options: Pairs<'_>, variables: Pairs<'_>, file: &str) -> Result<RunConfig, String> {
    let options = Layer::from_options(
        RUN,
        options.iter().map(|(name, text)| {
            let row = RUN.iter().find(|row| row.option == Some(name)).expect("an option");
            (row.setting, Some((*text).to_owned()))
        }),
    );
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let mut environment =
        Layer::from_environment(RUN, |name| variables.get(name).map(Into::into)).expect("text");
    if !file.is_empty() {
        let origin = Origin::Variable("ENVSIM_CONFIG");
        environment.insert(Setting::Config, Given { text: "envsim.toml".to_owned(), origin });
    }
    let read = |path: &Path| -> io::Result<Vec<u8>> {
        let text = match path.to_str() {
            Some("envsim.toml") => file,
            Some("k") => &format!("{K1}\r\n"),
            Some("c") => &format!("{DIRECT}\n"),
            Some("empty") => "\n",
            Some("ca.pem") => "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(text.as_bytes().to_vec())
    };
    let compose = |names: &[&str]| match names {
        ["module", ..] => Ok(Sitting::Module),
        ["edge-filter"] => Ok(Sitting::Edge),
        ["edge-filter", ..] => Err("`edge-filter` goes with no other profile".to_owned()),
        _ => Ok(Sitting::Device),
    };
    let of_profile = |name: &str| -> &'static [&'static str] {
        match name {
            "environment" | "module" => &["count"],
            "edge-filter" => &["count", "edge-forward"],
            "reboot" => &["reboot-style"],
            "firmware" => &["reboot-style", "firmware-dir"],
            _ => &[],
        }
    };
    let profiles = Profiles { names: PROFILES, compose: &compose, options: of_profile };
    RunConfig::read(options, environment, &profiles, &read).map_err(|error| error.to_string())
}

/// Where it goes, in one line: scope, device, kind of key; or hub and device.
fn target(config: &RunConfig) -> String {
    let list =
        |devices: &[RegistrationId]| devices.iter().map(RegistrationId::as_str).collect::<Vec<_>>().join("+");
    match &config.target {
        Target::Local { devices } => format!("local {}", list(devices)),
        Target::Dps { host, scope, devices, key } => {
            let registration = list(devices);
            let key = match key {
                DeviceKey::Device(key) => format!("key {}", key.fingerprint()),
                DeviceKey::Group(key) => format!("group {}", key.fingerprint()),
            };
            format!("{} {scope} {registration} {key}", host.url())
        }
        Target::Direct(string) => format!("direct {string:?}"),
        Target::Registry { hub, device, module } => {
            let hub = hub.as_ref().map_or("local".to_owned(), ToString::to_string);
            let device = device.as_ref().map_or("-", DeviceId::as_str);
            format!("registry of {hub} {device} {}", module.as_ref().map_or("-", ModuleId::as_str))
        }
    }
}
