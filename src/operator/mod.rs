//! The service side of a hub, as a back end or operator uses it: signed REST requests.
//!
//! One verb to a file. What is shown of an outcome, and to whom, is the caller's.
//!
//! Never here: terminals, retries, anything a device does (that is `device` and `net`).
//!
//! In reading order: [`client`], [`error`], [`invoke`], [`twin`], [`monitor`],
//! [`send`], [`faults`].

pub mod client;
pub mod error;
pub mod faults;
pub mod invoke;
pub mod monitor;
pub mod send;
pub mod twin;

pub use client::Client;
pub use error::OperatorError;
pub use invoke::Invocation;
pub use monitor::Events;
pub use twin::TwinPatch;
