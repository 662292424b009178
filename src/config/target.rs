//! Where devices go: the local cloud, a provisioning service, or straight to a hub.
//!
//! An ID scope or a connection string, at whatever level, means Azure. The highest level that
//! gives one decides which. Modules that are to be made go where a service's connection string
//! points. Nothing that only makes sense with Azure is ever ignored: a device
//! that was meant to go there must not end up in the local cloud.

use std::fmt;
use std::str::FromStr;

use super::error::quoted;
use super::run::{Levels, listed};
use super::setting::{self, RUN, Setting};
use super::{ConfigError, Given, modules, secrets};
use crate::device::identity::{NameError, apart};
use crate::device::{DeviceId, HubHost, IdScope, ModuleId, RegistrationId};
use crate::wire::connection_string::Who;
use crate::wire::{ConnectionString, SharedKey};

/// As whom profiles connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sitting {
    /// As a device, or several of them.
    Device,
    /// As a module of a device.
    Module,
    /// As the modules of an IoT Edge device.
    Edge,
}

/// Where devices go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To the local cloud inside this program.
    Local {
        /// Who they are there.
        devices: Vec<RegistrationId>,
    },
    /// To a provisioning service, and from there to a hub.
    Dps {
        /// The service.
        host: ProvisioningHost,
        /// Whose devices it provisions.
        scope: IdScope,
        /// Who the devices are there.
        devices: Vec<RegistrationId>,
        /// With which key.
        key: DeviceKey,
    },
    /// Straight to a hub, as a device or a module.
    Direct(ConnectionString),
    /// Straight to a hub as modules of its registry, where they are made when they are missing.
    Registry {
        /// The hub; `None`: that of the local cloud inside this program.
        hub: Option<HubHost>,
        /// Which device, when it is not the profile's own.
        device: Option<DeviceId>,
        /// Which module, when it is not the profile's own.
        module: Option<ModuleId>,
    },
}

/// The key of a device, or one from which it is derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKey {
    /// The device's own.
    Device(SharedKey),
    /// Its enrolment group's.
    Group(SharedKey),
}

impl DeviceKey {
    /// The key that signs for `registration`.
    pub fn for_device(&self, registration: &RegistrationId) -> SharedKey {
        match self {
            Self::Device(key) => key.clone(),
            Self::Group(key) => key.derive(registration.as_str()),
        }
    }
}

/// A provisioning service's host, with a port when it is not 443. Always HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisioningHost(HubHost);

impl ProvisioningHost {
    /// `https://host` or `https://host:port`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://{}", self.0)
    }

    /// The name, as it stands in certificates.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port.unwrap_or(443)
    }
}

impl fmt::Display for ProvisioningHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ProvisioningHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "give a host name, or https://host:port";
        let text = text.trim();
        if text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://")) {
            return Err(format!("provisioning needs TLS, {FORM}"));
        }
        let host = match text.get(..8) {
            Some(scheme) if scheme.eq_ignore_ascii_case("https://") => &text[8..],
            _ => text,
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        host.parse().map(Self).map_err(|_| format!("{} is no host name: {FORM}", quoted(text)))
    }
}

/// What only makes sense with a provisioning service, each with what it is good for.
pub(super) const ONLY_WITH_DPS: &[Setting] =
    &[Setting::Key, Setting::KeyFile, Setting::GroupKey, Setting::ProvisioningHost];

/// What says that it is Azure, or a hub elsewhere.
pub(super) const ELSEWHERE: &[Setting] =
    &[Setting::IdScope, Setting::ConnectionString, Setting::ConnectionStringFile];

/// Decides where the devices go.
pub(super) fn resolve(levels: &Levels<'_>, whom: Sitting) -> Result<Target, ConfigError> {
    if let (Some((_, module)), true) = (levels.get(Setting::ModuleId), whom != Sitting::Module) {
        return Err(match whom {
            Sitting::Edge => {
                invalid(module, "the modules of an IoT Edge device are named by its deployment; leave it out")
            }
            _ => ConfigError::Incomplete {
                given: module.origin.clone(),
                missing: "no profile that connects as a module: add `module` to --profile".to_owned(),
            },
        });
    }
    let found = levels.highest(ELSEWHERE);
    match whom {
        Sitting::Device => {}
        Sitting::Module => match found {
            // A scope may stand in the environment for other devices of the same hub.
            Some((level, found)) if found.iter().any(|(setting, _)| *setting != Setting::IdScope) => {
                return modules::connected(levels, level, &found);
            }
            _ => return modules::made(levels),
        },
        Sitting::Edge => return modules::edge(levels),
    }
    let Some((level, found)) = found else { return local(levels) };
    match found.as_slice() {
        [(Setting::IdScope, scope)] => provisioned(levels, scope),
        [(setting, given)] => direct(levels, level, *setting, given),
        [(_, one), (_, other), ..] => Err(conflict(
            one,
            other,
            "an ID scope means the provisioning service, a connection string means a hub directly; give one of them",
        )),
        [] => local(levels),
    }
}

fn local(levels: &Levels<'_>) -> Result<Target, ConfigError> {
    if let Some((_, given)) = ONLY_WITH_DPS.iter().find_map(|setting| levels.get(*setting)) {
        let ways = setting::ways(RUN, Setting::IdScope);
        return Err(ConfigError::Incomplete {
            given: given.origin.clone(),
            missing: format!(
                "no ID scope: add {ways} for Azure, or leave it out for the local cloud, which makes its own keys"
            ),
        });
    }
    let devices = match levels.get(Setting::DeviceId) {
        Some((_, given)) => devices(given)?,
        None => devices(&levels.default(Setting::DeviceId, setting::LOCAL_DEVICE_ID))?,
    };
    Ok(Target::Local { devices })
}

