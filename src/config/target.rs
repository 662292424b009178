//! Where a device goes: the local cloud, a provisioning service, or straight to a hub.
//!
//! An ID scope or a connection string, at whatever level, means Azure. The highest level that
//! gives one decides which. Nothing that only makes sense with Azure is ever ignored: a device
//! that was meant to go there must not end up in the local cloud.

use std::fmt;
use std::str::FromStr;

use super::error::quoted;
use super::run::Levels;
use super::setting::{self, RUN, Setting};
use super::{ConfigError, Given, secrets};
use crate::device::identity::NameError;
use crate::device::{HubHost, IdScope, RegistrationId};
use crate::wire::connection_string::Who;
use crate::wire::{ConnectionString, SharedKey};

/// Where a device goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To the local cloud inside this program.
    Local {
        /// Who it is there.
        registration: RegistrationId,
    },
    /// To a provisioning service, and from there to a hub.
    Dps {
        /// The service.
        host: ProvisioningHost,
        /// Whose devices it provisions.
        scope: IdScope,
        /// Who the device is there.
        registration: RegistrationId,
        /// With which key.
        key: DeviceKey,
    },
    /// Straight to a hub, as a device or a module.
    Direct(ConnectionString),
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
const ONLY_WITH_DPS: &[Setting] =
    &[Setting::Key, Setting::KeyFile, Setting::GroupKey, Setting::ProvisioningHost];

/// Decides where the device goes.
pub(super) fn resolve(levels: &Levels<'_>) -> Result<Target, ConfigError> {
    let found = levels.highest(&[Setting::IdScope, Setting::ConnectionString, Setting::ConnectionStringFile]);
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
    let registration = match levels.get(Setting::DeviceId) {
        Some((_, given)) => name(given)?,
        None => name(&levels.default(Setting::DeviceId, setting::LOCAL_DEVICE_ID))?,
    };
    Ok(Target::Local { registration })
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
    let (Some(id), Some(key)) = (id, key) else { return local(levels) };
    let host = levels.get_or_default(Setting::ProvisioningHost).parsed(str::parse::<ProvisioningHost>)?;
    let scope = name(scope)?;
    Ok(Target::Dps { host, scope, registration: name(id)?, key })
}

fn key_ways() -> String {
    format!(
        "{} or --key-file (or {} for an enrolment group)",
        setting::ways(RUN, Setting::Key),
        setting::ways(RUN, Setting::GroupKey)
    )
}

fn device_key(levels: &Levels<'_>) -> Result<Option<DeviceKey>, ConfigError> {
    let Some((_, found)) = levels.highest(&[Setting::Key, Setting::KeyFile, Setting::GroupKey]) else {
        return Ok(None);
    };
    match found.as_slice() {
        [(Setting::GroupKey, given)] => Ok(Some(DeviceKey::Group(secrets::key(given)?))),
        [(Setting::KeyFile, given)] => {
            Ok(Some(DeviceKey::Device(secrets::key(&secrets::from_file(given, levels.read)?)?)))
        }
        [(_, given)] => Ok(Some(DeviceKey::Device(secrets::key(given)?))),
        [(_, one), (_, other), ..] => Err(conflict(
            one,
            other,
            "a device signs with its own key or with one derived from a group's; give one",
        )),
        [] => Ok(None),
    }
}

fn direct(levels: &Levels<'_>, level: usize, setting: Setting, given: &Given) -> Result<Target, ConfigError> {
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
            secrets::connection_string(&secrets::from_file(given, levels.read)?)?
        }
        _ => secrets::connection_string(given)?,
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
        return Err(conflict(given, id, "the connection string is another device's; leave one out"));
    }
    Ok(Target::Direct(string))
}

fn conflict(one: &Given, other: &Given, why: &'static str) -> ConfigError {
    ConfigError::Conflict { one: one.origin.clone(), other: other.origin.clone(), why }
}

fn name<T: FromStr<Err = NameError>>(given: &Given) -> Result<T, ConfigError> {
    given.parsed(|text| {
        text.parse().map_err(|error| match error {
            NameError::Character { what, name, bad, allowed } => {
                format!("{what} {} has the character {bad:?}, allowed are {allowed}", quoted(&name))
            }
            other => other.to_string(),
        })
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
