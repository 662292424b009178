//! A device's core and a cloud's core, joined in memory under a simulated clock: whole stories of
//! provisioning, commands, properties and lost links, without a socket and without waiting.
//!
//! The two exchange what they would exchange over a network, topic by topic and byte by byte; the
//! pair stands where the sockets would.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use envsim::cloud::core::auth::HubNames;
use envsim::cloud::core::clients::ConnectionId;
use envsim::cloud::core::methods::{CallId, Outcome};
use envsim::cloud::core::provisioning::{Attested, Presenting};
use envsim::cloud::core::registry::{Address, Precondition};
use envsim::cloud::core::service::Write;
use envsim::cloud::core::twins::TwinUpdate;
use envsim::cloud::core::{Core, Output as CloudOutput, Settings};
use envsim::cloud::dialect::{self, Message};
use envsim::device::{
    Assignment, Call, Device, DeviceId, DeviceOptions, Failure, FailureKind, ImageOrder, Input, LinkStep,
    Millis, Now, Output, RestartStyle, Ticket, TimeScale,
};
use envsim::profiles;
use envsim::wire::sas::{self, Token};
use envsim::wire::service::MethodCall;
use envsim::wire::topic::{self, ToDevice, filter};
use envsim::wire::{SharedKey, bag, dps, twin};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

const GROUP_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Both cores and what lies between them.
pub struct Pair {
    pub device: Device,
    pub cloud: Core,
    /// Milliseconds of simulated time.
    pub at: u64,
    /// Whether the network lets anything through.
    pub network: bool,
    /// The answers to commands, by call.
    pub answers: BTreeMap<u64, Value>,
    /// What the device asked of its firmware images, which the test is in the place of.
    pub orders: Vec<ImageOrder>,
    id: DeviceId,
    connection: Option<ConnectionId>,
    register_at: Option<(u64, String)>,
    /// The ID scope that the device has asked for last.
    pub scope: String,
}

/// The ID scope that the device is set up with.
const SCOPE: &str = "0ne00ABCDEF";

impl Pair {
    /// A device called `sensor-01`, not begun, and a cloud that does not know it yet.
    pub fn new() -> Self {
        Self::of(&["environment"], RestartStyle::Held)
    }

    /// The same with these profiles.
    pub fn of(profiles: &[&str], restarts: RestartStyle) -> Self {
        let settings = Settings {
            names: HubNames { own: "localhost".to_owned(), aliases: vec![] },
            assigned_hub: "localhost:9999".to_owned(),
            id_scope: SCOPE.parse().expect("a scope"),
            group_key: SharedKey::from_base64(GROUP_KEY).expect("a key"),
            retry_after: 3,
            waits: 1,
            assigning_for: 0,
        };
        let options = DeviceOptions {
            direct: None,
            period: Duration::from_secs(2),
            seed: 7,
            restarts,
            scale: TimeScale::ONE,
            zone: TimeZone::UTC,
            unattended: false,
        };
        let entries = profiles.iter().map(|name| profiles::find(name).expect("a profile"));
        let made = entries
            .map(|entry| (entry.parts[0].build)(&profiles::Making { seed: 7, ..Default::default() }))
            .collect();
        Self {
            device: Device::new(options, made),
            cloud: Core::new(settings, [1; 32]),
            at: 0,
            network: true,
            answers: BTreeMap::new(),
            orders: Vec::new(),
            id: "sensor-01".parse().expect("an id"),
            connection: None,
            register_at: None,
            scope: SCOPE.to_owned(),
        }
    }

    /// A pair that has been through provisioning and is settled.
    pub fn online() -> Self {
        Self::new().settled()
    }

    /// Begins, and goes through provisioning.
    pub fn settled(mut self) -> Self {
        self.feed(Input::Start);
        self.run_until(10_000);
        assert!(self.device.phase().is_online(), "{:?}", self.device.phase());
        self
    }

    fn now(&self) -> Now {
        let wall = 1_893_456_000_000 + i64::try_from(self.at).expect("a small number");
        Now { at: Millis(self.at), wall: Timestamp::from_millisecond(wall).expect("a moment") }
    }

    /// Tells the device something, and carries whatever follows from it.
    pub fn feed(&mut self, input: Input) {
        let mut out = Vec::new();
        self.device.handle(self.now(), input, &mut out);
        for output in out {
            self.carry(output);
        }
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: u64) {
        loop {
            let polls = self.register_at.as_ref().map(|(at, _)| *at);
            let device = self.device.next_due().map(|due| due.0);
            let Some(next) = [polls, device].into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.at = self.at.max(next);
            if polls.is_some_and(|at| at <= self.at) {
                self.poll();
            } else {
                self.feed(Input::Timer);
            }
            self.expire();
        }
        self.at = end;
        self.expire();
    }

