//! The firmware update of the IoT Hub tutorial: a command begins it, reported properties tell how far
//! it is, and here an image really is downloaded, checked, applied and confirmed.
//!
//! `fwPackageUri` decides what is done. With `http:`, `https:` or `file:` it is an image, and the update
//! is real. Without a scheme it is only a name, as the tutorial's `test.com`: the update is pretended,
//! in the tutorial's three times fifteen seconds, and nothing is fetched or kept. Another scheme is
//! refused. An address with a scheme is never pretended, however little it looks like one that exists:
//! whoever asks for an image must not be told that it was applied when it was not.
//!
//! An image has to be confirmed after the restart. Until then it is on trial: whatever fails, the device
//! goes back to the image before, and a device that begins with an image on trial was killed between
//! the two, and goes back as well.
//!
//! Never here: sockets, files, digests. Those are the business of whoever carries out an
//! [`ImageOrder`].
//!
//! In reading order: [`request`] (what is asked for), [`phase`] (how far an update is), [`update`]
//! (what leads from one phase to the next).

mod phase;
mod request;
#[cfg(test)]
mod tests;
mod update;

use serde_json::{Value, json};

use self::phase::{Phase, Update};
use self::request::{LONGEST_URI, LONGEST_VERSION, Request};
use self::update::Event;
use crate::device::{
    Answer, CallId, CommandSpec, Context, Figure, ImageNews, ImageOrder, Job, Member, Model, Outcome,
    Profile, Reply, Schema, Severity,
};

const COMMAND: &str = "firmwareUpdate";

/// Everything it offers.
pub const MODEL: Model = Model {
    name: "firmware",
    title: "Firmware update",
    model_id: "dtmi:envsim:FirmwareUpdate;1",
    telemetry: &[],
    output: None,
    knobs: &[],
    commands: &[CommandSpec {
        name: COMMAND,
        title: "update the firmware",
        request: Some(Schema::Object(&[
            Member { name: "fwPackageUri", schema: Schema::Text { most: LONGEST_URI }, required: true },
            Member { name: "sha256", schema: Schema::Text { most: 256 }, required: false },
            Member { name: "version", schema: Schema::Text { most: LONGEST_VERSION }, required: false },
        ])),
        example: r#"{"fwPackageUri": "test.com"}"#,
        lasting: false,
    }],
    properties: &[],
    reports: &[
        "firmwareStatus",
        "firmwareVersion",
        "logTime",
        "downloadProgress",
        "downloadComplete",
        "startedApplyingImage",
        "lastFirmwareUpdate",
        "firmwareError",
    ],
};

/// A device whose firmware can be updated.
#[derive(Debug, Default)]
pub struct Firmware {
    /// How many updates there were; the number of the last one.
    run: u64,
    phase: Phase,
    /// The version of the image that runs, once it is known.
    installed: Option<String>,
    /// The version that a pretended update has brought, which stands until something real happens.
    pretended: Option<String>,
    /// How the last update ended; none while one goes on.
    outcome: Option<Outcome>,
}

impl Firmware {
    /// A device that does not know yet what is installed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version that the device says it has.
    fn version(&self) -> Option<&str> {
        self.pretended.as_deref().or(self.installed.as_deref())
    }

    /// What the tutorial's program does when it begins: it says that it is ready.
    fn stand_by(ctx: &mut Context<'_>) {
        ctx.report(json!({ "firmwareStatus": "standBy", "logTime": ctx.date_time() }));
        ctx.order(ImageOrder::Inspect);
    }

    fn update(&mut self, ctx: &mut Context<'_>, request: &Value) -> Reply {
        if self.phase != Phase::Idle {
            let an_earlier_one = || "firmware update of an earlier run".to_owned();
            let what = self.phase.update().map_or_else(an_earlier_one, Update::title);
            let phase = self.phase.name();
            let why = format!("the {what} is still {phase}: wait until it is completed or has failed");
            return Reply::refused(409, why);
        }
        let request = match Request::read(request) {
            Ok(request) => request,
            Err(reply) => return reply,
        };
        self.run += 1;
        self.outcome = None;
        // What the last update reported would be read as of this one, by a person as by a program that
        // polls; only when the firmware was last updated stays true.
        let mut fresh = json!({
            "downloadProgress": null,
            "downloadComplete": null,
            "startedApplyingImage": null,
            "firmwareError": null,
        });
        // The tutorial's device still says `standBy` while it waits to begin.
        fresh["firmwareStatus"] = json!(if request.image.is_some() { "downloading" } else { "standBy" });
        ctx.report(fresh);
        let update = Update::new(ctx, request);
        let only_a_name = if update.request.image.is_none() { ": its address is only a name" } else { "" };
        ctx.note(Severity::Info, format!("{} started{only_a_name}", update.title()));
        self.phase = Phase::begin(ctx, self.run, update);
        Reply::ok(json!({ "Response": "Firmware update started" }))
    }
}

impl Profile for Firmware {
    fn model(&self) -> &'static Model {
        &MODEL
    }

    fn started(&mut self, ctx: &mut Context<'_>) {
        match &self.phase {
            Phase::Idle => Self::stand_by(ctx),
            // In another application, to which the device has moved meanwhile.
            phase => {
                ctx.report(json!({ "firmwareStatus": phase.status(), "firmwareVersion": self.version() }));
            }
        }
    }

    fn command(&mut self, ctx: &mut Context<'_>, _: CallId, name: &str, request: &Value) -> Answer {
        match name {
            COMMAND => self.update(ctx, request).into(),
            _ => Reply::refused(404, format!("this device has no command `{name}`")).into(),
        }
    }

    fn timer(&mut self, ctx: &mut Context<'_>, tag: u64) {
        if tag == self.run {
            self.advance(ctx, Event::Due);
        }
    }

    fn restarting(&mut self, ctx: &mut Context<'_>) {
        self.advance(ctx, Event::Away);
    }

    fn restarted(&mut self, ctx: &mut Context<'_>) {
        self.advance(ctx, Event::Back);
    }

    fn keeps_images(&self) -> bool {
        true
    }

    fn image(&mut self, ctx: &mut Context<'_>, news: &ImageNews) {
        // What becomes of an update that is over is of no interest any more.
        if news.run().is_none_or(|run| run == self.run) {
            self.advance(ctx, Event::News(news));
        }
    }

    fn jobs(&self) -> Vec<Job> {
        self.phase.job().into_iter().collect()
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome.clone()
    }

    fn figures(&self) -> Vec<Figure> {
        let value = self.version().unwrap_or("not known").to_owned();
        vec![Figure { title: "firmware", value }]
    }
}
