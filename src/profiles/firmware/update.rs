//! The phases of an update, and what leads from one to the next.
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

use serde_json::{Value, json};

use super::request::{Image, Request};
use super::{COMMAND, Firmware};
use crate::device::{Context, ImageNews, ImageOrder, Job, Millis, Severity};

/// How long each of the tutorial's phases takes, and the restart that applies an image.
const STEP: Duration = Duration::from_secs(15);

/// How often progress is reported at most, in real time: a hub counts every patch, and a twin that
/// changes ten times a second is of no use to anybody.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// What an update is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    /// What it is called for people.
    pub(super) title: String,
    request: Request,
    since: Millis,
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    #[default]
    Idle,
    /// One without an image, in one of its three steps.
    Pretending { update: Update, step: Step, until: Millis },
    /// The image is on its way.
    Fetching { update: Update, image: Image, transfer: Transfer },
    /// The image is being put in the place of the running one.
    Placing { update: Update, version: String },
    /// The device restarts with the new image, which is on trial.
    Restarting { update: Update, version: String, until: Millis },
    /// The new image runs.
    Confirming { update: Update, version: String },
    /// Something failed, and the image before is being taken again. There is no update when it is one
    /// of an earlier life of the device.
    GoingBack { update: Option<Update>, cause: Cause },
}

/// A step of a pretended update. Each is fifteen seconds, at the end of which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Waiting,
    Downloading,
    Applying,
}

/// How far a download is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Transfer {
    received: u64,
    total: Option<u64>,
    /// When it was last reported.
    told: Option<Millis>,
    /// Why nothing comes at the moment.
    trouble: Option<String>,
}

/// Why an update fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    phase: &'static str,
    reason: String,
}

/// What can happen to an update.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event<'a> {
    /// The time of a pretended step is over.
    Due,
    /// The device is back from a restart.
    Back,
    /// Something became of an order.
    News(&'a ImageNews),
}

impl Update {
    pub(super) fn new(ctx: &Context<'_>, request: Request) -> Self {
        let called = request.version.clone().map(|version| format!("version {version}"));
        let title = called.unwrap_or_else(|| "a new image".to_owned());
        Self { title, request, since: ctx.now.at }
    }
}

impl Phase {
    /// The first phase of an update.
    pub(super) fn begin(ctx: &mut Context<'_>, run: u64, update: Update) -> Self {
        match update.request.image.clone() {
            None => Self::Pretending { update, step: Step::Waiting, until: ctx.after(STEP, run) },
            Some(image) => {
                let (uri, sha256) = (image.uri.clone(), image.sha256.clone());
                ctx.order(ImageOrder::Fetch { run, uri, sha256 });
                Self::Fetching { update, image, transfer: Transfer::default() }
            }
        }
    }

    /// The update that is going on.
    pub(super) fn update(&self) -> Option<&Update> {
        match self {
            Self::Idle => None,
            Self::Pretending { update, .. }
            | Self::Fetching { update, .. }
            | Self::Placing { update, .. }
            | Self::Restarting { update, .. }
            | Self::Confirming { update, .. } => Some(update),
            Self::GoingBack { update, .. } => update.as_ref(),
        }
    }

