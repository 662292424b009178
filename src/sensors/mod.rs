//! Numbers that look alive: seeded walks between bounds.
//!
//! Never here: devices, messages, clocks. Randomness comes from a generator that is passed in.
//!
//! In reading order: [`walk`] (one value), [`climate`] (temperature and humidity together).

pub mod climate;
pub mod walk;

pub use climate::Climate;
pub use walk::Walk;
