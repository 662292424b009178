//! The certificates that enrolments name: read once, compared by thumbprint afterwards.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::cloud::core::fault::Fault;
use crate::cloud::core::x509;
use crate::wire::enrolment::CertificateInfo;

/// A certificate with what is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate itself.
    pub der: CertificateDer<'static>,
    /// What is in it, as DPS tells it.
    pub info: CertificateInfo,
}

impl Certificate {
    /// Reads PEM, or DER in base64, as SDKs and the portal send either.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let bad = |why: String| Fault::bad_request(format!("the enrolment's certificate {why}"));
        let text = text.trim();
        let bytes = if text.starts_with("-----BEGIN") {
            text.as_bytes().to_vec()
        } else {
            let bare: String = text.split_whitespace().collect();
            let neither = |_| bad("is neither PEM nor DER in base64".to_owned());
            let bytes = STANDARD.decode(bare).map_err(neither)?;
            // A whole PEM file in base64 is what some tools make of it.
            if bytes.starts_with(b"-----BEGIN") { bytes.trim_ascii().to_vec() } else { bytes }
        };
        let der = x509::authority(&bytes).map_err(|why| bad(why.to_string()))?;
        let info = info(&der).map_err(bad)?;
        Ok(Self { der, info })
    }

    /// PEM's content: DER in base64.
    pub fn text(&self) -> String {
        STANDARD.encode(&self.der)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.info.subject_name, self.info.sha256_thumbprint)
    }
}

/// What is in a certificate, as DPS tells it.
pub fn info(der: &[u8]) -> Result<CertificateInfo, String> {
    let (_, read) =
        X509Certificate::from_der(der).map_err(|_| format!("cannot be read: {}", x509::NO_DER))?;
    let time = |second: i64| {
        Timestamp::from_second(second)
            .map(|time| time.to_string())
            .map_err(|error| format!("has a validity that is no time: {error}"))
    };
    Ok(CertificateInfo {
        subject_name: read.subject().to_string(),
        sha1_thumbprint: hex(&Sha1::digest(der)),
        sha256_thumbprint: hex(&Sha256::digest(der)),
        issuer_name: read.issuer().to_string(),
        not_before_utc: time(read.validity().not_before.timestamp())?,
        not_after_utc: time(read.validity().not_after.timestamp())?,
        serial_number: hex(read.raw_serial()),
        // Version 1 is written as 0. RFC 5280, 4.1.2.1.
        version: read.version().0.saturating_add(1),
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}
