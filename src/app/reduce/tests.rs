//! Stories of the whole program, without a socket or a screen.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::json;

use super::*;
use crate::app::desk::Ask;
use crate::app::{
    Action, Cursor, Desk, DeskAnswer, Edit, Ending, Fact, Intent, Mode, Motion, Overlay, PaneId, Place,
    Station, StepState, summary,
};
use crate::device::{
    Assignment, Call, Device, DeviceOptions, Failure, FailureKind, Inbound, LinkStep, Millis, Output, Phase,
    Reply, Ticket, TimeScale, TwinDocument,
};
use crate::profiles::environment::Environment;

struct Story {
    state: AppState,
    at: u64,
    effects: Vec<Effect>,
}

fn hub() -> Assignment {
    Assignment { hub: "hub.example".parse().expect("a host"), device_id: "d1".parse().expect("an id") }
}

impl Story {
    fn begin() -> Self {
        let options = DeviceOptions {
            direct: None,
            period: Duration::from_secs(2),
            seed: 1,
            restarts: crate::device::RestartStyle::Held,
            scale: TimeScale::ONE,
            zone: TimeZone::UTC,
            unattended: false,
        };
        let device = Device::new(options, vec![Box::new(Environment::new(1))]);
        let station = Station::new(device, "d1".to_owned(), "key 630dcd29".to_owned());
        let place = Place::Service("dps.example".to_owned());
        let state = AppState::new(now(0), TimeZone::UTC, vec![station], place, Desk::new(None, false), 1);
        let mut story = Self { state, at: 0, effects: Vec::new() };
        story.input(Input::Start);
        story
    }

    fn online() -> Self {
        let mut story = Self::begin();
        story.input(Input::Assigned(hub()));
        let online = LinkStep::Online { session_present: false, token_life: Duration::from_secs(3600) };
        story.input(Input::Link(online));
        story.input(Input::Twin(TwinDocument {
            desired_version: 1,
            reported_version: 1,
            ..Default::default()
        }));
        story
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.effects.extend(reduce(&mut self.state, now(self.at), event));
        self
    }

    fn input(&mut self, input: Input) -> &mut Self {
        self.event(Event::Device { slot: 0, input, packet: None })
    }

    fn want(&mut self, intent: Intent) -> &mut Self {
        self.event(Event::Intent(intent))
    }

    fn type_in(&mut self, text: &str) -> &mut Self {
        text.chars().for_each(|c| {
            self.want(Intent::Edit(Edit::Insert(c)));
        });
        self
    }

    /// Puts the operator's cursor on the row with this label's beginning, and opens it.
    fn operate(&mut self, label: &str) -> &mut Self {
        self.want(Intent::Focus(PaneId::Operator)).want(Intent::Move(Motion::First));
        let rows = self.state.desk.actions(self.state.station());
        let row = rows.iter().position(|action| action.label().starts_with(label)).expect("a row");
        for _ in 0..row {
            self.want(Intent::Move(Motion::Down));
        }
        self.want(Intent::Open)
    }

    fn asked(&self) -> Vec<Ask> {
        let ask = |effect: &Effect| match effect {
            Effect::Desk(request) => Some(request.ask.clone()),
            _ => None,
        };
        self.effects.iter().filter_map(ask).collect()
    }

    fn facts(&self) -> Vec<&'static str> {
        self.state.log.entries().map(|entry| entry.fact.name()).collect()
    }

    fn sent(&self) -> Vec<Ticket> {
        let ticket = |effect: &Effect| match effect {
            Effect::Link { output: Output::Send { ticket, .. }, .. } => Some(*ticket),
            _ => None,
        };
        self.effects.iter().filter_map(ticket).collect()
    }
}

fn now(at: u64) -> Now {
    let wall = 1_893_456_000_000 + i64::try_from(at).expect("a small number");
    Now { at: Millis(at), wall: jiff::Timestamp::from_millisecond(wall).expect("a timestamp") }
}

