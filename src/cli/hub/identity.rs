//! What verbs of devices and of modules share: making, showing and deleting an identity. Keys are
//! never told; a connection string may be written to a file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use rand::Rng as _;
use serde_json::{Value, json};

use super::secret_file::SecretFile;
use super::tell::{clean, moment, note, pairs};
use super::values::{self, InputError, Target};
use super::which::{Hub, advised, explained};
use crate::cli::Exit;
use crate::config::{Given, Origin, secrets};
use crate::operator::{Identity, NewIdentity, OperatorError, Proof};
use crate::wire::SharedKey;

/// How a new identity is to prove who it is; with keys that the hub makes unless something is given.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ProofArgs {
    /// Its key from a file; the hub makes one if not given
    #[arg(long, value_name = "FILE", conflicts_with_all = ["x509_thumbprint", "x509_ca"], help_heading = "Authentication")]
    primary_key_file: Option<String>,

    /// Its second key from a file; made up if not given
    #[arg(long, value_name = "FILE", requires = "primary_key_file", help_heading = "Authentication")]
    secondary_key_file: Option<String>,

    /// The thumbprint of its certificate, and after a comma that of the next one
    #[arg(long, value_name = "HEX[,HEX]", value_delimiter = ',', value_parser = values::thumbprint, conflicts_with = "x509_ca", help_heading = "Authentication")]
    x509_thumbprint: Vec<String>,

    /// It shows a certificate that an authority has signed which the hub knows
    #[arg(long, help_heading = "Authentication")]
    x509_ca: bool,
}

impl ProofArgs {
    /// Reads the files.
    pub fn read(&self) -> anyhow::Result<Proof> {
        let key = |option: &'static str, file: &Option<String>| {
            let Some(file) = file else { return Ok(None) };
            let given = Given { text: file.clone(), origin: Origin::Option(option) };
            let text = secrets::from_file(&given, &|path| std::fs::read(path))?;
            secrets::key(&text).map(Some)
        };
        let primary = key("primary-key-file", &self.primary_key_file)?;
        let secondary = key("secondary-key-file", &self.secondary_key_file)?;
        Ok(match (primary, self.x509_thumbprint.as_slice(), self.x509_ca) {
            (Some(primary), ..) => {
                // A hub takes two keys or none.
                let secondary = secondary.map_or_else(new_key, Ok)?;
                Proof::Keys(primary, secondary)
            }
            (None, [first], _) => Proof::Thumbprints(first.clone(), None),
            (None, [first, second], _) => Proof::Thumbprints(first.clone(), Some(second.clone())),
            (None, [], true) => Proof::Authority,
            (None, [], false) => Proof::NewKeys,
            (None, [..], _) => return Err(InputError::Thumbprints.into()),
        })
    }
}

fn new_key() -> anyhow::Result<SharedKey> {
    let mut bytes = vec![0; 32];
    rand::rng().fill_bytes(&mut bytes);
    SharedKey::from_bytes(bytes).context("a key of random bytes")
}

/// What is written for a device's program.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct SaveArgs {
    /// Write its connection string to this file, for `envsim run --connection-string-file`; the file
    /// is its owner's alone
    #[arg(long, value_name = "FILE")]
    save_connection_string: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "save_connection_string")]
    force: bool,
}

impl SaveArgs {
    fn reserve(&self, target: &Target) -> Result<Option<Saving<'_>>, InputError> {
        let reserve = |path| {
            if target.to_string().contains(';') {
                return Err(InputError::CutName { name: target.to_string() });
            }
            let file = SecretFile::reserve(path, self.force)?;
            crate::cli::note_if_open(path);
            Ok(Saving { file, path })
        };
        self.save_connection_string.as_deref().map(reserve).transpose()
    }
}

struct Saving<'a> {
    file: SecretFile,
    path: &'a Path,
}

