//! Modules of one device and a cloud's core, joined in memory under a simulated clock. The sibling
//! of `pair`, for what has several connections and is not provisioned.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use envsim::cloud::core::auth::HubNames;
use envsim::cloud::core::clients::ConnectionId;
use envsim::cloud::core::identities::Spec;
use envsim::cloud::core::registry::{Address, Precondition};
use envsim::cloud::core::service::Write;
use envsim::cloud::core::twins::TwinUpdate;
use envsim::cloud::core::{Core, Delivery, Output as CloudOutput, Settings};
use envsim::cloud::dialect;
use envsim::device::{
    Assignment, Device, DeviceOptions, Inbound, Input, LinkStep, Millis, ModuleId, Now, Output, RestartStyle,
    Ticket, TimeScale,
};
use envsim::profiles::{self, Making};
use envsim::wire::bag::Bag;
use envsim::wire::topic::{self, ToDevice, filter};
use envsim::wire::{SharedKey, twin};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

const DEVICE: &str = "edge-01";

/// A core, and modules on one device of it.
pub struct Modules {
    pub cloud: Core,
    /// Milliseconds of simulated time.
    pub at: u64,
    seats: Vec<Seat>,
    /// What happens to whom, in order.
    todo: VecDeque<(usize, Input)>,
}

struct Seat {
    device: Device,
    address: Address,
    connection: Option<ConnectionId>,
}

fn now(at: u64) -> Now {
    let wall = 1_893_456_000_000 + i64::try_from(at).expect("a small number");
    Now { at: Millis(at), wall: Timestamp::from_millisecond(wall).expect("a moment") }
}

impl Modules {
    /// The parts of a profile as modules of an IoT Edge device, with this content applied to it;
    /// all online.
    pub fn online(profile: &str, own: &str, content: &Value, making: &Making) -> Self {
        let settings = Settings {
            names: HubNames { own: "localhost".to_owned(), aliases: vec![] },
            assigned_hub: "localhost:9999".to_owned(),
            id_scope: "0ne00ABCDEF".parse().expect("a scope"),
            group_key: SharedKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key"),
            retry_after: 0,
            waits: 0,
            assigning_for: 0,
        };
        let mut cloud = Core::new(settings, [1; 32]);
        let hub = Assignment {
            hub: "localhost".parse().expect("a host"),
            device_id: DEVICE.parse().expect("an id"),
        };
        let device = Address::device(hub.device_id.clone());
        cloud.create(now(0), Spec { edge: true, ..Spec::plain(device.clone()) }).expect("a device");
        let content = content.as_object().expect("an object");
        cloud.apply_content(now(0), &device.device, content, &mut Vec::new()).expect("content");
        let mut seats = Vec::new();
        for part in profiles::find(profile).expect("the profile").parts {
            let module: ModuleId = part.module.unwrap_or(own).parse().expect("an id");
            let address = Address::module(hub.device_id.clone(), module);
            if cloud.identity(&address).is_err() {
                cloud.create(now(0), Spec::plain(address.clone())).expect("a module");
            }
            let options = DeviceOptions {
                direct: Some(hub.clone()),
                period: Duration::from_secs(2),
                seed: 7,
                restarts: RestartStyle::Held,
                scale: TimeScale::ONE,
                zone: TimeZone::UTC,
                unattended: false,
            };
            seats.push(Seat {
                device: Device::new(options, vec![(part.build)(making)]),
                address,
                connection: None,
            });
        }
        let mut modules = Self { cloud, at: 0, seats, todo: VecDeque::new() };
        for place in 0..modules.seats.len() {
            modules.feed(place, Input::Start);
        }
        modules
    }

    fn place(&self, module: &str) -> usize {
        let is = |seat: &Seat| seat.address.module.as_ref().is_some_and(|own| own.as_str() == module);
        self.seats.iter().position(is).expect("the module")
    }

    /// The device side of a module.
    pub fn device(&self, module: &str) -> &Device {
        &self.seats[self.place(module)].device
    }

    /// A person turns the first knob of a module.
    pub fn turn(&mut self, module: &str, by: f64) {
        self.feed(self.place(module), Input::Turn { knob: 0, by });
    }

    /// A figure that a module shows.
    pub fn figure(&self, module: &str, title: &str) -> String {
        let figures = self.device(module).figures();
        figures.into_iter().find(|figure| figure.title == title).expect("a figure").value
    }

    /// What a module has reported.
    pub fn reported(&self, module: &str) -> Value {
        let address = &self.seats[self.place(module)].address;
        self.cloud.device_twin(address).expect("a twin")["reported"].clone()
    }

    /// The operator changes a module's desired properties.
    pub fn desire(&mut self, module: &str, desired: &Value) {
        let update = TwinUpdate { desired: desired.as_object().cloned(), ..TwinUpdate::default() };
        let address = self.seats[self.place(module)].address.clone();
        let mut out = Vec::new();
        self.cloud
            .write_twin(now(self.at), &address, &update, Write::Merge, &Precondition::Any, &mut out)
            .expect("a change");
        self.deliver(out);
        self.work();
    }

