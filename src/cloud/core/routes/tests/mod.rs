//! Every rule of routing, under a clock that only moves when it is told to.

mod choosing;
mod deploying;
mod kept;
mod language;
mod queues;
mod rounds;

use std::sync::Arc;

use serde_json::{Value, json};

use super::deployment::EDGE_HUB;
use super::queue::OVERHEAD;
use super::router::{BYTES, MESSAGES};
use super::routers::{IN_FLIGHT, LOCK};
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::identities::Spec;
use crate::cloud::core::message::LockToken;
use crate::cloud::core::quota::{Quota, Sku};
use crate::cloud::core::registry::{Address, Precondition};
use crate::cloud::core::service::Write;
use crate::cloud::core::testing::{self, now};
use crate::cloud::core::twins::TwinUpdate;
use crate::cloud::core::{Core, Delivery, Output};
use crate::device::{Millis, Now};
use crate::wire::local::{EdgeRoute, EdgeStatus};
use crate::wire::topic::filter;

const TO_FILTER: &str = "FROM /messages/modules/tempSensor/outputs/temperatureOutput INTO BrokeredEndpoint(\"/modules/filterModule/inputs/input1\")";
const TO_HUB: &str = "FROM /messages/modules/filterModule/outputs/output1 INTO $upstream";
const JSON: &str = "%24.ct=application%2Fjson&%24.ce=utf-8";

fn address(module: &str) -> Address {
    Address::module("edge".parse().expect("a name"), module.parse().expect("a name"))
}

/// A hub with an IoT Edge device of three modules.
fn core() -> Core {
    let mut core = testing::core();
    let device = address("m").of_device();
    core.create(now(0), Spec { edge: true, ..Spec::plain(device) }).expect("created");
    for module in ["tempSensor", "filterModule", "other"] {
        core.create(now(0), Spec::plain(address(module))).expect("created");
    }
    core
}

fn desire(core: &mut Core, at: u64, desired: &Value) {
    let update = TwinUpdate { tags: None, desired: desired.as_object().cloned() };
    let hub = address(EDGE_HUB);
    core.write_twin(now(at), &hub, &update, Write::Replace, &Precondition::Any, &mut Vec::new())
        .expect("written");
}

fn with_routes(routes: &Value) -> Core {
    let mut core = core();
    desire(&mut core, 0, &json!({"schemaVersion": "1.1", "routes": routes}));
    core
}

fn send(core: &mut Core, at: u64, module: &str, bag: &str, body: &str) -> Vec<Output> {
    let mut out = Vec::new();
    core.message(now(at), &address(module), bag, body.to_owned().into(), &mut out).expect("taken");
    out
}

fn measure(core: &mut Core, at: u64, body: &str) -> Vec<Output> {
    send(core, at, "tempSensor", &format!("%24.on=temperatureOutput&{JSON}"), body)
}

/// A module that listens to its inputs, with what it is handed at once.
fn listening(core: &mut Core, at: u64, module: &str, quality: u8) -> (ConnectionId, Vec<Output>) {
    let mut out = Vec::new();
    let connection = core.connect(now(at), &address(module), false, None, &mut out).connection;
    let [inputs, _] = filter::inputs("edge", module);
    core.subscribe(now(at), connection, &inputs, quality, &mut out);
    (connection, out)
}

/// Inputs, bodies and locks of what is handed over.
fn handed(out: &[Output]) -> Vec<(String, String, LockToken)> {
    let each = |output: &Output| match output {
        Output::Deliver(_, Delivery::Routed { input, lock, message, .. }) => {
            Some((input.to_string(), String::from_utf8_lossy(&message.body).into_owned(), *lock))
        }
        _ => None,
    };
    out.iter().filter_map(each).collect()
}

fn bodies(out: &[Output]) -> Vec<String> {
    handed(out).into_iter().map(|(_, body, _)| body).collect()
}

fn settle(core: &mut Core, at: u64, module: &str, lock: LockToken) -> Vec<Output> {
    let mut out = Vec::new();
    core.settle_routed(now(at), &address(module), lock, &mut out).expect("held");
    out
}

fn tick(core: &mut Core, at: u64) -> Vec<Output> {
    let mut out = Vec::new();
    core.tick(now(at), &mut out);
    out
}

/// The messages in the hub, with their modules.
fn upstream(core: &Core) -> Vec<(String, Value)> {
    let events = core.events(0, None, 10_000).events;
    let messages = events.into_iter().filter(|event| event.source == "Telemetry");
    messages.map(|event| (event.module_id.unwrap_or_default(), event.body)).collect()
}

fn status(core: &Core) -> EdgeStatus {
    core.edge_status(&address("m").device).expect("a device")
}

fn account(core: &Core, name: &str) -> (u64, usize, u64, u64) {
    let route = status(core).routes.into_iter().find(|route| route.name == name).expect("a route");
    (route.passed, route.queued, route.expired, route.dropped)
}

fn reported(core: &Core) -> Value {
    Value::Object(core.identity(&address(EDGE_HUB)).expect("a module").twin.reported.value.clone())
}
