//! Why a connection could not be made or was lost, below any protocol, in plain words.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// What is wrong between here and the other side's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The name has no address.
    Unresolved,
    /// The machine is there and nobody listens on the port.
    Refused,
    /// The machine cannot be reached: what the system said.
    Unreachable(String),
    /// The certificate's issuer is not trusted.
    Untrusted,
    /// The certificate is for these other names.
    WrongName(Vec<String>),
    /// The certificate is not valid now.
    NotValidNow,
    /// The certificate is wrong in some other way.
    BadCertificate(String),
    /// The other side does not speak TLS as we do.
    NotTls(String),
    /// No answer.
    TimedOut,
    /// Closed or broken under way.
    Broken(String),
}

impl Fault {
    /// Finds the fault at the bottom of an error, however deep libraries have wrapped it.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut at = Some(error);
        let mut timed_out = false;
        let mut last = error.to_string();
        while let Some(error) = at {
            last = error.to_string();
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            if let Some(http) = error.downcast_ref::<reqwest::Error>() {
                if http.is_dns() {
                    return Self::Unresolved;
                }
                timed_out |= http.is_timeout();
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                // An io error shows the source of what it wraps and not what it wraps. What it
                // wraps is looked at only where its kind does not say it all.
                if let Some(inner) = io.get_ref()
                    && !ends_a_connection(io.kind())
                {
                    at = Some(inner);
                    timed_out |= io.kind() == io::ErrorKind::TimedOut;
                    continue;
                }
                return Self::of_io(io);
            }
            // reqwest's resolver error cannot be named, but it says what it is.
            if last.starts_with("dns error") || last.contains("failed to lookup address") {
                return Self::Unresolved;
            }
            at = error.source();
        }
        if timed_out { Self::TimedOut } else { Self::Broken(last) }
    }

    fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::TimedOut => Self::TimedOut,
            Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable
            | Kind::PermissionDenied => Self::Unreachable(error.to_string()),
            Kind::UnexpectedEof => Self::Broken("the other side closed it".to_owned()),
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
                Self::Broken("the other side broke it off".to_owned())
            }
            _ => Self::Broken(error.to_string()),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                // A bad signature is what an authority of the same name and another key looks
                // like: the local cloud's of an earlier run.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
                CertificateError::NotValidForName => Self::WrongName(Vec::new()),
                CertificateError::NotValidForNameContext { presented, .. } => {
                    Self::WrongName(presented.iter().map(|name| plain_name(name)).collect())
                }
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::NotValidNow,
                other => Self::BadCertificate(unacceptable(other)),
            },
            other => Self::NotTls(other.to_string()),
        }
    }

    /// Why it failed: a clause to stand behind "cannot connect to …:".
    pub fn reason(&self, host: &str, port: u16) -> String {
        match self {
            Self::Unresolved => format!("the name `{host}` has no address"),
            Self::Refused => format!("nothing listens on {host}:{port}"),
            Self::Unreachable(said) => format!("{host}:{port} cannot be reached ({said})"),
            Self::Untrusted => {
                "its certificate is signed by an authority that is not trusted here".to_owned()
            }
            Self::WrongName(names) if names.is_empty() => {
                format!("its certificate is not for the name `{host}`")
            }
            Self::WrongName(names) => {
                format!("its certificate is for {}, not for `{host}`", names.join(", "))
            }
            Self::NotValidNow => "its certificate is not valid at this time".to_owned(),
            Self::BadCertificate(said) => format!("its certificate is not acceptable ({said})"),
            Self::NotTls(said) => format!("TLS could not be agreed ({said})"),
            Self::TimedOut => format!("{host}:{port} did not answer in time"),
            Self::Broken(said) => format!("the connection was lost ({said})"),
        }
    }

    /// What to do next: one sentence.
    pub fn advice(&self, port: u16) -> String {
        match self {
            Self::Unresolved => {
                "check the host name for typing errors, and that this machine is online".to_owned()
            }
            Self::Refused => "check the port, and that the service is running there".to_owned(),
            Self::Unreachable(_) => "check that this machine is online".to_owned(),
            Self::Untrusted => {
                "if it is the local cloud or your own, name its authority's PEM file with --ca".to_owned()
            }
            Self::WrongName(_) => {
                "connect by a name that stands in the certificate, or make a certificate for this name"
                    .to_owned()
            }
            Self::NotValidNow => {
                "check this machine's clock; if it is right, the certificate must be renewed".to_owned()
            }
            Self::BadCertificate(said) if said == AUTHORITY_S_OWN => {
                "make it with `-addext basicConstraints=critical,CA:FALSE`, or have an authority sign another"
                    .to_owned()
            }
            Self::BadCertificate(_) => "the other side needs another certificate".to_owned(),
            Self::NotTls(_) => {
                format!("check that port {port} is the right one: it must speak TLS 1.2 or 1.3")
            }
            Self::TimedOut => {
                format!("a firewall may be blocking port {port}; many networks block 8883 and 5671")
            }
            Self::Broken(_) => String::new(),
        }
    }
}

