//! Why a run did not do what it was to do, in one line.

use super::text::printable;
use crate::app::{AppState, Ending, Fact, Slot};
use crate::device::Failure;

/// What keeps the first device from being online that is not, and how many others there are, where a
/// run ended because of that.
pub fn last_trouble(state: &AppState, ending: Ending) -> Option<String> {
    if !matches!(ending, Ending::NotProvisioned | Ending::NotConnected) {
        return None;
    }
    let mut troubles = (0..state.stations.len()).filter_map(|slot| Some((slot, trouble(state, slot)?)));
    let (slot, failure) = troubles.next()?;
    let others = troubles.count();
    let device =
        if state.has_several() { format!("{}: ", state.stations[slot].label()) } else { String::new() };
    let others = match others {
        0 => String::new(),
        1 => " (and one more device is not online)".to_owned(),
        _ => format!(" (and {others} more devices are not online)"),
    };
    Some(printable(&format!("{device}{failure}{others}")))
}

/// How a device's last way to its hub failed, if it did.
fn trouble(state: &AppState, slot: Slot) -> Option<&Failure> {
    let mut facts = state.log.entries().rev().filter(|entry| entry.slot == Some(slot));
    facts.find_map(|entry| match &entry.fact {
        Fact::Failed { failure, .. } => Some(Some(failure)),
        Fact::Connected { .. } => Some(None),
        _ => None,
    })?
}
