//! The running program as a value: what can happen, what is known, what is asked for.
//!
//! Everything that happens becomes one [`Event`], in one order. [`reduce()`] is the only function
//! that changes the [`AppState`]; what it wants done it returns as [`Effect`]s. Screens and lines
//! are made from the state by others.
//!
//! Never here: sockets, terminals, topics, clocks, secrets.
//!
//! In reading order: [`event`], [`effect`], [`intent`], [`state`], [`station`], [`view`],
//! [`fact`], [`log`], [`series`], [`desk`] (the operator's), [`mod@reduce`].

pub mod desk;
pub mod effect;
pub mod event;
pub mod fact;
pub mod intent;
pub mod log;
pub mod reduce;
pub mod series;
pub mod state;
pub mod station;
pub mod view;

pub use desk::{Action, Desk, DeskAnswer, DeskRequest};
pub use effect::Effect;
pub use event::Event;
pub use fact::{Fact, Source};
pub use intent::{Edit, Intent, Motion};
pub use log::{Entry, EntryId, Log};
pub use reduce::{reduce, summary};
pub use series::Series;
pub use state::{AppState, Ending, Limits, Place};
pub use station::{CommandRecord, Outbound, Slot, Station, Step, StepState};
pub use view::{Cursor, Mode, Overlay, PaneId, UiState};
