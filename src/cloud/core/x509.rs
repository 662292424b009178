//! Client certificates: who one names, how long it is good for, and who has vouched for it.
//!
//! TLS has shown that the client holds the certificate's key, nothing more. What it is good for is
//! decided here, against the thumbprints and authorities that somebody registered. IoT Hub,
//! "Authenticate identities with X.509 certificates".

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error, RootCertStore};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Certificates of a chain that are looked at; Azure's own chains have two or three.
const CHAIN: usize = 8;

/// What is said of bytes that the parser does not take.
pub const NO_DER: &str =
    "its bytes are not those of an X.509 certificate: it is damaged, or a key or a signing request";

/// Why a certificate is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum X509Refusal {
    /// It is none.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Its time is over.
    #[error("ran out at {0}: issue a new one, or check this machine's clock")]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("is not valid before {0}: wait, or check this machine's clock")]
    NotYetValid(Timestamp),
    /// Its subject has no common name.
    #[error("has no common name in its subject: issue it with the device's or registration's id as CN")]
    NoCommonName,
    /// Nobody has vouched for it but itself.
    #[error(
        "is signed by itself (`{0}`), not by an authority registered here: register its thumbprint instead"
    )]
    SelfSigned(String),
    /// Its issuer, or that one's, is not known.
    #[error("was issued by `{0}`, and the chain that was sent leads to no authority registered here")]
    UnknownIssuer(String),
    /// An authority bears the right name, and the signature is another's.
    #[error("says that it was issued by `{0}`, whose signature it does not bear")]
    BadSignature(String),
    /// It is for something else.
    #[error("is not for client authentication: issue it with the extended key usage clientAuth")]
    Purpose,
    /// No authority is registered at all, or none that is valid now.
    #[error("cannot be checked: no authority that is valid now is registered here")]
    NoAuthority,
    /// Another rule of RFC 5280.
    #[error("breaks a rule of certificates: {0}")]
    Rule(String),
}

