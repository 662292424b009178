//! What anybody may look at.

use std::time::Duration;

use super::Away;
use crate::device::outbox::Counters;
use crate::device::{
    Device, Failure, Figure, Job, Knob, Led, Millis, Outcome, Phase, Port, Profile, PropertyState, Reading,
    TwinDocument,
};

impl Device {
    /// Where it is between switched off and online.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What has become of its messages.
    pub fn counters(&self) -> Counters {
        self.outbox.counters()
    }

    /// Whether it has ever been online.
    pub fn has_been_online(&self) -> bool {
        self.started
    }

    /// Its kinds.
    pub fn profiles(&self) -> impl Iterator<Item = &dyn Profile> {
        self.profiles.iter().map(AsRef::as_ref)
    }

    /// The telemetry fields as the next message will hold them.
    pub fn readings(&self) -> Vec<Reading> {
        self.profiles.iter().flat_map(|profile| profile.readings()).collect()
    }

    /// Its knobs, numbered as [`Input::Turn`](crate::device::Input::Turn) takes them.
    pub fn knobs(&self) -> impl Iterator<Item = &'static Knob> {
        self.profiles.iter().flat_map(|profile| profile.model().knobs)
    }

    /// Its writable properties.
    pub fn properties(&self) -> &[PropertyState] {
        &self.properties
    }

    /// The twin as the device knows it, once it has come.
    pub fn twin(&self) -> Option<&TwinDocument> {
        self.twin.as_ref()
    }

    /// The first indicator light, where there is one.
    pub fn led(&self) -> Option<Led> {
        self.profiles.iter().find_map(|profile| profile.led())
    }

    /// Work that goes on after its command was answered. While the device is away, what was to end
    /// meanwhile waits for its return, and when it will end then is not known.
    pub fn jobs(&self) -> Vec<Job> {
        let back = self.away().map(|away| away.until);
        let known =
            |job: Job| Job { until: job.until.filter(|until| back.is_none_or(|it| *until >= it)), ..job };
        self.profiles.iter().flat_map(|profile| profile.jobs()).map(known).collect()
    }

    /// What came of the last work of each of its profiles.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.profiles.iter().filter_map(|profile| profile.outcome()).collect()
    }

    /// The inputs and outputs of a module, and what went through them.
    pub fn ports(&self) -> Vec<Port> {
        self.profiles.iter().flat_map(|profile| profile.ports()).collect()
    }

    /// Anything else that its profiles have worth a line.
    pub fn figures(&self) -> Vec<Figure> {
        self.profiles.iter().flat_map(|profile| profile.figures()).collect()
    }

    /// The restart that is going on.
    pub fn away(&self) -> Option<Away> {
        self.restart.away()
    }

    /// The telemetry period.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// When the next message is due; `None` while paused or not begun.
    pub fn next_sample(&self) -> Option<Millis> {
        self.next_sample
    }

    /// Whether telemetry is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Why it gave up, when it did.
    pub fn gave_up(&self) -> Option<&Failure> {
        match &self.phase {
            Phase::Stopped(failure) => Some(failure),
            _ => None,
        }
    }

    /// Why it is not online, when something failed.
    pub fn trouble(&self) -> Option<&Failure> {
        match &self.phase {
            Phase::Waiting { cause, .. } | Phase::Stopped(cause) => Some(cause),
            _ => None,
        }
    }
}
