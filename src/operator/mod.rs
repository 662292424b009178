//! The service side of a hub, as a back end or operator uses it: signed REST requests, and AMQP for
//! what Azure has over nothing else.
//!
//! One verb to a file. What is shown of an outcome, and to whom, is the caller's.
//!
//! Never here: terminals, retries but of a stream that is read on, anything a device does (that is
//! `device` and `net`).
//!
//! In reading order: [`client`], [`error`], [`registry`], [`invoke`], [`twin`], [`query`],
//! [`deploy`], [`monitor`], `amqp` (what the next two stand on in Azure), [`event_hub`], [`send`], [`faults`].

mod amqp;
pub mod client;
pub mod deploy;
pub mod error;
pub mod event_hub;
pub mod faults;
pub mod invoke;
pub mod monitor;
pub mod query;
pub mod registry;
pub mod send;
pub mod twin;

pub use client::Client;
pub use error::OperatorError;
pub use event_hub::Origin;
pub use invoke::Invocation;
pub use monitor::{Events, Heard};
pub use query::Page;
pub use registry::{Identity, NewIdentity, Proof};
pub use send::{Outgoing, Sent};
pub use twin::TwinPatch;
