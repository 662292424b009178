//! The local cloud.
pub mod cert;
pub mod core;
