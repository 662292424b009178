//! Moves: the device leaves its ID scope for another one, and returns when that fails.
//!
//! IoT Central, "device move": the payload of the command is the ID scope of the application that
//! the device is to belong to from now on.

use super::note;
use crate::device::{Device, Failure, IdScope, Now, Output, Phase, Retry, Severity, Standing};

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
    pub(super) fn move_to(&mut self, scope: IdScope, out: &mut Vec<Output>) {
        if self.options.direct.is_some() || self.moving.is_some() || !self.phase.is_online() {
            note(out, Severity::Warning, format!("the device cannot move to {scope} now"));
            return;
        }
        let from = self.scope.replace(scope.clone());
        self.moving = Some(Move { to: scope, from, tries: 0, failed: None });
        self.next_sample = None;
        out.push(Output::Disconnect);
        self.provision(out);
    }

    /// Whether a failure ends a move: then the device goes back to where it was.
    pub(super) fn turns_back(&mut self, failure: &Failure, out: &mut Vec<Output>) -> bool {
        let Some(moving) = self.moving.as_mut().filter(|moving| moving.failed.is_none()) else {
            return false;
        };
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
        self.provision(out);
        true
    }

    /// The device is online: a move that was going on is over.
    pub(super) fn arrived(&mut self, now: Now) {
        debug_assert!(matches!(self.phase, Phase::Online { .. }), "only called then");
        let Some(Move { to, failed, .. }) = self.moving.take() else { return };
        if failed.is_none() {
            // Another application: what this one wanted and was told does not count there.
            self.twin = None;
            for state in &mut self.properties {
                state.standing = Standing::Unset;
                state.desired = None;
            }
            self.each_profile(now, |profile, ctx| profile.started(ctx));
        }
        let outcome = failed.as_deref().map_or(Ok(()), Err);
        self.each_profile(now, |profile, ctx| profile.moved(ctx, &to, outcome));
    }
}
