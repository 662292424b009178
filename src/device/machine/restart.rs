//! Restarts: the device is away for a while, and back.

use std::time::Duration;

use crate::device::{Device, Millis, Now, Output, Phase};

/// What becomes of the link while a device restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestartStyle {
    /// It stands: the device only pretends, as the tutorials' programs do.
    #[default]
    Held,
    /// It is closed, and made anew.
    Link,
}

/// A restart that is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// When it began.
    pub since: Millis,
    /// When the device comes back.
    pub until: Millis,
}

/// How far a restart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    /// There is none.
    None,
    /// The device is away.
    Away(Away),
    /// The device is back, and its profiles are told so once it is online.
    Booting,
}

impl Restart {
    pub(super) fn away(self) -> Option<Away> {
        match self {
            Self::Away(away) => Some(away),
            Self::None | Self::Booting => None,
        }
    }
}

impl Device {
    /// Goes away for `span` of simulated time. Everything decided has been handed out.
    pub(super) fn restart(&mut self, now: Now, span: Duration, out: &mut Vec<Output>) {
        if self.away().is_some() || self.phase.is_over() {
            // A restart that is going on serves every profile that asked for one.
            return;
        }
        let until = now.at + self.options.scale.apply(span);
        self.restart = Restart::Away(Away { since: now.at, until });
        self.next_sample = None;
        self.each_profile(now, |profile, ctx| profile.restarting(ctx));
        if self.options.restarts == RestartStyle::Held {
            return;
        }
        // On the way to a hub that is not known yet there is no link to close: the search goes on.
        let Some(next) = self.phase.assignment().cloned() else { return };
        match self.phase {
            Phase::Online { .. } => out.push(Output::Disconnect),
            Phase::Connecting(_) => out.push(Output::Abandon),
            _ => {}
        }
        self.phase = Phase::Restarting { until, next };
    }

    /// The time is over.
    pub(super) fn come_back(&mut self, now: Now, out: &mut Vec<Output>) {
        self.restart = Restart::Booting;
        match &self.phase {
            Phase::Restarting { next, .. } => {
                let next = next.clone();
                self.connect(next, out);
            }
            Phase::Online { .. } => {
                self.next_sample = self.samples().then_some(now.at);
                self.booted(now, out);
            }
            _ => {}
        }
    }

    /// The device is online: tells the profiles that it is back, when it was away.
    pub(super) fn booted(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.restart == Restart::Booting {
            self.restart = Restart::None;
            // What was reported while it was away is told before what it reports now, which may
            // speak of the same things.
            self.hand_out_now(now, out);
            self.each_profile(now, |profile, ctx| profile.restarted(ctx));
        }
    }
}
