//! Who may do what: tokens of devices and of service policies. Who may register, the provisioning
//! service knows.
//!
//! The order of the checks follows Edge hub's `TokenCredentialsAuthenticator`. Azure answers all
//! of these alike; a cloud for development says which it was.
//!
//! In reading order: `refusal` (why credentials are refused), `names` (what a hub is called),
//! `policy` (what services may do), `service` and `client` (whose credentials are checked), and what
//! both have to check, below.

mod client;
mod names;
mod policy;
mod refusal;
mod service;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use self::client::{ClientCheck, certificate, client};
pub use self::names::HubNames;
pub use self::policy::{DEFAULT_POLICIES, Policy, Right};
pub use self::refusal::Refusal;
pub use self::service::{Grant, grant, service};
use crate::wire::sas::Presented;

pub(super) fn parse(token: &str) -> Result<Presented, Refusal> {
    if token.is_empty() {
        return Err(Refusal::NoToken);
    }
    Presented::parse(token).map_err(Refusal::NotAToken)
}

pub(super) fn check_expiry(token: &Presented, wall: Timestamp) -> Result<(), Refusal> {
    if token.is_expired(wall.as_second()) {
        return Err(Refusal::Expired { ago: wall.as_second().saturating_sub(token.expiry) });
    }
    Ok(())
}

/// Whether `token` is good for `path` below this hub.
fn check_resource(token: &Presented, names: &HubNames, path: &str) -> Result<(), Refusal> {
    let host = token.resource.split('/').next().unwrap_or_default();
    names.check(host)?;
    let wanted = format!("{host}{path}");
    if token.covers(&wanted) {
        return Ok(());
    }
    Err(Refusal::WrongResource { presented: token.resource.clone(), wanted })
}
