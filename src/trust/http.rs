//! What all HTTP clients of this program are made from.

use std::net::IpAddr;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;

use super::{Trust, TrustError};

/// How this program calls itself.
const USER_AGENT: &str = concat!("envsim/", env!("CARGO_PKG_VERSION"));

impl Trust {
    /// A client for `host`, as it stands in an address. It follows no redirect: where one leads is to be
    /// judged by whoever asked. What is on this machine is asked without a proxy, which has no business
    /// between the machine and itself.
    pub fn http(&self, host: &str) -> Result<ClientBuilder, TrustError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.config()?.as_ref().clone())
            .user_agent(USER_AGENT)
            .redirect(Policy::none());
        Ok(if is_this_machine(host) { builder.no_proxy() } else { builder })
    }
}

/// Whether an address leads back here. An IPv6 address may stand in brackets.
fn is_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_in_every_form() {
        for host in ["localhost", "127.0.0.1", "127.9.8.7", "::1", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "[::2]", "hub.azure-devices.net", ""] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
