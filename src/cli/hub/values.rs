//! What a person typed, read, with words for what is wrong.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use crate::config::durations;
use crate::device::{DeviceId, ModuleId};

/// The most that is read of a file or of standard input.
const MOST: u64 = 4 * 1024 * 1024;

/// A device, or a module on it.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Target {
    /// The device
    pub device: DeviceId,

    /// A module on it, and not the device itself
    #[arg(long, value_name = "MODULE")]
    pub module: Option<ModuleId>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.device)?;
        self.module.as_ref().map_or(Ok(()), |module| write!(f, "/{module}"))
    }
}

/// Why a request cannot be made of what was typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Not JSON.
    #[error("--{option} is not JSON: {why}; text needs quotes of its own, as in --{option} '\"text\"'")]
    NotJson {
        /// Which option.
        option: &'static str,
        /// What the parser says.
        why: String,
    },
    /// JSON, but not an object.
    #[error("--{option} is not a JSON object, such as '{{\"brightness\": 80}}'")]
    NotObject {
        /// Which option.
        option: &'static str,
    },
    /// Faults that are not a JSON object.
    #[error("the faults are not a JSON object: {why}; give them as in '{{\"latency\": 500}}'")]
    Faults {
        /// What the parser says.
        why: String,
    },
    /// A name that only the hub itself writes.
    #[error("--{option} has the name `{name}`: names beginning with `$` are the hub's own")]
    Reserved {
        /// Which option.
        option: &'static str,
        /// The name.
        name: String,
    },
    /// A hub, and an endpoint that may be another's.
    #[error(
        "--event-hub-connection-string-file says by itself what is read: give neither --hub nor a \
         connection string beside it"
    )]
    HubAndEndpoint,
    /// A connection string in the place of its file.
    #[error("--save-connection-string takes the name of a file to write, not a connection string or key")]
    NotFile,
    /// Standard output in the place of a file.
    #[error(
        "--save-connection-string takes the name of a file: a connection string is never written to standard \
         output; give ./- for a file of that name"
    )]
    NoScreen,
    /// A file that must not be written over.
    #[error("{path} is there already; give another name, or --force to replace it")]
    FileExists {
        /// The file.
        path: String,
    },
    /// A file that cannot be written.
    #[error("cannot write {path}: {why}")]
    CannotWrite {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {why}")]
    CannotRead {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// What a file holds is not what it should be.
    #[error("{path} {why}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// A certificate has one thumbprint, and perhaps a next one.
    #[error("--x509-thumbprint takes one thumbprint, or two with a comma between them")]
    Thumbprints,
    /// A name that a connection string cannot hold.
    #[error(
        "--save-connection-string cannot write one for `{name}`: the name has `;`, at which connection strings \
         are cut into parts; give it another name"
    )]
    CutName {
        /// The device or module.
        name: String,
    },
    /// An identity without keys has no connection string.
    #[error("--save-connection-string needs a key: who shows a certificate has no connection string")]
    NoKey,
}

/// The text of a file, or of standard input for `-`.
pub async fn text_of(path: &Path) -> Result<String, InputError> {
    let name = name_of(path);
    let cannot =
        |error: std::io::Error| InputError::CannotRead { path: name.clone(), why: error.to_string() };
    let text = if path == Path::new("-") {
        // On a thread of its own, which nobody waits for at the end: whoever types may rather
        // press Ctrl-C.
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || sender.send(read(std::io::stdin().lock())));
        receiver.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    } else {
        std::fs::File::open(path).and_then(read)
    };
    let text = text.map_err(cannot)?;
    if text.len() as u64 > MOST {
        return Err(InputError::Content { path: name, why: format!("is longer than {MOST} bytes") });
    }
    Ok(text)
}

