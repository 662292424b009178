//! Shared access signatures: made on one side, read and checked on the other.
//!
//! IoT Hub, "Control access to IoT Hub by using shared access signatures".

use std::fmt;

use super::{SharedKey, percent};

/// How long after its expiry a token is still taken, in seconds, because clocks differ. Edge hub
/// allows the same.
pub const CLOCK_SKEW: i64 = 300;

/// A finished token: a password or an `Authorization` header. Never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Signs a token for `resource` (not percent-encoded), good until `expiry` (seconds since
    /// 1970, UTC), under a policy's name where the key is a policy's.
    pub fn sign(key: &SharedKey, resource: &str, expiry: i64, policy: Option<&str>) -> Self {
        let sr = percent::encode(resource);
        let sig = percent::encode(&key.sign(&format!("{sr}\n{expiry}")));
        let skn = policy.map(|name| format!("&skn={name}")).unwrap_or_default();
        Self(format!("SharedAccessSignature sr={sr}&sig={sig}&se={expiry}{skn}"))
    }

    /// The token as text. For the packet or header that carries it, nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The resource of a device's token.
pub fn device_resource(host: &str, device: &str, module: Option<&str>) -> String {
    match module {
        Some(module) => format!("{host}/devices/{device}/modules/{module}"),
        None => format!("{host}/devices/{device}"),
    }
}

/// The resource of a token for a provisioning service.
pub fn registration_resource(scope: &str, registration: &str) -> String {
    format!("{scope}/registrations/{registration}")
}

/// A token as it came in, not yet trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    raw_resource: String,
    signature: String,
    /// When it runs out, in seconds since 1970, UTC.
    pub expiry: i64,
    /// The policy whose key signed it; `None` for an identity's own key.
    pub policy: Option<String>,
    /// What it is for, percent-decoded.
    pub resource: String,
}

/// Why a text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Another scheme, or none.
    #[error("is not `SharedAccessSignature` and its fields")]
    Scheme,
    /// A token of Microsoft Entra ID.
    #[error(
        "is a bearer token of Microsoft Entra ID, which is not supported: use a connection string with a key"
    )]
    Bearer,
    /// `sr`, `sig` or `se` is missing.
    #[error("has no field `{0}`")]
    Missing(&'static str),
    /// `se` is not a number of seconds.
    #[error("has an expiry that is not a number of seconds")]
    Expiry,
    /// A field is not percent-encoded UTF-8.
    #[error("has a field that is not percent-encoded text")]
    Encoding,
}

