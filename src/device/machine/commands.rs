//! Commands in, replies out: exactly one reply for each call, whatever the call holds.

use serde_json::Value;

use super::PendingReply;
use crate::device::discreet::discreet;
use crate::device::time::Spoken;
use crate::device::{Answer, Call, CallId, Device, Now, Reply, Schema};

/// How many calls may wait for their profile's answer. A hub gives up after five minutes at most;
/// a back end that invokes faster than that is refused with 429.
const MOST_CALLS: usize = 64;

impl Device {
    pub(super) fn called(&mut self, now: Now, call: Call) {
        let id = CallId(self.ticket().0);
        // Known before anybody is asked, so that an answer may come at any time from then on.
        self.calls.insert(id, call.rid.clone());
        let answer = self.answer(now, id, &call);
        if let Answer::Now(reply) = answer {
            self.reply(id, reply);
        }
    }

    /// Answers a call that is still open.
    pub(super) fn reply(&mut self, call: CallId, reply: Reply) {
        let Some(rid) = self.calls.remove(&call) else { return };
        let ticket = self.ticket();
        self.replies.push(PendingReply { ticket, rid, reply, handed: false });
    }

    fn answer(&mut self, now: Now, id: CallId, call: &Call) -> Answer {
        if let Some(away) = self.away() {
            let left = Spoken(away.until.since(now.at));
            return Reply::refused(409, format!("the device restarts, try again in {left}")).into();
        }
        let found = self.profiles.iter().enumerate().find_map(|(place, profile)| {
            let spec = profile.model().commands.iter().find(|spec| spec.name == call.name)?;
            Some((place, spec))
        });
        let Some((place, spec)) = found else {
            return Reply::refused(404, format!("this device has no command `{}`", call.name)).into();
        };
        let written;
        let request = match &call.payload {
            // Back ends that wrote their request as text, as the tutorials' did, now send that text
            // as a JSON string: what the older service SDK put on the wire as it was, newer ones
            // encode once more.
            Ok(Value::String(text)) if matches!(spec.request, Some(Schema::Object(_))) => {
                written = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
                &written
            }
            Ok(request) => request,
            Err(text) => {
                let why = format!("the request is not JSON: {}", discreet(text));
                return Reply::refused(400, why).into();
            }
        };
        if let Some(Err(reason)) = spec.request.as_ref().map(|schema| schema.check(spec.name, request)) {
            return Reply::refused(400, reason).into();
        }
        if self.calls.len() > MOST_CALLS {
            return Reply::refused(429, format!("{MOST_CALLS} commands wait for their answers already"))
                .into();
        }
        self.with_profile(now, place, |profile, ctx| profile.command(ctx, id, spec.name, request))
    }
}