    /// Its name in a sentence, and in the reason of a failure.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Idle => "standing by",
            Self::Pretending { step: Step::Waiting, .. } => "waiting",
            Self::Pretending { step: Step::Downloading, .. } | Self::Fetching { .. } => "downloading",
            Self::Pretending { step: Step::Applying, .. } | Self::Placing { .. } => "applying",
            Self::Restarting { .. } => "restarting",
            Self::Confirming { .. } => "confirming",
            Self::GoingBack { .. } => "going back",
        }
    }

    /// What stands in the twin during it.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::Idle | Self::Pretending { step: Step::Waiting, .. } => "standBy",
            Self::Pretending { step: Step::Downloading, .. }
            | Self::Fetching { .. }
            | Self::Placing { .. } => "downloading",
            Self::Pretending { step: Step::Applying, .. }
            | Self::Restarting { .. }
            | Self::Confirming { .. } => "applying",
            Self::GoingBack { .. } => "failed",
        }
    }

    /// How far it is, for those who watch.
    pub(super) fn job(&self) -> Option<Job> {
        let update = self.update()?;
        let (phase, done, steps, until) = match self {
            Self::Idle => return None,
            Self::Pretending { step, until, .. } => {
                let (phase, done) = match step {
                    Step::Waiting => ("pretending to wait", 0),
                    Step::Downloading => ("pretending to download", 1),
                    Step::Applying => ("pretending to apply", 2),
                };
                (phase.to_owned(), done, 3, Some(*until))
            }
            Self::Fetching { transfer, .. } => match (&transfer.trouble, transfer.percent()) {
                (Some(why), percent) => {
                    (format!("downloading again: {why}"), percent.unwrap_or(0), 100, None)
                }
                (None, Some(percent)) => (format!("downloading, {percent} %"), percent, 100, None),
                (None, None) => (format!("downloading, {} bytes", transfer.received), 0, 100, None),
            },
            Self::Placing { version, .. } => (format!("putting {version} in place"), 0, 3, None),
            Self::Restarting { version, until, .. } => {
                (format!("restarting with {version}"), 1, 3, Some(*until))
            }
            Self::Confirming { version, .. } => (format!("confirming {version}"), 2, 3, None),
            Self::GoingBack { .. } => ("going back to the image before".to_owned(), 0, 1, None),
        };
        Some(Job { command: COMMAND, phase, done, steps, since: update.since, until })
    }
}

impl Transfer {
    /// Of an image whose size is known.
    fn percent(&self) -> Option<u32> {
        let total = self.total.filter(|total| *total > 0)?;
        let hundredths = u128::from(self.received.min(total)) * 100 / u128::from(total);
        u32::try_from(hundredths).ok()
    }

    /// As it stands in the twin. What is not known is taken out of it.
    fn report(&self) -> Value {
        json!({ "received": self.received, "total": self.total, "percent": self.percent() })
    }
}

impl Firmware {
    /// Takes one event in: from the phase and the event follows the next phase.
    pub(super) fn advance(&mut self, ctx: &mut Context<'_>, event: Event<'_>) {
        use Event::{Back, Due, News};
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
            (phase, News(N::Failed { run: 0, reason })) => {
                ctx.note(Severity::Warning, format!("which firmware is installed is not known: {reason}"));
                phase
            }

            // What comes too late, or has nothing to do with this phase: another profile may restart the
            // device during a download, which goes on.
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
        Phase::Pretending { update, step: next, until: ctx.after(STEP, self.run) }
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

    fn complete(&self, ctx: &mut Context<'_>) -> Phase {
        let mut patch = json!({ "firmwareStatus": "completed", "lastFirmwareUpdate": ctx.date_time() });
        if let Some(version) = self.version() {
            patch["firmwareVersion"] = json!(version);
        }
        ctx.report(patch);
        ctx.note(
            Severity::Info,
            format!("firmware update completed: {}", self.version().unwrap_or("pretended")),
        );
        Phase::Idle
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

    fn failed(&self, ctx: &mut Context<'_>, cause: &Cause) -> Phase {
        let Cause { phase, reason } = cause;
        let mut patch = json!({
            "firmwareStatus": "failed",
            "firmwareError": { "phase": phase, "reason": reason, "time": ctx.date_time() },
        });
        if let Some(version) = self.version() {
            patch["firmwareVersion"] = json!(version);
        }
        ctx.report(patch);
        let stays = self.version().map(|version| format!("; {version} stays")).unwrap_or_default();
        ctx.note(Severity::Error, format!("firmware update failed while {phase}: {reason}{stays}"));
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
        phase
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
    let until = ctx.now.at + ctx.scaled(STEP);
    Phase::Restarting { update, version, until }
}
