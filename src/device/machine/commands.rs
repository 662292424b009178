//! Commands in, replies out: exactly one reply for each call, whatever the call holds.

use super::PendingReply;
use crate::device::{Call, Device, Now, Reply};

impl Device {
    pub(super) fn called(&mut self, now: Now, call: Call) {
        let reply = self.answer(now, &call);
        let ticket = self.ticket();
        self.replies.push(PendingReply { ticket, rid: call.rid, reply, handed: false });
    }

    fn answer(&mut self, now: Now, call: &Call) -> Reply {
        let found = self.profiles.iter().enumerate().find_map(|(place, profile)| {
            let spec = profile.model().commands.iter().find(|spec| spec.name == call.name)?;
            Some((place, spec))
        });
        let Some((place, spec)) = found else {
            return Reply::refused(404, format!("this device has no command `{}`", call.name));
        };
        let request = match &call.payload {
            Ok(request) => request,
            Err(text) => return Reply::refused(400, format!("the request is not JSON: {text}")),
        };
        if let Some(Err(reason)) = spec.request.as_ref().map(|schema| schema.check(spec.name, request)) {
            return Reply::refused(400, reason);
        }
        self.with_profile(now, place, |profile, ctx| profile.command(ctx, spec.name, request))
    }
}
