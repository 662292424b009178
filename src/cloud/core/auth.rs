//! Who may do what: tokens of devices and of service policies. Who may register, the provisioning
//! service knows.
//!
//! The order of the checks follows Edge hub's `TokenCredentialsAuthenticator`. Azure answers all
//! of these alike; a cloud for development says which it was.

use std::fmt;

use jiff::Timestamp;

use super::authorities::Authorities;
use super::registry::{Address, Authentication, Registry};
use super::x509::{PeerCertificate, X509Refusal};
use crate::wire::SharedKey;
use crate::wire::enrolment::OWNER_POLICY;
use crate::wire::sas::{CLOCK_SKEW, Presented, TokenError};

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
        /// This service's.
        own: String,
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("no token was sent, and no client certificate either"),
            Self::NotAToken(why) => write!(f, "the token {why}"),
            Self::WrongHub { presented, own } => {
                write!(f, "the token or user name is for the hub `{presented}`, this hub is `{own}`")
            }
            Self::WrongIdScope { presented, own } => {
                write!(f, "the ID scope `{presented}` is not this service's, which is `{own}`")
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

/// The names a hub answers to. Ports do not count: SDKs differ in whether they keep them.
#[derive(Debug, Clone)]
pub struct HubNames {
    /// The name it gives out.
    pub own: String,
    /// Others it takes as well.
    pub aliases: Vec<String>,
}

impl HubNames {
    /// Whether `host`, with or without a port, is this hub.
    pub fn includes(&self, host: &str) -> bool {
        let bare = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let bare = bare.map_or(host, |(name, _)| name);
        std::iter::once(&self.own).chain(&self.aliases).any(|name| name.eq_ignore_ascii_case(bare))
    }

    /// The refusal of a host that is not this hub.
    pub fn check(&self, host: &str) -> Result<(), Refusal> {
        if self.includes(host) {
            return Ok(());
        }
        Err(Refusal::WrongHub { presented: host.to_owned(), own: self.own.clone() })
    }
}

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

fn check_policy<'a>(
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

fn check_right(policy: &Policy, right: Right) -> Result<(), Refusal> {
    if policy.rights.contains(&right) {
        return Ok(());
    }
    Err(Refusal::Right { policy: policy.name.to_owned(), right })
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sas::Token;

    const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const K2: &str =
        "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA==";
    const SE: i64 = 1_893_456_000;

    fn key(text: &str) -> SharedKey {
        SharedKey::from_base64(text).expect("a key")
    }

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a moment")
    }

    fn names(own: &str) -> HubNames {
        HubNames { own: own.to_owned(), aliases: vec!["127.0.0.1".to_owned()] }
    }

    fn policies() -> Vec<Policy> {
        vec![
            Policy { name: "iothubowner", rights: DEFAULT_POLICIES[0].1, key: key(K2) },
            Policy { name: "service", rights: DEFAULT_POLICIES[1].1, key: key(K1) },
        ]
    }

    #[test]
    fn published_service_tokens_are_taken() {
        let v5 = "SharedAccessSignature sr=contoso-hub.azure-devices.net&sig=Cy6ypbaSM0tszWcVTW%2ByJkU7KhIR5CTz2JQQh7MorrE%3D&se=1893456000&skn=iothubowner";
        let hub = names("contoso-hub.azure-devices.net");
        assert_eq!(service(v5, "/twins/d", Right::RegistryWrite, &hub, &policies(), wall(SE)), Ok(()));
        let v6 = "SharedAccessSignature sr=localhost%3A8443&sig=S82VeJ/uWysBysKErSrOWOc6EliEdc5yeDssWsNAbec%3D&se=1893456000&skn=service";
        let hub = names("localhost");
        assert_eq!(service(v6, "/twins/d", Right::ServiceConnect, &hub, &policies(), wall(SE)), Ok(()));
        assert_eq!(
            service(v6, "/devices/d", Right::RegistryRead, &hub, &policies(), wall(SE)),
            Err(Refusal::Right { policy: "service".to_owned(), right: Right::RegistryRead })
        );
        assert_eq!(
            service(v6, "/twins/d", Right::ServiceConnect, &names("other"), &policies(), wall(SE)),
            Err(Refusal::WrongHub { presented: "localhost:8443".to_owned(), own: "other".to_owned() })
        );
        assert_eq!(
            service(v6, "/twins/d", Right::ServiceConnect, &hub, &policies(), wall(SE + 301)),
            Err(Refusal::Expired { ago: 301 })
        );
    }

    #[test]
    fn a_service_token_needs_a_policy_that_exists() {
        let sign = |policy| Token::sign(&key(K1), "localhost", SE, policy);
        let check = |token: &Token| {
            service(token.reveal(), "/x", Right::ServiceConnect, &names("localhost"), &policies(), wall(0))
        };
        assert_eq!(check(&sign(Some("nobody"))), Err(Refusal::UnknownPolicy("nobody".to_owned())));
        assert_eq!(check(&sign(None)), Err(Refusal::UnknownPolicy(String::new())));
        assert_eq!(check(&sign(Some("iothubowner"))), Err(Refusal::WrongSignature));
    }

    #[test]
    fn a_hub_answers_to_its_names_with_any_port() {
        let hub = names("localhost");
        for host in ["localhost", "LOCALHOST", "localhost:8883", "127.0.0.1", "127.0.0.1:1"] {
            assert!(hub.includes(host), "{host}");
        }
        for host in ["", "local", "localhost:x", "contoso.azure-devices.net"] {
            assert!(!hub.includes(host), "{host}");
        }
    }

    #[test]
    fn no_token_and_nonsense_read_differently() {
        let said = |token: &str| {
            service(token, "/x", Right::ServiceConnect, &names("h"), &policies(), wall(0))
                .expect_err("refused")
                .to_string()
        };
        assert!(said("").starts_with("no token was sent"));
        assert_eq!(said("Basic x"), "the token is not `SharedAccessSignature` and its fields");
        assert!(
            said("Bearer x").starts_with("the token is a bearer token of Microsoft Entra ID, which is not")
        );
    }

    #[test]
    fn a_grant_is_for_what_its_token_says_whichever_way_it_is_signed() {
        let names = HubNames { own: "hub".to_owned(), aliases: Vec::new() };
        let key = SharedKey::from_bytes(vec![7; 32]).expect("a key");
        let written = SharedKey::from_bytes(key.reveal().into_bytes()).expect("a key");
        let rights: &[Right] = &[Right::ServiceConnect];
        let policies = [Policy { name: "service", rights, key: key.clone() }];
        let wall = Timestamp::from_second(1_893_456_000).expect("a moment");
        let expiry = wall.as_second() + 60;
        let sign = |key, resource| Token::sign(key, resource, expiry, Some("service"));
        let check = |token: Token, right| grant(token.reveal(), right, &names, &policies, wall);
        for (token, covered, not_covered) in [
            (sign(&key, "hub:8443"), "/messages/devicebound", None),
            (sign(&key, "https://HUB"), "/messages/devicebound", None),
            (sign(&written, "sb://hub/Name"), "/name/ConsumerGroups/$Default", Some("/names")),
        ] {
            let grant = check(token, Right::ServiceConnect).expect("a grant");
            assert!(grant.covers(covered) && !grant.is_expired(wall));
            assert!(not_covered.is_none_or(|path| !grant.covers(path)));
            assert!(grant.is_expired(Timestamp::from_second(expiry + CLOCK_SKEW + 1).expect("a moment")));
        }
        let refused = |token, right| check(token, right).expect_err("a refusal");
        let other = SharedKey::from_bytes(vec![8; 32]).expect("a key");
        assert_eq!(refused(sign(&other, "hub"), Right::ServiceConnect), Refusal::WrongSignature);
        assert!(matches!(refused(sign(&key, "other"), Right::ServiceConnect), Refusal::WrongHub { .. }));
        assert!(matches!(refused(sign(&written, "hub"), Right::RegistryRead), Refusal::Right { .. }));
    }
}
