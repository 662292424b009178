//! Identities: how each proves who it is, and what operators said of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::cloud::core::registry::{Authentication, Identity, Keys, Placed, Thumbprints};
use crate::cloud::core::twins::Twin;
use crate::device::Now;
use crate::wire::SharedKey;

pub(super) const TABLE: Table = Table { name: "identities", read, restore };

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "type")]
enum Proof {
    Sas {
        #[serde(with = "forms::key")]
        primary: SharedKey,
        #[serde(with = "forms::key")]
        secondary: SharedKey,
    },
    SelfSigned {
        primary: Option<String>,
        secondary: Option<String>,
    },
    CertificateAuthority,
    None,
}

/// Whether it is connected is not kept: after a start, nobody is. When it was last heard is kept
/// as of the last change, because a message must not have to wait for the disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    proof: Proof,
    generation: String,
    etag: String,
    enabled: bool,
    status_reason: Option<String>,
    #[serde(with = "forms::time")]
    status_updated: Option<Timestamp>,
    edge: bool,
    scope: Option<String>,
    managed_by: Option<String>,
    #[serde(with = "forms::time")]
    connection_updated: Option<Timestamp>,
    #[serde(with = "forms::time")]
    last_activity: Option<Timestamp>,
    model_id: Option<String>,
    /// Configurations that select it, and whether something of each stands in its twin.
    #[serde(default)]
    configurations: BTreeMap<String, bool>,
}

fn read(core: &Core, key: &Key) -> Option<String> {
    let identity = core.kept_identity(&key.to_address().ok()?)?.clone();
    let proof = match identity.authentication {
        Authentication::Sas(Keys { primary, secondary }) => Proof::Sas { primary, secondary },
        Authentication::SelfSigned(Thumbprints { primary, secondary }) => {
            Proof::SelfSigned { primary, secondary }
        }
        Authentication::CertificateAuthority => Proof::CertificateAuthority,
        Authentication::None => Proof::None,
    };
    let document = Document {
        proof,
        generation: identity.generation,
        etag: identity.etag,
        enabled: identity.enabled,
        status_reason: identity.status_reason,
        status_updated: identity.status_updated,
        edge: identity.edge,
        scope: identity.scope,
        managed_by: identity.managed_by,
        connection_updated: identity.connection_updated,
        last_activity: identity.last_activity,
        model_id: identity.model_id,
        configurations: identity
            .configurations
            .into_iter()
            .map(|(id, placed)| (id, placed == Placed::Applied))
            .collect(),
    };
    serde_json::to_string(&document).ok()
}

fn restore(core: &mut Core, _: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let address = key.to_address()?;
    let Some(body) = body else {
        core.restore_identity(&address, None);
        return Ok(());
    };
    let document: Document = forms::read(body)?;
    let authentication = match document.proof {
        Proof::Sas { primary, secondary } => Authentication::Sas(Keys { primary, secondary }),
        Proof::SelfSigned { primary, secondary } => {
            Authentication::SelfSigned(Thumbprints { primary, secondary })
        }
        Proof::CertificateAuthority => Authentication::CertificateAuthority,
        Proof::None => Authentication::None,
    };
    let identity = Identity {
        address: address.clone(),
        authentication,
        generation: document.generation,
        etag: document.etag,
        enabled: document.enabled,
        status_reason: document.status_reason,
        status_updated: document.status_updated,
        edge: document.edge,
        scope: document.scope,
        managed_by: document.managed_by,
        connected: false,
        connection_updated: document.connection_updated,
        last_activity: document.last_activity,
        model_id: document.model_id,
        messages: 0,
        configurations: document
            .configurations
            .into_iter()
            .map(|(id, applied)| (id, if applied { Placed::Applied } else { Placed::Targeted }))
            .collect(),
        // Its own stands in the next table.
        twin: Twin::new(Timestamp::UNIX_EPOCH),
    };
    core.restore_identity(&address, Some(identity));
    Ok(())
}
