//! The clouds that cases talk to: one for all that can share it, and addresses for those that start
//! their own.
//!
//! SDKs know no ports but 8883 and 443, so each cloud has an address of its own in 127.0.0.0/8.

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use super::support::CloudProcess;

/// How many addresses this process has used up.
static ADDRESSES: AtomicU16 = AtomicU16::new(0);

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

/// An address on this computer that nobody else has: this process's number is in it, so that other
/// runs on the same machine are not met.
pub fn own_address() -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    let number = ADDRESSES.fetch_add(1, Ordering::Relaxed);
    // 127.0.x.y and 127.1.x.y are where people's own services listen, so the numbers go further up;
    // the last one is never 0 or 255, which are the network's own.
    let last = number % 250 + 1;
    format!("127.{}.{low}.{last}", (u16::from(high) + 64 * (number / 250)) % 200 + 20)
}

/// A cloud with these options for one case, on the ports that SDKs know.
pub fn own(options: &[&str]) -> CloudProcess {
    CloudProcess::with(&[&at(&own_address(), "443"), options].concat())
}

/// A cloud on an address of its own, on the port that SDKs know, and that address.
pub fn on_own_address() -> (CloudProcess, String) {
    let address = own_address();
    (CloudProcess::with(&at(&address, "0")), address)
}

/// Whether the only HTTPS port that most SDKs know can be had; or why not.
pub fn port_443() -> Result<(), String> {
    TcpListener::bind((own_address().as_str(), 443))
        .map(drop)
        .map_err(|error| format!("port 443 cannot be listened on: {error}"))
}
