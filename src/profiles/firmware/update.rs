//! What leads from one phase of an update to the next.
//!
//! ```text
//!  Pretending ×3 ────────────────────────────────────────────────────────┐
//!                                                                        ▼
//!  Fetching ─► Placing ─► Restarting ─► Confirming ──────────────────► Idle
//!     │           │            (on trial)    │                           ▲
//!     └── failed ─┼──────────────────────────┼───────────────────────────┤
//!                 └───────── failed ─────────┴─► GoingBack ──────────────┘
//! ```

use std::time::Duration;

use serde_json::json;

use super::Firmware;
use super::phase::{Cause, Phase, STEP, Step, Transfer, Update};
use super::request::Image;
use crate::device::{Context, ImageNews, ImageOrder, Outcome, Severity};

/// How often progress is reported at most, in real time: a hub counts every patch, and a twin that
/// changes ten times a second is of no use to anybody.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The most of a reason that is reported, in characters of up to four bytes.
const LONGEST_REASON: usize = 1_000;

/// What can happen to an update.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event<'a> {
    /// The time of a pretended step is over.
    Due,
    /// The device restarts.
    Away,
    /// The device is back from a restart.
    Back,
    /// Something became of an order.
    News(&'a ImageNews),
}

impl Firmware {
    /// Takes one event in: from the phase and the event follows the next phase.
    pub(super) fn advance(&mut self, ctx: &mut Context<'_>, event: Event<'_>) {
        use Event::{Away, Back, Due, News};
        use ImageNews as N;
        use Phase as P;
        self.phase = match (std::mem::take(&mut self.phase), event) {
            // Without an image.
            (P::Pretending { update, step, .. }, Due) => self.pretended(ctx, update, step),

            // With one.
            (P::Fetching { update, image, transfer }, News(N::Progress { received, total, .. })) => {
                let transfer = progressed(ctx, transfer, *received, *total);
                P::Fetching { update, image, transfer }
            }
            (P::Fetching { update, image, transfer }, News(N::Interrupted { reason, .. })) => {
                ctx.note(Severity::Warning, format!("the download was interrupted: {reason}"));
                P::Fetching {
                    update,
                    image,
                    transfer: Transfer { trouble: Some(reason.clone()), ..transfer },
                }
            }
            // Another profile may restart the device during a download. Who is off receives nothing.
            (phase @ P::Fetching { .. }, Away) => {
                ctx.order(ImageOrder::Pause { run: self.run });
                phase
            }
            (P::Fetching { update, image, transfer }, Back) => {
                ctx.order(image.order(self.run));
                P::Fetching { update, image, transfer }
            }
            (P::Fetching { update, image, .. }, News(N::Fetched { size, sha256, .. })) => {
                self.fetched(ctx, update, &image, *size, sha256)
            }
            (P::Placing { update, version }, News(N::Placed { .. })) => placed(ctx, update, version),
            (P::Restarting { update, version, .. }, Back) => {
                ctx.order(ImageOrder::Confirm { run: self.run });
                P::Confirming { update, version }
            }
            (P::Confirming { version, .. }, News(N::Confirmed { .. })) => self.completed(ctx, version),

            // What fails: before anything was put in place there is nothing to go back from.
            (phase @ P::Fetching { .. }, News(N::Failed { run: 1.., reason })) => {
                // Of a download that never began nothing was told.
                if let P::Fetching { transfer, .. } = &phase
                    && transfer.told.is_some()
                {
                    ctx.report(json!({ "downloadProgress": transfer.report() }));
                }
                let cause = Cause { phase: phase.name(), reason: reason.clone() };
                self.failed(ctx, &cause)
            }
            (phase @ (P::Placing { .. } | P::Confirming { .. }), News(N::Failed { run: 1.., reason })) => {
                self.go_back(ctx, &phase, reason.clone())
            }
            (P::GoingBack { cause, .. }, News(N::RolledBack { version, .. })) => {
                self.installed = Some(version.clone());
                self.failed(ctx, &cause)
            }
            (P::GoingBack { cause, .. }, News(N::Failed { run: 1.., reason })) => {
                let reason =
                    format!("{}; going back to the image before failed as well: {reason}", cause.reason);
                self.failed(ctx, &Cause { reason, ..cause })
            }

            // What is installed, asked for when the device begins.
            (P::Idle, Back) => {
                Self::stand_by(ctx);
                P::Idle
            }
            (phase, News(N::Installed { version, on_trial })) => {
                self.inspected(ctx, phase, version, *on_trial)
            }
            (P::Idle, News(N::CutShort { from, received })) => {
                let next = match received {
                    0 => "ask for the update again".to_owned(),
                    received => {
                        format!("ask for it again to go on behind the {received} bytes that are here")
                    }
                };
                let reason = format!("the device was switched off during the download of {from}; {next}");
                self.failed(ctx, &Cause { phase: "downloading", reason })
            }
            (phase, News(N::Failed { run: 0, reason })) => {
                ctx.note(Severity::Warning, format!("which firmware is installed is not known: {reason}"));
                phase
            }

            // What comes too late, or has nothing to do with this phase.
            (phase, _) => phase,
        };
    }

    fn pretended(&mut self, ctx: &mut Context<'_>, update: Update, step: Step) -> Phase {
        let next = match step {
            Step::Waiting => {
                // So the tutorial: it says that the download is complete when it begins.
                ctx.report(json!({ "firmwareStatus": "downloading", "downloadComplete": ctx.date_time() }));
                Step::Downloading
            }
            Step::Downloading => {
                ctx.report(json!({ "firmwareStatus": "applying", "startedApplyingImage": ctx.date_time() }));
                Step::Applying
            }
            Step::Applying => {
                if update.request.version.is_some() {
                    self.pretended = update.request.version;
                }
                return self.complete(ctx);
            }
        };
        Phase::pretend(ctx, self.run, update, next)
    }

