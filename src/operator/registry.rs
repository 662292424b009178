//! The identity registry: making, reading and deleting devices and modules.
//!
//! IoT Hub REST, "Devices" and "Modules". Whoever may read the registry is given the keys in it;
//! they are taken out here, so that nothing that prints what the hub said can print them.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::if_match;
use super::twin::subject;
use super::{Client, OperatorError};
use crate::device::{DeviceId, ModuleId};
use crate::wire::{SharedKey, service};

/// How a new identity is to prove who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proof {
    /// With keys that the hub makes.
    #[default]
    NewKeys,
    /// With these keys, the first and the second.
    Keys(SharedKey, SharedKey),
    /// With a certificate of which the hub knows the thumbprint, and that of the one to come.
    Thumbprints(String, Option<String>),
    /// With a certificate that an authority has signed which the hub knows.
    Authority,
}

/// A device or module to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewIdentity {
    /// How it proves who it is.
    pub proof: Proof,
    /// An IoT Edge device.
    pub edge: bool,
    /// May not connect.
    pub disabled: bool,
}

impl NewIdentity {
    fn body(&self, device: &DeviceId, module: Option<&ModuleId>) -> Value {
        let authentication = match &self.proof {
            Proof::NewKeys => {
                json!({"type": "sas", "symmetricKey": {"primaryKey": null, "secondaryKey": null}})
            }
            Proof::Keys(primary, secondary) => json!({"type": "sas",
                "symmetricKey": {"primaryKey": primary.reveal(), "secondaryKey": secondary.reveal()}}),
            Proof::Thumbprints(primary, secondary) => json!({"type": "selfSigned",
                "x509Thumbprint": {"primaryThumbprint": primary, "secondaryThumbprint": secondary}}),
            Proof::Authority => json!({"type": "certificateAuthority"}),
        };
        match module {
            Some(module) => json!({"deviceId": device.as_str(), "moduleId": module.as_str(),
                "authentication": authentication}),
            None => json!({"deviceId": device.as_str(),
                "status": if self.disabled { "disabled" } else { "enabled" },
                "authentication": authentication, "capabilities": {"iotEdge": self.edge}}),
        }
    }

    /// What of an identity that is there is not as this one asks for, by the names of its members.
    pub fn differs(&self, there: &Identity) -> Vec<&'static str> {
        let told = &there.told;
        let authentication = &told["authentication"];
        let is_of = |kind: &str| authentication["type"] == kind;
        let text = |group: &str, name: &str| authentication[group][name].as_str().map(str::to_owned);
        let proves = match &self.proof {
            Proof::NewKeys => is_of("sas"),
            Proof::Keys(primary, secondary) => {
                let fingerprint = |name| text("symmetricKey", name);
                fingerprint("primaryKeyFingerprint") == Some(primary.fingerprint())
                    && fingerprint("secondaryKeyFingerprint") == Some(secondary.fingerprint())
            }
            Proof::Thumbprints(primary, secondary) => {
                text("x509Thumbprint", "primaryThumbprint").as_ref() == Some(primary)
                    && text("x509Thumbprint", "secondaryThumbprint") == *secondary
            }
            Proof::Authority => is_of("certificateAuthority"),
        };
        // A module has neither of the first two.
        let is_disabled = told["status"].as_str().map(|status| status == "disabled");
        let is_edge = told["capabilities"]["iotEdge"].as_bool();
        [
            ("status", is_disabled.is_none_or(|it| it == self.disabled)),
            ("capabilities", is_edge.is_none_or(|it| it == self.edge)),
            ("authentication", proves),
        ]
        .into_iter()
        .filter_map(|(name, is_same)| (!is_same).then_some(name))
        .collect()
    }
}

/// A device or module of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// What the hub says of it, with fingerprints in the place of keys.
    pub told: Value,
    /// The first of its keys, when it has any.
    pub key: Option<SharedKey>,
}