impl Saving<'_> {
    /// Writes the connection string; returns where it is.
    fn save(self, hub: &Hub, target: &Target, identity: &Identity) -> anyhow::Result<String> {
        let key = identity.key.clone().ok_or(InputError::NoKey)?;
        let line = hub.connection_string(&target.device, target.module.as_ref(), key).reveal();
        let path = self.path.display().to_string();
        self.file.fill(&line).with_context(|| {
            format!("{target} is there, and its connection string is not: cannot write {path}; `{}` writes it again", verb("show", target))
        })?;
        Ok(path)
    }
}

/// Makes one. With `or_show` one that is there already is as well.
pub async fn create(
    hub: &Hub,
    target: &Target,
    new: &NewIdentity,
    or_show: bool,
    save: &SaveArgs,
) -> anyhow::Result<Exit> {
    if matches!(new.proof, Proof::Thumbprints(..) | Proof::Authority) && save.save_connection_string.is_some()
    {
        return Err(InputError::NoKey.into());
    }
    let saving = save.reserve(target)?;
    let made = hub.client.create(&target.device, target.module.as_ref(), new).await;
    let (identity, created) = match made {
        Err(OperatorError::Exists { .. }) if or_show => (read(hub, target).await?, false),
        made => (advised(made, |why| what_instead(why, target))?, true),
    };
    let differs = if created { Vec::new() } else { new.differs(&identity) };
    if !differs.is_empty() {
        note(&format!(
            "{target} was there already and stays as it is; not as asked for: {}",
            differs.join(", ")
        ));
    }
    let saved = saving.map(|saving| saving.save(hub, target, &identity)).transpose()?;
    tell(hub, target, identity, Some(Outcome { created, differs }), saved)
}

/// Shows one.
pub async fn show(hub: &Hub, target: &Target, save: &SaveArgs) -> anyhow::Result<Exit> {
    let saving = save.reserve(target)?;
    let identity = read(hub, target).await?;
    let saved = saving.map(|saving| saving.save(hub, target, &identity)).transpose()?;
    tell(hub, target, identity, None, saved)
}

/// Deletes one.
pub async fn delete(hub: &Hub, target: &Target, etag: Option<&str>) -> anyhow::Result<Exit> {
    let deleted = hub.client.delete(&target.device, target.module.as_ref(), etag).await;
    advised(deleted, |why| match why {
        OperatorError::Changed { .. } => Some(format!("`{}` tells its etag", verb("show", target))),
        _ => None,
    })?;
    let module = target.module.as_ref().map(ToString::to_string);
    let told = json!({"event": "deleted", "deviceId": target.device.as_str(), "moduleId": module});
    hub.tell(&told, || format!("deleted {target}"))
}

async fn read(hub: &Hub, target: &Target) -> anyhow::Result<Identity> {
    Ok(explained(hub.client.identity(&target.device, target.module.as_ref()).await)?)
}

/// The command line of a verb about `target`.
fn verb(verb: &str, target: &Target) -> String {
    match &target.module {
        Some(module) => format!("envsim hub module {verb} {} {module}", target.device),
        None => format!("envsim hub device {verb} {}", target.device),
    }
}

fn what_instead(why: &OperatorError, target: &Target) -> Option<String> {
    let is_device = |subject: &String| *subject == target.device.to_string();
    match why {
        OperatorError::Exists { .. } => Some(format!(
            "`{}` shows it, as --or-show does instead of failing, and `{}` deletes it",
            verb("show", target),
            verb("delete", target)
        )),
        OperatorError::Unknown { subject, .. } if target.module.is_some() && is_device(subject) => {
            Some(format!("make the device first: `envsim hub device create {}`", target.device))
        }
        _ => None,
    }
}

/// What came of making one.
struct Outcome {
    created: bool,
    /// The members of one that was there already which are not as asked for.
    differs: Vec<&'static str>,
}

