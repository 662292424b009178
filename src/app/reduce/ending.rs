//! How it all ends: by wish, by a limit, or because a device gave up and nobody watches.

use super::device;
use crate::app::{AppState, Effect, Ending, Fact, Slot, Station};
use crate::device::{Input, Phase};

/// Begins to end: devices say good-bye. What was decided first stands.
pub(super) fn begin(state: &mut AppState, ending: Ending, effects: &mut Vec<Effect>) {
    if state.ending.is_some() {
        return;
    }
    // Somebody who ends a program that never got anywhere is told so by its exit code.
    let never = state.stations.iter().find_map(never_arrived);
    state.ending = Some(match ending {
        Ending::Done | Ending::NotConnected | Ending::NotProvisioned => never.unwrap_or(ending),
        other => other,
    });
    for slot in 0..state.stations.len() {
        device::happened(state, slot, Input::Leave, None, effects);
    }
}

/// Why a device has never been online, when something kept it from it.
fn never_arrived(station: &Station) -> Option<Ending> {
    if station.device.has_been_online() {
        return station.gave_up;
    }
    station.gave_up.or_else(|| match station.device.phase() {
        Phase::Waiting { next: None, .. } => Some(Ending::NotProvisioned),
        Phase::Waiting { .. } => Some(Ending::NotConnected),
        _ => None,
    })
}

/// Ends when a limit is reached, and leaves when everybody has.
pub(super) fn check(state: &mut AppState, effects: &mut Vec<Effect>) {
    if state.ending.is_none() {
        let acknowledged: u64 =
            state.stations.iter().map(|station| station.device.counters().acknowledged).sum();
        let enough = state.limits.count.is_some_and(|count| acknowledged >= count);
        let over = state.limits.until.is_some_and(|until| until <= state.now.at);
        if enough || over {
            let ending = if over { cut_off(state).unwrap_or(Ending::Done) } else { Ending::Done };
            begin(state, ending, effects);
        } else if state.unattended
            && let Some(ending) = all_gave_up(state)
        {
            begin(state, ending, effects);
        }
    }
    let gone = |slot: Slot| matches!(state.stations[slot].device.phase(), Phase::Left);
    if state.ending.is_some() && (0..state.stations.len()).all(gone) && !effects.contains(&Effect::Exit) {
        effects.push(Effect::Exit);
    }
}

/// Whether time ran out while a device was not connected: a script must not take that for done.
fn cut_off(state: &AppState) -> Option<Ending> {
    state.stations.iter().find_map(|station| match station.device.phase() {
        Phase::Waiting { .. } => Some(Ending::NotConnected),
        // One that moves, or asks for its hub anew, could be provisioned before: what it lacks is its link.
        Phase::Provisioning if station.device.has_been_online() => Some(Ending::NotConnected),
        Phase::Provisioning => Some(Ending::NotProvisioned),
        // A renewal connects too, but that is no trouble.
        Phase::Connecting(_) if !station.device.has_been_online() => Some(Ending::NotConnected),
        _ => None,
    })
}

fn all_gave_up(state: &AppState) -> Option<Ending> {
    let endings: Option<Vec<_>> = state.stations.iter().map(|station| station.gave_up).collect();
    endings?.first().copied()
}

/// The last fact of a run.
pub fn summary(state: &AppState) -> Fact {
    let mut total = crate::device::outbox::Counters::default();
    for station in &state.stations {
        let counters = station.device.counters();
        total.made += counters.made;
        total.sent += counters.sent;
        total.acknowledged += counters.acknowledged;
        total.dropped += counters.dropped;
        total.waiting += counters.waiting;
        total.unacknowledged += counters.unacknowledged;
        total.repeated += counters.repeated;
    }
    Fact::Summary { counters: total, lasted: std::time::Duration::from_millis(state.now.at.0) }
}