/// `DnsName("localhost")` as rustls lists a certificate's names, without the wrapping.
fn plain_name(name: &str) -> String {
    name.split_once('"')
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or_else(|| name.to_owned(), |(inner, _)| format!("`{inner}`"))
}

/// What is wrong with a certificate, where rustls has only its names for it.
fn unacceptable(error: &CertificateError) -> String {
    match error {
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not one for a server".to_owned()
        }
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        CertificateError::Revoked => "its authority has revoked it".to_owned(),
        CertificateError::UnhandledCriticalExtension => {
            "it has an extension that has to be understood and is not".to_owned()
        }
        // The error inside is of a library that rustls does not show.
        CertificateError::Other(inner) if inner.to_string().contains("CaUsedAsEndEntity") => {
            AUTHORITY_S_OWN.to_owned()
        }
        other => other.to_string(),
    }
}

/// What a certificate is that was made without saying that it is none of an authority.
const AUTHORITY_S_OWN: &str =
    "it is an authority's own and not one for a server, as `openssl req -x509` makes them";

/// Whether an error of this kind means that a connection that stood is no more.
fn ends_a_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(kind, Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::OtherError;
    use std::fmt;

    #[test]
    fn a_wrapped_tls_error_is_found() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert_eq!(Fault::of(&wrapped), Fault::Untrusted);
    }

    #[test]
    fn an_authority_s_own_certificate_is_told_in_words() {
        #[derive(Debug)]
        struct CaUsedAsEndEntity;
        impl fmt::Display for CaUsedAsEndEntity {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
        impl Error for CaUsedAsEndEntity {}
        let of = |certificate| Fault::of(&rustls::Error::InvalidCertificate(certificate));
        let other = OtherError(std::sync::Arc::new(CaUsedAsEndEntity));
        let fault = of(CertificateError::Other(other));
        assert_eq!(
            fault.reason("h", 1),
            "its certificate is not acceptable (it is an authority's own and not one for a server, as \
             `openssl req -x509` makes them)"
        );
        assert!(fault.advice(1).contains("basicConstraints=critical,CA:FALSE"), "{}", fault.advice(1));
        let purpose = of(CertificateError::InvalidPurpose).reason("h", 1);
        assert_eq!(purpose, "its certificate is not acceptable (it is not one for a server)");
    }

    #[test]
    fn a_peer_that_vanished_is_told_in_our_words() {
        let rustls =
            io::Error::new(io::ErrorKind::UnexpectedEof, "peer closed connection: https://docs.rs/rustls");
        assert_eq!(Fault::of(&rustls), Fault::Broken("the other side closed it".to_owned()));
    }

    #[test]
    fn faults_of_the_system_are_told_apart() {
        for (kind, fault) in [
            (io::ErrorKind::ConnectionRefused, Fault::Refused),
            (io::ErrorKind::TimedOut, Fault::TimedOut),
            (io::ErrorKind::UnexpectedEof, Fault::Broken("the other side closed it".to_owned())),
        ] {
            assert_eq!(Fault::of(&io::Error::from(kind)), fault);
        }
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        assert_eq!(plain_name("DnsName(\"localhost\")"), "`localhost`");
        let fault = Fault::WrongName(vec!["`localhost`".to_owned()]);
        assert_eq!(fault.reason("hub", 8883), "its certificate is for `localhost`, not for `hub`");
    }
}
