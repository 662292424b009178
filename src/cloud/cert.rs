//! The certificates of a local cloud: an authority of its own and one certificate from it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use super::door::certificate::AnyClientCertificate;

/// Longer than any run, shorter than the 825 days that some clients insist on. Made anew with each
/// start.
const DAYS: i64 = 397;
/// An authority that is kept has to be good for as long as what trusts it.
const AUTHORITY_DAYS: i64 = 3650;

/// Who signs a local cloud's certificates, and whom its clients trust.
pub struct Authority {
    pem: String,
    key: KeyPair,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("pem", &self.pem).finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new one.
    pub fn make() -> Result<Self, CertificateError> {
        let from = OffsetDateTime::now_utc() - Duration::days(1);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.not_before = from;
        params.not_after = from + Duration::days(AUTHORITY_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "envsim local cloud CA");
        Ok(Self { pem: params.self_signed(&key)?.pem(), key })
    }

    /// Takes up an earlier one from its certificate and its key, both PEM.
    pub fn restore(pem: &str, key: &str) -> Result<Self, CertificateError> {
        let key = KeyPair::from_pem(key)?;
        // Read here, so that it is known to be one before anything is signed with it.
        Issuer::from_ca_cert_pem(pem, &key)?;
        Ok(Self { pem: pem.to_owned(), key })
    }

    /// Its certificate, as PEM: what a client has to trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its private key, as PEM. For where it is kept.
    pub fn reveal_key(&self) -> String {
        self.key.serialize_pem()
    }
}

/// What a local cloud proves itself with.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate: what a client has to trust.
    pub ca_pem: String,
    /// For TLS 1.2 and 1.3, without a protocol negotiated on top. Client certificates
    /// are asked for and not insisted on.
    pub server: Arc<ServerConfig>,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A name that cannot stand in a certificate, or no randomness.
    #[error("the certificate cannot be made: {0}")]
    Made(#[from] rcgen::Error),
    /// What was made cannot be used.
    #[error("the certificate cannot be used for TLS: {0}")]
    Used(#[from] rustls::Error),
}

impl Certificates {
    /// Has the authority sign a certificate for `localhost`, the loopback addresses, `bind` and
    /// `hostname`. ECDSA on P-256: made in well under a millisecond, and every SDK takes it.
    pub fn make(
        authority: &Authority,
        bind: IpAddr,
        hostname: Option<&str>,
    ) -> Result<Self, CertificateError> {
        let from = OffsetDateTime::now_utc() - Duration::days(1);
        let until = from + Duration::days(DAYS);

        let issuer = Issuer::from_ca_cert_pem(&authority.pem, &authority.key)?;

        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::default();
        leaf.not_before = from;
        leaf.not_after = until;
        leaf.distinguished_name.push(DnType::CommonName, "envsim local cloud");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        leaf.subject_alt_names = vec![SanType::DnsName("localhost".try_into()?)];
        let mut addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        if let Some(name) = hostname.filter(|name| *name != "localhost") {
            match name.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => leaf.subject_alt_names.push(SanType::DnsName(name.try_into()?)),
            }
        }
        addresses.push(bind);
        addresses.sort_unstable();
        addresses.dedup();
        leaf.subject_alt_names.extend(addresses.into_iter().map(SanType::IpAddress));
        let certificate = leaf.signed_by(&key, &issuer)?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(AnyClientCertificate::new()))
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        // A resumption is offered once: with TLS 1.3 it saves this side next to nothing.
        server.send_tls13_tickets = 1;
        Ok(Self { ca_pem: authority.pem.clone(), server: Arc::new(server) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_for_names_and_addresses() {
        let bind = "127.0.0.9".parse().expect("an address");
        let made = Authority::make().expect("an authority");
        let authority = Authority::restore(made.pem(), &made.reveal_key()).expect("the same");
        for hostname in [None, Some("localhost"), Some("my-hub.test"), Some("10.0.0.1")] {
            let made = Certificates::make(&authority, bind, hostname).expect("certificates");
            assert!(made.ca_pem.starts_with("-----BEGIN CERTIFICATE-----"));
            assert_eq!(made.ca_pem, authority.pem());
        }
        assert!(Certificates::make(&authority, bind, Some("ü")).is_err());
    }
}
