//! Shared access policies: what whoever has their key may do.

use super::Refusal;
use crate::wire::SharedKey;
use crate::wire::enrolment::OWNER_POLICY;
use crate::wire::sas::Presented;

/// What a policy allows. IoT Hub, "Control access to IoT Hub", permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Twins, commands and messages, as back ends use them.
    ServiceConnect,
    /// Reading identities.
    RegistryRead,
    /// Writing identities.
    RegistryWrite,
    /// Connecting as any device.
    DeviceConnect,
    /// Enrolments and registrations of the provisioning service.
    ProvisioningService,
}

/// A shared access policy with its key.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: &'static str,
    /// What it allows.
    pub rights: &'static [Right],
    /// Its key.
    pub key: SharedKey,
}

/// The policies of every new hub and of every new provisioning service in Azure: names and rights.
pub const DEFAULT_POLICIES: &[(&str, &[Right])] = &[
    (
        "iothubowner",
        &[Right::ServiceConnect, Right::RegistryRead, Right::RegistryWrite, Right::DeviceConnect],
    ),
    ("service", &[Right::ServiceConnect]),
    ("device", &[Right::DeviceConnect]),
    ("registryRead", &[Right::RegistryRead]),
    ("registryReadWrite", &[Right::RegistryRead, Right::RegistryWrite]),
    (OWNER_POLICY, &[Right::ProvisioningService]),
];

pub(super) fn check_policy<'a>(
    token: &Presented,
    name: &str,
    policies: &'a [Policy],
    right: Right,
) -> Result<&'a Policy, Refusal> {
    let Some(policy) = policies.iter().find(|policy| policy.name == name) else {
        return Err(Refusal::UnknownPolicy(name.to_owned()));
    };
    if !token.is_signed_by(&policy.key) {
        return Err(Refusal::WrongSignature);
    }
    check_right(policy, right)?;
    Ok(policy)
}

pub(super) fn check_right(policy: &Policy, right: Right) -> Result<(), Refusal> {
    if policy.rights.contains(&right) {
        return Ok(());
    }
    Err(Refusal::Right { policy: policy.name.to_owned(), right })
}
