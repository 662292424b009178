//! Telemetry: periods, knobs, what is kept for the next link.

use super::*;

#[test]
fn telemetry_keeps_its_period_and_its_ranges() {
    let mut bench = Bench::online();
    bench.run_until(20_000);
    let bodies: Vec<Value> = bench
        .out
        .iter()
        .filter_map(|output| match output {
            Output::Send { message, .. } => serde_json::from_str(&message.body).ok(),
            _ => None,
        })
        .collect();
    assert_eq!(bodies.len(), 10);
    for body in bodies {
        let (temp, humid) = (body["temp"].as_f64().unwrap(), body["humid"].as_f64().unwrap());
        assert!((1.0..75.0).contains(&temp) && (30.0..99.0).contains(&humid), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 2);
    }
}

#[test]
fn missed_periods_are_not_made_up() {
    let mut bench = Bench::online();
    bench.at = 60_000;
    bench.feed(Input::Timer);
    assert_eq!(bench.tickets().len(), 1);
    assert_eq!(bench.device.next_sample(), Some(Millis(62_000)));
}

#[test]
fn the_time_scale_divides_simulated_work_only() {
    let mut bench = Bench::with(DeviceOptions { scale: TimeScale::new(10.0).unwrap(), ..options() });
    bench.feed(Input::Start).feed(Input::Assigned(hub()));
    bench.connect();
    bench.twin(json!({}), 1, json!({}));
    bench.call("rundiagnostics", Value::Null);
    bench.out.clear();
    bench.run_until(600);
    assert_eq!(bench.reports().len(), 1);
    assert!(bench.tickets().is_empty(), "telemetry keeps its two seconds");
}

#[test]
fn unacknowledged_messages_go_out_again_on_the_next_link() {
    let mut bench = Bench::online();
    bench.run_until(2_000);
    let sent = bench.tickets();
    bench.feed(Input::Written(sent[0]));
    bench.lose();
    bench.out.clear();
    bench.run_until(3_500);
    bench.connect();
    assert_eq!(bench.tickets()[0], sent[0]);
}

#[test]
fn a_manual_value_is_what_goes_out_until_it_is_released() {
    let mut bench = Bench::online();
    let before = bench.device.readings()[0].value;
    bench.feed(Input::Turn { knob: 0, by: 2.5 }).feed(Input::Turn { knob: 99, by: 1.0 });
    let reading = bench.device.readings()[0].clone();
    assert!(reading.manual && (reading.value - before - 2.5).abs() < 1e-9);
    bench.run_until(10_000);
    let manual = json!(reading.value);
    let all = bench.out.iter().all(|output| match output {
        Output::Send { message, .. } => {
            serde_json::from_str::<Value>(&message.body).unwrap()["temp"] == manual
        }
        _ => true,
    });
    assert!(all);
    bench.feed(Input::Automatic);
    assert!(!bench.device.readings()[0].manual);
}

#[test]
fn paused_telemetry_stays_silent_and_goes_on_at_once() {
    let mut bench = Bench::online();
    bench.feed(Input::Pause(true));
    bench.run_until(10_000);
    assert!(bench.tickets().is_empty());
    bench.feed(Input::Pause(false));
    assert_eq!(bench.tickets().len(), 1);
}

#[test]
fn a_shorter_period_takes_effect_at_once() {
    let mut bench = Bench::online();
    bench.feed(Input::Period(Duration::from_millis(500)));
    bench.run_until(2_000);
    assert_eq!(bench.tickets().len(), 4);
    bench.feed(Input::Period(Duration::ZERO));
    assert_eq!(bench.device.period(), SHORTEST_PERIOD);
}
