//! The ways in which devices prove who they are: what DPS calls attestation mechanisms.

use super::certificate::Certificate;
use super::enrolment::{Kind, Show};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::Keys;
use crate::wire::SharedKey;
use crate::wire::enrolment::{
    AttestationBody, CertificateBody, CertificatesBody, ReferencesBody, SymmetricKeyBody, X509Body,
};

/// How devices prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attestation {
    /// By a token: signed with one of these keys, or in a group with one derived from them.
    Keys(Keys),
    /// By a certificate: one of these, or in a group one that was issued by one of these.
    Certificates {
        /// The first.
        primary: Option<Box<Certificate>>,
        /// The second.
        secondary: Option<Box<Certificate>>,
    },
    /// By a certificate from an authority that is registered under one of these names.
    References {
        /// The first.
        primary: Option<String>,
        /// The second.
        secondary: Option<String>,
    },
}

impl Attestation {
    /// Reads what a service has written.
    pub fn read(
        body: AttestationBody,
        kind: Kind,
        before: Option<&Self>,
        made: Option<Keys>,
    ) -> Result<Self, Fault> {
        match body.kind.as_str() {
            "symmetricKey" => Self::read_keys(body.symmetric_key.unwrap_or_default(), before, made),
            "x509" => {
                let x509 = body.x509.ok_or_else(|| Fault::bad_request("the attestation has no `x509`"))?;
                Self::read_certificates(x509, kind, before)
            }
            "tpm" => Err(Fault::unsupported(
                "this local cloud does not support attestation by TPM: use symmetricKey or x509",
            )),
            other => Err(Fault::bad_request(format!(
                "the attestation's type `{other}` is not one of symmetricKey, x509, tpm"
            ))),
        }
    }

    fn read_keys(body: SymmetricKeyBody, before: Option<&Self>, made: Option<Keys>) -> Result<Self, Fault> {
        let base = match before {
            Some(Self::Keys(keys)) => Some(keys.clone()),
            _ => made,
        };
        let (first, second) = base.map(|keys| (keys.primary, keys.secondary)).unzip();
        let read = |text: Option<String>, base: Option<SharedKey>| match text.filter(|text| !text.is_empty())
        {
            Some(text) => SharedKey::from_base64(&text)
                .map_err(|why| Fault::bad_request(format!("a key of the enrolment {why}"))),
            None => base.ok_or_else(|| Fault::bad_request("a key of the enrolment is missing")),
        };
        Ok(Self::Keys(Keys {
            primary: read(body.primary_key, first)?,
            secondary: read(body.secondary_key, second)?,
        }))
    }

    fn read_certificates(body: X509Body, kind: Kind, before: Option<&Self>) -> Result<Self, Fault> {
        let some = |body: Option<CertificatesBody>| {
            body.filter(|pair| pair.primary.is_some() || pair.secondary.is_some())
        };
        let references = body.ca_references.filter(|pair| {
            [&pair.primary, &pair.secondary].into_iter().flatten().any(|name| !name.is_empty())
        });
        let pair = match (kind, some(body.client_certificates), some(body.signing_certificates), references) {
            (Kind::Individual, Some(pair), None, None) | (Kind::Group, None, Some(pair), None) => pair,
            (_, None, None, Some(ReferencesBody { primary, secondary })) => {
                let some = |name: Option<String>| name.filter(|name| !name.is_empty());
                return Ok(Self::References { primary: some(primary), secondary: some(secondary) });
            }
            (Kind::Individual, ..) => {
                return Err(Fault::bad_request(
                    "the x509 attestation of an individual enrolment has either `clientCertificates` or \
                     `caReferences`",
                ));
            }
            (Kind::Group, ..) => {
                return Err(Fault::bad_request(
                    "the x509 attestation of an enrolment group has either `signingCertificates` or \
                     `caReferences`",
                ));
            }
        };
        let read = |body: Option<CertificateBody>| {
            let Some(body) = body else { return Ok(None) };
            match (body.certificate.filter(|text| !text.trim().is_empty()), body.info) {
                (Some(text), _) => Certificate::read(&text).map(|read| Some(Box::new(read))),
                // A back end that reads an enrolment and writes it back does not have the
                // certificate, only what it says.
                (None, Some(info)) => known(before, &info.sha256_thumbprint).map(Some),
                (None, None) => Ok(None),
            }
        };
        let (primary, secondary) = (read(pair.primary)?, read(pair.secondary)?);
        if primary.is_none() && secondary.is_none() {
            return Err(Fault::bad_request("the x509 attestation holds no certificate"));
        }
        Ok(Self::Certificates { primary, secondary })
    }

    /// As a body.
    pub fn body(&self, kind: Kind, show: Show) -> AttestationBody {
        let everything = show == Show::Everything;
        match self {
            Self::Keys(keys) => AttestationBody {
                kind: "symmetricKey".to_owned(),
                symmetric_key: everything.then(|| SymmetricKeyBody {
                    primary_key: Some(keys.primary.reveal()),
                    secondary_key: Some(keys.secondary.reveal()),
                }),
                ..AttestationBody::default()
            },
            Self::Certificates { primary, secondary } => {
                let one = |certificate: &Option<Box<Certificate>>| {
                    certificate.as_ref().map(|certificate| CertificateBody {
                        certificate: everything.then(|| certificate.text()),
                        info: Some(certificate.info.clone()),
                    })
                };
                let pair = Some(CertificatesBody { primary: one(primary), secondary: one(secondary) });
                x509(match kind {
                    Kind::Individual => X509Body { client_certificates: pair, ..X509Body::default() },
                    Kind::Group => X509Body { signing_certificates: pair, ..X509Body::default() },
                })
            }
            Self::References { primary, secondary } => {
                let pair = ReferencesBody { primary: primary.clone(), secondary: secondary.clone() };
                x509(X509Body { ca_references: Some(pair), ..X509Body::default() })
            }
        }
    }
}

fn x509(body: X509Body) -> AttestationBody {
    AttestationBody { kind: "x509".to_owned(), x509: Some(body), ..AttestationBody::default() }
}

/// The certificate that an enrolment already has under a thumbprint.
fn known(before: Option<&Attestation>, thumbprint: &str) -> Result<Box<Certificate>, Fault> {
    let found = match before {
        Some(Attestation::Certificates { primary, secondary }) => [primary, secondary]
            .into_iter()
            .flatten()
            .find(|certificate| certificate.info.sha256_thumbprint.eq_ignore_ascii_case(thumbprint)),
        _ => None,
    };
    found.cloned().ok_or_else(|| {
        Fault::bad_request("the x509 attestation has a certificate's `info` without the `certificate` itself")
    })
}