impl Presented {
    /// Reads a token in any order of fields and with either case of hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut words = text.split_whitespace();
        let (Some("SharedAccessSignature"), Some(fields), None) = (words.next(), words.next(), words.next())
        else {
            let is_bearer =
                text.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("Bearer"));
            return Err(if is_bearer { TokenError::Bearer } else { TokenError::Scheme });
        };
        let (mut sr, mut sig, mut se, mut skn) = (None, None, None, None);
        for field in fields.split('&') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            match name.to_ascii_lowercase().as_str() {
                "sr" => sr = Some(value),
                "sig" => sig = Some(value),
                "se" => se = Some(value),
                "skn" => skn = Some(value).filter(|value| !value.is_empty()),
                _ => {}
            }
        }
        let raw_resource = sr.ok_or(TokenError::Missing("sr"))?;
        let sig = sig.ok_or(TokenError::Missing("sig"))?;
        let se = se.ok_or(TokenError::Missing("se"))?;
        let text =
            |value| percent::decode(value).map(std::borrow::Cow::into_owned).ok_or(TokenError::Encoding);
        Ok(Self {
            raw_resource: raw_resource.to_owned(),
            signature: text(sig)?,
            expiry: se.parse().map_err(|_| TokenError::Expiry)?,
            policy: skn.map(text).transpose()?,
            resource: text(raw_resource)?,
        })
    }

    /// Whether `key` signed it. The resource is taken to the letter as it came, because SDKs
    /// encode it differently.
    pub fn is_signed_by(&self, key: &SharedKey) -> bool {
        key.verifies(&format!("{}\n{}", self.raw_resource, self.expiry), &self.signature)
    }

    /// Whether it has run out at `now` (seconds since 1970, UTC), clocks' differences allowed for.
    pub fn is_expired(&self, now: i64) -> bool {
        self.expiry.saturating_add(CLOCK_SKEW) < now
    }

    /// Whether it is for `resource` or for a prefix of it that ends at a segment. The host, up to
    /// the first slash, is compared without regard to case.
    pub fn covers(&self, resource: &str) -> bool {
        let (host, path) = split_host(resource);
        let (own_host, own_path) = split_host(&self.resource);
        host.eq_ignore_ascii_case(own_host)
            && (path == own_path || own_path.is_empty() || {
                path.strip_prefix(own_path).is_some_and(|rest| rest.starts_with('/'))
            })
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("resource", &self.resource)
            .field("expiry", &self.expiry)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn split_host(resource: &str) -> (&str, &str) {
    resource.split_at(resource.find('/').unwrap_or(resource.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const K2: &str =
        "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA==";
    const K3: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";
    const SE: i64 = 1_893_456_000;

    fn key(text: &str) -> SharedKey {
        SharedKey::from_base64(text).expect("a key")
    }

    /// Key, resource, policy, whole token: equal to what the official Python SDK puts out.
    const VECTORS: &[(&str, &str, Option<&str>, &str)] = &[
        (
            K1,
            "contoso-hub.azure-devices.net/devices/dev-01",
            None,
            "SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fdev-01&sig=VLQCq0vKexU84wAgdBW7zd4gYn5mYoPJ0bARDyJaNlA%3D&se=1893456000",
        ),
        (
            K1,
            "contoso-hub.azure-devices.net/devices/Dev:1.a+b%c_d#e*f?g!h(i),j=k@l$m'n;o",
            None,
            "SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2FDev%3A1.a%2Bb%25c_d%23e%2Af%3Fg%21h%28i%29%2Cj%3Dk%40l%24m%27n%3Bo&sig=4P%2FE2M02nzI9ZtrzWzDExlsq1bPDnd4%2BOYr2odlgD1U%3D&se=1893456000",
        ),
        (
            K2,
            "contoso-hub.azure-devices.net/devices/edge-01/modules/$edgeHub",
            None,
            "SharedAccessSignature sr=contoso-hub.azure-devices.net%2Fdevices%2Fedge-01%2Fmodules%2F%24edgeHub&sig=3cD8EWYAbhU%2BeUGxeY8%2BmY4PA73Rneuij6eP4cKlfwE%3D&se=1893456000",
        ),
        (
            K3,
            "0ne00ABCDEF/registrations/sensor:lab.7_b-01",
            None,
            "SharedAccessSignature sr=0ne00ABCDEF%2Fregistrations%2Fsensor%3Alab.7_b-01&sig=R8wYLhpl4B29iyjCcpMHAmgDuiq587Oeaf1dn6KTVYU%3D&se=1893456000",
        ),
        (
            K2,
            "contoso-hub.azure-devices.net",
            Some("iothubowner"),
            "SharedAccessSignature sr=contoso-hub.azure-devices.net&sig=Cy6ypbaSM0tszWcVTW%2ByJkU7KhIR5CTz2JQQh7MorrE%3D&se=1893456000&skn=iothubowner",
        ),
        (
            K1,
            "localhost:8443",
            Some("service"),
            "SharedAccessSignature sr=localhost%3A8443&sig=S82VeJ%2FuWysBysKErSrOWOc6EliEdc5yeDssWsNAbec%3D&se=1893456000&skn=service",
        ),
    ];

    #[test]
    fn tokens_equal_the_official_ones() {
        for (secret, resource, policy, token) in VECTORS {
            assert_eq!(Token::sign(&key(secret), resource, SE, *policy).reveal(), *token);
        }
    }

    #[test]
    fn official_tokens_are_read_and_verified() {
        for (secret, resource, policy, token) in VECTORS {
            let presented = Presented::parse(token).expect("a token");
            assert_eq!((presented.resource.as_str(), presented.policy.as_deref()), (*resource, *policy));
            assert!(presented.is_signed_by(&key(secret)), "{token}");
            assert!(!presented.is_signed_by(&key("ZZECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")), "{token}");
        }
    }

    #[test]
    fn a_raw_slash_in_the_signature_is_taken() {
        let token = "SharedAccessSignature sr=localhost%3A8443&sig=S82VeJ/uWysBysKErSrOWOc6EliEdc5yeDssWsNAbec%3D&se=1893456000&skn=service";
        assert!(Presented::parse(token).expect("a token").is_signed_by(&key(K1)));
    }

    #[test]
    fn the_resource_is_signed_as_it_came_in_lower_case_hexadecimal_too() {
        let token = "SharedAccessSignature sr=contoso-hub.azure-devices.net%2fdevices%2fdev-01&sig=E4sn8vBTYZXPKbQeE9wtSzmgTkoA%2BfSW8MwxCesZQYY%3D&se=1893456000";
        let presented = Presented::parse(token).expect("a token");
        assert!(presented.is_signed_by(&key(K1)));
        assert_eq!(presented.resource, "contoso-hub.azure-devices.net/devices/dev-01");
    }

    #[test]
    fn fields_come_in_any_order() {
        let token = "SharedAccessSignature sig=x&se=5&skn=&sr=h";
        let presented = Presented::parse(token).expect("a token");
        assert_eq!((presented.expiry, presented.policy.as_deref()), (5, None));
    }

    #[test]
    fn what_is_no_token_says_why() {
        for (text, error) in [
            ("", TokenError::Scheme),
            ("Basic abc", TokenError::Scheme),
            ("Bearer abc", TokenError::Bearer),
            ("SharedAccessSignature a b", TokenError::Scheme),
            ("SharedAccessSignature sr=h&se=1", TokenError::Missing("sig")),
            ("SharedAccessSignature sig=h&se=1", TokenError::Missing("sr")),
            ("SharedAccessSignature sr=h&sig=x", TokenError::Missing("se")),
            ("SharedAccessSignature sr=h&sig=x&se=soon", TokenError::Expiry),
            ("SharedAccessSignature sr=%FF&sig=x&se=1", TokenError::Encoding),
        ] {
            assert_eq!(Presented::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn expiry_allows_five_minutes_of_skew() {
        let presented = Presented::parse("SharedAccessSignature sr=h&sig=x&se=1000").expect("a token");
        assert!(!presented.is_expired(1300));
        assert!(presented.is_expired(1301));
    }

    #[test]
    fn a_token_covers_its_resource_and_what_lies_below() {
        let covers = |sr: &str, resource: &str| {
            Presented::parse(&format!("SharedAccessSignature sr={sr}&sig=x&se=1"))
                .expect("a token")
                .covers(resource)
        };
        assert!(covers("Hub.net%2Fdevices%2Fd1", "hub.NET/devices/d1"));
        assert!(covers("hub.net%2Fdevices%2Fd1", "hub.net/devices/d1/modules/m"));
        assert!(covers("hub.net", "hub.net/devices/d1"));
        assert!(!covers("hub.net%2Fdevices%2Fd1", "hub.net/devices/d12"));
        assert!(!covers("hub.net%2Fdevices%2FD1", "hub.net/devices/d1"));
        assert!(!covers("other.net%2Fdevices%2Fd1", "hub.net/devices/d1"));
        assert!(!covers("hub.net%2Fdevices%2Fd1%2Fmodules%2Fm", "hub.net/devices/d1"));
    }
}
