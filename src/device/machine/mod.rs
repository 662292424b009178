//! The device itself: one input in, outputs appended.
//!
//! Here stands how it comes online, stays there and leaves; [`commands`], [`telemetry`] and
//! [`reconcile`] (properties and the twin) are the three things it does there, [`restart`] and
//! [`moving`] (to another ID scope) are how it goes away and comes back, [`planned`] is what it does
//! by itself when the time has come, [`outgoing`] what it hands out, and [`view`] what anybody may
//! look at.
//!
//! Never here: what a kind of device does with a command or a value; that is its profile's.

mod commands;
mod moving;
mod outgoing;
mod planned;
mod reconcile;
mod restart;
mod telemetry;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::tz::TimeZone;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use self::moving::Move;
use self::planned::Due;
use self::restart::Restart;
pub use self::restart::{Away, RestartStyle};
use super::backoff::Backoff;
use super::outbox::Outbox;
use super::reports::Reports;
use super::schedule::Schedule;
use super::{
    Assignment, CallId, Failure, IdScope, Input, LinkStep, Millis, Note, Now, Output, Phase, Profile,
    PropertyState, Reply, Retry, Severity, Standing, Ticket, TimeScale, TwinDocument,
};

/// How long the hub may take over a twin request before it is asked again. The hub answers in
/// milliseconds; a request without an answer was lost on the way.
const TWIN_PATIENCE: Duration = Duration::from_secs(20);

/// How long a link has to stand before its loss counts as a first one. Two devices with the same
/// name throw each other out again and again; this makes them do it ever more slowly.
const STEADY: Duration = Duration::from_secs(10);

/// The least time between two telemetry messages; the command line takes nothing less.
pub const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// How many desired values wait to be applied, at most. More are refused with 429.
const MOST_WISHES: usize = 64;

/// How a device is set up.
#[derive(Debug, Clone)]
pub struct DeviceOptions {
    /// The hub, when it is known without provisioning.
    pub direct: Option<Assignment>,
    /// The telemetry period.
    pub period: Duration,
    /// For everything random.
    pub seed: u64,
    /// Divides simulated durations.
    pub scale: TimeScale,
    /// What becomes of the link while the device restarts.
    pub restarts: RestartStyle,
    /// The time zone in which the device states date and time.
    pub zone: TimeZone,
    /// Whether nobody watches: then a device that has never got through gives up on failures
    /// that look like a wrong address, instead of trying for ever.
    pub unattended: bool,
}

/// One simulated device: everything it knows, and everything it decides.
pub struct Device {
    options: DeviceOptions,
    profiles: Vec<Box<dyn Profile>>,
    phase: Phase,
    rng: ChaCha8Rng,
    schedule: Schedule<Due>,
    tickets: u64,
    outbox: Outbox,
    reports: Reports,
    replies: Vec<PendingReply>,
    /// Calls that wait for their profile's answer, and the hub's names for them.
    calls: BTreeMap<CallId, String>,
    properties: Vec<PropertyState>,
    wishes: HashMap<usize, usize>,
    twin: Option<TwinDocument>,
    /// When to ask for the twin again, while it has been asked for and has not come.
    twin_again: Option<Millis>,
    /// Whether this link has said anything about desired properties yet.
    desired_heard: bool,
    period: Duration,
    next_sample: Option<Millis>,
    paused: bool,
    attempts: u32,
    refusals: u32,
    started: bool,
    /// The ID scope, when it is not the one that the device was set up with.
    scope: Option<IdScope>,
    moving: Option<Move>,
    restart: Restart,
    /// What profiles asked for that goes to no hub, and has not been handed out.
    asides: Vec<Output>,
    /// What profiles asked for that begins when everything decided before it is handed out.
    change: Option<Change>,
}

/// A change of the device's whole course.
#[derive(Debug)]
enum Change {
    Restart(Duration),
    Move(IdScope),
}

/// A reply that is not known to be written yet.
#[derive(Debug, Clone)]
struct PendingReply {
    ticket: Ticket,
    rid: String,
    reply: Reply,
    handed: bool,
}

