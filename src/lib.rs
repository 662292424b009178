//! envsim: an environmental-sensor device for Azure IoT, with its own local cloud inside.

pub mod app;
pub mod device;
pub mod net;
pub mod operator;
pub mod profiles;
pub mod report;
pub mod sensors;
pub mod trust;
pub mod wire;
