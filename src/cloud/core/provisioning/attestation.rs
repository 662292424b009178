//! Who may register: tokens and certificates of devices, against enrolments.
//!
//! DPS, "Symmetric key attestation" and "X.509 certificate attestation". An individual enrolment
//! beats every group; among groups it is the one whose key or authority verifies.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use super::Provisioning;
use super::certificate;
use super::enrolment::{Enrolment, EnrolmentName};
use super::mechanism::Attestation;
use crate::cloud::core::auth::{self, Refusal};
use crate::cloud::core::authorities::Authorities;
use crate::cloud::core::registry::Keys;
use crate::cloud::core::x509::{PeerCertificate, X509Refusal};
use crate::device::{IdScope, RegistrationId};
use crate::wire::enrolment::CertificateInfo;
use crate::wire::sas::Presented;

/// What a device has proved that it holds, and what the hub is told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// These keys, or one of them.
    Keys(Keys),
    /// The key of this certificate.
    Certificate(CertificateInfo),
}

/// A device whose credentials have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// By which name it registers.
    pub id: RegistrationId,
    /// By which enrolment it may.
    pub enrolment: EnrolmentName,
    /// What it has proved that it holds.
    pub credential: Credential,
    /// Until when the proof is good, in seconds since 1970: a token's end, or never for a certificate.
    pub expiry: i64,
}

/// What a device presents.
#[derive(Debug, Clone, Copy)]
pub struct Presenting<'a> {
    /// The ID scope it means.
    pub scope: &'a str,
    /// By which name it registers.
    pub id: &'a RegistrationId,
    /// Its token; empty when it has none.
    pub token: &'a str,
    /// The certificate whose key it has proved to hold.
    pub peer: Option<&'a PeerCertificate>,
}

impl Provisioning {
    /// Checks what a device presents, at `wall`, to the service with `own_scope`, which it asked for.
    pub fn attest(
        &self,
        presenting: Presenting<'_>,
        own_scope: &IdScope,
        authorities: &Authorities,
        wall: Timestamp,
    ) -> Result<Attested, Refusal> {
        let Presenting { id, token, peer, .. } = presenting;
        match peer {
            Some(peer) if token.is_empty() => self.attest_certificate(id, peer, authorities, wall),
            _ => self.attest_token(id, token, own_scope, wall),
        }
    }

    /// Registration ids are compared without regard to case, as DPS does. A group's key is derived
    /// from the id as it is presented, or from its lower-case form: which of the two DPS does is
    /// not published.
    fn attest_token(
        &self,
        id: &RegistrationId,
        token: &str,
        own_scope: &IdScope,
        wall: Timestamp,
    ) -> Result<Attested, Refusal> {
        let token = auth::parse(token)?;
        let own = EnrolmentName::individual(id.as_str());
        let (enrolment, keys) = match self.get(&own) {
            Some(Enrolment { attestation: Attestation::Keys(keys), .. }) => {
                if !is_signed(&token, keys) {
                    return Err(Refusal::WrongSignature);
                }
                (own, keys.clone())
            }
            Some(_) => return Err(Refusal::NeedsCertificate(own.to_string())),
            None => self.group_of(&token, id)?,
        };
        auth::check_expiry(&token, wall)?;
        let wanted = format!("{own_scope}/registrations/{id}");
        if !token.resource.eq_ignore_ascii_case(&wanted) {
            return Err(Refusal::WrongResource { presented: token.resource.clone(), wanted });
        }
        Ok(Attested { id: id.clone(), enrolment, credential: Credential::Keys(keys), expiry: token.expiry })
    }

