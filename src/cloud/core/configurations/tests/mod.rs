//! Whom configurations reach, in which order, and what is refused.

mod deployments;
mod documents;
mod reach;

use serde_json::{Map, Value, json};

use super::{CAPACITY, test_queries};
use crate::cloud::core::changes::Record;
use crate::cloud::core::identities::Spec;
use crate::cloud::core::registry::{Address, Precondition};
use crate::cloud::core::service::Write;
use crate::cloud::core::testing::{core, now};
use crate::cloud::core::twins::TwinUpdate;
use crate::cloud::core::{Core, Delivery, Output};
use crate::device::Millis;
use crate::wire::topic::filter;

fn device(name: &str) -> Address {
    Address::device(name.parse().expect("an id"))
}

fn module(device: &str, name: &str) -> Address {
    Address::module(device.parse().expect("an id"), name.parse().expect("an id"))
}

fn with_devices(names: &[&str]) -> Core {
    let mut core = core();
    for name in names {
        core.create(now(0), Spec::plain(device(name))).expect("created");
    }
    core
}

fn with_edge() -> Core {
    let mut core = core();
    core.create(now(0), Spec { edge: true, ..Spec::plain(device("edge")) }).expect("created");
    core
}

fn body(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// A configuration of devices.
fn simple(condition: &str, priority: u64, content: Value) -> Map<String, Value> {
    body(json!({"content": {"deviceContent": content}, "targetCondition": condition, "priority": priority}))
}

fn put(core: &mut Core, at: u64, id: &str, request: &Map<String, Value>) -> Result<String, (u16, u32)> {
    let put = core.put_configuration(now(at), id, request, None);
    put.map(|one| one.etag.clone()).map_err(|fault| (fault.status, fault.code))
}

/// Ticks while something is due by `at`.
fn run(core: &mut Core, at: u64) -> Vec<Output> {
    let (mut ticks, mut out) = (0, Vec::new());
    while core.next_due().is_some_and(|due| due <= Millis(at)) {
        core.tick(now(at), &mut out);
        ticks += 1;
        assert!(ticks < 10_000, "there is always something to do");
    }
    out
}

fn write(core: &mut Core, address: &Address, tags: Value, desired: Value) {
    let update = TwinUpdate { tags: Some(body(tags)), desired: Some(body(desired)) };
    core.write_twin(now(0), address, &update, Write::Merge, &Precondition::Any, &mut Vec::new())
        .expect("written");
}

fn desired(core: &Core, address: &Address) -> Value {
    Value::Object(core.identity(address).expect("an identity").twin.desired.value.clone())
}

fn placed(core: &Core, address: &Address) -> Vec<String> {
    let configurations = &core.identity(address).expect("an identity").configurations;
    configurations.iter().map(|(id, placed)| format!("{id} {}", placed.name())).collect()
}

fn metric(core: &Core, id: &str, pointer: &str) -> u64 {
    let told = core.configuration(id).expect("a configuration").told();
    told.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {told}"))
}