fn read(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(MOST + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// JSON from a file, or from standard input for `-`.
pub async fn json_of(path: &Path) -> Result<Value, InputError> {
    let text = text_of(path).await?;
    let text = text.trim_start_matches('\u{feff}');
    let cannot = |why| InputError::Content { path: name_of(path), why };
    let value = serde_json::from_str(text).map_err(|error| cannot(format!("is not JSON: {error}")))?;
    match too_long(text) {
        Some(number) => Err(cannot(changed(number))),
        None => Ok(value),
    }
}

/// A JSON object from a file, or from standard input for `-`.
pub async fn object_of(path: &Path) -> Result<Map<String, Value>, InputError> {
    match json_of(path).await? {
        Value::Object(members) => Ok(members),
        _ => Err(InputError::Content { path: name_of(path), why: "is not a JSON object".to_owned() }),
    }
}

/// A file as messages name it. Someone who gives the key itself where its file belongs must not see
/// it printed.
pub fn name_of(path: &Path) -> String {
    let name = path.display().to_string();
    if name == "-" {
        "standard input".to_owned()
    } else if may_be_key(&name) {
        "the file given (not named here, as it looks like a key itself)".to_owned()
    } else {
        name
    }
}

/// Whether the name of a file is a key or a connection string. Keys of 32 and 64 bytes in base64 end
/// with `=`.
pub fn may_be_key(name: &str) -> bool {
    name.ends_with('=') || name.contains("SharedAccess")
}

/// A consumer group's name, which stands in an address.
pub fn consumer_group(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '-' | '_' | '.');
    if text.is_empty() || text.len() > 256 || !text.chars().all(is_name) {
        return Err("a consumer group has letters, digits, `-`, `_` and `.`, or is $Default".to_owned());
    }
    Ok(text.to_owned())
}

/// Any JSON.
pub fn json(option: &'static str, text: &str) -> Result<Value, InputError> {
    let value =
        serde_json::from_str(text).map_err(|error| InputError::NotJson { option, why: error.to_string() })?;
    match too_long(text) {
        Some(number) => Err(InputError::Content { path: format!("--{option}"), why: changed(number) }),
        None => Ok(value),
    }
}

/// The first whole number of a JSON text that 64 bits do not hold. Read as a floating-point number, as
/// any other would be, it would be sent as another one.
fn too_long(json: &str) -> Option<&str> {
    let mut rest = json;
    while let Some(start) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[start..];
        if let Some(text) = rest.strip_prefix('"') {
            rest = after_text(text);
            continue;
        }
        let is_part = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let (number, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let is_whole = !number.contains(['.', 'e', 'E']);
        if is_whole && number.parse::<u64>().is_err() && number.parse::<i64>().is_err() {
            return Some(number);
        }
        rest = after;
    }
    None
}

/// What follows the text that begins here.
fn after_text(text: &str) -> &str {
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or("", |end| &text[end + 1..])
}

fn changed(number: &str) -> String {
    let shown: String = number.chars().take(40).collect();
    format!("has the number {shown}, which 64 bits do not hold: give it in quotes, as text")
}

/// A JSON object of names that are a service's to write.
pub fn object(option: &'static str, text: &str) -> Result<Map<String, Value>, InputError> {
    let Value::Object(members) = json(option, text)? else {
        return Err(InputError::NotObject { option });
    };
    match members.keys().find(|name| name.starts_with('$')) {
        Some(name) => Err(InputError::Reserved { option, name: name.clone() }),
        None => Ok(members),
    }
}

/// IoT Hub, "Understand and invoke direct methods": 5 to 300 s.
pub fn response_timeout(text: &str) -> Result<Duration, String> {
    whole_seconds(text, 5)
}

/// IoT Hub, as above: 0 to 300 s, and 0 asks for no waiting.
pub fn connect_timeout(text: &str) -> Result<Duration, String> {
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
pub fn life(text: &str) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.subsec_nanos() != 0 || !(1..=48 * 3600).contains(&span.as_secs()) {
        return Err("give whole seconds from 1s to 2d".to_owned());
    }
    Ok(span)
}

/// An etag, which stands in a header. RFC 9110, 8.8.3.
pub fn etag(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("an etag has visible characters of ASCII and no blanks; `show` tells it".to_owned());
    }
    Ok(text.to_owned())
}

/// What a message is. It has to be ASCII, as names of types are: AMQP has nothing else there.
pub fn content_type(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err("give a type in ASCII, as in application/json".to_owned());
    }
    Ok(text.to_owned())
}

/// A property of a message.
pub fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give a name and a value, as in level=3".to_owned()),
    }
}

/// A property that a message must have, and on request its value.
pub fn wanted_property(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("give a name, or a name and a value, as in level=3".to_owned());
    }
    Ok((name.to_owned(), value))
}

/// A thumbprint of a certificate, with or without colons.
pub fn thumbprint(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if [40, 64].contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(digits.to_ascii_uppercase())
    } else {
        Err("a thumbprint has 40 or 64 hexadecimal digits: `openssl x509 -noout -fingerprint -sha256`"
            .to_owned())
    }
}

/// A span of time that is not nothing.
pub fn positive(text: &str) -> Result<Duration, String> {
    let span = durations::parse(text).map_err(|error| error.to_string())?;
    if span.is_zero() { Err("give a time longer than nothing".to_owned()) } else { Ok(span) }
}
