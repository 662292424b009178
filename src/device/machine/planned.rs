//! What is planned: when the device wants to be woken, and what it does then.

use super::{STEADY, note};
use crate::device::property::Wish;
use crate::device::{Device, Millis, Now, Output, Phase, Severity};

/// Something planned for a profile or a property. All else knows its own moment: telemetry, renewals,
/// attempts, and what the hub has to answer.
#[derive(Debug, Clone)]
pub(super) enum Due {
    Profile { profile: usize, tag: u64 },
    Acknowledge { property: usize, wish: Wish, verdict: Result<(), (u16, String)> },
}

impl Device {
    /// When the device wants an [`Input::Timer`](crate::device::Input::Timer).
    pub fn next_due(&self) -> Option<Millis> {
        let phase = match &self.phase {
            Phase::Waiting { until, .. } => Some(*until),
            Phase::Online { renews, .. } => Some(*renews),
            _ => None,
        };
        let back = self.away().map(|away| away.until);
        let planned =
            [phase, back, self.next_sample, self.schedule.next(), self.twin_again, self.reports.next_due()];
        planned.into_iter().flatten().min()
    }

    /// Does everything that is due by now.
    pub(super) fn catch_up(&mut self, now: Now, out: &mut Vec<Output>) {
        match &self.phase {
            Phase::Waiting { until, .. } if *until <= now.at => self.start(out),
            Phase::Online { renews, assignment, since, .. } if *renews <= now.at => {
                let assignment = assignment.clone();
                if now.at.since(*since) >= STEADY {
                    self.attempts = 0;
                }
                self.link_lost();
                self.phase = Phase::Connecting(assignment.clone());
                out.push(Output::Renew(assignment));
            }
            _ => {}
        }
        if self.away().is_some_and(|away| away.until <= now.at) {
            self.come_back(now, out);
        }
        if self.twin_again.is_some_and(|at| at <= now.at) {
            note(out, Severity::Warning, "the twin has not come, asking again".to_owned());
            self.fetch_twin(now, out);
        }
        self.reports.wake(now.at);
        while let Some(due) = self.schedule.pop(now.at) {
            self.due(now, due);
        }
        if self.next_sample.is_some_and(|at| at <= now.at) {
            self.sample(now);
        }
    }

    /// Whether it makes telemetry now, as far as that depends on itself.
    pub(super) fn samples(&self) -> bool {
        let measures = self.profiles.iter().any(|profile| !profile.model().telemetry.is_empty());
        measures && !self.paused && self.away().is_none() && self.moving.is_none()
    }

    fn due(&mut self, now: Now, due: Due) {
        if let Some(away) = self.away() {
            // A device that restarts works on nothing and applies nothing.
            return self.schedule.add(away.until, due);
        }
        match due {
            Due::Profile { profile, tag } => {
                self.with_profile(now, profile, |profile, ctx| profile.timer(ctx, tag));
            }
            Due::Acknowledge { property, wish, verdict } => self.acknowledge(now, property, &wish, verdict),
        }
    }
}
