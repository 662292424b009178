//! Stories of several devices in one program, and of devices that restart or move.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::*;
use crate::app::{
    Action, Cursor, Desk, Intent, Mode, Motion, Overlay, PaneId, Place, Slot, Station, Step, StepState,
};
use crate::device::{
    Answer, Assignment, Call, CallId, CommandSpec, Context, Device, DeviceOptions, Flow, LinkStep, Millis,
    Model, Output, Port, Profile, ProvisioningStep, Reply, RestartStyle, TimeScale,
};
use crate::profiles::environment::Environment;

static BOARD: Model = Model {
    name: "board",
    title: "board",
    model_id: "dtmi:test:Board;1",
    telemetry: &[],
    output: None,
    knobs: &[],
    commands: &[CommandSpec {
        name: "restart",
        title: "restart",
        request: None,
        example: "",
        lasting: false,
    }],
    properties: &[],
    reports: &[],
};

/// Restarts when asked to, sends nothing, and may have an input.
struct Board {
    ports: bool,
}

impl Profile for Board {
    fn model(&self) -> &'static Model {
        &BOARD
    }

    fn command(&mut self, ctx: &mut Context<'_>, _: CallId, _: &str, _: &Value) -> Answer {
        ctx.restart(Duration::from_secs(5));
        Reply::accepted().into()
    }

    fn ports(&self) -> Vec<Port> {
        let port = Port { name: "input1", flow: Flow::In, count: 0, last: None };
        if self.ports { vec![port] } else { Vec::new() }
    }
}

struct Story {
    state: AppState,
    at: u64,
    effects: Vec<Effect>,
}

fn now(at: u64) -> Now {
    let wall = 1_893_456_000_000 + i64::try_from(at).expect("a small number");
    Now { at: Millis(at), wall: jiff::Timestamp::from_millisecond(wall).expect("a timestamp") }
}

fn station(name: &str, profile: Box<dyn Profile>, restarts: RestartStyle) -> Station {
    let options = DeviceOptions {
        direct: None,
        period: Duration::from_secs(2),
        seed: 1,
        restarts,
        scale: TimeScale::ONE,
        zone: TimeZone::UTC,
        unattended: false,
    };
    Station::new(Device::new(options, vec![profile]), name.to_owned(), String::new())
}

impl Story {
    fn of(stations: Vec<Station>) -> Self {
        let place = Place::Service("dps.example".to_owned());
        let state = AppState::new(now(0), TimeZone::UTC, stations, place, Desk::new(None, true), 1);
        let mut story = Self { state, at: 0, effects: Vec::new() };
        for slot in 0..story.state.stations.len() {
            story.connect(slot);
        }
        story
    }

    /// An environmental sensor, and a module of another device that has an input and no telemetry.
    fn two() -> Self {
        let module = "filter".parse().expect("a module id");
        Self::of(vec![
            station("d1", Box::new(Environment::new(1)), RestartStyle::Held),
            station("edge", Box::new(Board { ports: true }), RestartStyle::Held).as_module(Some(module)),
        ])
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.effects.extend(reduce(&mut self.state, now(self.at), event));
        self
    }

    fn input(&mut self, slot: Slot, input: Input) -> &mut Self {
        self.event(Event::Device { slot, input, packet: None })
    }

    fn want(&mut self, intent: Intent) -> &mut Self {
        self.event(Event::Intent(intent))
    }

    fn connect(&mut self, slot: Slot) {
        let device_id = self.state.stations[slot].name.parse().expect("an id");
        let assignment = Assignment { hub: "hub.example".parse().expect("a host"), device_id };
        let online = LinkStep::Online { session_present: false, token_life: Duration::from_secs(3600) };
        self.input(slot, Input::Start).input(slot, Input::Assigned(assignment));
        self.input(slot, Input::Link(online));
    }

    fn call(&mut self, slot: Slot, name: &str) -> &mut Self {
        let call = Call { rid: "1".to_owned(), name: name.to_owned(), payload: Ok(Value::Null) };
        self.input(slot, Input::Called(call))
    }