    /// Module, body and application properties of every message that came to the hub.
    pub fn upstream(&self) -> Vec<(String, Value, Value)> {
        let events = self.cloud.events(0, None, 10_000).events;
        let messages = events.into_iter().filter(|event| event.source == "Telemetry").map(|event| {
            let properties = serde_json::to_value(&event).expect("JSON")["properties"].take();
            (event.module_id.unwrap_or_default(), event.body, properties)
        });
        messages.collect()
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: u64) {
        loop {
            let due = |seat: &Seat| seat.device.next_due().map(|due| due.0);
            let Some(next) = self.seats.iter().filter_map(due).min().filter(|next| *next <= end) else {
                break;
            };
            self.at = self.at.max(next);
            for place in 0..self.seats.len() {
                if due(&self.seats[place]).is_some_and(|due| due <= self.at) {
                    self.feed(place, Input::Timer);
                }
            }
        }
        self.at = end;
    }

    fn feed(&mut self, place: usize, input: Input) {
        self.todo.push_back((place, input));
        self.work();
    }

    fn work(&mut self) {
        while let Some((place, input)) = self.todo.pop_front() {
            let mut out = Vec::new();
            self.seats[place].device.handle(now(self.at), input, &mut out);
            for output in out {
                self.carry(place, output);
            }
        }
    }

    fn carry(&mut self, place: usize, output: Output) {
        match output {
            Output::Connect(_) | Output::Renew(_) => self.connect(place),
            Output::FetchTwin(ticket) => self.publish(place, &topic::twin_get(&ticket.0.to_string()), ""),
            Output::Report { ticket, patch } => {
                self.publish(place, &topic::twin_report(&ticket.0.to_string()), &patch.to_string());
            }
            Output::Send { ticket, message } => {
                let output = message.output.map(|output| ("$.on".to_owned(), Some(output.to_owned())));
                let own = message.properties.into_iter().map(|(name, value)| (name, Some(value)));
                let mut bag = Bag::of([("$.ct", "application/json"), ("$.ce", "utf-8")]);
                bag.0.extend(output.into_iter().chain(own));
                let address = &self.seats[place].address;
                let module = address.module.as_ref().map(ModuleId::as_str);
                let topic = topic::events(address.device.as_str(), module, &bag.encode());
                self.publish(place, &topic, &message.body);
                self.todo.extend([(place, Input::Written(ticket)), (place, Input::Acknowledged(ticket))]);
            }
            Output::Note(_) => {}
            other => panic!("no story of modules has {other:?}"),
        }
    }

    fn connect(&mut self, place: usize) {
        let mut out = Vec::new();
        let address = self.seats[place].address.clone();
        let welcome = self.cloud.connect(now(self.at), &address, false, None, &mut out);
        self.seats[place].connection = Some(welcome.connection);
        let [inputs, _] = filter::inputs(DEVICE, address.module.as_ref().map_or("", ModuleId::as_str));
        for text in [filter::METHODS, filter::TWIN_ANSWERS, filter::DESIRED, &inputs] {
            self.cloud.subscribe(now(self.at), welcome.connection, text, 1, &mut out);
        }
        let (session_present, token_life) = (welcome.session_present, Duration::from_secs(1_000_000));
        self.todo.push_back((place, Input::Link(LinkStep::Online { session_present, token_life })));
        self.deliver(out);
    }

    fn publish(&mut self, place: usize, topic: &str, body: &str) {
        let Seat { address, connection: Some(connection), .. } = &self.seats[place] else { return };
        let (from, mut out) = ((*connection, address), Vec::new());
        let body = Bytes::from(body.to_owned());
        let answer = dialect::hub_publish(&mut self.cloud, now(self.at), from, topic, &body, false, &mut out)
            .unwrap_or_else(|error| panic!("{topic}: {error}"));
        if let Some(message) = answer {
            self.receive(place, &message);
        }
        self.deliver(out);
    }

    fn deliver(&mut self, out: Vec<CloudOutput>) {
        for output in out {
            let CloudOutput::Deliver(connection, delivery) = output else { continue };
            let Some(place) = self.seats.iter().position(|seat| seat.connection == Some(connection)) else {
                continue;
            };
            let lock = match &delivery {
                Delivery::Routed { lock, .. } => Some(*lock),
                _ => None,
            };
            if let Some(message) = dialect::deliver(delivery) {
                self.receive(place, &message);
            }
            if let Some(lock) = lock {
                let mut out = Vec::new();
                let address = self.seats[place].address.clone();
                self.cloud.settle_routed(now(self.at), &address, lock, &mut out).expect("held");
                self.deliver(out);
            }
        }
    }

    fn receive(&mut self, place: usize, message: &dialect::Message) {
        let input = match ToDevice::parse(&message.topic, DEVICE).expect("a topic for devices") {
            ToDevice::TwinAnswer { status: 200, .. } => {
                Input::Twin(twin::parse_document(&message.body).expect("a twin"))
            }
            ToDevice::TwinAnswer { status: 204, rid, version } => {
                Input::ReportTaken { ticket: Ticket(rid.parse().expect("our own number")), version }
            }
            ToDevice::Desired { version } => {
                let (patch, version) = twin::parse_desired(&message.body, version).expect("a patch");
                Input::Desired { version, patch }
            }
            ToDevice::Input { input, bag, .. } => Input::Received(Inbound {
                input: Some(input.to_owned()),
                body: String::from_utf8_lossy(&message.body).into_owned(),
                properties: Bag::decode(bag).expect("a bag").application().collect(),
            }),
            other => panic!("no story of modules has {other:?}"),
        };
        self.todo.push_back((place, input));
    }
}
