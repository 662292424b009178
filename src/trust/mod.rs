//! Whom this program trusts behind a TLS connection, and what it means when one cannot be made.
//!
//! Used by everything that connects out: `net`, `operator`, `cli`.
//!
//! Never here: a way to skip checking, protocols above TLS, retries.
//!
//! In reading order: [`roots`], [`fault`].

pub mod fault;
pub mod roots;

pub use fault::Fault;
pub use roots::{Trust, TrustError};
