//! What profiles ask for, and what goes out of it: replies, reported patches and messages wait here
//! for a link that takes them.

use serde_json::Value;

use super::{Change, Due};
use crate::device::profile::Asked;
use crate::device::{Context, Device, Message, Now, Output, Profile};

impl Device {
    pub(super) fn with_profile<T>(
        &mut self,
        now: Now,
        place: usize,
        act: impl FnOnce(&mut dyn Profile, &mut Context<'_>) -> T,
    ) -> T {
        let zone = self.options.zone.clone();
        let mut ctx = Context::new(now, &zone, self.options.scale, self.options.direct.is_none());
        let result = act(self.profiles[place].as_mut(), &mut ctx);
        for asked in ctx.into_asked() {
            match asked {
                Asked::After(at, tag) => self.schedule.add(at, Due::Profile { profile: place, tag }),
                Asked::Report(patch) => self.report(patch),
                Asked::Answer(call, reply) => self.reply(call, reply),
                Asked::Send(message) => self.send(message),
                Asked::Period(period) => self.set_period(now, period),
                Asked::Order(order) => self.asides.push(Output::Image(order)),
                Asked::Restart(span) => self.change = Some(Change::Restart(span)),
                Asked::Move(scope) => self.change = Some(Change::Move(scope)),
                Asked::Note(note) => self.asides.push(Output::Note(note)),
            }
        }
        result
    }

    pub(super) fn each_profile(&mut self, now: Now, mut act: impl FnMut(&mut dyn Profile, &mut Context<'_>)) {
        for place in 0..self.profiles.len() {
            self.with_profile(now, place, &mut act);
        }
    }

    pub(super) fn send(&mut self, message: Message) {
        let ticket = self.ticket();
        self.outbox.add(ticket, message);
    }

    pub(super) fn report(&mut self, patch: Value) {
        let Value::Object(patch) = patch else { return debug_assert!(false, "a patch is an object") };
        let ticket = self.ticket();
        self.reports.add(ticket, patch);
    }

    pub(super) fn hand_out(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.phase.is_online() {
            self.hand_out_now(now, out);
        }
    }

    pub(super) fn hand_out_now(&mut self, now: Now, out: &mut Vec<Output>) {
        // A device that restarts only refuses; everything else waits until it is back.
        let away = self.away().is_some();
        if !away {
            self.reports.hand_out(now.at, out);
        }
        // After the patches: an operator who has the answer finds in the twin what it speaks of.
        for pending in self.replies.iter_mut().filter(|pending| !pending.handed) {
            pending.handed = true;
            out.push(Output::Reply {
                ticket: pending.ticket,
                rid: pending.rid.clone(),
                reply: pending.reply.clone(),
            });
        }
        if !away {
            self.outbox.hand_out(out);
        }
    }
}