    fn step(&self, slot: Slot, name: &str) -> &Step {
        let named = |step: &&Step| step.name == name;
        self.state.stations[slot].steps.iter().rev().find(named).expect("a step")
    }

    fn facts(&self) -> Vec<(Option<Slot>, &'static str)> {
        self.state.log.entries().map(|entry| (entry.slot, entry.fact.name())).collect()
    }
}

#[test]
fn no_cursor_points_outside_after_a_switch() {
    let mut story = Story::two();
    story.want(Intent::Focus(PaneId::Operator)).want(Intent::Move(Motion::Last));
    story.want(Intent::Focus(PaneId::Properties)).want(Intent::Move(Motion::Last));
    story.state.ui.command = 7;
    story.state.ui.step = 5;
    story.want(Intent::NextDevice);
    let ui = &story.state.ui;
    assert_eq!((ui.slot, ui.property, ui.command, ui.step), (1, 0, 0, 0));
    let rows = story.state.desk.actions(story.state.station()).len();
    assert!(story.state.desk.cursor < rows);
    story.want(Intent::NextDevice);
    assert_eq!(story.state.ui.slot, 0, "after the last comes the first");
    story.want(Intent::PreviousDevice);
    assert_eq!(story.state.ui.slot, 1, "and before the first the last");
    story.want(Intent::Device(9));
    assert_eq!(story.state.ui.slot, 1, "what is not there is not shown");
}

#[test]
fn the_keyboard_is_never_with_a_pane_that_is_not_there() {
    let mut story = Story::two();
    assert_eq!(story.state.ui.focus, PaneId::Telemetry);
    assert!(story.state.offers(PaneId::Modules));
    story.want(Intent::NextDevice);
    assert_eq!(story.state.ui.focus, PaneId::Modules, "a module without telemetry has no such pane");
    story.want(Intent::Focus(PaneId::Telemetry));
    assert_eq!(story.state.ui.focus, PaneId::Modules);
    let mut seen = vec![story.state.ui.focus];
    for _ in 0..5 {
        story.want(Intent::FocusNext);
        seen.push(story.state.ui.focus);
    }
    assert!(!seen.contains(&PaneId::Telemetry));
    story.want(Intent::FocusNext);
    assert_eq!(story.state.ui.focus, PaneId::Modules, "all the way round");

    let alone = Story::of(vec![station("d1", Box::new(Board { ports: false }), RestartStyle::Held)]);
    assert_eq!(
        (alone.state.ui.focus, alone.state.panes().len()),
        (PaneId::Commands, 5),
        "nothing can be turned, and nothing is sent"
    );
}

#[test]
fn a_device_is_chosen_from_the_list_or_from_the_modules() {
    let mut story = Story::two();
    story.want(Intent::PickDevice).want(Intent::Move(Motion::Down));
    assert_eq!(story.state.ui.overlay, Overlay::Devices(1));
    story.want(Intent::Open);
    assert_eq!((story.state.ui.slot, &story.state.ui.overlay), (1, &Overlay::None));
    story.want(Intent::PreviousDevice).want(Intent::Focus(PaneId::Modules)).want(Intent::Open);
    assert_eq!((story.state.ui.slot, story.state.ui.mode), (1, Mode::Keys));
}

#[test]
fn a_module_is_called_by_its_device_and_its_own_name() {
    let module = || "filter".parse().ok();
    let named = |name: &str| {
        let board = Box::new(Board { ports: true });
        station(name, board, RestartStyle::Held).as_module(module())
    };
    for name in ["edge", "edge/filter"] {
        assert_eq!((named(name).name, named(name).label()), ("edge".to_owned(), "edge/filter".to_owned()));
    }
    assert_eq!(named("prefilter").label(), "prefilter/filter");
    // Among modules of one device its name says nothing; among others it does.
    let story = Story::of(vec![named("edge"), named("edge")]);
    assert_eq!(story.state.labels(), ["filter", "filter"]);
    assert_eq!(Story::two().state.labels(), ["d1", "edge/filter"]);
}

