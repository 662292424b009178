//! Moves: the device leaves its ID scope for another one, and returns when that fails.
//!
//! IoT Central, "device move": the payload of the command is the ID scope of the application that
//! the device is to belong to from now on.

use super::note;
use crate::device::reports::Reports;
use crate::device::{Device, Failure, FailureKind, IdScope, Now, Output, Phase, Retry, Severity};

/// How often a busy or silent service is tried before the device goes back.
const TRIES: u32 = 3;

/// A move that is going on.
#[derive(Debug)]
pub(super) struct Move {
    to: IdScope,
    /// The scope it came from, in the form of [`Device::scope`].
    from: Option<IdScope>,
    tries: u32,
    /// Why it goes back, when it does.
    failed: Option<String>,
}

impl Device {
    /// Leaves for `scope`. Everything decided has been handed out.
    pub(super) fn move_to(&mut self, now: Now, scope: IdScope, out: &mut Vec<Output>) {
        let reason = match &self.moving {
            // A move that is going on serves every profile that asked for it.
            Some(Move { to, .. }) if *to == scope => return,
            Some(Move { to, .. }) => format!("the device is moving to {to} already"),
            None if self.options.direct.is_some() => {
                "the device goes straight to its hub, without a provisioning service".to_owned()
            }
            None if !self.phase.is_online() => "the device is not online".to_owned(),
            None => {
                note(out, Severity::Info, format!("moving to the ID scope {scope}"));
                let from = self.scope.replace(scope.clone());
                self.moving = Some(Move { to: scope, from, tries: 0, failed: None });
                self.next_sample = None;
                self.attempts = 0;
                self.refusals = 0;
                out.push(Output::Disconnect);
                return self.provision(out);
            }
        };
        note(out, Severity::Warning, format!("the device cannot move to the ID scope {scope}: {reason}"));
        self.each_profile(now, |profile, ctx| profile.moved(ctx, &scope, Err(&reason)));
        self.hand_out(now, out);
    }

    /// Whether a failure ends a move: then the device goes back to where it was.
    pub(super) fn turns_back(&mut self, now: Now, failure: &Failure, out: &mut Vec<Output>) -> bool {
        let Some(moving) = self.moving.as_mut().filter(|moving| moving.failed.is_none()) else {
            return false;
        };
        // Provisioning loses no link: this is the old one, which broke while it was being closed,
        // and says nothing about the new scope.
        if failure.kind == FailureKind::Lost && self.phase == Phase::Provisioning {
            // The service is being asked already.
            return true;
        }
        moving.tries += 1;
        if failure.kind.retry() == Retry::Later && moving.tries < TRIES {
            return false;
        }
        moving.failed = Some(failure.what.clone());
        let text = format!("moving to the ID scope {} failed, going back: {}", moving.to, failure.what);
        self.scope = moving.from.take();
        note(out, Severity::Warning, text);
        self.attempts = 0;
        self.refusals = 0;
        match failure.retry_after {
            // Most likely it is the same service that is asked for the way back.
            Some(span) => {
                let (cause, until) = (failure.clone(), now.at + span);
                self.phase = Phase::Waiting { cause, until, attempt: 1, next: None };
            }
            None => self.provision(out),
        }
        true
    }

    /// The device is online: a move that was going on is over.
    pub(super) fn arrived(&mut self, now: Now, out: &mut Vec<Output>) {
        debug_assert!(matches!(self.phase, Phase::Online { .. }), "only called then");
        let Some(Move { to, failed, .. }) = self.moving.take() else { return };
        if failed.is_some() {
            note(out, Severity::Warning, format!("back from the move to the ID scope {to}"));
        } else {
            note(out, Severity::Info, format!("moved to the ID scope {to}"));
            self.forget_the_application();
            self.each_profile(now, |profile, ctx| profile.started(ctx));
        }
        let outcome = failed.as_deref().map_or(Ok(()), Err);
        self.each_profile(now, |profile, ctx| profile.moved(ctx, &to, outcome));
    }

    /// Another application: what the old one wanted, asked and was told does not count here, and
    /// what it has not been told yet is none of this one's business. Readings are the device's own
    /// and go where it belongs.
    fn forget_the_application(&mut self) {
        self.forget_the_twin();
        self.reports = Reports::default();
        self.replies.clear();
        self.calls.clear();
    }
}
