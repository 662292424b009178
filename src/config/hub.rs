//! The configuration of `envsim hub`: which hub, and with whose key.

use super::secrets::{self, Reader, Whose};
use super::setting::{HUB, Setting};
use super::{Authority, ConfigError, Given, Layer};
use crate::wire::ConnectionString;
use crate::wire::connection_string::Who;

/// Which hub the verbs of `envsim hub` speak to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubConfig {
    /// A back end's connection string; `None`: the local cloud that runs on this machine.
    pub connection: Option<ConnectionString>,
    /// Certificates trusted besides the system's roots.
    pub ca: Option<Authority>,
}

impl HubConfig {
    /// Reads the process's environment and decides.
    pub fn load(options: Layer) -> Result<Self, ConfigError> {
        let environment = Layer::from_environment(HUB, |name| std::env::var_os(name))?;
        Self::resolve(&options, &environment, &|path| std::fs::read(path))
    }

    /// Decides. Reads nothing but the files that settings name, through `read`.
    pub fn resolve(options: &Layer, environment: &Layer, read: Reader<'_>) -> Result<Self, ConfigError> {
        options.reject_empty()?;
        environment.reject_empty()?;
        let text = options.get(Setting::ConnectionString);
        let file = options.get(Setting::ConnectionStringFile);
        let given = match (text, file) {
            (Some(text), Some(file)) => {
                return Err(ConfigError::Conflict {
                    one: text.origin.clone(),
                    other: file.origin.clone(),
                    why: "both are the hub's connection string; give one of them",
                });
            }
            (None, Some(file)) => Some(secrets::from_file(file, read)?),
            (Some(text), None) => Some(text.clone()),
            (None, None) => environment.get(Setting::ConnectionString).cloned(),
        };
        let connection = given.map(|given| service(&given)).transpose()?;
        let ca = options.get(Setting::Ca).or_else(|| environment.get(Setting::Ca));
        let ca = ca.map(|given| secrets::authority(given, read)).transpose()?;
        Ok(Self { connection, ca })
    }
}

/// A back end's connection string.
pub(super) fn service(given: &Given) -> Result<ConnectionString, ConfigError> {
    let string = secrets::connection_string(given, Whose::Service)?;
    match string.who {
        Who::Service(_) => Ok(string),
        Who::Device(..) => Err(ConfigError::Invalid {
            origin: given.origin.clone(),
            why:
                "is a device's connection string: this needs a back end's, with SharedAccessKeyName (in the \
                  portal: the hub's shared access policies)"
                    .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    const SERVICE: &str = "HostName=h.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const DEVICE: &str = "HostName=h;DeviceId=d;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn resolve(option: Option<&str>, file: Option<&str>, variable: Option<&str>) -> Result<bool, String> {
        let options = Layer::from_options(
            HUB,
            [
                (Setting::ConnectionString, option.map(str::to_owned)),
                (Setting::ConnectionStringFile, file.map(|_| "f".to_owned())),
            ],
        );
        let environment = Layer::from_environment(HUB, |name| {
            (name == "IOTHUB_CONNECTION_STRING").then(|| variable.map(Into::into)).flatten()
        })
        .expect("text");
        let read =
            |_: &std::path::Path| -> io::Result<Vec<u8>> { Ok(file.unwrap_or_default().as_bytes().to_vec()) };
        HubConfig::resolve(&options, &environment, &read)
            .map(|config| config.connection.is_some())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_back_ends_connection_string_comes_from_three_places() {
        assert_eq!(resolve(Some(SERVICE), None, None), Ok(true));
        assert_eq!(resolve(None, Some(&format!("{SERVICE}\n")), None), Ok(true));
        assert_eq!(resolve(None, None, Some(SERVICE)), Ok(true));
        assert_eq!(resolve(Some(SERVICE), None, Some(DEVICE)), Ok(true));
        assert_eq!(resolve(None, None, None), Ok(false));
    }

    #[test]
    fn a_wrong_one_is_an_error_and_not_the_local_cloud() {
        let said = |result: Result<bool, String>| result.expect_err("an error");
        assert!(
            said(resolve(None, None, Some(""))).starts_with("the variable IOTHUB_CONNECTION_STRING is empty")
        );
        assert!(said(resolve(Some(""), None, Some(SERVICE))).starts_with("--connection-string is empty"));
        assert!(said(resolve(None, Some("\n"), None)).contains("the file is empty"));
        assert!(said(resolve(Some(DEVICE), None, None)).contains("needs a back end's"));
        let unread = said(resolve(Some("c3VwZXJzZWNyZXRrZXkxMjM=;x"), None, None));
        assert!(
            unread.ends_with(
                "is not a connection string: `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`"
            ),
            "{unread}"
        );
        let nobody = SERVICE.replace("SharedAccessKeyName=service;", "");
        assert!(said(resolve(Some(&nobody), None, None)).ends_with("has no `SharedAccessKeyName`"));
        assert!(said(resolve(Some(SERVICE), Some(SERVICE), None)).contains("exclude each other"));
    }
}