    /// The group whose key a device's is derived from.
    fn group_of(&self, token: &Presented, id: &RegistrationId) -> Result<(EnrolmentName, Keys), Refusal> {
        let lower = id.as_str().to_ascii_lowercase();
        let forms = if lower == id.as_str() { vec![lower] } else { vec![id.as_str().to_owned(), lower] };
        let mut by_group_key = false;
        for group in self.groups() {
            let Attestation::Keys(keys) = &group.attestation else { continue };
            for form in &forms {
                let derived =
                    Keys { primary: keys.primary.derive(form), secondary: keys.secondary.derive(form) };
                if is_signed(token, &derived) {
                    return Ok((group.name(), derived));
                }
            }
            by_group_key |= is_signed(token, keys);
        }
        Err(if by_group_key { Refusal::GroupKey } else { Refusal::WrongSignature })
    }

    fn attest_certificate(
        &self,
        id: &RegistrationId,
        peer: &PeerCertificate,
        authorities: &Authorities,
        wall: Timestamp,
    ) -> Result<Attested, Refusal> {
        let name = peer.subject_common_name().map_err(Refusal::Certificate)?;
        // DPS, "X.509 certificate attestation": the registration id is the subject's common name.
        if !name.eq_ignore_ascii_case(id.as_str()) {
            return Err(Refusal::WrongCommonName { presented: name.to_owned(), wanted: id.to_string() });
        }
        peer.is_valid_at(wall).map_err(Refusal::Certificate)?;
        let own = EnrolmentName::individual(id.as_str());
        let enrolment = match self.get(&own) {
            Some(Enrolment { attestation: Attestation::Certificates { primary, secondary }, .. }) => {
                let mut known = [primary, secondary].into_iter().flatten();
                if !known.any(|known| peer.has_thumbprint(&known.info.sha256_thumbprint)) {
                    return Err(Refusal::WrongThumbprint { presented: peer.sha1_thumbprint() });
                }
                own
            }
            Some(Enrolment { attestation: Attestation::References { primary, secondary }, .. }) => {
                let named = referenced(authorities, primary.as_ref(), secondary.as_ref());
                peer.is_issued_by(&named, wall).map_err(Refusal::Certificate)?;
                own
            }
            Some(Enrolment { attestation: Attestation::Keys(_), .. }) => {
                return Err(Refusal::NeedsToken(own.to_string()));
            }
            None => self.group_of_certificate(peer, authorities, wall)?,
        };
        let info = certificate::info(peer.der())
            .map_err(|why| Refusal::Certificate(X509Refusal::Unreadable(why)))?;
        let credential = Credential::Certificate(info);
        // A certificate holds as long as its connection.
        Ok(Attested { id: id.clone(), enrolment, credential, expiry: i64::MAX })
    }

    /// The group one of whose authorities has issued a certificate.
    fn group_of_certificate(
        &self,
        peer: &PeerCertificate,
        authorities: &Authorities,
        wall: Timestamp,
    ) -> Result<EnrolmentName, Refusal> {
        let mut why = X509Refusal::NoAuthority;
        for group in self.groups() {
            let issuers = match &group.attestation {
                Attestation::Keys(_) => continue,
                Attestation::Certificates { primary, secondary } => {
                    [primary, secondary].into_iter().flatten().map(|one| borrowed(&one.der)).collect()
                }
                Attestation::References { primary, secondary } => {
                    referenced(authorities, primary.as_ref(), secondary.as_ref())
                }
            };
            match peer.is_issued_by(&issuers, wall) {
                Ok(()) => return Ok(group.name()),
                Err(refusal) => why = refusal,
            }
        }
        Err(Refusal::Certificate(why))
    }
}

/// The authorities of two names, as far as they are registered.
fn referenced<'a>(
    authorities: &'a Authorities,
    primary: Option<&String>,
    secondary: Option<&String>,
) -> Vec<CertificateDer<'a>> {
    let names = [primary, secondary].into_iter().flatten();
    names.filter_map(|name| authorities.get(name)).map(borrowed).collect()
}

fn borrowed<'a>(der: &'a CertificateDer<'static>) -> CertificateDer<'a> {
    CertificateDer::from(der.as_ref())
}

fn is_signed(token: &Presented, keys: &Keys) -> bool {
    token.is_signed_by(&keys.primary) || token.is_signed_by(&keys.secondary)
}
