//! Why credentials are refused, with what was presented and what it would have to be.

use std::fmt;

use super::policy::Right;
use crate::cloud::core::registry::Address;
use crate::cloud::core::x509::X509Refusal;
use crate::wire::sas::TokenError;

/// Why credentials are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No password or `Authorization` header at all.
    NoToken,
    /// Not a token.
    NotAToken(TokenError),
    /// For another hub.
    WrongHub {
        /// The host name presented.
        presented: String,
        /// This hub's.
        own: String,
    },
    /// For another provisioning service.
    WrongIdScope {
        /// The scope presented.
        presented: String,
        /// All of this service's.
        own: Vec<String>,
    },
    /// Signed well, but for something else.
    WrongResource {
        /// What the token is for.
        presented: String,
        /// What it would have to be for.
        wanted: String,
    },
    /// Signed with the enrolment group's key itself.
    GroupKey,
    /// Signed with a key that is nobody's here.
    WrongSignature,
    /// It has run out.
    Expired {
        /// How long ago, in seconds.
        ago: i64,
    },
    /// No such device or module.
    UnknownClient(Address),
    /// The device is switched off.
    Disabled(String),
    /// The device has been sent to another hub.
    Elsewhere {
        /// The device.
        device: String,
        /// The other hub.
        hub: String,
    },
    /// The certificate is no good.
    Certificate(X509Refusal),
    /// The certificate is not one of the two that are registered.
    WrongThumbprint {
        /// The SHA-1 thumbprint of what was presented.
        presented: String,
    },
    /// The certificate is somebody else's.
    WrongCommonName {
        /// Whose.
        presented: String,
        /// Whose it would have to be.
        wanted: String,
    },
    /// The identity does not use certificates.
    NoCertificate {
        /// Which.
        client: Address,
        /// How it proves who it is.
        kind: &'static str,
    },
    /// The identity does not use keys.
    NoKeys {
        /// Which.
        client: Address,
        /// How it proves who it is.
        kind: &'static str,
    },
    /// A token was sent where a certificate is asked for.
    NeedsCertificate(String),
    /// A certificate was sent where a token is asked for.
    NeedsToken(String),
    /// No such policy.
    UnknownPolicy(String),
    /// The policy does not have the right.
    Right {
        /// The policy.
        policy: String,
        /// What it lacks.
        right: Right,
    },
}

/// The most ID scopes that are told.
const MOST_SCOPES: usize = 5;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("no token was sent, and no client certificate either"),
            Self::NotAToken(why) => write!(f, "the token {why}"),
            Self::WrongHub { presented, own } => {
                write!(f, "the token or user name is for the hub `{presented}`, this hub is `{own}`")
            }
            Self::WrongIdScope { presented, own } => {
                write!(f, "the ID scope `{presented}` is not this service's, which ")?;
                let told: Vec<_> = own.iter().take(MOST_SCOPES).map(|scope| format!("`{scope}`")).collect();
                let verb = if own.len() == 1 { "is" } else { "has" };
                write!(f, "{verb} {}", told.join(", "))?;
                match own.len() - told.len() {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::WrongResource { presented, wanted } => {
                write!(f, "the token is for `{presented}`, here it has to be for `{wanted}`")
            }
            Self::GroupKey => f.write_str(
                "the token is signed with the enrolment group's key itself, not with the key derived for \
                 the device: derive it as base64(HMAC-SHA256(group key, registration id))",
            ),
            Self::WrongSignature => {
                f.write_str("the signature does not match: the key is not the one this cloud has")
            }
            Self::Expired { ago } => {
                write!(f, "the token ran out {ago} s ago: check the device's clock, or renew the token")
            }
            Self::UnknownClient(Address { device, module: None }) => {
                write!(f, "there is no device `{device}` in this hub")
            }
            Self::UnknownClient(Address { device, module: Some(module) }) => {
                write!(f, "there is no module `{module}` on a device `{device}` in this hub")
            }
            Self::Disabled(device) => write!(f, "the device `{device}` is disabled"),
            Self::Elsewhere { device, hub } => {
                write!(f, "the device `{device}` was sent to the hub `{hub}`: provision it again")
            }
            Self::Certificate(why) => write!(f, "the client's certificate {why}"),
            Self::WrongThumbprint { presented } => write!(
                f,
                "the client's certificate has the thumbprint {presented}, which is not registered for it"
            ),
            Self::WrongCommonName { presented, wanted } => {
                write!(f, "the client's certificate is for `{presented}`, here it has to be for `{wanted}`")
            }
            Self::NoCertificate { client, kind } => {
                write!(f, "`{client}` does not use certificates, its authentication is `{kind}`")
            }
            Self::NoKeys { client, kind } => {
                write!(f, "`{client}` does not use keys, its authentication is `{kind}`")
            }
            Self::NeedsCertificate(of) => {
                write!(f, "{of} takes a client certificate, and a token was sent")
            }
            Self::NeedsToken(of) => {
                write!(f, "{of} takes a token signed with its key, and a client certificate was sent")
            }
            Self::UnknownPolicy(policy) => write!(f, "there is no shared access policy `{policy}`"),
            Self::Right { policy, right } => {
                write!(f, "the shared access policy `{policy}` does not have the right {right:?}")
            }
        }
    }
}

impl std::error::Error for Refusal {}
