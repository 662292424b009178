//! The service side of a hub, as a back end or operator uses it: signed REST requests.
//!
//! One verb to a file. What is shown of an outcome, and to whom, is the caller's.
//!
//! Never here: terminals, retries, anything a device does (that is `device` and `net`).
//!
//! In reading order: [`client`], [`error`], [`registry`], [`invoke`], [`twin`], [`query`],
//! [`deploy`], [`monitor`], [`send`], [`faults`].

pub mod client;
pub mod deploy;
pub mod error;
pub mod faults;
pub mod invoke;
pub mod monitor;
pub mod query;
pub mod registry;
pub mod send;
pub mod twin;

pub use client::Client;
pub use error::OperatorError;
pub use invoke::Invocation;
pub use monitor::Events;
pub use query::Page;
pub use registry::{Identity, NewIdentity, Proof};
pub use twin::TwinPatch;
