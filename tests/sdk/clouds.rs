//! The clouds that cases talk to: one for all that can share it, and addresses for those that start
//! their own.
//!
//! SDKs know no ports but 8883 and 443, so each cloud has an address of its own in 127.0.0.0/8.

use std::net::TcpListener;
use std::sync::Mutex;

use serde_json::Value;

use super::support::CloudProcess;

/// The cloud that ordinary cases share, started by the first of them.
#[derive(Default)]
pub struct Clouds(Mutex<Option<CloudProcess>>);

impl Clouds {
    /// The ready line of the shared cloud.
    pub fn shared(&self) -> Value {
        let mut shared = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let cloud = shared.get_or_insert_with(|| {
            let port = if port_443().is_ok() { "443" } else { "0" };
            let address = own_address();
            CloudProcess::with(&at(&address, port))
        });
        cloud.ready.clone()
    }

    /// Ends what is still running.
    pub fn end(&self) {
        drop(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    }
}

/// The options that put a cloud where SDKs look for it.
fn at<'a>(address: &'a str, https_port: &'a str) -> [&'a str; 8] {
    ["--bind", address, "--hostname", address, "--mqtt-port", "8883", "--https-port", https_port]
}

/// An address that no other case, and no other run on this machine, has.
pub fn own_address() -> String {
    CloudProcess::own_address()
}

/// Whether the only HTTPS port that most SDKs know can be had; or why not.
pub fn port_443() -> Result<(), String> {
    TcpListener::bind((own_address().as_str(), 443))
        .map(drop)
        .map_err(|error| format!("port 443 cannot be listened on: {error}"))
}
