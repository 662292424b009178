//! Devices and modules: a token, or a certificate.

use jiff::Timestamp;

use super::policy::{Policy, Right, check_policy};
use super::{HubNames, Refusal, check_expiry, check_resource, parse};
use crate::cloud::core::authorities::Authorities;
use crate::cloud::core::registry::{Address, Authentication, Registry};
use crate::cloud::core::x509::PeerCertificate;
use crate::wire::SharedKey;

/// What a device's or module's token is checked against.
#[derive(Debug, Clone, Copy)]
pub struct ClientCheck<'a> {
    /// Who says that it is connecting.
    pub address: &'a Address,
    /// Who is known.
    pub registry: &'a Registry,
    /// The hub's names.
    pub names: &'a HubNames,
    /// The hub's policies.
    pub policies: &'a [Policy],
    /// The enrolment group's key, which must not have signed.
    pub group: &'a SharedKey,
}

/// Checks a device's or module's token. Answers when it runs out, in seconds since 1970.
pub fn client(token: &str, check: ClientCheck<'_>, wall: Timestamp) -> Result<i64, Refusal> {
    let token = parse(token)?;
    let (address, registry) = (check.address, check.registry);
    let unknown = || Refusal::UnknownClient(address.clone());
    let identity = registry.get(address).ok_or_else(unknown)?;
    if let Some(policy) = token.policy.as_deref() {
        check_policy(&token, policy, check.policies, Right::DeviceConnect)?;
    } else {
        // A device's own key is good for its modules as well, as Edge hub has it.
        let device = address.module.as_ref().and_then(|_| registry.get(&address.of_device()));
        let known = [Some(identity), device].into_iter().flatten();
        let mut keys = known
            .filter_map(|identity| identity.authentication.keys())
            .flat_map(|keys| [&keys.primary, &keys.secondary]);
        if !keys.any(|key| token.is_signed_by(key)) {
            return Err(if identity.authentication.keys().is_none() {
                Refusal::NoKeys { client: address.clone(), kind: identity.authentication.name() }
            } else if token.is_signed_by(check.group) {
                Refusal::GroupKey
            } else {
                Refusal::WrongSignature
            });
        }
    }
    check_expiry(&token, wall)?;
    check_resource(&token, check.names, &address.resource())?;
    if !registry.is_enabled(address) {
        return Err(Refusal::Disabled(address.device.to_string()));
    }
    Ok(token.expiry)
}

/// Checks a device's or module's certificate.
///
/// IoT Hub, "Authenticate identities with X.509 certificates": by one of two registered
/// thumbprints, or by a registered authority and the identity's name as the subject's common name.
pub fn certificate(
    peer: &PeerCertificate,
    address: &Address,
    registry: &Registry,
    authorities: &Authorities,
    wall: Timestamp,
) -> Result<(), Refusal> {
    let identity = registry.get(address).ok_or_else(|| Refusal::UnknownClient(address.clone()))?;
    match &identity.authentication {
        Authentication::SelfSigned(thumbprints) => {
            let known = [&thumbprints.primary, &thumbprints.secondary];
            if !known.into_iter().flatten().any(|thumbprint| peer.has_thumbprint(thumbprint)) {
                return Err(Refusal::WrongThumbprint { presented: peer.sha1_thumbprint() });
            }
            peer.is_valid_at(wall).map_err(Refusal::Certificate)?;
        }
        Authentication::CertificateAuthority => {
            let (wanted, named) = (address.to_string(), peer.subject_common_name());
            let named = named.map_err(Refusal::Certificate)?.to_owned();
            if named != wanted {
                return Err(Refusal::WrongCommonName { presented: named, wanted });
            }
            peer.is_issued_by(&authorities.certificates(), wall).map_err(Refusal::Certificate)?;
        }
        kind => return Err(Refusal::NoCertificate { client: address.clone(), kind: kind.name() }),
    }
    if !registry.is_enabled(address) {
        return Err(Refusal::Disabled(address.device.to_string()));
    }
    Ok(())
}
