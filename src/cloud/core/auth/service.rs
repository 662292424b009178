//! Services: a token for one request, or for a connection that is kept.

use jiff::Timestamp;

use super::policy::{Policy, Right, check_policy, check_right};
use super::{HubNames, Refusal, check_expiry, check_resource, parse};
use crate::wire::sas::CLOCK_SKEW;

/// Checks a service's token for a path of the hub.
pub fn service(
    token: &str,
    path: &str,
    right: Right,
    names: &HubNames,
    policies: &[Policy],
    wall: Timestamp,
) -> Result<(), Refusal> {
    let token = parse(token)?;
    let policy = token.policy.clone().unwrap_or_default();
    check_policy(&token, &policy, policies, right)?;
    check_expiry(&token, wall)?;
    check_resource(&token, names, path)
}

/// What a service may do on a connection it keeps, for as long as its token lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The policy that signed for it.
    pub policy: String,
    /// The path below the hub, in lower case, from the slash on; empty for all of the hub.
    path: String,
    /// When the token runs out, in seconds since 1970, UTC.
    expiry: i64,
}

impl Grant {
    /// Whether it is good for a path below the hub. SDKs differ in capitals between the resource
    /// they sign and the address they use.
    pub fn covers(&self, path: &str) -> bool {
        let path = path.to_ascii_lowercase();
        path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it has run out, clocks' differences allowed for.
    pub fn is_expired(&self, wall: Timestamp) -> bool {
        self.expiry.saturating_add(CLOCK_SKEW) < wall.as_second()
    }

    /// Whether it is for the same as another, which it then replaces.
    pub fn renews(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

/// Checks a service's token for a connection that is kept, whatever path it is for. Its resource
/// may be a URL: Event Hubs' SDKs sign `sb://host/name`, and they sign with the key as it is
/// written instead of what its base64 says. Event Hubs, "Authenticate access to Event Hubs
/// resources using shared access signatures".
pub fn grant(
    token: &str,
    right: Right,
    names: &HubNames,
    policies: &[Policy],
    wall: Timestamp,
) -> Result<Grant, Refusal> {
    let token = parse(token)?;
    let policy = token.policy.clone().unwrap_or_default();
    match check_policy(&token, &policy, policies, right) {
        Err(Refusal::WrongSignature) => {
            let mut candidates = policies.iter().filter(|known| known.name == policy);
            let has_signed = |known: &&Policy| token.is_signed_by(&known.key.as_written());
            check_right(candidates.find(has_signed).ok_or(Refusal::WrongSignature)?, right)?;
        }
        checked => {
            checked?;
        }
    }
    check_expiry(&token, wall)?;
    let resource = token.resource.split_once("://").map_or(token.resource.as_str(), |(_, rest)| rest);
    let (host, path) = resource.split_at(resource.find('/').unwrap_or(resource.len()));
    names.check(host)?;
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    Ok(Grant { policy, path, expiry: token.expiry })
}