#[test]
fn every_step_of_connecting_is_shown_with_its_outcome() {
    let mut story = Story::begin();
    story.input(Input::Provisioning(crate::device::ProvisioningStep::Registering {
        host: "dps".into(),
        scope: "0ne00112233".parse().expect("a scope"),
    }));
    story.at = 40;
    story.input(Input::Provisioning(crate::device::ProvisioningStep::Assigning {
        operation_id: "4.op".into(),
        again_in: Duration::from_secs(3),
    }));
    story.at = 3_040;
    story.input(Input::Assigned(hub()));
    story.input(Input::Link(LinkStep::Reached("127.0.0.1:8883".parse().expect("an address"))));
    story.input(Input::Failed(Failure::new(FailureKind::Untrusted, "the certificate is not trusted")));
    let steps: Vec<_> = story.state.station().steps.iter().map(|s| (s.name, s.state.clone())).collect();
    let done = |ms| StepState::Done(Duration::from_millis(ms));
    assert_eq!(
        steps,
        [
            ("register", done(40)),
            ("assigning", done(3_000)),
            ("assigned", done(0)),
            ("connect", done(0)),
            ("TLS", StepState::Failed("the certificate is not trusted".into())),
        ]
    );
}

#[test]
fn a_message_is_told_when_it_is_written_and_when_it_is_acknowledged() {
    let mut story = Story::online();
    let ticket = story.sent()[0];
    assert!(!story.facts().contains(&"sent"));
    story.input(Input::Written(ticket));
    story.at = 12;
    story.input(Input::Acknowledged(ticket));
    assert!(story.facts().ends_with(&["sent", "acknowledged"]));
    assert_eq!(story.state.station().last_ack, Some(Duration::from_millis(12)));
    assert_eq!(story.state.station().series[0].samples().len(), 1);
}

