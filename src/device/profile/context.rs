//! What a profile may do while it handles something: look at the time, plan, report, and ask its
//! device for what only a device can do.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::device::time::local_date_time;
use crate::device::{CallId, IdScope, ImageOrder, Message, Millis, Note, Now, Reply, Severity, TimeScale};

/// The device, as a profile sees it.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Now,
    /// Whether the device came by way of a provisioning service, and so can be moved.
    pub provisioned: bool,
    zone: &'a TimeZone,
    scale: TimeScale,
    asked: Vec<Asked>,
}

/// What a profile asked of its device.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::device) enum Asked {
    After(Millis, u64),
    Report(Value),
    Answer(CallId, Reply),
    Send(Message),
    Period(Duration),
    Order(ImageOrder),
    Restart(Duration),
    Move(IdScope),
    Note(Note),
}

impl<'a> Context<'a> {
    pub(in crate::device) fn new(now: Now, zone: &'a TimeZone, scale: TimeScale, provisioned: bool) -> Self {
        Self { now, provisioned, zone, scale, asked: Vec::new() }
    }

    pub(in crate::device) fn into_asked(self) -> Vec<Asked> {
        self.asked
    }

    /// Calls [`Profile::timer`](super::Profile::timer) with `tag` after `span` of simulated time;
    /// returns when that is.
    pub fn after(&mut self, span: Duration, tag: u64) -> Millis {
        let at = self.now.at + self.scale.apply(span);
        self.asked.push(Asked::After(at, tag));
        at
    }

    /// Reports a merge patch.
    pub fn report(&mut self, patch: Value) {
        self.asked.push(Asked::Report(patch));
    }

    /// Answers a call that was left open. A second answer to the same call goes nowhere.
    pub fn answer(&mut self, call: CallId, reply: Reply) {
        self.asked.push(Asked::Answer(call, reply));
    }

    /// Sends a message besides telemetry.
    pub fn send(&mut self, message: Message) {
        self.asked.push(Asked::Send(message));
    }

    /// Changes the period of telemetry.
    pub fn set_period(&mut self, period: Duration) {
        self.asked.push(Asked::Period(period));
    }

    /// Has something done with the device's firmware images.
    pub fn order(&mut self, order: ImageOrder) {
        self.asked.push(Asked::Order(order));
    }

    /// Restarts the device, which is away for `span` of simulated time. Then
    /// [`Profile::restarted`](super::Profile::restarted) is called, once it is online.
    pub fn restart(&mut self, span: Duration) {
        self.asked.push(Asked::Restart(span));
    }

    /// Moves the device to another ID scope. [`Profile::moved`](super::Profile::moved) tells what
    /// came of it. Only for devices that are [provisioned](Self::provisioned).
    pub fn move_to(&mut self, scope: IdScope) {
        self.asked.push(Asked::Move(scope));
    }

    /// Says something that a person watching should know.
    pub fn note(&mut self, severity: Severity, text: impl Into<String>) {
        self.asked.push(Asked::Note(Note { severity, text: text.into() }));
    }

    /// The local date and time, as the tutorials' programs write it.
    pub fn date_time(&self) -> String {
        local_date_time(self.now.wall, self.zone)
    }

    /// How long `span` of simulated time lasts.
    pub fn scaled(&self, span: Duration) -> Duration {
        self.scale.apply(span)
    }
}