#[test]
fn the_operator_speaks_to_the_module_that_is_shown() {
    let mut story = Story::two();
    let asked = |story: &Story| {
        let request = |effect: &Effect| match effect {
            Effect::Desk(request) => Some((request.device.clone(), request.module.clone())),
            _ => None,
        };
        story.effects.iter().rev().find_map(request).expect("a request")
    };
    story.want(Intent::Device(1)).want(Intent::Focus(PaneId::Operator)).want(Intent::Open);
    assert_eq!(asked(&story), ("edge".to_owned(), Some("filter".to_owned())));
    let answer = crate::app::DeskAnswer { id: 1, outcome: Ok("status 200".to_owned()) };
    story.want(Intent::Device(0)).event(Event::Desk(answer));
    let told = story.facts();
    assert!(told.contains(&(Some(1), "operator-answer")), "the answer belongs to whom was asked");
    story.want(Intent::Move(Motion::First)).want(Intent::Move(Motion::Down)).want(Intent::Open);
    assert_eq!(asked(&story), ("d1".to_owned(), None));
}

#[test]
fn a_twin_is_laid_over_what_it_was_asked_from_and_nothing_else() {
    let shown = |meanwhile: &[Intent]| {
        let mut story = Story::two();
        let twin = |action: &Action| *action == Action::ShowTwin;
        let rows = story.state.desk.actions(story.state.station());
        story.state.desk.cursor = rows.iter().position(twin).expect("a row");
        story.want(Intent::Focus(PaneId::Operator)).want(Intent::Open);
        for intent in meanwhile {
            story.want(*intent);
        }
        let before = story.state.ui.overlay.clone();
        story.event(Event::Desk(crate::app::DeskAnswer { id: 1, outcome: Ok("{\n}".to_owned()) }));
        let told = story.state.log.entries().next_back().map(|entry| entry.fact.to_string());
        (story.state.ui.overlay == before, story.state.ui.overlay, told.unwrap_or_default())
    };
    let (_, overlay, told) = shown(&[]);
    assert!(matches!(overlay, Overlay::Text(title, ..) if title == "twin of d1"));
    assert!(told.contains("the twin: shown"), "{told}");
    for meanwhile in [
        &[Intent::NextDevice][..],
        &[Intent::ToggleHelp],
        &[Intent::EditFilter],
        &[Intent::Move(Motion::First), Intent::Open],
    ] {
        let (undisturbed, _, told) = shown(meanwhile);
        assert!(undisturbed, "{meanwhile:?}");
        assert!(told.contains("ask again"), "{told}");
    }
}

#[test]
fn the_log_shows_all_devices_and_is_filtered_by_their_names() {
    let mut story = Story::two();
    story.call(1, "restart");
    let all = story.state.filtered_log().count();
    story.state.ui.filter = "edge/filter".into();
    let slots: Vec<_> = story.state.filtered_log().map(|entry| entry.slot).collect();
    assert!(!slots.is_empty() && slots.len() < all && slots.iter().all(|slot| *slot == Some(1)));
    story.state.ui.log = Cursor::Tail;
}

#[test]
fn a_restart_is_a_step_with_its_time_and_two_facts() {
    for restarts in [RestartStyle::Held, RestartStyle::Link] {
        let mut story = Story::of(vec![station("d1", Box::new(Board { ports: false }), restarts)]);
        story.at = 1_000;
        story.call(0, "restart");
        assert_eq!(story.step(0, "restart").state, StepState::Running);
        story.at = 6_000;
        story.event(Event::Tick);
        assert_eq!(story.step(0, "restart").state, StepState::Done(Duration::from_secs(5)), "{restarts:?}");
        let told: Vec<_> = story.facts().into_iter().map(|(_, name)| name).collect();
        assert!(told.contains(&"restarting") && told.contains(&"restarted"));
        let connects = story.step(0, "connect").began.at == Millis(6_000);
        assert_eq!(connects, restarts == RestartStyle::Link);
    }
}

