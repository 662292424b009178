//! What the filter makes of messages, in a table; and the sensor's values.

use serde_json::{Value, json};

use super::{Filter, Sensor};
use crate::device::{Flow, Message, Profile as _};
use crate::profiles::testing::Bench;

fn filter(forward_all: bool) -> Bench {
    let desired = json!({"TemperatureThreshold": 25});
    let mut bench = Bench::online(Box::new(Filter::new(forward_all)), desired, json!({}));
    bench.sent();
    bench
}

fn reading(temperature: f64) -> String {
    json!({"machine": {"temperature": temperature, "pressure": 1.5},
           "ambient": {"temperature": 21.0, "humidity": 25}, "timeCreated": "2030-01-01T00:00:00Z"})
    .to_string()
}

fn properties(message: &Message) -> Vec<(&str, &str)> {
    message.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn only_what_is_above_the_threshold_goes_on_marked() {
    for (temperature, goes_on) in
        [(25.01, true), (25.0, false), (24.99, false), (100.0, true), (-40.0, false)]
    {
        let mut bench = filter(false);
        bench.receive("input1", &reading(temperature), &[("sequence", "7")]);
        let sent = bench.sent();
        assert_eq!(sent.len(), usize::from(goes_on), "{temperature}");
        for message in sent {
            assert_eq!(message.body, reading(temperature));
            assert_eq!(message.output, Some("output1"));
            assert_eq!(properties(&message), [("sequence", "7"), ("MessageType", "Alert")]);
        }
        let counts = ["passed", "held back", "unreadable"].map(|title| bench.figure(title));
        let expected = if goes_on { ["1", "0", "0"] } else { ["0", "1", "0"] };
        assert_eq!(counts, expected, "{temperature}");
    }
}

#[test]
fn the_program_s_meaning_sends_everything_on_and_marks_what_is_above() {
    let mut bench = filter(true);
    bench.receive("input1", &reading(26.0), &[("MessageType", "Reading")]);
    bench.receive("input1", &reading(24.0), &[]);
    bench.receive("input1", "not JSON", &[]);
    let sent = bench.sent();
    assert_eq!(sent.iter().map(properties).collect::<Vec<_>>(), [vec![("MessageType", "Alert")], vec![]]);
    let counts = ["passed", "of them alerts", "held back", "unreadable"].map(|title| bench.figure(title));
    assert_eq!(counts, ["2", "1", "0", "1"]);
}

#[test]
fn what_cannot_be_read_is_counted_and_told_and_not_sent_on() {
    let rows = [
        ("not JSON", "is not JSON"),
        ("", "is not JSON"),
        ("[]", "has no `machine`"),
        (r#"{"machine": 30}"#, "has no number `machine.temperature`"),
        (r#"{"machine": {"temperature": "30"}}"#, "has no number `machine.temperature`"),
        (r#"{"machine": {"temperature": null}}"#, "has no number `machine.temperature`"),
    ];
    let mut bench = filter(false);
    for (count, (body, why)) in rows.into_iter().enumerate() {
        bench.receive("input1", body, &[]);
        let told = bench.notes().pop().expect("a note");
        assert_eq!(told, format!("message {} on input1 {why}; not sent on", count + 1));
    }
    assert_eq!((bench.sent().len(), bench.figure("unreadable")), (0, rows.len().to_string()));
    bench.receive("input2", &reading(30.0), &[]);
    assert!(bench.notes()[0].contains("has only `input1`"));
    assert_eq!(bench.sent(), []);
}

#[test]
fn the_threshold_comes_from_the_twin_and_from_patches() {
    let desired = json!({"TemperatureThreshold": 70});
    let mut bench = Bench::online(Box::new(Filter::new(false)), desired, json!({}));
    bench.run_until(1);
    assert_eq!(
        bench.reported(),
        json!({"TemperatureThreshold": {"value": 70, "ac": 200, "av": 1, "ad": "completed"}})
    );
    assert_eq!(bench.figure("threshold"), "70 °C");
    bench.receive("input1", &reading(60.0), &[]);
    assert_eq!(bench.sent(), []);
    bench.desire(&json!({"TemperatureThreshold": 59.5}));
    bench.run_until(2);
    bench.receive("input1", &reading(60.0), &[]);
    assert_eq!(bench.sent().len(), 1);

    bench.desire(&json!({"TemperatureThreshold": "hot"}));
    bench.run_until(3);
    let refused = &bench.reported()["TemperatureThreshold"];
    assert_eq!((&refused["value"], &refused["ac"]), (&json!(59.5), &json!(400)));
    assert!(refused["ad"].as_str().is_some_and(|why| why.contains("degrees Celsius")), "{refused}");
    assert_eq!(bench.figure("threshold"), "59.5 °C");
}

#[test]
fn a_threshold_that_was_acknowledged_before_a_restart_holds_after_it() {
    let ack = json!({"TemperatureThreshold": {"value": 70, "ac": 200, "av": 1, "ad": "completed"}});
    let desired = json!({"TemperatureThreshold": 70});
    let bench = Bench::online(Box::new(Filter::new(false)), desired, ack);
    assert_eq!(bench.figure("threshold"), "70 °C");
}

#[test]
fn ports_tell_what_went_through_them() {
    let mut bench = filter(false);
    bench.receive("input1", &reading(30.0), &[]);
    bench.receive("input1", &reading(20.0), &[]);
    let ports = bench.device.ports();
    let told: Vec<_> = ports.iter().map(|port| (port.name, port.flow, port.count)).collect();
    assert_eq!(told, [("input1", Flow::In, 2), ("output1", Flow::Out, 1)]);
    assert_eq!(ports[0].last.as_ref().map(|(_, body)| body.as_str()), Some(reading(20.0).as_str()));
    assert_eq!(ports[1].last.as_ref().map(|(_, body)| body.as_str()), Some(reading(30.0).as_str()));
    bench.receive("input1", &"x".repeat(100_000), &[]);
    assert!(bench.device.ports()[0].last.as_ref().is_some_and(|(_, body)| body.len() < 1_000));
}

#[test]
fn a_machine_gets_warm_stays_there_and_is_cold_again_after_a_reset() {
    let mut bench = Bench::online(Box::new(Sensor::new(3)), json!({}), json!({}));
    bench.run_until(1_000_000);
    let bodies: Vec<Value> =
        bench.sent().iter().map(|message| serde_json::from_str(&message.body).expect("JSON")).collect();
    assert_eq!(bodies.len(), 501);
    let temperatures: Vec<_> = bodies.iter().map(|body| body["machine"]["temperature"].as_f64()).collect();
    assert!(temperatures[0] < Some(23.0) && temperatures[500] > Some(98.0), "{temperatures:?}");
    for body in &bodies {
        let machine = &body["machine"];
        let temperature = machine["temperature"].as_f64().expect("a number");
        let pressure = machine["pressure"].as_f64().expect("a number");
        assert!((21.0..100.0).contains(&temperature) && (1.0..=10.0).contains(&pressure), "{body}");
        assert!((pressure - 1.0 - (temperature - 21.0) / 79.0 * 9.0).abs() < 0.01, "{body}");
        assert!((20.5..=21.5).contains(&body["ambient"]["temperature"].as_f64().expect("a number")));
        assert!((24.0..=26.0).contains(&body["ambient"]["humidity"].as_f64().expect("a number")));
        assert!(body["timeCreated"].as_str().is_some_and(|time| time.ends_with('Z')), "{body}");
    }
    assert_eq!(bench.call("reset").status, 200);
    assert!(bench.device.readings()[0].value < 23.0);
}

#[test]
fn a_hand_pushes_the_machine_over_the_threshold_and_it_stays_there() {
    let mut bench = Bench::online(Box::new(Sensor::new(3)), json!({}), json!({}));
    bench.turn(9.0);
    bench.run_until(10_000);
    bench.sent();
    let reading = bench.device.readings()[0].clone();
    assert!(reading.manual && reading.value > 25.0, "{reading:?}");
    bench.run_until(60_000);
    assert_eq!(bench.device.readings()[0].value, reading.value);
    assert!(bench.sent().iter().all(|message| message.output == Some("temperatureOutput")));
    let sensor = Sensor::new(3);
    assert_eq!(sensor.ports()[0].count, 0);
}