impl Identity {
    /// Reads the answer to a request for one identity. Any other object, and a list of them, is not
    /// what was asked for, and nothing of it is told.
    fn asked(
        host: &str,
        device: &DeviceId,
        module: Option<&ModuleId>,
        told: Value,
    ) -> Result<Self, OperatorError> {
        let is = |name: &str, own: Option<&str>| told.get(name).and_then(Value::as_str) == own;
        if is("deviceId", Some(device.as_str())) && is("moduleId", module.map(ModuleId::as_str)) {
            return Ok(Self::read(told));
        }
        Err(OperatorError::NotAHub(host.to_owned()))
    }

    fn read(mut told: Value) -> Self {
        let keys = told.get_mut("authentication").and_then(|proof| proof.get_mut("symmetricKey"));
        let key = keys.and_then(|keys| {
            let read = |name: &str| SharedKey::from_base64(keys[name].as_str()?).ok();
            let (primary, secondary) = (read("primaryKey"), read("secondaryKey"));
            let fingerprint = |key: &Option<SharedKey>| key.as_ref().map(SharedKey::fingerprint);
            *keys = json!({"primaryKeyFingerprint": fingerprint(&primary),
                "secondaryKeyFingerprint": fingerprint(&secondary)});
            primary
        });
        Self { told, key }
    }
}

impl Client {
    /// Makes a device, or a module on one. That there is one already is an error.
    pub async fn create(
        &self,
        device: &DeviceId,
        module: Option<&ModuleId>,
        new: &NewIdentity,
    ) -> Result<Identity, OperatorError> {
        let path = service::identity_path(device.as_str(), module.map(ModuleId::as_str));
        let request = self.request(Method::PUT, &path)?.json(&new.body(device, module));
        let told = self.json(request, &subject(device, module), None).await?;
        Identity::asked(self.host(), device, module, told)
    }

    /// A device, or a module on one.
    pub async fn identity(
        &self,
        device: &DeviceId,
        module: Option<&ModuleId>,
    ) -> Result<Identity, OperatorError> {
        let path = service::identity_path(device.as_str(), module.map(ModuleId::as_str));
        let request = self.request(Method::GET, &path)?;
        let told = self.json(request, &subject(device, module), None).await?;
        Identity::asked(self.host(), device, module, told)
    }

    /// The modules on a device; a hub takes 50 of them, and the two of IoT Edge.
    pub async fn modules(&self, device: &DeviceId) -> Result<Vec<Identity>, OperatorError> {
        let request = self.request(Method::GET, &service::modules_path(device.as_str()))?;
        match self.json(request, device.as_str(), None).await? {
            Value::Array(modules) => Ok(modules.into_iter().map(Identity::read).collect()),
            _ => Err(OperatorError::NotAHub(self.host().to_owned())),
        }
    }

