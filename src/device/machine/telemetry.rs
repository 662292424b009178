//! Telemetry: when a message is made, and the knobs that change what it holds.

use std::time::Duration;

use serde_json::{Map, Value};

use super::SHORTEST_PERIOD;
use crate::device::{Device, Message, Now, Phase};

impl Device {
    pub(super) fn sample(&mut self, now: Now) {
        let mut shared = Map::new();
        for place in 0..self.profiles.len() {
            let body = self.with_profile(now, place, |profile, ctx| profile.sample(ctx));
            match self.profiles[place].model().output {
                None => shared.extend(body),
                output => self.send(Message { output, ..Message::of(Value::Object(body).to_string()) }),
            }
        }
        if !shared.is_empty() {
            self.send(Message::of(Value::Object(shared).to_string()));
        }
        // Periods are counted from when a message was due, so that they do not creep; after a
        // long stop the missed ones are not made up.
        let due = self.next_sample.unwrap_or(now.at) + self.period;
        self.next_sample = Some(if due > now.at { due } else { now.at + self.period });
    }

    pub(super) fn pause(&mut self, now: Now, paused: bool) {
        self.paused = paused;
        let live = self.started && !matches!(self.phase, Phase::Stopped(_) | Phase::Leaving | Phase::Left);
        self.next_sample = (live && self.samples()).then_some(now.at);
    }

    pub(super) fn set_period(&mut self, now: Now, period: Duration) {
        self.period = period.max(SHORTEST_PERIOD);
        if let Some(at) = self.next_sample {
            self.next_sample = Some(at.min(now.at + self.period));
        }
    }

    pub(super) fn turn(&mut self, knob: usize, by: f64) {
        let mut before = 0;
        for profile in &mut self.profiles {
            let knobs = profile.model().knobs.len();
            if knob < before + knobs {
                return profile.turn(knob - before, by);
            }
            before += knobs;
        }
    }
}
