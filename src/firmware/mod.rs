//! Firmware images: downloaded, checked, and kept in a folder, two of them, with what is running.
//!
//! One task for each device carries out what the device asks for ([`ImageOrder`]) and tells it what
//! became of it ([`ImageNews`]); it decides nothing, except how often a lost connection is tried again.
//!
//! Never here: what an update is, its phases and names, when an image is installed or confirmed. Those
//! are the device's.
//!
//! In reading order: [`worker`] (the task), [`download`] (one image fetched and checked), [`transfer`]
//! (its bytes), [`web`] (one request), [`answer`] (what a server's answer means), [`address`] (where images
//! are), [`store`] (what is kept), [`temporary`] (without a folder of one's own), [`draft`] (an image that is being written), [`state`] (what is
//! remembered), [`error`].
//!
//! [`ImageNews`]: crate::device::ImageNews
//! [`ImageOrder`]: crate::device::ImageOrder

pub mod address;
pub mod answer;
pub mod download;
pub mod draft;
pub mod error;
pub mod state;
pub mod store;
pub mod temporary;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod web;
pub mod worker;

pub use error::StoreError;
pub use store::{Installed, Store};
pub use worker::{FirmwareEvent, FirmwareHandle, FirmwareOptions, FirmwareSink, Full, Limits, spawn};
