//! What a cloud is founded with and keeps for good: keys, the ID scope and its authority.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::forms;
use crate::device::IdScope;
use crate::wire::SharedKey;

/// The authority that clients have been told to trust.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAuthority {
    /// Its certificate, as PEM.
    pub certificate: String,
    /// Its private key, as PEM.
    pub key: String,
}

impl fmt::Debug for KeptAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAuthority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Key(#[serde(with = "forms::key")] SharedKey);

/// What a cloud is founded with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Founding {
    id_scope: String,
    #[serde(with = "forms::key")]
    group_key: SharedKey,
    policies: BTreeMap<String, Key>,
    authority: KeptAuthority,
    /// The name it goes by, which is the only thing here that may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hub: Option<String>,
}

impl Founding {
    /// What is to be kept of a new cloud.
    pub fn new<'a>(
        id_scope: &IdScope,
        group_key: &SharedKey,
        policies: impl IntoIterator<Item = (&'a str, &'a SharedKey)>,
        authority: KeptAuthority,
    ) -> Self {
        let policies = policies.into_iter().map(|(name, key)| (name.to_owned(), Key(key.clone()))).collect();
        Self { id_scope: id_scope.to_string(), group_key: group_key.clone(), policies, authority, hub: None }
    }

    /// The same, of a cloud that goes by this name.
    #[must_use]
    pub fn called(self, hub: &str) -> Self {
        Self { hub: Some(hub.to_owned()), ..self }
    }

    /// The name that it went by when it was last started, if that was written down.
    pub fn hub(&self) -> Option<&str> {
        self.hub.as_deref()
    }

    /// The provisioning service's ID scope; `None` when it is not one.
    pub fn id_scope(&self) -> Option<IdScope> {
        self.id_scope.parse().ok()
    }

    /// The enrolment group's key.
    pub fn group_key(&self) -> &SharedKey {
        &self.group_key
    }

    /// The shared access policies' keys by name.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &SharedKey)> {
        self.policies.iter().map(|(name, key)| (name.as_str(), &key.0))
    }

    /// The authority.
    pub fn authority(&self) -> &KeptAuthority {
        &self.authority
    }
}
