//! How a local cloud is started.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::core::quota::Sku;
use super::core::trouble::Trouble;

/// The port that official device SDKs hard-code.
pub const MQTT_PORT: u16 = 8883;
/// Where HTTPS is served unless told otherwise.
pub const HTTPS_PORT: u16 = 8443;

/// Where AMQP is served unless told otherwise: Python's and Node's service SDKs know no other.
pub const AMQP_PORT: u16 = 5671;

/// Which port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortChoice {
    /// This one or none; 0 is any free one.
    Exactly(u16),
    /// This one when it is free, else any.
    Preferred(u16),
}

/// How a local cloud is started.
#[derive(Debug, Clone)]
pub struct CloudOptions {
    /// The address to listen on.
    pub bind: IpAddr,
    /// For MQTT.
    pub mqtt_port: PortChoice,
    /// For DPS and the service side.
    pub https_port: PortChoice,
    /// For services over AMQP. Without it there is no AMQP.
    pub amqp_port: Option<PortChoice>,
    /// The hub's name, when it is not to be the address: it has to resolve where devices run.
    pub hostname: Option<String>,
    /// Devices that exist from the start, their keys derived from the group key.
    pub devices: Vec<String>,
    /// What registering devices are told to wait, in seconds. 0 provisions in an instant.
    pub retry_after: u64,
    /// How long registering devices are told to wait at least before they have a hub.
    pub assigning_for: Duration,
    /// The hub's size and its number of units, when their limits shall hold.
    pub quota: Option<(Sku, u32)>,
    /// What goes wrong from the start.
    pub trouble: Trouble,
    /// Certificate authorities of devices: name, and certificate as PEM.
    pub authorities: Vec<(String, Vec<u8>)>,
    /// The folder that keeps everything between runs. Without one nothing is kept.
    pub data_dir: Option<PathBuf>,
    /// How many ID scopes there are besides the first, for devices to move to.
    pub more_scopes: u32,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            mqtt_port: PortChoice::Preferred(MQTT_PORT),
            https_port: PortChoice::Preferred(HTTPS_PORT),
            amqp_port: None,
            hostname: None,
            devices: Vec::new(),
            retry_after: 0,
            assigning_for: Duration::ZERO,
            quota: None,
            trouble: Trouble::default(),
            authorities: Vec::new(),
            data_dir: None,
            more_scopes: 1,
        }
    }
}