fn provisioned(levels: &Levels<'_>, scope: &Given) -> Result<Target, ConfigError> {
    let key = device_key(levels)?;
    let id = levels.get(Setting::DeviceId).map(|(_, given)| given);
    let missing = match (id, &key) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(format!("no device id: add {}", setting::ways(RUN, Setting::DeviceId))),
        (Some(_), None) => Some(format!("no key: add {}", key_ways())),
        (None, None) => Some(format!(
            "neither device id nor key: add {}, and {}",
            setting::ways(RUN, Setting::DeviceId),
            key_ways()
        )),
    };
    if let Some(missing) = missing {
        return Err(ConfigError::Incomplete { given: scope.origin.clone(), missing });
    }
    let (Some(id), Some((given, key))) = (id, key) else { return local(levels) };
    let devices = devices(id)?;
    if devices.len() > 1 && matches!(key, DeviceKey::Device(_)) {
        return Err(conflict(
            id,
            given,
            "several devices have no key in common: give their enrolment group's, from which each one's is derived",
        ));
    }
    let host = levels.get_or_default(Setting::ProvisioningHost).parsed(str::parse::<ProvisioningHost>)?;
    let scope = name(scope)?;
    Ok(Target::Dps { host, scope, devices, key })
}

fn key_ways() -> String {
    format!(
        "{} or --key-file (or {} for an enrolment group)",
        setting::ways(RUN, Setting::Key),
        setting::ways(RUN, Setting::GroupKey)
    )
}

/// The key, and what gave it.
fn device_key<'a>(levels: &Levels<'a>) -> Result<Option<(&'a Given, DeviceKey)>, ConfigError> {
    let Some((_, found)) = levels.highest(&[Setting::Key, Setting::KeyFile, Setting::GroupKey]) else {
        return Ok(None);
    };
    let key = match found.as_slice() {
        [(Setting::GroupKey, given)] => DeviceKey::Group(secrets::key(given)?),
        [(Setting::KeyFile, given)] => {
            DeviceKey::Device(secrets::key(&secrets::from_file(given, levels.read)?)?)
        }
        [(_, given)] => DeviceKey::Device(secrets::key(given)?),
        [(_, one), (_, other), ..] => {
            return Err(conflict(
                one,
                other,
                "a device signs with its own key or with one derived from a group's; give one",
            ));
        }
        [] => return Ok(None),
    };
    Ok(found.first().map(|(_, given)| (*given, key)))
}

pub(super) fn direct(
    levels: &Levels<'_>,
    level: usize,
    setting: Setting,
    given: &Given,
) -> Result<Target, ConfigError> {
    // A key for the environment's usual device may stay in the environment; one given as loudly
    // as the connection string, or louder, was meant to be used.
    let stray = ONLY_WITH_DPS.iter().find_map(|other| levels.get(*other).filter(|(at, _)| *at <= level));
    if let Some((_, stray)) = stray {
        return Err(conflict(
            given,
            stray,
            "a connection string holds hub, device and key already; leave one out",
        ));
    }
    let string = match setting {
        Setting::ConnectionStringFile => {
            secrets::connection_string(&secrets::from_file(given, levels.read)?, secrets::Whose::Device)?
        }
        _ => secrets::connection_string(given, secrets::Whose::Device)?,
    };
    let Who::Device(device, _) = &string.who else {
        return Err(ConfigError::Invalid {
            origin: given.origin.clone(),
            why: "is a back end's connection string (SharedAccessKeyName): a device's has DeviceId; \
                  `envsim hub` takes a back end's"
                .to_owned(),
        });
    };
    if let Some((at, id)) = levels.get(Setting::DeviceId)
        && at <= level
        && id.text != device.as_str()
    {
        let why = "the connection string is another device's; leave one out";
        let several = "a connection string is one device's; leave one out, or give an enrolment group's key";
        return Err(conflict(given, id, if id.text.contains(',') { several } else { why }));
    }
    Ok(Target::Direct(string))
}

pub(super) fn invalid(given: &Given, why: &str) -> ConfigError {
    ConfigError::Invalid { origin: given.origin.clone(), why: why.to_owned() }
}

pub(super) fn conflict(one: &Given, other: &Given, why: &'static str) -> ConfigError {
    ConfigError::Conflict { one: one.origin.clone(), other: other.origin.clone(), why }
}

pub(super) fn name<T: FromStr<Err = NameError>>(given: &Given) -> Result<T, ConfigError> {
    given.parsed(named)
}

/// One device or several, in a list with commas. Case does not matter to a provisioning service,
/// so names that differ in nothing else are one device.
fn devices(given: &Given) -> Result<Vec<RegistrationId>, ConfigError> {
    given.parsed(|text| listed(text, "device", str::eq_ignore_ascii_case)?.into_iter().map(named).collect())
}

fn named<T: FromStr<Err = NameError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| match error {
        NameError::Character { what, name, bad, allowed } => {
            format!("{what} {} has the character {}, allowed are {allowed}", quoted(&name), apart(bad))
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provisioning_host_is_a_name_or_an_https_address() {
        for (text, url, port) in [
            ("global.azure-devices-provisioning.net", "https://global.azure-devices-provisioning.net", 443),
            ("https://localhost:8443", "https://localhost:8443", 8443),
            ("HTTPS://h/", "https://h", 443),
            ("127.0.0.1:9", "https://127.0.0.1:9", 9),
        ] {
            let host: ProvisioningHost = text.parse().expect("a host");
            assert_eq!((host.url().as_str(), host.port()), (url, port), "{text}");
        }
        for text in ["http://h", "https://", "h/path", "h:x", "h:0", "a b", "https://u@h", "é"] {
            assert!(text.parse::<ProvisioningHost>().is_err(), "{text}");
        }
    }
}
