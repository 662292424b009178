//! The certificates trusted, made once into the configuration that all connections share.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Certificate authorities that are trusted. Cheap to clone; clones share one configuration, and
/// with it TLS session resumption.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    system: bool,
    extra: Vec<CertificateDer<'static>>,
    config: OnceLock<Result<Arc<ClientConfig>, TrustError>>,
}

/// Why certificates cannot be trusted as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Something between the PEM lines is not base64, or a line is missing.
    #[error("{from} is not PEM: {why}; a certificate begins with `-----BEGIN CERTIFICATE-----`")]
    NotPem {
        /// Where it came from.
        from: String,
        /// What the reader said.
        why: String,
    },
    /// PEM perhaps, but nothing to trust in it.
    #[error("{from} holds no certificate; one begins with `-----BEGIN CERTIFICATE-----`")]
    Empty {
        /// Where it came from.
        from: String,
    },
    /// A certificate that cannot stand at the root of a chain.
    #[error("{from} holds a certificate that cannot be trusted as an authority: {why}")]
    Unusable {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// The cryptography this program was built with is incomplete.
    #[error("TLS cannot be set up: {0}")]
    Provider(String),
}

impl Trust {
    /// What the system trusts. Nothing is read before the first connection.
    pub fn system() -> Self {
        Self::of(true, Vec::new())
    }

    /// Only the certificates in `pem`, not the system's: for when the local cloud is the only
    /// target, which also spares reading some hundred certificates at the start.
    pub fn only(pem: &str, from: &str) -> Result<Self, TrustError> {
        Ok(Self::of(false, read(pem, from)?))
    }

    /// What this trusts and the certificates in `pem`; `from` names their origin in errors.
    pub fn and(&self, pem: &str, from: &str) -> Result<Self, TrustError> {
        let mut extra = self.0.extra.clone();
        extra.extend(read(pem, from)?);
        Ok(Self::of(self.0.system, extra))
    }

    /// What this trusts and what the system trusts: for servers that are elsewhere.
    #[must_use]
    pub fn and_system(&self) -> Self {
        if self.0.system { self.clone() } else { Self::of(true, self.0.extra.clone()) }
    }

    fn of(system: bool, extra: Vec<CertificateDer<'static>>) -> Self {
        Self(Arc::new(Inner { system, extra, config: OnceLock::new() }))
    }

    /// The configuration for connections, made at the first call.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        self.0.config.get_or_init(|| self.build().map(Arc::new)).clone()
    }

    fn build(&self) -> Result<ClientConfig, TrustError> {
        let mut roots = RootCertStore::empty();
        if self.0.system {
            // A system's store may hold certificates that rustls cannot read; they are passed
            // over, as browsers do, because none of them is needed by name.
            let found = rustls_native_certs::load_native_certs();
            let (added, ignored) = roots.add_parsable_certificates(found.certs);
            tracing::debug!(added, ignored, errors = found.errors.len(), "system roots read");
            if added == 0 {
                // Small container images have no store at all.
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
        }
        for certificate in &self.0.extra {
            roots
                .add(certificate.clone())
                .map_err(|why| TrustError::Unusable { from: "--ca".to_owned(), why: why.to_string() })?;
        }
        // The provider is named, never inferred: with two in the tree rustls would panic instead.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TrustError::Provider(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("system", &self.0.system)
            .field("extra", &self.0.extra.len())
            .finish_non_exhaustive()
    }
}

fn read(pem: &str, from: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let from = || from.to_owned();
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|why| TrustError::NotPem { from: from(), why: why.to_string() })?;
    if certificates.is_empty() {
        return Err(TrustError::Empty { from: from() });
    }
    // Tried now, so that a bad file is found at the start and not at the first connection.
    let mut probe = RootCertStore::empty();
    for certificate in &certificates {
        probe
            .add(certificate.clone())
            .map_err(|why| TrustError::Unusable { from: from(), why: why.to_string() })?;
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate").cert.pem()
    }

    #[test]
    fn a_certificate_in_pem_is_taken_and_the_configuration_is_made_once() {
        let trust = Trust::only(&certificate(), "ca.pem").expect("trust");
        let first = trust.config().expect("a configuration");
        assert!(Arc::ptr_eq(&first, &trust.clone().config().expect("a configuration")));
    }

    #[test]
    fn extra_certificates_stand_besides_the_systems() {
        let trust = Trust::system().and(&certificate(), "ca.pem").expect("trust");
        assert!(trust.0.system);
        assert_eq!(trust.0.extra.len(), 1);
        assert!(trust.config().is_ok());
    }

    #[test]
    fn the_systems_can_be_added_to_certificates_that_stood_alone() {
        let alone = Trust::only(&certificate(), "ca.pem").expect("trust");
        let both = alone.and_system();
        assert_eq!((both.0.system, both.0.extra.len()), (true, 1));
        assert!(!alone.0.system);
        assert!(Arc::ptr_eq(&both.0, &both.and_system().0), "one configuration is shared");
    }

    #[test]
    fn files_without_certificates_say_so() {
        let said = |pem: &str| Trust::only(pem, "ca.pem").expect_err("no certificate").to_string();
        assert!(said("").starts_with("ca.pem holds no certificate"));
        assert!(said("hello").starts_with("ca.pem holds no certificate"));
        assert!(
            said("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")
                .starts_with("ca.pem is not PEM")
        );
        assert!(
            said("-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n")
                .starts_with("ca.pem holds a certificate that cannot be trusted")
        );
    }
}
