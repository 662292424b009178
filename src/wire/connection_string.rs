//! Connection strings of devices, modules and services.

use std::fmt;

use super::SharedKey;
use super::key::KeyError;
use crate::device::identity::NameError;
use crate::device::{DeviceId, HubHost, ModuleId};

/// A connection string, read. Its `Debug` shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    /// The hub.
    pub hub: HubHost,
    /// Where to connect instead, by way of a gateway.
    pub gateway: Option<HubHost>,
    /// Who connects.
    pub who: Who,
    /// The key.
    pub key: SharedKey,
}

/// Whom a connection string speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A device, or a module on it.
    Device(DeviceId, Option<ModuleId>),
    /// A back end, under a shared access policy.
    Service(String),
}

/// Why a text is not a connection string. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// A part without `=`.
    #[error("has a part without `=`: it is `Name=value` pairs with `;` between them")]
    Form,
    /// A member that no connection string has.
    #[error("has the member `{0}`, which envsim does not know")]
    Unknown(String),
    /// A member that must be there.
    #[error("has no `{0}`")]
    Missing(&'static str),
    /// The key is not one.
    #[error("has a SharedAccessKey that {0}")]
    Key(KeyError),
    /// A name is not one.
    #[error("is wrong: {0}")]
    Name(NameError),
}

const KNOWN: &[&str] =
    &["HostName", "GatewayHostName", "DeviceId", "ModuleId", "SharedAccessKeyName", "SharedAccessKey"];

impl ConnectionString {
    /// Reads a connection string with a shared access key.
    pub fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        use ConnectionStringError as Error;
        let mut members = [None; KNOWN.len()];
        for part in text.trim().split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(Error::Form)?;
            let place = KNOWN.iter().position(|known| *known == name);
            // Only the name is repeated in the error; a value might be a key.
            members[place.ok_or_else(|| Error::Unknown(name.chars().take(32).collect()))?] = Some(value);
        }
        let [host, gateway, device, module, policy, key] =
            members.map(|value| value.filter(|v| !v.is_empty()));
        let hub = host.ok_or(Error::Missing("HostName"))?.parse().map_err(Error::Name)?;
        let gateway = gateway.map(str::parse).transpose().map_err(Error::Name)?;
        let key =
            SharedKey::from_base64(key.ok_or(Error::Missing("SharedAccessKey"))?).map_err(Error::Key)?;
        let who = match (device, policy) {
            (Some(device), _) => Who::Device(
                device.parse().map_err(Error::Name)?,
                module.map(str::parse).transpose().map_err(Error::Name)?,
            ),
            (None, Some(policy)) => Who::Service(policy.to_owned()),
            (None, None) => return Err(Error::Missing("DeviceId")),
        };
        Ok(Self { hub, gateway, who, key })
    }

    /// Writes it out, key and all: for the few places that exist to hand one over.
    pub fn reveal(&self) -> String {
        let mut text = format!("HostName={}", self.hub);
        match &self.who {
            Who::Device(device, module) => {
                text.push_str(&format!(";DeviceId={device}"));
                if let Some(module) = module {
                    text.push_str(&format!(";ModuleId={module}"));
                }
            }
            Who::Service(policy) => text.push_str(&format!(";SharedAccessKeyName={policy}")),
        }
        text.push_str(&format!(";SharedAccessKey={}", self.key.reveal()));
        if let Some(gateway) = &self.gateway {
            text.push_str(&format!(";GatewayHostName={gateway}"));
        }
        text
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionString")
            .field("hub", &self.hub)
            .field("who", &self.who)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn the_documented_forms_are_read_and_written() {
        for text in [
            format!("HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey={K1}"),
            format!("HostName=h.azure-devices.net;DeviceId=d;ModuleId=m;SharedAccessKey={K1}"),
            format!("HostName=localhost:8443;SharedAccessKeyName=iothubowner;SharedAccessKey={K1}"),
            format!("HostName=h;DeviceId=d=;SharedAccessKey={K1};GatewayHostName=localhost"),
        ] {
            assert_eq!(ConnectionString::parse(&text).expect("a connection string").reveal(), text);
        }
    }

    #[test]
    fn a_bad_one_is_explained_and_its_key_is_not_repeated() {
        let said = |text: &str| ConnectionString::parse(text).expect_err("a bad one").to_string();
        assert_eq!(said(""), "has no `HostName`");
        assert_eq!(said("HostName=h;DeviceId=d"), "has no `SharedAccessKey`");
        assert_eq!(said(&format!("HostName=h;SharedAccessKey={K1}")), "has no `DeviceId`");
        assert!(
            said("HostName=h;DeviceId=d;SharedAccessKey=secret")
                .starts_with("has a SharedAccessKey that is not base64")
        );
        assert!(said("HostName=h;x509=true").contains("`x509`"));
        assert!(said("AAECAwQ").contains("without `=`"));
        assert!(said(&format!("HostName=h;DeviceId=a/b;SharedAccessKey={K1}")).contains("`a/b`"));
    }

    #[test]
    fn it_never_shows_its_key() {
        let text = format!("HostName=h;DeviceId=d;SharedAccessKey={K1}");
        assert!(!format!("{:?}", ConnectionString::parse(&text)).contains(K1));
    }
}
