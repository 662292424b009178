//! What a person asked for, checked: from options, environment and file to values.
//!
//! Flag beats environment beats file beats default. Everything comes in as text with its origin
//! ([`Layer`]), is looked up in one table ([`setting::RUN`]) and leaves as [`RunConfig`], whose
//! values need no further checking. The deciding part is a pure function of its [`Sources`].
//!
//! Never here: sockets, tasks, screens, profiles by name, or the command line's grammar.
//!
//! In reading order: [`setting`] (the table), [`layer`] (texts with their origin), [`mod@file`],
//! [`run`] (the checks), [`target`] (whether it is Azure), `modules`, [`hub`], [`secrets`], [`durations`],
//! [`pattern`], [`error`].

pub mod durations;
pub mod error;
pub mod file;
pub mod hub;
pub mod layer;
mod modules;
pub mod pattern;
pub mod run;
pub mod secrets;
pub mod setting;
pub mod target;

pub use error::ConfigError;
pub use hub::HubConfig;
pub use layer::{Given, Layer, Origin};
pub use pattern::IdPattern;
pub use run::{Format, Logging, Profiles, RunConfig, Sources};
pub use secrets::Authority;
pub use setting::Setting;
pub use target::{DeviceKey, ProvisioningHost, Sitting, Target};
