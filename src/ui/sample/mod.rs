//! States to draw in tests: devices driven through a made-up hub, with fixed clocks and seed.
//!
//! Kinds of device that exist for these tests only stand in [`kinds`].

pub(crate) mod kinds;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;
use serde_json::{Map, Value, json};

use crate::app::{AppState, Desk, DeskAnswer, Effect, Event, Intent, Motion, Place, Station, reduce};
use crate::device::{
    Assignment, Call, Device, DeviceOptions, Failure, FailureKind, ImageNews, Inbound, Input, LinkStep,
    Millis, Now, Output, PacketView, Profile, ProvisioningStep, RestartStyle, TimeScale, TwinDocument,
};
use crate::ui::{Theme, placed};

const HUB: &str = "localhost:8883";

const SCOPE: &str = "0ne00112233";

/// A program and the made-up world around it.
pub(crate) struct World {
    pub(crate) state: AppState,
    versions: u64,
    effects: VecDeque<Effect>,
}

fn now(at: u64) -> Now {
    let base: Timestamp = "2026-11-21T14:03:00Z".parse().expect("a timestamp");
    let at_ms = i64::try_from(at).expect("a short test");
    let wall = Timestamp::from_millisecond(base.as_millisecond() + at_ms).expect("a timestamp");
    Now { at: Millis(at), wall }
}

fn station(name: &str, profile: Box<dyn Profile>, restarts: RestartStyle) -> Station {
    let options = DeviceOptions {
        direct: None,
        period: Duration::from_secs(2),
        seed: 7,
        restarts,
        scale: TimeScale::ONE,
        zone: TimeZone::UTC,
        unattended: false,
    };
    Station::new(Device::new(options, vec![profile]), name.to_owned(), "3f9c1a70".to_owned())
}

fn environment() -> Box<dyn Profile> {
    profile("environment")
}

fn profile(name: &str) -> Box<dyn Profile> {
    let entry = crate::profiles::find(name).expect("a profile");
    (entry.parts[0].build)(&crate::profiles::Making { seed: 7, ..Default::default() })
}

