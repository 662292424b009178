//! envsim: an environmental-sensor device for Azure IoT, with its own local cloud inside.

pub mod cli;
pub mod config;
pub mod device;
pub mod wire;