    fn expire(&mut self) {
        let mut out = Vec::new();
        self.cloud.tick(self.now(), &mut out);
        self.deliver(out);
    }

    /// The reported section, as a back end sees the device's own view of it.
    pub fn reported(&self) -> Value {
        let twin = self.cloud.device_twin(&Address::device(self.id.clone())).expect("a twin");
        twin["reported"].clone()
    }

    /// What the hub has captured from one source.
    pub fn events(&self, source: &str) -> usize {
        let batch = self.cloud.events(0, None, 10_000);
        batch.events.iter().filter(|event| event.source == source).count()
    }

    /// The operator changes desired properties.
    pub fn desire(&mut self, desired: Value) {
        let update: TwinUpdate =
            TwinUpdate { desired: desired.as_object().cloned(), ..TwinUpdate::default() };
        let mut out = Vec::new();
        let (now, address) = (self.now(), Address::device(self.id.clone()));
        self.cloud
            .write_twin(now, &address, &update, Write::Merge, &Precondition::Any, &mut out)
            .expect("a change");
        self.deliver(out);
    }

    /// The operator invokes a command; the answer will stand under the call's number.
    pub fn invoke(&mut self, name: &str, payload: Option<Value>) -> u64 {
        self.invoke_within(30, name, payload)
    }

    /// The same, with so many seconds for the answer.
    pub fn invoke_within(&mut self, seconds: u64, name: &str, payload: Option<Value>) -> u64 {
        let request = MethodCall {
            method_name: name.to_owned(),
            payload,
            response_timeout_in_seconds: Some(seconds),
            connect_timeout_in_seconds: None,
        };
        let mut out = Vec::new();
        let (now, address) = (self.now(), Address::device(self.id.clone()));
        match self.cloud.invoke(now, &address, &request, &mut out) {
            Ok(call) => {
                self.deliver(out);
                call.0
            }
            // Refused at once, so there is no call to number.
            Err(fault) => {
                self.answers.insert(0, json!({ "code": fault.code }));
                0
            }
        }
    }

    /// The link breaks, and nobody says so to the hub.
    pub fn break_link(&mut self) {
        self.network = false;
        self.feed(Input::Failed(Failure::new(FailureKind::Lost, "the link was lost")));
    }

    fn carry(&mut self, output: Output) {
        if !self.network {
            if matches!(output, Output::Provision { .. } | Output::Connect(_) | Output::Renew(_)) {
                self.feed(Input::Failed(Failure::new(FailureKind::Unavailable, "no network")));
            }
            return;
        }
        match output {
            Output::Provision { scope } => {
                self.scope = scope.map_or_else(|| SCOPE.to_owned(), |scope| scope.to_string());
                self.register();
            }
            Output::Connect(assignment) | Output::Renew(assignment) => self.connect(&assignment),
            Output::FetchTwin(ticket) => self.publish(&topic::twin_get(&rid(ticket)), String::new()),
            Output::Report { ticket, patch } => {
                self.publish(&topic::twin_report(&rid(ticket)), patch.to_string());
            }
            Output::Reply { ticket, rid, reply } => {
                self.publish(&topic::method_answer(reply.status, &rid), reply.payload.to_string());
                self.feed(Input::Written(ticket));
            }
            Output::Send { ticket, message } => {
                let bag = bag::Bag::of([("$.ct", "application/json"), ("$.ce", "utf-8")]).encode();
                self.publish(&topic::events("sensor-01", None, &bag), message.body);
                self.feed(Input::Written(ticket));
                self.feed(Input::Acknowledged(ticket));
            }
            Output::Disconnect | Output::Cut => {
                self.hang_up();
                self.feed(Input::Closed);
            }
            Output::Image(order) => self.orders.push(order),
            Output::Abandon | Output::Note(_) => {}
        }
    }

    /// The device as the provisioning service knows it once its token has been checked.
    fn registration(&self) -> Result<Attested, Failure> {
        let group = SharedKey::from_base64(GROUP_KEY).expect("a key");
        let now = self.now();
        let (scope, id) = (self.scope.as_str(), "sensor-01".parse().expect("an id"));
        let resource = sas::registration_resource(scope, "sensor-01");
        let token = Token::sign(&group.derive("sensor-01"), &resource, now.wall.as_second() + 60, None);
        let presenting = Presenting { scope, id: &id, token: token.reveal(), peer: None };
        let refused = |refusal| Failure::new(FailureKind::Unauthorized, format!("{refusal}"));
        self.cloud.authorize_registration(now, presenting).map_err(refused)
    }

    fn register(&mut self) {
        let device = match self.registration() {
            Ok(device) => device,
            Err(failure) => return self.feed(Input::Failed(failure)),
        };
        let body =
            dps::register_body(device.id.as_str(), Some("dtmi:envsim:EnvironmentalSensor;1")).to_string();
        let topic = "$dps/registrations/PUT/iotdps-register/?$rid=1";
        let now = self.now();
        let said =
            dialect::dps_publish(&mut self.cloud, now, &device, topic, body.as_bytes(), &mut Vec::new());
        self.provisioned(&said.expect("an answer"));
    }

