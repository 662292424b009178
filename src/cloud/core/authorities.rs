//! The certificate authorities whose devices a hub lets in.
//!
//! IoT Hub, "Authenticate identities with X.509 certificates". In Azure an authority is registered
//! in the portal and then proves that it holds its key; here registering it is enough.

use std::collections::BTreeMap;

use rustls::pki_types::CertificateDer;

use super::fault::Fault;
use super::x509::{X509Refusal, authority};

/// The most authorities: Azure takes 100 certificates, too.
const CAPACITY: usize = 100;
const NAME_LIMIT: usize = 64;

/// All authorities by the names under which they were registered.
#[derive(Debug, Default)]
pub struct Authorities {
    by_name: BTreeMap<String, CertificateDer<'static>>,
}

impl Authorities {
    /// Registers an authority, as PEM or DER, in the place of what had its name.
    pub fn put(&mut self, name: &str, certificate: &[u8]) -> Result<(), Fault> {
        let fits = (1..=NAME_LIMIT).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !fits {
            return Err(Fault::bad_request(format!(
                "`{name}` is no name for an authority: use 1 to {NAME_LIMIT} letters, digits, - _ ."
            )));
        }
        if self.by_name.len() >= CAPACITY && !self.by_name.contains_key(name) {
            return Err(Fault::throttled(format!("this hub knows {CAPACITY} authorities already")));
        }
        let unusable = |why: X509Refusal| Fault::bad_request(format!("the certificate of `{name}` {why}"));
        self.by_name.insert(name.to_owned(), authority(certificate).map_err(unusable)?);
        Ok(())
    }

    /// Takes an authority out. Answers whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }

    /// An authority.
    pub fn get(&self, name: &str) -> Option<&CertificateDer<'static>> {
        self.by_name.get(name)
    }

    /// The names of all authorities.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The certificates of all authorities.
    pub fn certificates(&self) -> Vec<CertificateDer<'_>> {
        self.by_name.values().map(|certificate| CertificateDer::from(certificate.as_ref())).collect()
    }
}
