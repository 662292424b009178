//! envsim: an environmental-sensor device for Azure IoT, with its own local cloud inside.

pub mod app;
pub mod device;
pub mod profiles;
pub mod sensors;
pub mod ui;
pub mod wire;