impl World {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        Self::of(vec![station("env-sensor-01", environment(), RestartStyle::Held)])
    }

    fn of(stations: Vec<Station>) -> Self {
        let place = Place::Local { hub: HUB.to_owned(), mqtt_port: 8883, https_port: 8443 };
        let state = AppState::new(now(0), TimeZone::UTC, stations, place, Desk::new(None, true), 7);
        Self { state, versions: 4, effects: VecDeque::new() }
    }

    fn say(&mut self, at: u64, event: Event) {
        self.effects.extend(reduce(&mut self.state, now(at), event));
    }

    pub(crate) fn input(&mut self, at: u64, input: Input) {
        self.input_of(0, at, input);
    }

    pub(crate) fn input_of(&mut self, slot: usize, at: u64, input: Input) {
        self.say(at, Event::Device { slot, input, packet: None });
    }

    pub(crate) fn packet(&mut self, at: u64, input: Input, packet: PacketView) {
        self.packet_of(0, at, input, packet);
    }

    fn packet_of(&mut self, slot: usize, at: u64, input: Input, packet: PacketView) {
        self.say(at, Event::Device { slot, input, packet: Some(packet) });
    }

    /// Somebody moves on a screen of this size.
    pub(crate) fn scroll(&mut self, (width, height): (u16, u16), motion: Motion) {
        let area = Rect::new(0, 0, width, height);
        self.want(placed(&self.state, &Theme::default(), area, Intent::Move(motion)));
    }

    pub(crate) fn want(&mut self, intent: Intent) {
        let at = self.state.now.at.0;
        self.say(at, Event::Intent(intent));
    }

    /// The hub answers everything at once, and time goes on until `at`.
    pub(crate) fn run(&mut self, at: u64) {
        loop {
            while let Some(effect) = self.effects.pop_front() {
                self.answer(effect);
            }
            match self.state.next_due() {
                Some(due) if due.0 <= at => self.say(due.0, Event::Tick),
                _ => break,
            }
            let due = self.state.now.at;
            for slot in 0..self.state.stations.len() {
                self.input_of(slot, due.0, Input::Timer);
            }
        }
        self.say(at, Event::Tick);
    }

    fn answer(&mut self, effect: Effect) {
        let at = self.state.now.at.0;
        match effect {
            Effect::Link { output: Output::FetchTwin(_), slot } => {
                let desired = json!({"name": "Kitchen", "brightness": 2});
                let Value::Object(desired) = desired else { unreachable!() };
                let document =
                    TwinDocument { desired, desired_version: 4, reported: Map::new(), reported_version: 1 };
                self.input_of(slot, at + 9, Input::Twin(document));
            }
            Effect::Link { output: Output::Send { ticket, message }, slot } => {
                let packet = PacketView {
                    outbound: true,
                    topic: "devices/env-sensor-01/messages/events/$.ct=application%2Fjson&$.ce=utf-8".into(),
                    properties: vec![
                        ("$.ct".into(), "application/json".into()),
                        ("$.ce".into(), "utf-8".into()),
                    ],
                    payload: message.body.clone(),
                    size: message.body.len(),
                };
                self.packet_of(slot, at, Input::Written(ticket), packet);
                self.input_of(slot, at + 12, Input::Acknowledged(ticket));
                if message.output == Some("temperatureOutput") {
                    // The route of the Edge device: what the sensor sends comes to the filter.
                    let (input, properties) = (Some("input1".to_owned()), message.properties);
                    let inbound = Inbound { input, body: message.body, properties };
                    self.input_of(1, at + 14, Input::Received(inbound));
                }
            }
            Effect::Link { output: Output::Reply { ticket, .. }, slot } => {
                self.input_of(slot, at + 3, Input::Written(ticket));
            }
            Effect::Link { output: Output::Report { ticket, .. }, slot } => {
                self.versions += 1;
                let version = Some(self.versions);
                self.input_of(slot, at + 8, Input::ReportTaken { ticket, version });
            }
            Effect::Desk(request) => {
                let outcome = if request.id % 3 == 2 {
                    Err("404103: env-sensor-01 is not connected".to_owned())
                } else {
                    Ok("200".to_owned())
                };
                self.say(at + 14, Event::Desk(DeskAnswer { id: request.id, outcome }));
            }
            _ => {}
        }
    }

    /// Provisioned and connected.
    pub(crate) fn connect(&mut self) {
        self.connect_one(0, 0);
    }

    /// The device in a slot provisions and connects, beginning at a time.
    fn connect_one(&mut self, slot: usize, from: u64) {
        let device_id = self.state.stations[slot].name.parse().expect("a device id");
        let assignment = Assignment { hub: HUB.parse().expect("a hub"), device_id };
        self.input_of(slot, from + 20, Input::Start);
        let host = "https://localhost:8443".to_owned();
        let scope = SCOPE.parse().expect("a scope");
        self.input_of(slot, from + 30, Input::Provisioning(ProvisioningStep::Registering { host, scope }));
        let operation_id = "4.d0a671905ea5b2c8.42d78160-4c78-479e-8be7".to_owned();
        let again_in = Duration::from_secs(1);
        self.input_of(
            slot,
            from + 70,
            Input::Provisioning(ProvisioningStep::Assigning { operation_id, again_in }),
        );
        self.input_of(slot, from + 1_090, Input::Assigned(assignment));
        self.online(slot, from + 1_100);
    }

    fn online(&mut self, slot: usize, at: u64) {
        self.input_of(
            slot,
            at + 2,
            Input::Link(LinkStep::Reached("127.0.0.1:8883".parse().expect("an address"))),
        );
        let protocol = "TLS 1.3, AES-256-GCM".to_owned();
        self.input_of(slot, at + 14, Input::Link(LinkStep::Secured { protocol }));
        let token_life = Duration::from_secs(3_600);
        self.input_of(slot, at + 21, Input::Link(LinkStep::Online { session_present: false, token_life }));
        self.run(at + 60);
    }

    /// Takes the row of the operator's pane that begins so.
    pub(crate) fn operate(&mut self, label: &str) {
        let rows = self.state.desk.actions(self.state.station());
        self.state.desk.cursor =
            rows.iter().position(|action| action.label().starts_with(label)).expect("a row");
        self.want(Intent::Open);
        self.run(self.state.now.at.0 + 40);
    }

    pub(crate) fn call(&mut self, at: u64, rid: &str, name: &str, payload: Value) {
        self.run(at);
        let packet = PacketView {
            outbound: false,
            topic: format!("$iothub/methods/POST/{name}/?$rid={rid}"),
            properties: vec![("$rid".into(), rid.into())],
            payload: payload.to_string(),
            size: payload.to_string().len(),
        };
        let call = Call { rid: rid.into(), name: name.into(), payload: Ok(payload) };
        self.packet(at, Input::Called(call), packet);
        self.run(at + 5);
    }

    pub(crate) fn desire(&mut self, at: u64, version: u64, patch: Value) {
        self.run(at);
        let Value::Object(patch) = patch else { unreachable!() };
        self.input(at, Input::Desired { version, patch });
    }
}

/// Nothing has happened yet.
pub(crate) fn fresh() -> AppState {
    World::new().state
}

/// Online for two minutes, with a history.
pub(crate) fn online() -> AppState {
    world().state
}

