//! How far an update is, and what is shown of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::COMMAND;
use super::request::{Image, Request};
use crate::device::{Context, Job, Millis};

/// How long each of the tutorial's phases takes, and the restart that applies an image.
pub(super) const STEP: Duration = Duration::from_secs(15);

/// What an update is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) request: Request,
    since: Millis,
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    #[default]
    Idle,
    /// One without an image, in one of its three steps; until the last of them.
    Pretending { update: Update, step: Step, until: Millis },
    /// The image is on its way.
    Fetching { update: Update, image: Image, transfer: Transfer },
    /// The image is being put in the place of the running one.
    Placing { update: Update, version: String },
    /// The device restarts with the new image, which is on trial.
    Restarting { update: Update, version: String, since: Millis, until: Millis },
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
    pub(super) received: u64,
    pub(super) total: Option<u64>,
    /// When it was last reported.
    pub(super) told: Option<Millis>,
    /// Why nothing comes at the moment.
    pub(super) trouble: Option<String>,
}

/// Why an update fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) phase: &'static str,
    pub(super) reason: String,
}

impl Update {
    pub(super) fn new(ctx: &Context<'_>, request: Request) -> Self {
        Self { request, since: ctx.now.at }
    }

    /// What it is called for people.
    pub(super) fn title(&self) -> String {
        let is_real = self.request.image.is_some();
        let kind = if is_real { "firmware update" } else { "pretended firmware update" };
        match &self.request.version {
            Some(version) => format!("{kind} to version {version}"),
            None if is_real => format!("{kind} to a new image"),
            None => kind.to_owned(),
        }
    }
}

impl Phase {
    /// The first phase of an update.
    pub(super) fn begin(ctx: &mut Context<'_>, run: u64, update: Update) -> Self {
        match update.request.image.clone() {
            None => Self::pretend(ctx, run, update, Step::Waiting),
            Some(image) => {
                ctx.order(image.order(run));
                Self::Fetching { update, image, transfer: Transfer::default() }
            }
        }
    }

    /// A step of a pretended update, which begins now: later than planned when the device was away when
    /// the last one was to end.
    pub(super) fn pretend(ctx: &mut Context<'_>, run: u64, update: Update, step: Step) -> Self {
        let later = match step {
            Step::Waiting => 2,
            Step::Downloading => 1,
            Step::Applying => 0,
        };
        let until = ctx.after(STEP, run) + ctx.scaled(STEP * later);
        Self::Pretending { update, step, until }
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
        let since = self.update().map_or(Millis(0), |update| update.since);
        let idle = Job { command: COMMAND, phase: String::new(), done: 0, steps: 0, since, until: None };
        Some(match self {
            Self::Idle | Self::GoingBack { update: None, .. } => return None,
            Self::Pretending { step, until, .. } => {
                let phase = match step {
                    Step::Waiting => "1/3 waiting",
                    Step::Downloading => "2/3 downloading",
                    Step::Applying => "3/3 applying",
                };
                Job { phase: phase.to_owned(), until: Some(*until), ..idle }
            }
            Self::Fetching { transfer, .. } => {
                let (phase, done) = (transfer.words(), transfer.percent().unwrap_or(0));
                Job { phase, done, steps: 100, ..idle }
            }
            Self::Placing { version, .. } => {
                Job { phase: format!("putting {version} in place"), steps: 3, ..idle }
            }
            Self::Restarting { version, since, until, .. } => Job {
                phase: format!("restarting with {version}"),
                since: *since,
                until: Some(*until),
                ..idle
            },
            Self::Confirming { version, .. } => {
                Job { phase: format!("confirming {version}"), done: 2, steps: 3, ..idle }
            }
            Self::GoingBack { .. } => {
                Job { phase: "going back to the image before".to_owned(), steps: 3, ..idle }
            }
        })
    }
}

impl Transfer {
    /// Of an image whose size is known.
    fn percent(&self) -> Option<u32> {
        let total = self.total.filter(|total| *total > 0)?;
        let hundredths = u128::from(self.received.min(total)) * 100 / u128::from(total);
        u32::try_from(hundredths).ok()
    }

    fn words(&self) -> String {
        match (&self.trouble, self.total) {
            (Some(why), _) => format!("downloading again: {why}"),
            (None, Some(total)) => format!("downloading {}", sizes(&[self.received, total])),
            (None, None) => format!("downloading {}", sizes(&[self.received])),
        }
    }

    /// As it stands in the twin. What is not known is taken out of it.
    pub(super) fn report(&self) -> Value {
        json!({ "received": self.received, "total": self.total, "percent": self.percent() })
    }
}

/// Sizes in the largest unit that the last of them has one of: `0.2 of 1.0 MiB`.
fn sizes(bytes: &[u64]) -> String {
    const UNITS: [(u64, &str); 2] = [(1 << 20, "MiB"), (1 << 10, "KiB")];
    let largest = bytes.last().copied().unwrap_or_default();
    let unit = UNITS.iter().find(|(unit, _)| largest >= *unit);
    let one = |size: &u64| match unit {
        Some((unit, _)) => format!("{}.{}", size / unit, size % unit * 10 / unit),
        None => size.to_string(),
    };
    let all: Vec<_> = bytes.iter().map(one).collect();
    format!("{} {}", all.join(" of "), unit.map_or("bytes", |(_, name)| name))
}
