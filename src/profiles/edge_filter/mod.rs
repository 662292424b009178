//! The IoT Edge filter tutorial: a sensor on a machine, and a module behind it that lets only what
//! is too hot through. They are two modules of one device; the deployment's routes join them.
//!
//! Never here: routes, which the deployment has and the Edge hub follows.
//!
//! In reading order: [`sensor`], [`filter`].

pub mod filter;
pub mod sensor;

pub use filter::Filter;
pub use sensor::Sensor;

#[cfg(test)]
mod tests;