#[test]
fn facts_of_a_restart_have_stable_fields() {
    let fields = |fact: crate::app::Fact| Value::Object(fact.fields());
    let back_in = Duration::from_secs(5);
    assert_eq!(fields(crate::app::Fact::Restarting { back_in }), json!({"backInMs": 5_000}));
    assert_eq!(fields(crate::app::Fact::Restarted { took: back_in }), json!({"tookMs": 5_000}));
}

#[test]
fn a_link_lost_during_a_restart_does_not_end_the_restart() {
    let mut story = Story::of(vec![station("d1", Box::new(Board { ports: false }), RestartStyle::Held)]);
    story.call(0, "restart");
    let lost = crate::device::Failure::new(crate::device::FailureKind::Lost, "the link was lost");
    story.input(0, Input::Failed(lost));
    assert_eq!(story.step(0, "restart").state, StepState::Running);
    assert!(matches!(story.step(0, "twin").state, StepState::Failed(_)), "which was under way");
}

fn registering(scope: &str) -> Input {
    let (host, scope) = ("dps".to_owned(), scope.parse().expect("a scope"));
    Input::Provisioning(ProvisioningStep::Registering { host, scope })
}

#[test]
fn a_device_says_in_which_scope_it_registers() {
    let mut story = Story::two();
    assert_eq!(story.state.stations[0].scope, None, "nobody has asked a provisioning service yet");
    for (scope, detail) in
        [("0ne00112233", "dps"), ("0ne00445566", "dps, ID scope 0ne00445566"), ("0ne00112233", "dps")]
    {
        story.input(0, registering(scope));
        assert_eq!(story.step(0, "register").detail, detail);
        assert_eq!(story.state.stations[0].scope.as_ref().map(ToString::to_string).as_deref(), Some(scope));
        let told = story.state.log.entries().next_back().map(|entry| entry.fact.fields());
        assert_eq!(told.map(Value::Object), Some(json!({"host": "dps", "idScope": scope})));
    }
}

#[test]
fn the_form_of_a_move_offers_a_scope_that_the_device_can_move_to() {
    let mut story = Story::two();
    let offered = |story: &mut Story| {
        let row = |action: &Action| action.label().starts_with("invoke DeviceMove");
        let rows = story.state.desk.actions(story.state.station());
        story.state.desk.cursor = rows.iter().position(row).expect("a row");
        story.want(Intent::Focus(PaneId::Operator)).want(Intent::Open);
        let form = story.state.desk.form.clone().expect("a form");
        story.want(Intent::Back);
        form.text.value().to_owned()
    };
    assert_eq!(offered(&mut story), "\"0ne00000000\"", "nobody knows of any");
    story.state.desk.scopes = ["0ne00112233", "0ne00445566"].map(|it| it.parse().expect("a scope")).into();
    story.input(0, registering("0ne00112233"));
    assert_eq!(offered(&mut story), "\"0ne00445566\"");
    story.input(0, registering("0ne00445566"));
    assert_eq!(offered(&mut story), "\"0ne00112233\"", "the way back");
}

#[test]
fn trouble_is_known_whoever_asked_for_it_until_it_is_over() {
    let mut story = Story::two();
    assert!(!story.state.desk.troubled);
    for on in [true, true, false] {
        story.event(Event::Trouble(on));
        assert_eq!(story.state.desk.troubled, on);
    }
}

#[test]
fn everybody_leaves_before_the_program_ends() {
    let mut story = Story::two();
    story.want(Intent::Quit).input(0, Input::Closed);
    assert!(!story.effects.contains(&Effect::Exit));
    assert!(story.effects.contains(&Effect::Link { slot: 1, output: Output::Disconnect }));
    story.input(1, Input::Closed);
    assert!(story.effects.contains(&Effect::Exit));
}