    fn fetched(
        &self,
        ctx: &mut Context<'_>,
        update: Update,
        image: &Image,
        size: u64,
        sha256: &str,
    ) -> Phase {
        let whole = Transfer { received: size, total: Some(size), ..Transfer::default() };
        ctx.report(json!({
            "firmwareStatus": "downloading",
            "downloadProgress": whole.report(),
            "downloadComplete": ctx.date_time(),
        }));
        let version = update.request.version.clone().unwrap_or_else(|| image.version(sha256));
        ctx.note(Severity::Info, format!("downloaded {version}: {size} bytes, SHA-256 {sha256}"));
        ctx.order(ImageOrder::Install { run: self.run, version: version.clone() });
        Phase::Placing { update, version }
    }

    fn completed(&mut self, ctx: &mut Context<'_>, version: String) -> Phase {
        self.installed = Some(version);
        self.pretended = None;
        self.complete(ctx)
    }

    fn complete(&mut self, ctx: &mut Context<'_>) -> Phase {
        let mut patch = json!({ "firmwareStatus": "completed", "lastFirmwareUpdate": ctx.date_time() });
        if let Some(version) = self.version() {
            patch["firmwareVersion"] = json!(version);
        }
        ctx.report(patch);
        let text = format!("firmware update completed: {}", self.version().unwrap_or("pretended"));
        self.end(ctx, Severity::Info, text)
    }

    /// Has the image before taken again; that it failed is told when it has been.
    fn go_back(&self, ctx: &mut Context<'_>, phase: &Phase, reason: String) -> Phase {
        ctx.note(
            Severity::Warning,
            format!("{} failed, going back to the image before: {reason}", phase.name()),
        );
        ctx.order(ImageOrder::RollBack { run: self.run });
        Phase::GoingBack { update: phase.update().cloned(), cause: Cause { phase: phase.name(), reason } }
    }

    fn failed(&mut self, ctx: &mut Context<'_>, cause: &Cause) -> Phase {
        let (phase, reason) = (cause.phase, brief(&cause.reason));
        let mut patch = json!({
            "firmwareStatus": "failed",
            "firmwareError": { "phase": phase, "reason": reason, "time": ctx.date_time() },
        });
        if let Some(version) = self.version() {
            patch["firmwareVersion"] = json!(version);
        }
        ctx.report(patch);
        let stays = self.version().map(|version| format!("; {version} stays")).unwrap_or_default();
        let text = format!("firmware update failed while {phase}: {reason}{stays}");
        self.end(ctx, Severity::Error, text)
    }

    /// Tells how an update ended, in the log and for as long as it is the last one.
    fn end(&mut self, ctx: &mut Context<'_>, severity: Severity, text: String) -> Phase {
        ctx.note(severity, text.clone());
        self.outcome = Some(Outcome { text, good: severity == Severity::Info });
        Phase::Idle
    }

    /// What is installed is known.
    fn inspected(&mut self, ctx: &mut Context<'_>, phase: Phase, version: &str, on_trial: bool) -> Phase {
        if on_trial {
            let reason = format!(
                "the device was switched off after {version} had been applied and before it was confirmed"
            );
            if matches!(phase, Phase::GoingBack { .. }) {
                return phase;
            }
            if phase.update().is_some() {
                // Asked for before this was known; it would be refused when its image is put in place.
                return self.go_back(ctx, &phase, format!("{reason}; ask for the update again"));
            }
            self.run += 1;
            ctx.note(Severity::Warning, format!("{reason}: going back to the image before"));
            ctx.order(ImageOrder::RollBack { run: self.run });
            return Phase::GoingBack { update: None, cause: Cause { phase: "confirming", reason } };
        }
        if self.installed.as_deref() != Some(version) {
            self.installed = Some(version.to_owned());
        }
        ctx.report(json!({ "firmwareVersion": self.version() }));
        let text = match &self.pretended {
            Some(pretended) => format!("the firmware is {pretended}, pretended; {version} is installed"),
            None => format!("the firmware is {version}"),
        };
        ctx.note(Severity::Info, text);
        phase
    }
}

/// A reason that fits into a twin: IoT Hub refuses a patch with a text of more than 4 KB ("Understand and
/// use device twins", size), and servers decide how long the addresses are that they redirect to.
fn brief(reason: &str) -> String {
    match reason.char_indices().nth(LONGEST_REASON) {
        Some((cut, _)) => format!("{}…", &reason[..cut]),
        None => reason.to_owned(),
    }
}

fn progressed(ctx: &mut Context<'_>, transfer: Transfer, received: u64, total: Option<u64>) -> Transfer {
    let due = transfer.told.is_none_or(|told| ctx.now.at.since(told) >= REPORT_EVERY);
    let told = if due { Some(ctx.now.at) } else { transfer.told };
    let transfer = Transfer { received, total, told, trouble: None };
    if due {
        ctx.report(json!({ "downloadProgress": transfer.report() }));
    }
    transfer
}

fn placed(ctx: &mut Context<'_>, update: Update, version: String) -> Phase {
    ctx.report(json!({ "firmwareStatus": "applying", "startedApplyingImage": ctx.date_time() }));
    ctx.restart(STEP);
    let since = ctx.now.at;
    Phase::Restarting { update, version, since, until: since + ctx.scaled(STEP) }
}
