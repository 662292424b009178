//! Whom this program trusts behind a TLS connection, and what it means when one cannot be made.
//!
//! Used by everything that connects out: `net`, `firmware`, `operator`, `cli`.
//!
//! Never here: a way to skip checking, what is said over a connection, retries.
//!
//! In reading order: [`roots`], [`http`], [`fault`].

pub mod fault;
pub mod http;
pub mod roots;

pub use fault::Fault;
pub use roots::{Trust, TrustError};