    fn poll(&mut self) {
        let Some((_, operation)) = self.register_at.take() else { return };
        let device = self.registration().expect("a device that has registered");
        let topic =
            format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={operation}");
        let now = self.now();
        let said = dialect::dps_publish(&mut self.cloud, now, &device, &topic, b"", &mut Vec::new());
        self.provisioned(&said.expect("an answer"));
    }

    fn provisioned(&mut self, said: &Message) {
        let status: dps::OperationStatus = serde_json::from_slice(&said.body).expect("a status");
        match status.registration_state {
            Some(state) if status.status == "assigned" => {
                let hub = state.assigned_hub.expect("a hub").parse().expect("a host");
                let device_id = state.device_id.expect("a device").parse().expect("an id");
                self.feed(Input::Assigned(Assignment { hub, device_id }));
            }
            // The hint stands in the topic: three seconds.
            _ => {
                assert!(said.topic.ends_with("retry-after=3"), "{}", said.topic);
                self.register_at = Some((self.at + 3_000, status.operation_id));
            }
        }
    }

    fn connect(&mut self, assignment: &Assignment) {
        self.hang_up();
        let address = Address::device(assignment.device_id.clone());
        let now = self.now();
        let mut out = Vec::new();
        let welcome = self.cloud.connect(now, &address, false, None, &mut out);
        self.connection = Some(welcome.connection);
        for text in [filter::METHODS, filter::TWIN_ANSWERS, filter::DESIRED] {
            self.cloud.subscribe(now, welcome.connection, text, 1, &mut out);
        }
        let online = LinkStep::Online {
            session_present: welcome.session_present,
            token_life: Duration::from_secs(3_600),
        };
        self.feed(Input::Link(online));
        self.deliver(out);
    }

    fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            let now = self.now();
            self.cloud.disconnected(now, connection);
        }
    }

    fn publish(&mut self, topic: &str, body: String) {
        let Some(connection) = self.connection else { return };
        let (now, address) = (self.now(), Address::device(self.id.clone()));
        let mut out = Vec::new();
        let from = (connection, &address);
        let answer =
            dialect::hub_publish(&mut self.cloud, now, from, topic, &Bytes::from(body), false, &mut out)
                .unwrap_or_else(|error| panic!("{topic}: {error}"));
        if let Some(message) = answer {
            self.receive(&message);
        }
        self.deliver(out);
    }

    fn deliver(&mut self, out: Vec<CloudOutput>) {
        for output in out {
            match output {
                CloudOutput::Deliver(connection, delivery) if self.connection == Some(connection) => {
                    if let (true, Some(message)) = (self.network, dialect::deliver(delivery)) {
                        self.receive(&message);
                    }
                }
                CloudOutput::Deliver(..) => {}
                CloudOutput::Answer(CallId(call), outcome) => {
                    self.answers.insert(call, said(outcome));
                }
            }
        }
    }

    fn receive(&mut self, message: &Message) {
        let input = match ToDevice::parse(&message.topic, "sensor-01").expect("a topic for devices") {
            ToDevice::Method { name, rid } => Input::Called(Call {
                rid: rid.to_owned(),
                name: name.to_owned(),
                payload: if message.body.is_empty() {
                    Ok(Value::Null)
                } else {
                    serde_json::from_slice(&message.body).map_err(|error| error.to_string())
                },
            }),
            ToDevice::TwinAnswer { status: 200, .. } => {
                Input::Twin(twin::parse_document(&message.body).expect("a twin"))
            }
            ToDevice::TwinAnswer { status: 204, rid, version } => {
                Input::ReportTaken { ticket: ticket(rid), version }
            }
            ToDevice::TwinAnswer { status, rid, .. } => {
                let message = String::from_utf8_lossy(&message.body).into_owned();
                Input::ReportRefused { ticket: ticket(rid), status, message }
            }
            ToDevice::Desired { version } => {
                let (patch, version) = twin::parse_desired(&message.body, version).expect("a patch");
                Input::Desired { version, patch }
            }
            ToDevice::DeviceBound { .. } | ToDevice::Input { .. } => return,
        };
        self.feed(input);
    }
}

fn rid(ticket: Ticket) -> String {
    ticket.0.to_string()
}

fn ticket(rid: &str) -> Ticket {
    Ticket(rid.parse().expect("our own number"))
}

fn said(outcome: Outcome) -> Value {
    match outcome {
        Ok(result) => json!({"status": result.status, "payload": result.payload}),
        Err(fault) => json!({ "code": fault.code }),
    }
}
