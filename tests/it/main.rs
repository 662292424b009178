//! The real program from outside: its processes, its screen in a pseudo-terminal, its sockets.
//!
//! One binary for all of it, because linking is what takes time. Every test starts its own
//! processes on free ports, in a folder of its own, and waits for what it reads, never for time to
//! pass.

#![expect(unreachable_pub, reason = "`pub` here means: for every module of the tests")]

mod architecture;
mod bad_input;
mod cloud_command;
mod data_folder;
mod difficult;
mod firmware;
mod headless;
mod hub;
mod manual;
mod module_stories;
mod moves;
mod picture;
mod raw;
mod raw_bytes;
mod readme;
mod reboot;
mod screen;
mod security;
mod stories;
mod stories_of_moves;
#[cfg(unix)]
mod stuck;
mod support;