#[test]
fn a_message_from_the_cloud_is_told_as_it_came_and_lasts() {
    let mut story = Story::online();
    let mut told = |input: Option<&str>, body: &str| {
        let properties = vec![("level".to_owned(), "3".to_owned())];
        story.input(Input::Received(Inbound { input: input.map(Into::into), body: body.into(), properties }));
        story.state.log.entries().last().expect("an entry").fact.clone()
    };
    let fact = told(None, r#"{"is it":"on?yes","by":"ann@host"}"#);
    let text = r#"received a message from the cloud {"is it":"on?yes","by":"ann@host"}"#;
    assert_eq!(fact.to_string(), text);
    let fields =
        json!({"input": null, "body": {"is it": "on?yes", "by": "ann@host"}, "properties": {"level": "3"}});
    assert_eq!((fact.name(), serde_json::Value::Object(fact.fields())), ("received", fields));
    assert!(!fact.is_routine());
    assert_eq!(told(None, "").to_string(), "received an empty message from the cloud");
    let fact = told(Some("input1"), "{}");
    assert_eq!((fact.to_string().as_str(), fact.is_routine()), ("received on input1 {}", true));
    assert_eq!(fact.fields()["input"], "input1");
}

#[test]
fn a_command_stands_in_the_history_with_its_answer_and_how_long_it_took() {
    let mut story = Story::online();
    story.input(Input::Called(Call { rid: "7".into(), name: "blink".into(), payload: Ok(json!(5)) }));
    let ticket = story.effects.iter().find_map(|effect| match effect {
        Effect::Link { output: Output::Reply { ticket, .. }, .. } => Some(*ticket),
        _ => None,
    });
    story.at = 3;
    story.input(Input::Written(ticket.expect("a reply")));
    let record = story.state.station().commands.back().expect("a record");
    let reply = Reply::ok(json!({"description": "Blinking LED every 5 seconds"}));
    assert_eq!(record.answer, Some((reply.status, reply.payload, Duration::from_millis(3))));
    assert!(record.entry.is_some());
}

#[test]
fn the_operator_invokes_with_a_form_and_sees_the_answer() {
    let mut story = Story::online();
    story.operate("invoke blink");
    assert_eq!(story.state.ui.mode, Mode::Form);
    story.want(Intent::Edit(Edit::Clear)).type_in("{").want(Intent::Submit);
    assert!(story.state.desk.form.as_ref().is_some_and(|form| form.problem.is_some()));
    story.want(Intent::Edit(Edit::Clear)).type_in("2").want(Intent::Submit);
    assert_eq!(story.asked(), [Ask::Invoke { command: "blink".into(), request: Some(json!(2)) }]);
    assert_eq!(story.state.ui.mode, Mode::Keys);
    story.event(Event::Desk(DeskAnswer { id: 1, outcome: Ok("200".into()) }));
    assert!(story.facts().ends_with(&["operator-answer"]));
}

#[test]
fn the_operator_sets_properties_in_either_convention() {
    let mut story = Story::online();
    story.operate("set name").type_in("Kitchen").want(Intent::Submit);
    story.want(Intent::ToggleConvention);
    story.operate("set brightness").type_in("3").want(Intent::Submit);
    assert_eq!(
        story.asked(),
        [Ask::Desired(json!({"name": "Kitchen"})), Ask::Desired(json!({"brightness": {"value": 3}}))]
    );
}

#[test]
fn commands_without_a_request_go_at_once_and_a_twin_is_laid_over_the_panes() {
    let mut story = Story::online();
    story.operate("invoke rundiagnostics");
    story.operate("show the twin");
    assert_eq!(story.asked(), [Ask::Invoke { command: "rundiagnostics".into(), request: None }, Ask::Twin]);
    story.event(Event::Desk(DeskAnswer { id: 2, outcome: Ok("{\n}".into()) }));
    assert!(matches!(&story.state.ui.overlay, Overlay::Text(_, lines, 0) if lines.len() == 2));
    story.want(Intent::Back);
    assert_eq!(story.state.ui.overlay, Overlay::None);
}

#[test]
fn a_closed_desk_asks_nothing_but_can_cut_the_link() {
    let mut story = Story::online();
    story.state.desk.closed = Some("no service connection string".into());
    story.operate("invoke turnon");
    assert!(story.asked().is_empty());
    story.operate("drop the link");
    assert!(story.effects.contains(&Effect::Link { slot: 0, output: Output::Cut }));
}

#[test]
fn trouble_is_offered_and_asked_for_with_the_local_cloud_only() {
    let mut story = Story::online();
    let real = story.state.desk.actions(story.state.station());
    assert!(!real.iter().any(|action| matches!(action, Action::Trouble(_))));
    story.state.desk.local = true;
    story.operate("make slow answers").operate("make refusals").operate("end trouble");
    assert_eq!(
        story.asked(),
        [
            Ask::Faults(json!({"latency": 1000})),
            Ask::Faults(json!({"refuse": {"times": 3}})),
            Ask::Faults(json!(null))
        ]
    );
    assert_eq!(story.state.ui.mode, Mode::Keys, "nothing has to be entered");
    let outcome = Ok("the next 3 connections are refused with code 3".to_owned());
    story.event(Event::Desk(DeskAnswer { id: 2, outcome: outcome.clone() }));
    let answers: Vec<_> = story.state.desk.exchanges().filter_map(|it| it.answer.clone()).collect();
    assert_eq!(answers.into_iter().map(|(outcome, _)| outcome).collect::<Vec<_>>(), [outcome]);
}

#[test]
fn arrows_turn_knobs_and_what_they_did_is_told() {
    let mut story = Story::online();
    let before = story.state.station().device.readings()[0].value;
    story.want(Intent::Turn { knob: 0, steps: 1, leap: true });
    let reading = story.state.station().device.readings()[0].clone();
    assert!(reading.manual && (reading.value - before - 5.0).abs() < 1e-9);
    assert!(matches!(
        story.state.log.entries().next_back().map(|e| &e.fact),
        Some(Fact::Turned { field: "temp", .. })
    ));
    story.want(Intent::Automatic);
    assert!(!story.state.station().device.readings()[0].manual);
}

#[test]
fn periods_go_up_and_down_a_ladder() {
    let mut story = Story::online();
    let mut seen = Vec::new();
    for intent in [Intent::Faster, Intent::Faster, Intent::Slower, Intent::Slower, Intent::Slower] {
        story.want(intent);
        seen.push(story.state.station().device.period().as_millis());
    }
    assert_eq!(seen, [1_000, 500, 1_000, 2_000, 5_000]);
}

#[test]
fn the_log_follows_its_tail_until_somebody_looks_back() {
    let mut story = Story::online();
    story.want(Intent::Focus(PaneId::Log));
    assert_eq!(story.state.ui.log, Cursor::Tail);
    story.want(Intent::Move(Motion::Up));
    let held = story.state.ui.log;
    assert!(matches!(held, Cursor::At(_)));
    story.want(Intent::TogglePause);
    assert_eq!(story.state.ui.log, held, "new entries do not move it");
    story.want(Intent::Open);
    assert!(matches!(story.state.ui.overlay, Overlay::Packet(..)));
    story.want(Intent::Back).want(Intent::Move(Motion::Last));
    assert_eq!(story.state.ui.log, Cursor::Tail);
}

#[test]
fn the_log_is_filtered_by_words() {
    let mut story = Story::online();
    story.want(Intent::EditFilter).type_in("dps ASSIGNED").want(Intent::Submit);
    let shown: Vec<_> = story.state.filtered_log().map(|entry| entry.fact.name()).collect();
    assert_eq!(shown, ["assigned"]);
    story.want(Intent::Back);
    assert!(story.state.filtered_log().count() > 1);
}

#[test]
fn quitting_says_good_bye_first() {
    let mut story = Story::online();
    story.want(Intent::Quit);
    assert!(story.effects.contains(&Effect::Link { slot: 0, output: Output::Disconnect }));
    assert!(!story.effects.contains(&Effect::Exit));
    story.input(Input::Closed);
    assert!(story.effects.contains(&Effect::Exit));
    assert_eq!(story.state.ending, Some(Ending::Done));
}

#[test]
fn a_link_that_comes_to_stand_after_the_device_has_left_is_no_connection() {
    let mut story = Story::begin();
    story.input(Input::Assigned(hub()));
    story.want(Intent::Quit);
    story
        .input(Input::Link(LinkStep::Online { session_present: false, token_life: Duration::from_secs(60) }));
    assert!(!story.facts().contains(&"connected"), "{:?}", story.facts());
}

#[test]
fn a_run_ends_after_so_many_acknowledgements_or_so_long() {
    let mut story = Story::online();
    story.state.limits.count = Some(1);
    let ticket = story.sent()[0];
    story.input(Input::Written(ticket)).input(Input::Acknowledged(ticket));
    assert_eq!(story.state.ending, Some(Ending::Done));
    let Fact::Summary { counters, .. } = summary(&story.state) else { panic!("a summary") };
    assert_eq!((counters.sent, counters.acknowledged), (1, 1));

    let mut story = Story::online();
    story.state.limits.until = Some(Millis(5_000));
    assert!(story.state.next_due().is_some_and(|due| due <= Millis(5_000)));
    story.at = 5_000;
    story.event(Event::Tick);
    assert_eq!(story.state.ending, Some(Ending::Done));
}

#[test]
fn a_run_whose_time_ends_on_the_way_says_where_it_was() {
    let mut story = Story::begin();
    story.state.limits.until = Some(Millis(5_000));
    story.at = 5_000;
    story.event(Event::Tick);
    assert_eq!(story.state.ending, Some(Ending::NotProvisioned));
    let mut story = Story::online();
    story.input(Input::Failed(Failure::new(FailureKind::Lost, "the link was lost")));
    // Time ends before the next attempt.
    story.state.limits.until = Some(Millis(100));
    story.at = 100;
    story.event(Event::Tick);
    assert_eq!(story.state.ending, Some(Ending::NotConnected));
    // It could be provisioned once, and is asking again.
    let mut story = Story::online();
    story.input(Input::Failed(Failure::new(FailureKind::Unauthorized, "refused")));
    story.at = 10_000;
    story.event(Event::Tick);
    assert_eq!(*story.state.station().device.phase(), Phase::Provisioning);
    story.state.limits.until = Some(Millis(10_001));
    story.at = 10_001;
    story.event(Event::Tick);
    assert_eq!(story.state.ending, Some(Ending::NotConnected));
}

#[test]
fn giving_up_ends_an_unattended_run_with_the_stage_it_failed_at() {
    let refuse = || Input::Failed(Failure::new(FailureKind::Unauthorized, "refused"));
    let mut story = Story::begin();
    story.state.unattended = true;
    story.input(refuse());
    assert_eq!(story.state.ending, Some(Ending::NotProvisioned));
    assert!(story.effects.contains(&Effect::Exit));

    let mut watched = Story::begin();
    watched.input(refuse());
    assert_eq!(watched.state.ending, None, "a person can read why, and try again");
    watched.want(Intent::RetryNow);
    assert_eq!(*watched.state.station().device.phase(), Phase::Provisioning);
    watched.input(refuse()).want(Intent::Quit);
    assert_eq!(watched.state.ending, Some(Ending::NotProvisioned));
}

#[test]
fn what_comes_from_the_hub_is_told() {
    let mut story = Story::online();
    let patch = json!({"name": "x"}).as_object().cloned().expect("an object");
    story.input(Input::Desired { version: 2, patch });
    let last = story.state.log.entries().next_back().map(|entry| entry.fact.clone());
    assert_eq!(last, Some(Fact::Desired { version: 2, patch: json!({"name": "x"}) }));
}
