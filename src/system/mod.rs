//! What Unix, macOS and Windows do differently, behind one form for all of them: files for one
//! user only, folders that outlive a power cut or that one process has at a time, who the user is,
//! and who may have a port.
//!
//! Never here: what a file or folder holds, or a decision about it; the terminal, whose differences
//! its crate knows; signals, which are endings of the program (`runtime::signals`).
//!
//! In reading order: [`files`], [`lock`], [`user`], [`ports`].

pub mod files;
pub mod lock;
pub mod ports;
pub mod user;
