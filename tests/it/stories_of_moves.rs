//! Stories of a device that is sent to another ID scope, told under a simulated clock.

use envsim::device::{Input, Phase};
use serde_json::{Value, json};

use crate::support::pair::Pair;

fn outcome(pair: &Pair) -> String {
    pair.reported()["DeviceMove"]["value"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_device_moves_to_another_scope_and_goes_on_there() {
    let mut pair = Pair::online();
    pair.cloud.set_more_scopes(1);
    let heard = pair.events("Telemetry");
    let call = pair.invoke("DeviceMove", Some(json!("0ne00ABCDEF2")));
    assert_eq!(pair.answers[&call], json!({"status": 202, "payload": Value::Null}));
    assert_eq!((pair.device.phase(), pair.scope.as_str()), (&Phase::Provisioning, "0ne00ABCDEF2"));
    let began = pair.at;
    pair.run_until(began + 5_999);
    assert_eq!(pair.events("Telemetry"), heard, "it sends nothing on the way");
    let offline = pair.invoke("turnon", None);
    assert_eq!(pair.answers[&offline]["code"], 404_103, "and cannot be reached");
    pair.run_until(began + 10_000);
    assert!(outcome(&pair).starts_with("Moved to the ID scope 0ne00ABCDEF2 at "), "{}", pair.reported());
    assert_eq!(pair.events("Telemetry"), heard + 3, "at once, and every two seconds");
    pair.desire(json!({"name": "Attic"}));
    pair.run_until(began + 11_000);
    assert_eq!(pair.reported()["name"]["value"], "Attic");
    // And back again, by the name of the first.
    pair.invoke("DeviceMove", Some(json!("0ne00ABCDEF")));
    pair.run_until(began + 20_000);
    assert!(outcome(&pair).starts_with("Moved to the ID scope 0ne00ABCDEF at "), "{}", pair.reported());
}

#[test]
fn a_scope_that_nobody_serves_sends_it_back() {
    let mut pair = Pair::online();
    let heard = pair.events("Telemetry");
    let call = pair.invoke("DeviceMove", Some(json!("0neNOWHERE")));
    assert_eq!(pair.answers[&call]["status"], 202);
    assert_eq!(pair.scope, "0ne00ABCDEF");
    pair.run_until(pair.at + 10_000);
    let said = outcome(&pair);
    assert!(
        said.starts_with("Not moved to the ID scope 0neNOWHERE, back at ")
            && said.contains("is not this service's"),
        "{said}"
    );
    assert!(pair.events("Telemetry") > heard, "telemetry goes on");
}

#[test]
fn a_network_that_fails_on_the_way_sends_it_back_once_it_is_there_again() {
    let mut pair = Pair::online();
    pair.cloud.set_more_scopes(1);
    pair.invoke("DeviceMove", Some(json!("0ne00ABCDEF2")));
    pair.network = false;
    pair.run_until(pair.at + 60_000);
    assert!(!pair.device.phase().is_online());
    pair.network = true;
    pair.run_until(pair.at + 180_000);
    assert!(pair.device.phase().is_online());
    assert_eq!(pair.scope, "0ne00ABCDEF");
    assert!(outcome(&pair).starts_with("Not moved to the ID scope 0ne00ABCDEF2"), "{}", pair.reported());
}

#[test]
fn a_device_that_is_switched_off_on_the_way_is_off() {
    let mut pair = Pair::online();
    pair.cloud.set_more_scopes(1);
    pair.invoke("DeviceMove", Some(json!("0ne00ABCDEF2")));
    pair.feed(Input::Leave);
    assert_eq!(*pair.device.phase(), Phase::Left);
    pair.run_until(pair.at + 60_000);
    assert_eq!(*pair.device.phase(), Phase::Left);
}
