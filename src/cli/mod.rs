//! The command line, and where everything is put together: one file for each subcommand.
//!
//! Never here: protocol, decisions of the device, or drawing; those have folders of their own.
//!
//! In reading order: [`args`] (the grammar), [`run_args`], [`cloud_args`], [`hub_args`], [`exit`],
//! [`logging`], [`runtime_file`] (how one terminal finds the other's local cloud), [`hub`].

pub mod args;
pub mod cloud_args;
pub mod exit;
pub mod hub;
pub mod hub_args;
pub mod logging;
pub mod run_args;
pub mod runtime_file;

pub use args::{Command, parse};
pub use exit::Exit;
