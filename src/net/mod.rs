//! Sockets on the device's side: provisioning over HTTPS, the hub link over MQTT.
//!
//! One task for each device carries out what the device asks for ([`Output`]) and tells it what
//! became of it ([`Input`]); it decides nothing, except how to write and read packets.
//!
//! Never here: retries, back-off, retransmission, what a property or command means. Those are the
//! device's, and it can be tested without a socket because they are.
//!
//! In reading order: [`link`] (the task), [`sink`], [`attempt`] (one connection made), [`online`]
//! (a connection that stands), [`mqtt`] (packets), [`dps`] (provisioning), [`error`] (what went
//! wrong, in words), [`packet`] (messages for people to look at).
//!
//! [`Input`]: crate::device::Input
//! [`Output`]: crate::device::Output

pub mod attempt;
pub mod dps;
pub mod error;
pub mod link;
pub mod mqtt;
pub mod online;
pub mod packet;
pub mod sink;
#[cfg(test)]
mod testing;

pub use link::{Full, LinkHandle, LinkOptions, ProvisioningOptions, spawn};
pub use sink::{InputSink, LinkEvent};
