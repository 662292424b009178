//! The only function that changes the state, by family of events.
//!
//! In reading order: [`device`] (what happens to devices), [`intent`] (what people want),
//! [`desk`] (what the operator asks), [`ending`] (how it all ends).

mod desk;
mod device;
mod ending;
mod intent;

pub use ending::summary;

use super::{AppState, Effect, Event};
use crate::device::{Input, Now};

/// Takes one event in and returns what has to be done about it.
#[must_use = "effects describe work that the runtime still has to do"]
pub fn reduce(state: &mut AppState, now: Now, event: Event) -> Vec<Effect> {
    state.now = now;
    let mut effects = Vec::new();
    match event {
        Event::Device { slot, input, packet } => device::happened(state, slot, input, packet, &mut effects),
        Event::Intent(intent) => intent::wanted(state, intent, &mut effects),
        Event::Desk(answer) => desk::answered(state, &answer),
        Event::Remark { fact } => state.log.add(now, None, fact, None),
        Event::Trouble(on) => state.desk.troubled = on,
        Event::Tick => tick(state, &mut effects),
        Event::Stop(ending) => ending::begin(state, ending, &mut effects),
    }
    ending::check(state, &mut effects);
    effects
}

fn tick(state: &mut AppState, effects: &mut Vec<Effect>) {
    for slot in 0..state.stations.len() {
        if state.stations[slot].device.next_due().is_some_and(|at| at <= state.now.at) {
            device::happened(state, slot, Input::Timer, None, effects);
        }
    }
}

#[cfg(test)]
mod several_tests;
#[cfg(test)]
mod tests;
