//! When the picture changes by itself, so that a program with nothing to do can sleep.

use std::time::Duration;

use crate::app::{AppState, StepState};
use crate::device::{Millis, Phase};

/// The shortest time between two pictures of progress.
const PROGRESS: Duration = Duration::from_millis(250);

/// A light that blinks faster than this is not followed any further.
const SHORTEST: Duration = Duration::from_millis(50);

/// When the picture will next change without anything happening: a count-down, a blinking light,
/// the progress of a job. `None` when it stays as it is.
pub fn next_change(state: &AppState) -> Option<Millis> {
    let now = state.now.at;
    let device = &state.station().device;
    let phase = match device.phase() {
        Phase::Waiting { until, .. } => count_down(now, *until),
        Phase::Online { token_ends, .. } => count_down(now, *token_ends),
        Phase::Provisioning | Phase::Connecting(_) => running_step(state),
        _ => None,
    };
    let led = device.led().and_then(|led| led.next_change(now)).map(|at| at.max(now + SHORTEST));
    // What has no end in sight changes only with news of it.
    let jobs = device.jobs().into_iter().filter_map(|job| Some(job.until?.since(job.since)));
    let job = jobs.map(|span| now + PROGRESS.max(span / 100)).min();
    let away = device.away().and_then(|away| count_down(now, away.until));
    [phase, led, job, away].into_iter().flatten().filter(|at| *at > now).min()
}

/// When [`text::left`](super::text::left) of a count-down reads differently.
fn count_down(now: Millis, until: Millis) -> Option<Millis> {
    let left = until.0.checked_sub(now.0).filter(|left| *left > 0)?;
    let seconds = left.div_ceil(1000);
    let unit: u64 = if seconds < 120 { 1_000 } else { 60_000 };
    // The text is rounded up: it changes when a whole unit is left. Where minutes become seconds
    // it changes a second after two minutes are left.
    let next = (left - 1) / unit * unit;
    let next = if unit == 60_000 { next.max(119_000) } else { next };
    Some(Millis(until.0 - next))
}

/// A step that is under way shows for how many seconds.
fn running_step(state: &AppState) -> Option<Millis> {
    let step = state.station().steps.back().filter(|step| step.state == StepState::Running)?;
    let seconds = state.now.at.since(step.began.at).as_secs() + 1;
    Some(step.began.at + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_down_wakes_when_its_text_changes_and_not_before() {
        let next = |left| count_down(Millis(1_000), Millis(1_000 + left)).map(|at| at.0 - 1_000);
        assert_eq!(next(3_500), Some(500));
        assert_eq!(next(3_000), Some(1_000));
        assert_eq!(next(1), Some(1));
        assert_eq!(next(0), None);
        assert_eq!(next(3_600_000), Some(60_000));
        assert_eq!(next(120_000), Some(1_000));
        for left in [500, 1_000, 59_999, 119_000, 119_001, 120_500, 130_000, 7_000_000, 90_000_000] {
            let text = |ms| super::super::text::left(Duration::from_millis(ms));
            let wake = next(left).expect("something is left");
            assert_eq!(text(left - wake + 1), text(left), "not before, {left}");
        }
    }
}
