//! What a kind of device is: tables of what it can do, and the functions behind them.
//!
//! Never here: a kind of device by name, topics, sockets, clocks.
//!
//! In reading order: [`model`] (the tables), [`schema`] (what a value may be), [`context`] (what a
//! profile may ask of its device), [`view`] and [`led`] (what it shows); [`Profile`] itself stands
//! here.

pub mod context;
pub mod led;
pub mod model;
pub mod schema;
pub mod view;

use serde_json::{Map, Value};

pub(super) use context::Asked;
pub use context::Context;
pub use led::Led;
pub use model::{CommandSpec, Field, Knob, Model, PropertySpec};
pub use schema::{Member, Schema, brief};
pub use view::{Figure, Flow, Job, Outcome, Port, Reading};

use super::{Answer, CallId, IdScope, ImageNews, Inbound, Reply};

/// A kind of device. The device around it does everything that all kinds share: unknown names,
/// checks against the tables, acknowledgements, replies, queues, restarts and moves.
pub trait Profile: Send {
    /// What it offers.
    fn model(&self) -> &'static Model;

    /// The device is connected for the first time in its life, or for the first time after it
    /// moved to another ID scope.
    fn started(&mut self, _ctx: &mut Context<'_>) {}

    /// The fields of the next message, in the order of the model's table.
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }

    /// The message as it goes out, after which the next one is made.
    fn sample(&mut self, _ctx: &mut Context<'_>) -> Map<String, Value> {
        Map::new()
    }

    /// A person turned the knob at this position of the model's table.
    fn turn(&mut self, _knob: usize, _by: f64) {}

    /// All values move by themselves again: around where they are, or (`home`) around the
    /// profile's own set points.
    fn release(&mut self, _home: bool) {}

    /// A command of the model's table, its request checked against the schema there. What is not
    /// answered at once is answered with [`Context::answer`].
    fn command(&mut self, _: &mut Context<'_>, _: CallId, name: &str, _request: &Value) -> Answer {
        Reply::refused(404, format!("this kind of device has no command `{name}`")).into()
    }

    /// A property of the model's table takes a value, checked against the schema there.
    fn apply(&mut self, _ctx: &mut Context<'_>, _name: &str, _value: &Value) {}

    /// A message has come to one of the module's inputs.
    fn received(&mut self, _ctx: &mut Context<'_>, _input: &str, _message: &Inbound) {}

    /// A moment asked for with [`Context::after`] has come.
    fn timer(&mut self, _ctx: &mut Context<'_>, _tag: u64) {}

    /// The device goes away for a restart that some profile asked for with [`Context::restart`].
    fn restarting(&mut self, _ctx: &mut Context<'_>) {}

    /// The device is back after a restart that some profile asked for with [`Context::restart`].
    fn restarted(&mut self, _ctx: &mut Context<'_>) {}

    /// A move that some profile asked for with [`Context::move_to`] is over: the device is online
    /// in the scope, or, for the reason given, back where it was.
    fn moved(&mut self, _ctx: &mut Context<'_>, _scope: &IdScope, _outcome: Result<(), &str>) {}

    /// Whether it gives orders about firmware images, so that there has to be a place for them.
    fn keeps_images(&self) -> bool {
        false
    }

    /// Something became of an order given with [`Context::order`].
    fn image(&mut self, _ctx: &mut Context<'_>, _news: &ImageNews) {}

    /// The indicator light, where there is one.
    fn led(&self) -> Option<Led> {
        None
    }

    /// Work that goes on.
    fn jobs(&self) -> Vec<Job> {
        Vec::new()
    }

    /// What came of the last work, until more of the same begins.
    fn outcome(&self) -> Option<Outcome> {
        None
    }

    /// The inputs and outputs of a module, and what went through them.
    fn ports(&self) -> Vec<Port> {
        Vec::new()
    }

    /// Anything else worth a line: a threshold, a version.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}
