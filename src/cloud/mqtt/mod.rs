//! MQTT 3.1.1 over TLS: sockets and packets for the hub and the provisioning service.
//!
//! Never here: what a topic means (`dialect`) or what follows from it (`core`).
//!
//! In reading order: [`listener`], [`codec`], [`connection`].

pub(super) mod codec;
pub(super) mod connection;
pub(super) mod listener;