pub(crate) fn world() -> World {
    let mut world = World::new();
    world.connect();
    world.call(21_000, "1", "blink", json!(5));
    world.call(34_500, "2", "turnon", Value::Null);
    world.call(41_000, "3", "selfdestruct", json!({"now": true}));
    world.call(52_000, "4", "blink", json!(3));
    world.desire(60_000, 5, json!({"brightness": 1}));
    world.run(75_000);
    world.want(Intent::Turn { knob: 0, steps: 3, leap: false });
    world.run(118_000);
    world
}

/// Diagnostics are running, and a property waits to be applied.
pub(crate) fn diagnostics() -> AppState {
    let mut world = world();
    world.call(119_000, "5", "rundiagnostics", Value::Null);
    world.desire(121_000, 6, json!({"brightness": 3}));
    world.run(122_500);
    world.state
}

/// The operator wanted what cannot be.
pub(crate) fn refused() -> AppState {
    let mut world = world();
    world.desire(119_000, 6, json!({"brightness": 7, "name": "Küche 日本"}));
    world.run(126_000);
    world.state
}

/// The link was lost, and nothing answers.
pub(crate) fn down() -> AppState {
    let mut world = world();
    let lost = Failure::new(FailureKind::Lost, format!("lost the link to {HUB}: connection reset by peer"));
    world.input(118_200, Input::Failed(lost));
    world.input(119_200, Input::Timer);
    let failure =
        Failure::new(FailureKind::Unreachable, "nothing listens at localhost:8883 (connection refused)")
            .advise("Check that the port is right and that a firewall does not block it.")
            .after(Some(Duration::from_secs(12)));
    world.input(119_220, Input::Failed(failure));
    world.run(123_300);
    world.state
}

/// Everything in it that a terminal would obey.
pub(crate) fn hostile() -> AppState {
    let mut world = world();
    let evil = "\u{1b}[2J\u{1b}]0;pwned\u{7}\u{202e}abc\r\n\u{9b}31m";
    world.call(119_000, evil, evil, json!({ evil: evil }));
    world.desire(120_000, 6, json!({ "name": evil, evil: evil }));
    world.run(128_000);
    world.state
}

/// Two modules of one IoT Edge device, the filter shown or the sensor.
pub(crate) fn edge(shown: usize) -> AppState {
    let module = |name: &str, profile: Box<dyn Profile>| {
        let module = name.parse().expect("a module id");
        station("edge-01", profile, RestartStyle::Held).as_module(Some(module))
    };
    let mut world = World::of(vec![
        module("tempSensor", Box::<kinds::Sensor>::default()),
        module("filterModule", Box::<kinds::Filter>::default()),
    ]);
    world.connect_one(1, 0);
    world.connect_one(0, 2_000);
    world.run(20_500);
    world.want(Intent::Device(shown));
    world.state
}

/// Three devices: one online, one that cannot connect, one that has not begun.
pub(crate) fn three() -> World {
    let mut world = World::of(vec![
        station("env-sensor-01", environment(), RestartStyle::Held),
        station("env-sensor-02", environment(), RestartStyle::Held),
        station("basement", Box::new(kinds::Board), RestartStyle::Held),
    ]);
    world.connect_one(0, 0);
    world.connect_one(1, 2_000);
    let lost = Failure::new(FailureKind::Lost, format!("lost the link to {HUB}: connection reset by peer"));
    world.input_of(1, 6_000, Input::Failed(lost));
    world.run(6_400);
    world
}

/// Environmental sensors that are called so, all of them online.
pub(crate) fn named(names: &[String]) -> World {
    let sensor = |name: &String| station(name, environment(), RestartStyle::Held);
    let mut world = World::of(names.iter().map(sensor).collect());
    for slot in 0..names.len() {
        world.connect_one(slot, world.state.now.at.0);
    }
    world
}

/// A device that was told to restart four seconds ago; its link stands, or is made anew.
pub(crate) fn restarting(restarts: RestartStyle) -> World {
    let mut world = World::of(vec![station("board-01", Box::new(kinds::Board), restarts)]);
    world.connect();
    world.call(8_000, "1", "restart", Value::Null);
    world.run(12_000);
    world
}

/// A device of the firmware tutorial, connected, with its first image.
pub(crate) fn firmware() -> World {
    let mut world = World::of(vec![station("pi-01", profile("firmware"), RestartStyle::Held)]);
    world.connect();
    let installed = ImageNews::Installed { version: "1.0.0".to_owned(), on_trial: false };
    world.input(1_500, Input::Image(installed));
    world
}

/// A device of the reboot tutorial, which sends no telemetry, connected.
pub(crate) fn reboot() -> World {
    let mut world = World::of(vec![station("pi-01", profile("reboot"), RestartStyle::Held)]);
    world.connect();
    world
}
