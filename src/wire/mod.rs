//! Protocol text: keys and tokens, user names, topics, property bags, JSON bodies.
//!
//! Pure functions between strings and typed values, for both sides: what the device formats the
//! local cloud parses, and the other way round. Each is checked against literal vectors first, so
//! that the two cannot agree on a mistake.
//!
//! Never here: sockets, retries, decisions, or knowledge of any profile.
//!
//! In reading order: [`key`], [`sas`], [`connection_string`], [`percent`], [`connect`], [`bag`],
//! [`topic`], [`twin`], [`dps`], [`enrolment`], [`service`], [`local`],
//! [`amqp`], [`event_hub`].

pub mod amqp;
pub mod bag;
pub mod connect;
pub mod connection_string;
pub mod dps;
pub mod enrolment;
pub mod event_hub;
pub mod key;
pub mod local;
pub mod percent;
pub mod sas;
pub mod service;
pub mod topic;
pub mod twin;

pub use connection_string::ConnectionString;
pub use key::SharedKey;