    /// Deletes a device with its modules, or one module: that of this etag, or any.
    pub async fn delete(
        &self,
        device: &DeviceId,
        module: Option<&ModuleId>,
        etag: Option<&str>,
    ) -> Result<(), OperatorError> {
        let path = service::identity_path(device.as_str(), module.map(ModuleId::as_str));
        let request = if_match(self.request(Method::DELETE, &path)?, etag);
        self.answer(request, &subject(device, module), None).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn key() -> SharedKey {
        SharedKey::from_base64(K1).expect("a key")
    }

    #[test]
    fn what_the_registry_says_has_no_key_in_it() {
        let said = json!({"deviceId": "d", "authentication": {"type": "sas",
            "symmetricKey": {"primaryKey": K1, "secondaryKey": "too short"}}});
        let identity = Identity::read(said);
        assert_eq!(
            identity.told["authentication"]["symmetricKey"],
            json!({"primaryKeyFingerprint": "630dcd29", "secondaryKeyFingerprint": null})
        );
        assert_eq!(identity.key, Some(key()));
        assert!(!format!("{identity:?}").contains("AAECAw"));
        let by_certificate = json!({"authentication": {"type": "selfSigned", "symmetricKey": null}});
        assert_eq!(Identity::read(by_certificate).key, None);
        assert_eq!(Identity::read(json!({})), Identity { told: json!({}), key: None });
    }

    #[test]
    fn only_the_identity_asked_for_is_taken() {
        let (device, module) = ("d".parse().expect("an id"), "m".parse().expect("an id"));
        let key = json!({"symmetricKey": {"primaryKey": K1, "secondaryKey": K1}});
        let of = |told: &Value, module| Identity::asked("hub", &device, module, told.clone());
        let plain = json!({"deviceId": "d", "authentication": key});
        let on_it = json!({"deviceId": "d", "moduleId": "m", "authentication": key});
        assert!(of(&plain, None).is_ok() && of(&on_it, Some(&module)).is_ok());
        let another = json!({"deviceId": "e", "authentication": key});
        let refused = Err(OperatorError::NotAHub("hub".to_owned()));
        assert_eq!(of(&on_it, None), refused);
        assert_eq!(of(&plain, Some(&module)), refused);
        for told in [json!([plain]), another, json!("d"), json!({}), Value::Null] {
            assert_eq!(of(&told, None), refused, "{told}");
            assert_eq!(of(&told, Some(&module)), refused, "{told}");
        }
    }

    #[test]
    fn what_is_there_is_compared_with_what_is_asked_for() {
        let there =
            Identity::read(json!({"deviceId": "d", "status": "enabled", "capabilities": {"iotEdge": true},
            "authentication": {"type": "sas", "symmetricKey": {"primaryKey": K1, "secondaryKey": K1}}}));
        let with = |proof: Proof| NewIdentity { proof, edge: true, disabled: false }.differs(&there);
        assert_eq!(with(Proof::NewKeys), [""; 0]);
        assert_eq!(with(Proof::Keys(key(), key())), [""; 0]);
        let other = SharedKey::from_bytes(vec![7; 32]).expect("a key");
        assert_eq!(with(Proof::Keys(key(), other)), ["authentication"]);
        assert_eq!(with(Proof::Authority), ["authentication"]);
        let plain = NewIdentity { disabled: true, ..NewIdentity::default() };
        assert_eq!(plain.differs(&there), ["status", "capabilities"]);
        let prints = json!({"primaryThumbprint": "AB", "secondaryThumbprint": null});
        let there =
            Identity::read(json!({"authentication": {"type": "selfSigned", "x509Thumbprint": prints}}));
        let with = |print: &str| Proof::Thumbprints(print.to_owned(), None);
        let of = |proof| NewIdentity { proof, ..NewIdentity::default() }.differs(&there);
        assert_eq!((of(with("AB")), of(with("CD"))), (vec![], vec!["authentication"]));
    }

    #[test]
    fn an_identity_is_asked_for_in_the_hub_s_form() {
        let (device, module) = ("d".parse().expect("an id"), "m".parse().expect("an id"));
        let new = NewIdentity { edge: true, ..NewIdentity::default() };
        assert_eq!(
            new.body(&device, None),
            json!({"deviceId": "d", "status": "enabled", "capabilities": {"iotEdge": true},
                "authentication": {"type": "sas", "symmetricKey": {"primaryKey": null, "secondaryKey": null}}})
        );
        assert_eq!(
            NewIdentity { proof: Proof::Keys(key(), key()), ..new.clone() }.body(&device, Some(&module)),
            json!({"deviceId": "d", "moduleId": "m",
                "authentication": {"type": "sas", "symmetricKey": {"primaryKey": K1, "secondaryKey": K1}}})
        );
        let proof = Proof::Thumbprints("AB".to_owned(), None);
        assert_eq!(
            NewIdentity { proof, disabled: true, edge: false }.body(&device, None)["authentication"],
            json!({"type": "selfSigned",
                "x509Thumbprint": {"primaryThumbprint": "AB", "secondaryThumbprint": null}})
        );
    }
}
