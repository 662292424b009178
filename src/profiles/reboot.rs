//! The device of the reboot tutorial: one command, which is answered when the device is back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::device::{
    Answer, CallId, CommandSpec, Context, Job, Millis, Model, Profile, Reply, Schema, Severity,
};

/// Everything it offers.
pub const MODEL: Model = Model {
    name: "reboot",
    title: "Device that reboots on request",
    model_id: "dtmi:envsim:Reboot;1",
    telemetry: &[],
    output: None,
    knobs: &[],
    commands: &[CommandSpec {
        name: COMMAND,
        title: "reboot, the answer comes when the device is back",
        // The tutorial's back end sends a number that its device does not look at.
        request: Some(Schema::Any),
        example: r#"{"method_number": "42"}"#,
        lasting: false,
    }],
    properties: &[],
    reports: &[TIME],
};

const COMMAND: &str = "rebootDevice";
const TIME: &str = "rebootTime";

/// How long the tutorial's device takes.
const REBOOT: Duration = Duration::from_secs(20);

/// A device that reboots.
#[derive(Debug, Default)]
pub struct Reboot {
    asked: Option<Asked>,
}

/// The reboot that an operator waits for.
#[derive(Debug)]
struct Asked {
    call: CallId,
    since: Millis,
    until: Millis,
}

impl Profile for Reboot {
    fn model(&self) -> &'static Model {
        &MODEL
    }

    fn command(&mut self, ctx: &mut Context<'_>, call: CallId, _: &str, _: &Value) -> Answer {
        // The time is over, and the link that tells so is not there yet.
        if self.asked.is_some() {
            return Reply::refused(409, "the device is coming back from a reboot, try again soon").into();
        }
        self.asked = Some(Asked { call, since: ctx.now.at, until: ctx.now.at + ctx.scaled(REBOOT) });
        ctx.note(Severity::Info, "rebooting");
        ctx.restart(REBOOT);
        Answer::Later
    }

    // Whoever asked for the restart: operators read from this property when the device was last
    // rebooted, and a restart into new firmware is one too.
    fn restarted(&mut self, ctx: &mut Context<'_>) {
        ctx.note(Severity::Info, "rebooted");
        ctx.report(json!({ TIME: ctx.date_time() }));
        if let Some(asked) = self.asked.take() {
            ctx.answer(asked.call, Reply::ok(json!({ "Response": "This is the response from the device" })));
        }
    }

    fn jobs(&self) -> Vec<Job> {
        let job = |asked: &Asked| Job {
            command: COMMAND,
            phase: "rebooting".to_owned(),
            done: 0,
            steps: 1,
            since: asked.since,
            until: Some(asked.until),
        };
        self.asked.iter().map(job).collect()
    }
}
