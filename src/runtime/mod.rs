//! Where effects happen: the loop, and what it waits for.
//!
//! Events come in from links, keys, signals and the operator's client; [`app::reduce`] turns each
//! into effects; [`mod@run`] carries them out and shows the state. It sleeps until something happens.
//!
//! Never here: decisions, topics, tokens, profiles by name, the local cloud.
//!
//! In reading order: [`mod@run`] (the loop), [`clock`], [`show`] (terminal, lines or nothing),
//! [`terminal`] (raw mode and its return), [`signals`], [`desk`] (the operator's requests).
//!
//! [`app::reduce`]: crate::app::reduce()

pub mod clock;
pub mod desk;
pub mod run;
pub mod show;
pub mod signals;
pub mod terminal;

pub use clock::Clock;
pub use run::{Wiring, run};
pub use show::Show;
