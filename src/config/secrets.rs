//! Keys, connection strings and certificates: from an option, a variable or a file of their own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{ConfigError, Given, Origin};
use crate::wire::connection_string::ConnectionStringError;
use crate::wire::{ConnectionString, SharedKey};

/// How files are read: `std::fs::read` in the program, a map in a test.
pub type Reader<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Certificates trusted besides the system's roots.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    /// Where they came from, for messages.
    pub path: PathBuf,
    /// The PEM text.
    pub pem: Vec<u8>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Reads a key; its text is never repeated.
pub fn key(given: &Given) -> Result<SharedKey, ConfigError> {
    SharedKey::from_base64(&given.text).map_err(|error| {
        // The likeliest mix-up, and without a word of its own it reads as a broken key.
        let why = if given.text.contains("SharedAccessKey=") {
            "is a whole connection string, not a key: give it with --connection-string".to_owned()
        } else {
            error.to_string()
        };
        ConfigError::Invalid { origin: given.origin.clone(), why }
    })
}

/// Whose connection string is wanted, for words about a text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A device's or module's.
    Device,
    /// A back end's.
    Service,
}

impl Whose {
    /// The member that says who it is.
    fn name(self) -> &'static str {
        match self {
            Self::Device => "DeviceId",
            Self::Service => "SharedAccessKeyName",
        }
    }
}

/// Reads a connection string; its text is never repeated.
pub fn connection_string(given: &Given, whose: Whose) -> Result<ConnectionString, ConfigError> {
    ConnectionString::parse(&given.text)
        .map_err(|error| {
            let error = match error {
                ConnectionStringError::Missing("DeviceId") => ConnectionStringError::Missing(whose.name()),
                error => error,
            };
            // A part's name or a device's may be a key that someone put in the wrong place.
            let said = error.to_string();
            if super::error::may_be_secret(&said.replace("SharedAccessKey", "")) {
                let name = whose.name();
                return format!("is not a connection string: `HostName=…;{name}=…;SharedAccessKey=…`");
            }
            said
        })
        .map_err(|why| ConfigError::Invalid { origin: given.origin.clone(), why })
}

/// The text of a file that holds one secret, without the line's end that editors and `echo` add.
/// A file with nothing in it is an error like an option with nothing in it.
pub fn from_file(given: &Given, read: Reader<'_>) -> Result<Given, ConfigError> {
    let text = text_of(given, read)?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(invalid(given, "the file is empty"));
    }
    Ok(Given { text: text.to_owned(), origin: given.origin.clone() })
}

/// The text of the file that `given` names.
pub fn text_of(given: &Given, read: Reader<'_>) -> Result<String, ConfigError> {
    String::from_utf8(bytes(given, read)?).map_err(|_| invalid(given, "the file is not text"))
}

/// Reads certificates to trust, and sees that there are some.
pub fn authority(given: &Given, read: Reader<'_>) -> Result<Authority, ConfigError> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let pem = bytes(given, read)?;
    if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        let why = format!(
            "{} holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)",
            PathBuf::from(&given.text).display()
        );
        return Err(invalid(given, &why));
    }
    Ok(Authority { path: PathBuf::from(&given.text), pem })
}

fn bytes(given: &Given, read: Reader<'_>) -> Result<Vec<u8>, ConfigError> {
    let path = PathBuf::from(&given.text);
    let read_bytes = read(&path);
    // Someone who gives the key itself where its file belongs must not see it printed. Keys have
    // 16 to 64 bytes, most 32 or 64, and the base64 of those ends with `=`.
    if read_bytes.is_err() && (given.text.ends_with('=') || given.text.contains("SharedAccess")) {
        return Err(invalid(given, "there is no such file (not named here, as it looks like a key itself)"));
    }
    read_bytes.map_err(|error| ConfigError::Unreadable {
        origin: given.origin.clone(),
        path,
        why: super::file::reason(&error),
    })
}

fn invalid(given: &Given, why: &str) -> ConfigError {
    let origin: Origin = given.origin.clone();
    ConfigError::Invalid { origin, why: why.to_owned() }
}
