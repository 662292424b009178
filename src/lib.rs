//! envsim: an environmental-sensor device for Azure IoT, with its own local cloud inside.

pub mod device;
pub mod net;
pub mod operator;
pub mod trust;
pub mod wire;