impl Device {
    /// A device of one or more kinds, switched off.
    pub fn new(options: DeviceOptions, profiles: Vec<Box<dyn Profile>>) -> Self {
        let properties = profiles
            .iter()
            .flat_map(|profile| profile.model().properties)
            .map(|spec| PropertyState { spec, desired: None, value: Value::Null, standing: Standing::Unset })
            .collect();
        Self {
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            period: options.period.max(SHORTEST_PERIOD),
            options,
            profiles,
            phase: Phase::Idle,
            schedule: Schedule::default(),
            tickets: 0,
            outbox: Outbox::default(),
            reports: Reports::default(),
            replies: Vec::new(),
            calls: BTreeMap::new(),
            properties,
            wishes: HashMap::new(),
            twin: None,
            twin_again: None,
            desired_heard: false,
            next_sample: None,
            paused: false,
            attempts: 0,
            refusals: 0,
            started: false,
            scope: None,
            moving: None,
            restart: Restart::None,
            asides: Vec::new(),
            change: None,
        }
    }

    /// Advances the device by one input and appends what it wants done.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Start => self.start(out),
            Input::Leave => self.leave(now, out),
            // What a timer is for is found out below; steps are for those who watch.
            Input::Timer
            | Input::Provisioning(_)
            | Input::Link(LinkStep::Reached(_) | LinkStep::Secured { .. }) => {}
            Input::Assigned(assignment) => self.connect(assignment, out),
            Input::Link(LinkStep::Online { token_life, .. }) => self.online(now, token_life, out),
            Input::Failed(failure) => self.failed(now, failure, out),
            Input::Closed => self.closed(),
            Input::Twin(document) => self.reconcile(now, document, out),
            Input::TwinRefused { status, message } => {
                note(out, Severity::Warning, format!("the hub did not give the twin: {status} {message}"));
                self.twin_again = self.twin_again.map(|_| now.at + TWIN_PATIENCE);
            }
            Input::Desired { version, patch } => self.desired(now, version, patch, out),
            Input::Called(call) => self.called(now, call),
            Input::Received(message) => {
                // One from the cloud is for those who watch.
                if let Some(input) = &message.input {
                    self.each_profile(now, |profile, ctx| profile.received(ctx, input, &message));
                }
            }
            Input::Image(news) => self.each_profile(now, |profile, ctx| profile.image(ctx, &news)),
            Input::Written(ticket) => {
                self.outbox.written(ticket);
                self.replies.retain(|pending| pending.ticket != ticket);
            }
            Input::Acknowledged(ticket) => self.outbox.acknowledged(ticket),
            Input::ReportTaken { ticket, version } => self.report_taken(ticket, version),
            Input::ReportRefused { ticket, status, message } => {
                self.report_refused(now, ticket, status, &message, out);
            }
            Input::Turn { knob, by } => self.turn(knob, by),
            Input::Automatic => self.profiles.iter_mut().for_each(|profile| profile.release(false)),
            Input::Home => self.profiles.iter_mut().for_each(|profile| profile.release(true)),
            Input::Pause(paused) => self.pause(now, paused),
            Input::Period(period) => self.set_period(now, period),
            Input::Cut => {
                if self.phase.is_online() {
                    out.push(Output::Cut);
                } else {
                    note(out, Severity::Warning, "there is no link to cut".to_owned());
                }
            }
        }
        self.catch_up(now, out);
        self.hand_out(now, out);
        out.append(&mut self.asides);
        match self.change.take() {
            Some(Change::Restart(span)) => self.restart(now, span, out),
            Some(Change::Move(scope)) => self.move_to(now, scope, out),
            None => {}
        }
        out.append(&mut self.asides);
    }

    fn start(&mut self, out: &mut Vec<Output>) {
        let known = match &self.phase {
            Phase::Idle | Phase::Stopped(_) => self.options.direct.clone(),
            // Also before the back-off has run out, when a person does not want to wait for it.
            Phase::Waiting { next, .. } => next.clone(),
            _ => return,
        };
        match known {
            Some(assignment) => self.connect(assignment, out),
            None => self.provision(out),
        }
    }

    fn provision(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Provisioning;
        out.push(Output::Provision { scope: self.scope.clone() });
    }

    fn connect(&mut self, assignment: Assignment, out: &mut Vec<Output>) {
        if self.phase.is_over() {
            return;
        }
        self.phase = Phase::Connecting(assignment.clone());
        out.push(Output::Connect(assignment));
    }

    fn leave(&mut self, now: Now, out: &mut Vec<Output>) {
        self.next_sample = None;
        self.restart = Restart::None;
        match self.phase {
            Phase::Online { .. } => {
                self.phase = Phase::Leaving;
                // What is decided goes out before the good-bye.
                self.hand_out_now(now, out);
                out.push(Output::Disconnect);
            }
            Phase::Provisioning | Phase::Connecting(_) => {
                self.phase = Phase::Left;
                out.push(Output::Abandon);
            }
            Phase::Leaving => {}
            _ => self.phase = Phase::Left,
        }
    }

    fn closed(&mut self) {
        self.link_lost();
        if self.phase.is_over() {
            self.phase = Phase::Left;
        }
    }

    fn online(&mut self, now: Now, token_life: Duration, out: &mut Vec<Output>) {
        let Phase::Connecting(assignment) = &self.phase else { return };
        self.phase = Phase::Online {
            assignment: assignment.clone(),
            since: now.at,
            token_ends: now.at + token_life,
            renews: now.at + renewal(token_life),
        };
        self.refusals = 0;
        if !self.started {
            self.started = true;
            self.each_profile(now, |profile, ctx| profile.started(ctx));
        }
        self.arrived(now, out);
        self.desired_heard = false;
        self.fetch_twin(now, out);
        if self.samples() {
            // The first message of a connection goes at once unless one is due anyway.
            self.next_sample = Some(self.next_sample.unwrap_or(now.at).max(now.at));
        }
        self.booted(now, out);
    }

    fn fetch_twin(&mut self, now: Now, out: &mut Vec<Output>) {
        let ticket = self.ticket();
        self.twin_again = Some(now.at + TWIN_PATIENCE);
        out.push(Output::FetchTwin(ticket));
    }

    fn link_lost(&mut self) {
        self.outbox.link_lost();
        self.reports.link_lost();
        self.replies.iter_mut().for_each(|pending| pending.handed = false);
        self.twin_again = None;
    }

    fn failed(&mut self, now: Now, failure: Failure, out: &mut Vec<Output>) {
        self.link_lost();
        if matches!(self.phase, Phase::Online { since, .. } if now.at.since(since) >= STEADY) {
            self.attempts = 0;
        }
        if self.phase.is_over() {
            self.phase = Phase::Left;
            return;
        }
        if matches!(self.phase, Phase::Restarting { .. }) || self.turns_back(now, &failure, out) {
            return;
        }
        let next = match failure.kind.retry() {
            Retry::Never => return self.stop(failure),
            Retry::UnlessNew if self.options.unattended && !self.started => return self.stop(failure),
            Retry::Later | Retry::UnlessNew => match &self.phase {
                Phase::Provisioning => None,
                other => other.assignment().cloned().or_else(|| self.options.direct.clone()),
            },
            // Refused by the provisioning service itself, or by a hub without one: the same key
            // will be refused again. Refused by a hub that a service assigned: the device may have
            // been moved, so the service is asked once more, and a second refusal is final.
            Retry::Reprovision => {
                self.refusals += 1;
                let by_service = self.phase == Phase::Provisioning;
                if by_service || self.options.direct.is_some() || self.refusals > 1 {
                    return self.stop(failure);
                }
                note(out, Severity::Warning, "asking the provisioning service again".to_owned());
                None
            }
        };
        let jitter = self.rng.random_range(0.0..=1.0);
        let delay = Backoff::LINK.delay(self.attempts, jitter).max(failure.retry_after.unwrap_or_default());
        self.attempts += 1;
        self.phase = Phase::Waiting { cause: failure, until: now.at + delay, attempt: self.attempts, next };
    }

    fn stop(&mut self, failure: Failure) {
        self.next_sample = None;
        self.phase = Phase::Stopped(failure);
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}

/// When a token of this life is renewed: when four fifths are over, but never later than two
/// minutes before the end for long-lived ones, as the official Python SDK does.
fn renewal(life: Duration) -> Duration {
    let margin = (life / 5).min(Duration::from_secs(120));
    life.saturating_sub(margin)
}

fn note(out: &mut Vec<Output>, severity: Severity, text: String) {
    out.push(Output::Note(Note { severity, text }));
}

#[cfg(test)]
mod tests;