fn tell(
    hub: &Hub,
    target: &Target,
    identity: Identity,
    outcome: Option<Outcome>,
    saved: Option<String>,
) -> anyhow::Result<Exit> {
    let mut told = identity.told;
    if let Value::Object(members) = &mut told {
        if let Some(Outcome { created, differs }) = &outcome {
            members.insert("created".to_owned(), json!(created));
            members.insert("differs".to_owned(), json!(differs));
        }
        members.extend(saved.as_ref().map(|path| ("connectionStringFile".to_owned(), json!(path))));
    }
    hub.tell(&told, || {
        let head = match outcome.map(|outcome| outcome.created) {
            Some(true) => format!("made {target}"),
            Some(false) => format!("{target} was there already"),
            None => target.to_string(),
        };
        let mut rows = rows(&told, &hub.zone);
        rows.extend(saved.map(|path| ("connection string", format!("in {path}"))));
        format!("{}\n{}", clean(&head), pairs(&rows))
    })
}

fn rows(told: &Value, zone: &jiff::tz::TimeZone) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let since = |name: &str| moment(&told[name], zone).map(|at| format!(" since {at}")).unwrap_or_default();
    let mut rows = Vec::new();
    if told["capabilities"]["iotEdge"] == true {
        rows.push(("kind", "IoT Edge device".to_owned()));
    }
    if let Some(status) = told["status"].as_str() {
        let reason = told["statusReason"].as_str().map(|why| format!(" ({why})")).unwrap_or_default();
        rows.push(("status", format!("{status}{reason}")));
    }
    let connection = text(&told["connectionState"]).to_lowercase();
    rows.push(("connection", format!("{connection}{}", since("connectionStateUpdatedTime"))));
    rows.push(("authentication", authentication(&told["authentication"])));
    if let Some(managed) = told["managedBy"].as_str() {
        rows.push(("managed by", managed.to_owned()));
    }
    if let Some(at) = moment(&told["lastActivityTime"], zone) {
        rows.push(("last active", at));
    }
    if let Some(count) = told["cloudToDeviceMessageCount"].as_u64().filter(|count| *count > 0) {
        rows.push(("waiting", format!("{count} messages from the cloud")));
    }
    rows.push(("etag", text(&told["etag"])));
    rows
}

fn authentication(proof: &Value) -> String {
    let texts = |group: &str, names: [&str; 2]| -> Vec<String> {
        names.iter().filter_map(|name| proof[group][name].as_str().map(str::to_owned)).collect()
    };
    match proof["type"].as_str().unwrap_or("unknown") {
        "sas" => {
            let keys = texts("symmetricKey", ["primaryKeyFingerprint", "secondaryKeyFingerprint"]);
            let keys: Vec<_> = keys.iter().map(|key| format!("key {key}")).collect();
            format!("sas, {}", keys.join(" or "))
        }
        "selfSigned" => {
            let prints = texts("x509Thumbprint", ["primaryThumbprint", "secondaryThumbprint"]);
            format!("certificate {}", prints.join(" or "))
        }
        "certificateAuthority" => "certificate, signed by an authority".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_told_in_a_few_lines() {
        let told = json!({"deviceId": "d", "status": "disabled", "statusReason": "stolen",
            "connectionState": "Disconnected", "connectionStateUpdatedTime": "0001-01-01T00:00:00",
            "lastActivityTime": "2026-11-21T13:03:07Z", "cloudToDeviceMessageCount": 2, "etag": "e1",
            "capabilities": {"iotEdge": true},
            "authentication": {"type": "sas", "symmetricKey":
                {"primaryKeyFingerprint": "630dcd29", "secondaryKeyFingerprint": "00000000"}}});
        assert_eq!(
            pairs(&rows(&told, &jiff::tz::TimeZone::UTC)),
            "  kind            IoT Edge device
  status          disabled (stolen)
  connection      disconnected
  authentication  sas, key 630dcd29 or key 00000000
  last active     2026-11-21 13:03:07
  waiting         2 messages from the cloud
  etag            e1"
        );
        assert_eq!(
            authentication(&json!({"type": "certificateAuthority"})),
            "certificate, signed by an authority"
        );
    }
}
