//! The only function that changes the state.

use super::{AppState, Effect, Event};
use crate::device::Now;

/// Takes one event in and returns what has to be done about it.
#[must_use = "effects describe work that the runtime still has to do"]
pub fn reduce(state: &mut AppState, now: Now, event: Event) -> Vec<Effect> {
    let _ = (state, now, event);
    Vec::new()
}
