//! Stories of modules and a cloud, told under a simulated clock.

use envsim::profiles::{self, Making, Seat};
use serde_json::{Value, json};

use crate::support::modules::Modules;

/// The profile's own deployment.
fn deployment() -> Value {
    let Seat::Edge { deployment, .. } = profiles::find("edge-filter").expect("the profile").seat else {
        panic!("it connects as modules of an IoT Edge device")
    };
    serde_json::from_str(deployment).expect("JSON")
}

fn edge(forward_all: bool) -> Modules {
    Modules::online("edge-filter", "", &deployment(), &Making { seed: 7, forward_all })
}

#[test]
fn the_interval_in_a_module_s_twin_changes_its_period() {
    let mut modules = Modules::online("module", "myFirstModule", &json!({}), &Making::default());
    modules.run_until(9_000);
    assert_eq!(modules.upstream().len(), 5, "at once, and every two seconds");
    modules.desire("myFirstModule", &json!({"telemetryInterval": 122}));
    modules.run_until(9_001);
    assert_eq!(
        modules.reported("myFirstModule")["telemetryInterval"],
        json!({"value": 122, "ac": 200, "av": 2, "ad": "completed"})
    );
    modules.run_until(10_000 + 122_000 - 1);
    assert_eq!(modules.upstream().len(), 6);
    modules.run_until(10_000 + 122_000);
    assert_eq!(modules.upstream().len(), 7);
    modules.desire("myFirstModule", &json!({"telemetryInterval": 0}));
    modules.run_until(10_000 + 2 * 122_000);
    let refused = &modules.reported("myFirstModule")["telemetryInterval"];
    assert_eq!((&refused["value"], &refused["ac"], &refused["av"]), (&json!(122), &json!(400), &json!(3)));
    assert_eq!(modules.upstream().len(), 8);
}

#[test]
fn only_a_machine_above_the_threshold_is_heard_of_upstream() {
    let mut modules = edge(false);
    modules.run_until(3_999);
    assert_eq!(modules.upstream(), [], "a cold machine");
    assert_eq!(
        ["threshold", "passed", "held back"].map(|title| modules.figure("filterModule", title)),
        ["25 °C", "0", "2"]
    );
    // A person makes it hot.
    modules.turn("tempSensor", 30.0);
    modules.run_until(9_999);
    let alerts = modules.upstream();
    assert_eq!(alerts.len(), 3);
    for (module, body, properties) in alerts {
        assert_eq!(module, "filterModule");
        assert_eq!(properties["MessageType"], "Alert");
        assert!(body["machine"]["temperature"].as_f64() > Some(50.0), "{body}");
    }
    let counts = |module: &str| -> Vec<_> {
        let ports = modules.device(module).ports();
        ports.into_iter().map(|port| (port.name, port.count)).collect()
    };
    assert_eq!(counts("tempSensor"), [("temperatureOutput", 5)]);
    assert_eq!(counts("filterModule"), [("input1", 5), ("output1", 3)]);
}

#[test]
fn the_threshold_moves_by_patch_and_is_acknowledged() {
    let mut modules = edge(false);
    modules.turn("tempSensor", 30.0);
    modules.desire("filterModule", &json!({"TemperatureThreshold": 90}));
    modules.run_until(19_999);
    assert_eq!(modules.reported("filterModule")["TemperatureThreshold"]["value"], 90);
    let before = modules.upstream().len();
    modules.run_until(29_999);
    assert_eq!(modules.upstream().len(), before);
    modules.desire("filterModule", &json!({"TemperatureThreshold": 40.5}));
    modules.run_until(39_999);
    assert_eq!(modules.upstream().len(), before + 5);
    modules.desire("filterModule", &json!({"TemperatureThreshold": null}));
    modules.run_until(49_999);
    let refused = &modules.reported("filterModule")["TemperatureThreshold"];
    assert_eq!((&refused["value"], &refused["ac"]), (&json!(40.5), &json!(400)));
}

#[test]
fn the_tutorial_s_program_lets_everything_through_and_marks_alerts() {
    let mut modules = edge(true);
    modules.run_until(3_999);
    modules.turn("tempSensor", 30.0);
    modules.run_until(7_999);
    let types: Vec<_> =
        modules.upstream().into_iter().map(|(_, _, properties)| properties["MessageType"].clone()).collect();
    assert_eq!(types, [json!(null), json!(null), json!("Alert"), json!("Alert")]);
}