/// A client's certificate and those it sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    end_entity: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    common_name: Option<String>,
    subject: String,
    issuer: String,
    self_issued: bool,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl PeerCertificate {
    /// Reads a chain, the client's own certificate first.
    pub fn from_chain(chain: &[CertificateDer<'_>]) -> Result<Self, X509Refusal> {
        let unreadable = |why: &str| X509Refusal::Unreadable(why.to_owned());
        let (first, rest) = chain.split_first().ok_or_else(|| unreadable("the chain is empty"))?;
        let read = parse(first)?;
        let common_name = read.subject().iter_common_name().next();
        Ok(Self {
            common_name: common_name.and_then(|name| name.as_str().ok()).map(str::to_owned),
            subject: read.subject().to_string(),
            issuer: read.issuer().to_string(),
            self_issued: read.subject().as_raw() == read.issuer().as_raw(),
            not_before: time(read.validity().not_before.timestamp())?,
            not_after: time(read.validity().not_after.timestamp())?,
            end_entity: first.clone().into_owned(),
            intermediates: rest.iter().take(CHAIN).map(|one| one.clone().into_owned()).collect(),
        })
    }

    /// The certificate itself, in DER.
    pub fn der(&self) -> &[u8] {
        &self.end_entity
    }

    /// The common name: the device's id or the registration's.
    pub fn subject_common_name(&self) -> Result<&str, X509Refusal> {
        self.common_name.as_deref().ok_or(X509Refusal::NoCommonName)
    }

    /// Whom it is about, in full.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who issued it, in full.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When its time began.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When its time is over.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// SHA-1 of the DER in upper-case hex, 40 digits: names a certificate, protects nothing.
    pub fn sha1_thumbprint(&self) -> String {
        hex(&Sha1::digest(&self.end_entity))
    }

    /// SHA-256 of the DER in upper-case hex, 64 digits.
    pub fn sha256_thumbprint(&self) -> String {
        hex(&Sha256::digest(&self.end_entity))
    }

    /// Whether `thumbprint` is one of its two, however it is written: Azure's tools put colons or
    /// spaces between the digits, or write them small.
    pub fn has_thumbprint(&self, thumbprint: &str) -> bool {
        let bare: String = thumbprint.chars().filter(char::is_ascii_hexdigit).collect();
        let bare = bare.to_ascii_uppercase();
        !bare.is_empty() && (bare == self.sha1_thumbprint() || bare == self.sha256_thumbprint())
    }

    /// Whether it is valid at `wall`.
    pub fn is_valid_at(&self, wall: Timestamp) -> Result<(), X509Refusal> {
        within(wall, self.not_before, self.not_after)
    }

    /// Whether one of `authorities` vouches for it at `wall`, itself or through what was sent along.
    pub fn is_issued_by(
        &self,
        authorities: &[CertificateDer<'_>],
        wall: Timestamp,
    ) -> Result<(), X509Refusal> {
        self.is_valid_at(wall)?;
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            // webpki takes an authority's word whatever its dates, so they are looked at here.
            let read = parse(authority)?;
            let (from, until) = (read.validity().not_before, read.validity().not_after);
            if within(wall, time(from.timestamp())?, time(until.timestamp())?).is_ok() {
                let unreadable = |error: Error| X509Refusal::Unreadable(error.to_string());
                roots.add(authority.clone().into_owned()).map_err(unreadable)?;
            }
        }
        if roots.is_empty() {
            return Err(X509Refusal::NoAuthority);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| X509Refusal::Rule(error.to_string()))?;
        let seconds = u64::try_from(wall.as_second()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        match verifier.verify_client_cert(&self.end_entity, &self.intermediates, now) {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(why)) => Err(self.refusal(why)),
            Err(error) => Err(X509Refusal::Rule(error.to_string())),
        }
    }

    fn refusal(&self, why: CertificateError) -> X509Refusal {
        let at = |time: UnixTime| self::time(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        match why {
            CertificateError::UnknownIssuer if self.self_issued => {
                X509Refusal::SelfSigned(self.subject.clone())
            }
            CertificateError::UnknownIssuer => X509Refusal::UnknownIssuer(self.issuer.clone()),
            CertificateError::BadSignature => X509Refusal::BadSignature(self.issuer.clone()),
            // Its own dates have been looked at: these are an intermediate's.
            CertificateError::ExpiredContext { not_after, .. } => {
                at(not_after).map_or_else(|refusal| refusal, X509Refusal::Expired)
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                at(not_before).map_or_else(|refusal| refusal, X509Refusal::NotYetValid)
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                X509Refusal::Purpose
            }
            other => X509Refusal::Rule(other.to_string()),
        }
    }
}

/// Reads an authority's certificate from PEM or DER, as it is registered.
pub fn authority(bytes: &[u8]) -> Result<CertificateDer<'static>, X509Refusal> {
    let certificate = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        CertificateDer::from_pem_slice(bytes).map_err(|error| X509Refusal::Unreadable(no_pem(&error)))?
    } else {
        CertificateDer::from(bytes.to_vec())
    };
    parse(&certificate)?;
    Ok(certificate)
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, X509Refusal> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(X509Refusal::Unreadable("bytes follow its end".to_owned())),
        // The parser's own words name places of ASN.1, which help nobody who has taken the wrong file.
        Err(_) => Err(X509Refusal::Unreadable(NO_DER.to_owned())),
    }
}

/// What is wrong with a text that should hold a certificate.
fn no_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "the line `-----END CERTIFICATE-----` is missing: it was cut off".to_owned()
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line begins with `-----BEGIN` and does not end with `-----`".to_owned()
        }
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not base64".to_owned(),
        pem::Error::NoItemsFound => {
            "it holds something else: a certificate begins with `-----BEGIN CERTIFICATE-----`".to_owned()
        }
        other => other.to_string(),
    }
}

fn time(second: i64) -> Result<Timestamp, X509Refusal> {
    Timestamp::from_second(second).map_err(|error| X509Refusal::Unreadable(error.to_string()))
}

fn within(wall: Timestamp, from: Timestamp, until: Timestamp) -> Result<(), X509Refusal> {
    if wall < from {
        return Err(X509Refusal::NotYetValid(from));
    }
    // Its last second is in it. RFC 5280, 4.1.2.5.
    if wall.as_second() > until.as_second() { Err(X509Refusal::Expired(until)) } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
#[path = "x509_tests.rs"]
mod tests;
