//! Scripts for the device: inputs with times, outputs compared. No clock runs.

use serde_json::json;

use super::*;
use crate::device::{Call, FailureKind, Led};
use crate::profiles::environment::Environment;

/// A device, its clock, and everything it has asked for.
struct Bench {
    device: Device,
    at: u64,
    out: Vec<Output>,
}

fn hub() -> Assignment {
    Assignment { hub: "hub.example".parse().expect("a host"), device_id: "d1".parse().expect("an id") }
}

fn options() -> DeviceOptions {
    DeviceOptions {
        direct: None,
        period: Duration::from_secs(2),
        seed: 1,
        restarts: RestartStyle::Held,
        scale: TimeScale::ONE,
        zone: TimeZone::UTC,
        unattended: false,
    }
}

impl Bench {
    fn with(options: DeviceOptions) -> Self {
        Self { device: Device::new(options, vec![Box::new(Environment::new(1))]), at: 0, out: Vec::new() }
    }

    /// A device that has been through provisioning, with an empty twin, at time zero.
    fn online() -> Self {
        let mut bench = Self::with(options());
        bench.feed(Input::Start);
        bench.feed(Input::Assigned(hub()));
        bench.connect();
        bench.twin(json!({}), 1, json!({}));
        bench.settle();
        bench
    }

    fn feed(&mut self, input: Input) -> &mut Self {
        let wall =
            jiff::Timestamp::from_millisecond(1_893_456_000_000 + i64::try_from(self.at).unwrap()).unwrap();
        self.device.handle(Now { at: Millis(self.at), wall }, input, &mut self.out);
        self
    }

    fn connect(&mut self) {
        let step = LinkStep::Online { session_present: false, token_life: Duration::from_secs(3600) };
        self.feed(Input::Link(step));
    }

    fn lose(&mut self) {
        self.feed(Input::Failed(Failure::new(FailureKind::Lost, "the link was lost")));
    }

    fn twin(&mut self, desired: Value, version: u64, reported: Value) {
        let (Value::Object(desired), Value::Object(reported)) = (desired, reported) else {
            panic!("objects")
        };
        self.feed(Input::Twin(TwinDocument {
            desired,
            desired_version: version,
            reported,
            reported_version: 1,
        }));
    }

    fn desired(&mut self, version: u64, patch: Value) {
        let Value::Object(patch) = patch else { panic!("an object") };
        self.feed(Input::Desired { version, patch });
    }

    fn call(&mut self, name: &str, payload: Value) -> Reply {
        self.feed(Input::Called(Call { rid: "r".into(), name: name.into(), payload: Ok(payload) }));
        self.out
            .iter()
            .rev()
            .find_map(|output| match output {
                Output::Reply { reply, .. } => Some(reply.clone()),
                _ => None,
            })
            .expect("a reply")
    }

    /// Lets time pass, waking the device whenever it asks to be woken.
    fn run_until(&mut self, end: u64) {
        while let Some(Millis(due)) = self.device.next_due().filter(|due| due.0 <= end) {
            self.at = self.at.max(due);
            self.feed(Input::Timer);
        }
        self.at = end;
    }

    fn reports(&self) -> Vec<Value> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Report { patch, .. } => Some(patch.clone()),
                _ => None,
            })
            .collect()
    }

    fn tickets(&self) -> Vec<Ticket> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Send { ticket, .. } => Some(*ticket),
                _ => None,
            })
            .collect()
    }

    /// The hub answers every report and acknowledges every message.
    fn settle(&mut self) {
        for output in std::mem::take(&mut self.out) {
            match output {
                Output::Send { ticket, .. } => {
                    self.feed(Input::Written(ticket)).feed(Input::Acknowledged(ticket));
                }
                Output::Report { ticket, .. } => {
                    self.feed(Input::ReportTaken { ticket, version: None });
                }
                Output::Reply { ticket, .. } => {
                    self.feed(Input::Written(ticket));
                }
                _ => {}
            }
        }
        self.out.clear();
    }
}

#[test]
fn it_provisions_connects_reports_its_state_and_sends() {
    let mut bench = Bench::with(options());
    bench.feed(Input::Start);
    assert_eq!(bench.out, [Output::Provision { scope: None }]);
    bench.feed(Input::Assigned(hub()));
    assert_eq!(bench.out[1], Output::Connect(hub()));
    bench.connect();
    let kinds: Vec<_> = bench.out[2..].iter().map(std::mem::discriminant).collect();
    let expected = [
        Output::FetchTwin(Ticket(2)),
        Output::Report { ticket: Ticket(1), patch: json!({"state": "true"}) },
        Output::Send { ticket: Ticket(3), message: Message::of("") },
    ];
    assert_eq!(kinds, expected.each_ref().map(std::mem::discriminant));
    assert_eq!(bench.reports(), [json!({"state": "true"})]);
}

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
fn blink_answers_at_once_and_the_light_blinks() {
    let mut bench = Bench::online();
    let reply = bench.call("blink", json!(5));
    assert_eq!(reply, Reply::ok(json!({"description": "Blinking LED every 5 seconds"})));
    assert_eq!(bench.device.led(), Some(Led::Blinking { since: Millis(0), period: Duration::from_secs(5) }));
    assert_eq!(bench.call("turnon", Value::Null), Reply { status: 200, payload: Value::Null });
    assert_eq!(bench.device.led(), Some(Led::On));
    assert_eq!(bench.call("turnoff", json!("ignored")).status, 200);
    assert_eq!(bench.device.led(), Some(Led::Off));
}

#[test]
fn bad_commands_are_refused_in_the_protocols_words() {
    let mut bench = Bench::online();
    for payload in
        [json!("five"), json!(null), json!(-1), json!(0), json!(1e9), json!([5]), json!({"interval": 5})]
    {
        let reply = bench.call("blink", payload.clone());
        assert_eq!(reply.status, 400, "{payload}");
        assert!(
            reply.payload["error"].as_str().is_some_and(|said| said.starts_with("blink takes")),
            "{reply:?}"
        );
    }
    let reply = bench.call("selfdestruct", Value::Null);
    assert_eq!(
        (reply.status, &reply.payload),
        (404, &json!({"error": "this device has no command `selfdestruct`"}))
    );
    bench.feed(Input::Called(Call { rid: "x".into(), name: "blink".into(), payload: Err("{".into()) }));
    assert!(matches!(bench.out.last(), Some(Output::Reply { reply, .. }) if reply.status == 400));
}

#[test]
fn diagnostics_are_accepted_at_once_and_reported_after_three_steps() {
    let mut bench = Bench::online();
    assert_eq!(bench.call("rundiagnostics", Value::Null), Reply { status: 202, payload: Value::Null });
    bench.run_until(5_999);
    assert!(bench.reports().is_empty());
    assert_eq!(bench.device.jobs()[0].done, 2);
    bench.run_until(6_000);
    assert_eq!(
        bench.reports(),
        [json!({"rundiagnostics": {"value": "Diagnostics run complete at 2030-01-01 00:00:06.000000."}})]
    );
    assert!(bench.device.jobs().is_empty());
}

#[test]
fn nothing_waits_for_running_diagnostics() {
    let mut bench = Bench::online();
    bench.call("rundiagnostics", Value::Null);
    bench.desired(2, json!({"name": "Kitchen"}));
    bench.run_until(1_000);
    assert_eq!(bench.call("blink", json!(1)).status, 200);
    assert_eq!(bench.reports().len(), 1, "the name is acknowledged while diagnostics run");
    bench.run_until(6_000);
    assert_eq!(bench.tickets().len(), 3, "telemetry at 2, 4 and 6 s");
    assert_eq!(bench.call("rundiagnostics", Value::Null).status, 202, "and they can be run again");
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
fn both_conventions_are_acknowledged_after_their_delays_side_by_side() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"name": {"value": "Kitchen"}, "brightness": 3}));
    bench.run_until(999);
    assert!(bench.reports().is_empty());
    bench.run_until(1_000);
    assert_eq!(
        bench.reports(),
        [json!({"name": {"value": "Kitchen", "status": "completed", "desiredVersion": 2}})]
    );
    bench.run_until(5_000);
    assert_eq!(
        bench.reports()[1],
        json!({"brightness": {"value": 3, "ac": 200, "av": 2, "ad": "completed"}})
    );
}

#[test]
fn bad_values_are_refused_and_the_held_value_stays() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"brightness": 2}));
    bench.run_until(5_000);
    bench.settle();
    for (version, bad) in
        (3..).zip([json!(0), json!(4), json!("2"), json!(1.5), json!(null), json!([1]), json!({"x": 1})])
    {
        bench.desired(version, json!({"brightness": bad}));
        bench.run_until(bench.at + 5_000);
        let ack = bench.reports().pop().expect("an acknowledgement")["brightness"].clone();
        assert_eq!(
            (&ack["ac"], &ack["av"], &ack["value"]),
            (&json!(400), &json!(version), &json!(2)),
            "{bad}"
        );
        assert!(ack["ad"].as_str().is_some_and(|said| said.starts_with("brightness takes a whole number")));
        bench.settle();
    }
    assert_eq!(bench.device.properties()[1].value, json!(2));
    assert!(matches!(bench.device.properties()[1].standing, Standing::Refused { version: 9, .. }));
}

#[test]
fn a_bad_value_in_the_convention_of_2020_is_refused_in_its_words() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"name": {"value": 7}}));
    bench.run_until(1_000);
    let ack = bench.reports()[0]["name"].clone();
    assert_eq!(
        (&ack["status"], &ack["statusCode"], &ack["desiredVersion"]),
        (&json!("failed"), &json!(400), &json!(2))
    );
}

#[test]
fn unknown_properties_are_answered_404_and_change_nothing() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"colour": "red", "shape": {"value": 1}, "gone": null, "$metadata": {}}));
    let report = bench.reports()[0].clone();
    assert_eq!((&report["colour"]["ac"], &report["shape"]["statusCode"]), (&json!(404), &json!(404)));
    assert_eq!(report.as_object().unwrap().len(), 2);
}

#[test]
fn several_versions_of_one_property_are_acknowledged_in_order() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"name": "A"}));
    bench.at = 500;
    bench.desired(3, json!({"name": "B"}));
    bench.run_until(1_000);
    assert_eq!(bench.device.properties()[0].standing, Standing::Pending { version: 3 });
    bench.run_until(1_500);
    let versions: Vec<_> = bench.reports().iter().map(|report| report["name"]["av"].clone()).collect();
    assert_eq!(versions, [json!(2), json!(3)]);
    assert_eq!(bench.device.properties()[0].standing, Standing::InStep { version: 3 });
}

#[test]
fn what_was_missed_while_away_is_acknowledged_after_the_twin_has_come() {
    let mut bench = Bench::online();
    bench.lose();
    bench.run_until(2_000);
    bench.connect();
    bench.out.clear();
    bench.twin(json!({"name": "Attic", "brightness": {"value": 1}}), 7, json!({}));
    bench.run_until(bench.at + 5_000);
    assert_eq!(
        bench.reports(),
        [
            json!({"name": {"value": "Attic", "ac": 200, "av": 7, "ad": "completed"}}),
            json!({"brightness": {"value": 1, "status": "completed", "desiredVersion": 7}}),
        ]
    );
}

#[test]
fn what_was_acknowledged_by_an_earlier_run_is_held_and_not_acknowledged_again() {
    let mut bench = Bench::online();
    bench.twin(
        json!({"name": "Attic"}),
        7,
        json!({"name": {"value": "Attic", "ac": 200, "av": 7, "ad": "completed"}}),
    );
    bench.run_until(5_000);
    assert!(bench.reports().is_empty());
    let name = &bench.device.properties()[0];
    assert_eq!((&name.value, &name.standing), (&json!("Attic"), &Standing::InStep { version: 7 }));
}

#[test]
fn a_change_that_is_not_newer_is_ignored_and_a_gap_fetches_the_twin() {
    let mut bench = Bench::online();
    bench.desired(1, json!({"name": "old"}));
    bench.run_until(1_500);
    assert!(bench.reports().is_empty());
    bench.desired(4, json!({"name": "new"}));
    assert!(bench.out.iter().any(|output| matches!(output, Output::FetchTwin(_))));
}

#[test]
fn a_hub_that_was_made_anew_gets_its_properties_acknowledged_anew() {
    let mut bench = Bench::online();
    bench.desired(5, json!({"name": "old hub"}));
    bench.run_until(1_000);
    bench.settle();
    bench.lose();
    bench.run_until(3_000);
    bench.connect();
    bench.out.clear();
    bench.twin(json!({"name": "new hub"}), 2, json!({}));
    bench.run_until(bench.at + 1_000);
    assert_eq!(bench.reports()[0]["name"]["av"], json!(2));
}

#[test]
fn a_twin_made_before_a_change_that_was_heard_is_asked_for_again() {
    let mut bench = Bench::online();
    bench.desired(6, json!({"name": "newer"}));
    bench.out.clear();
    bench.twin(json!({"name": "older"}), 5, json!({}));
    assert!(bench.out.iter().any(|output| matches!(output, Output::FetchTwin(_))));
    assert_eq!(bench.device.properties()[0].desired, Some(json!("newer")));
}

#[test]
fn a_report_whose_answer_does_not_come_goes_out_again() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"name": "A"}));
    bench.run_until(1_000);
    bench.out.clear();
    bench.run_until(21_000);
    assert_eq!(bench.reports().len(), 1);
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
fn a_reply_goes_out_even_when_the_link_is_lost_before_and_only_once() {
    let mut bench = Bench::online();
    bench.call("blink", json!(1));
    let reply = bench.out.last().cloned().expect("a reply");
    bench.lose();
    bench.out.clear();
    bench.run_until(2_000);
    bench.connect();
    assert!(bench.out.contains(&reply));
    let Output::Reply { ticket, .. } = reply else { panic!("a reply") };
    bench.feed(Input::Written(ticket));
    bench.lose();
    bench.out.clear();
    bench.run_until(5_000);
    bench.connect();
    assert!(!bench.out.iter().any(|output| matches!(output, Output::Reply { .. })));
}

#[test]
fn a_lost_link_is_tried_again_with_growing_delays_and_at_once_when_a_person_asks() {
    let mut bench = Bench::online();
    let mut delays = Vec::new();
    for _ in 0..8 {
        bench.lose();
        let Phase::Waiting { until, .. } = *bench.device.phase() else {
            panic!("{:?}", bench.device.phase())
        };
        delays.push(until.0 - bench.at);
        bench.run_until(until.0);
        assert_eq!(*bench.device.phase(), Phase::Connecting(hub()));
    }
    for (n, delay) in delays.iter().enumerate() {
        let most = (1_000u64 << n).min(60_000);
        assert!((most / 2..=most).contains(delay), "attempt {n}: {delay}");
    }
    bench.lose();
    bench.out.clear();
    bench.feed(Input::Start);
    assert_eq!(bench.out, [Output::Connect(hub())]);
}

#[test]
fn a_link_that_is_lost_at_once_each_time_is_tried_ever_more_slowly() {
    let mut bench = Bench::online();
    for attempt in 1..=4 {
        bench.lose();
        let Phase::Waiting { until, attempt: counted, .. } = *bench.device.phase() else { panic!("waiting") };
        assert_eq!(counted, attempt);
        bench.run_until(until.0);
        bench.connect();
        bench.run_until(bench.at + 500);
    }
}

#[test]
fn a_success_resets_the_back_off() {
    let mut bench = Bench::online();
    for _ in 0..5 {
        bench.lose();
        bench.run_until(bench.at + 60_000);
    }
    bench.connect();
    bench.run_until(bench.at + 10_000);
    bench.lose();
    let Phase::Waiting { until, attempt, .. } = bench.device.phase() else { panic!("waiting") };
    assert!(until.0 - bench.at <= 1_000 && *attempt == 1);
}

#[test]
fn the_service_is_left_alone_as_long_as_it_asks() {
    let mut bench = Bench::with(options());
    bench.feed(Input::Start);
    let busy = Failure::new(FailureKind::Unavailable, "busy").after(Some(Duration::from_secs(30)));
    bench.feed(Input::Failed(busy));
    let Phase::Waiting { until, next: None, .. } = bench.device.phase() else {
        panic!("waiting to provision")
    };
    assert_eq!(until.0, 30_000);
}

#[test]
fn the_token_is_renewed_well_before_it_ends_however_short_it_is() {
    for (life, renews) in [(3_600, 3_480), (600, 480), (130, 104), (10, 8), (1, 0)] {
        let mut bench = Bench::online();
        bench.lose();
        bench.run_until(5_000);
        let step = LinkStep::Online { session_present: true, token_life: Duration::from_secs(life) };
        bench.feed(Input::Link(step));
        let Phase::Online { renews: at, .. } = *bench.device.phase() else { panic!("online") };
        assert_eq!((at.0 - 5_000) / 1_000, renews, "{life}");
        bench.out.clear();
        bench.run_until(at.0);
        assert!(bench.out.contains(&Output::Renew(hub())), "{life}");
    }
}

#[test]
fn a_hub_that_refuses_sends_the_device_back_to_provisioning_once() {
    let refuse = || Input::Failed(Failure::new(FailureKind::Unauthorized, "refused"));
    let mut bench = Bench::online();
    bench.lose();
    bench.run_until(2_000);
    bench.feed(refuse());
    assert!(matches!(bench.device.phase(), Phase::Waiting { next: None, .. }));
    bench.run_until(10_000);
    bench.feed(Input::Assigned(hub()));
    bench.feed(refuse());
    assert!(matches!(bench.device.phase(), Phase::Stopped(_)));
}

#[test]
fn a_wrong_key_stops_at_once_where_asking_again_cannot_help() {
    let refuse = || Input::Failed(Failure::new(FailureKind::Unauthorized, "refused"));
    let mut bench = Bench::with(options());
    bench.feed(Input::Start).feed(refuse());
    assert!(bench.device.gave_up().is_some());
    let mut bench = Bench::with(DeviceOptions { direct: Some(hub()), ..options() });
    bench.feed(Input::Start).feed(refuse());
    assert!(bench.device.gave_up().is_some());
}

#[test]
fn a_closed_port_ends_an_unattended_run_that_never_got_through_and_no_other() {
    let closed = || Input::Failed(Failure::new(FailureKind::Unreachable, "nothing listens"));
    let mut alone = Bench::with(DeviceOptions { unattended: true, ..options() });
    alone.feed(Input::Start).feed(closed());
    assert!(alone.device.gave_up().is_some());
    let mut watched = Bench::with(options());
    watched.feed(Input::Start).feed(closed());
    assert!(matches!(watched.device.phase(), Phase::Waiting { .. }));
}

#[test]
fn a_busy_hub_is_reported_to_again() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"name": "A"}));
    bench.run_until(1_000);
    let Some(Output::Report { ticket, .. }) =
        bench.out.iter().find(|o| matches!(o, Output::Report { .. })).cloned()
    else {
        panic!("a report")
    };
    bench.out.clear();
    bench.feed(Input::ReportRefused { ticket, status: 429, message: "slow down".into() });
    bench.run_until(2_000);
    assert_eq!(bench.reports().len(), 1);
    bench.out.clear();
    bench.feed(Input::ReportRefused { ticket, status: 400, message: "no".into() });
    bench.run_until(4_000);
    assert!(bench.reports().is_empty());
    assert!(bench.out.iter().any(|o| matches!(o, Output::Note(n) if n.severity == Severity::Error)));
}

#[test]
fn a_twin_that_does_not_come_is_asked_for_again() {
    let mut bench = Bench::online();
    bench.lose();
    bench.run_until(2_000);
    bench.connect();
    bench.out.clear();
    bench.run_until(bench.at + 21_000);
    assert_eq!(bench.out.iter().filter(|o| matches!(o, Output::FetchTwin(_))).count(), 1);
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

#[test]
fn leaving_sends_what_is_decided_and_says_good_bye() {
    let mut bench = Bench::online();
    bench.feed(Input::Leave);
    assert_eq!(bench.out.last(), Some(&Output::Disconnect));
    bench.feed(Input::Closed);
    assert_eq!(*bench.device.phase(), Phase::Left);
    let mut early = Bench::with(options());
    early.feed(Input::Start).feed(Input::Leave);
    assert_eq!(early.out, [Output::Provision { scope: None }, Output::Abandon]);
    assert_eq!(*early.device.phase(), Phase::Left);
}

mod anything {
    use super::*;
    use proptest::prelude::*;

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("(value|name|brightness|\\$version|[a-z]{1,4})", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::Start),
            Just(Input::Timer),
            Just(Input::Closed),
            Just(Input::Cut),
            Just(Input::Assigned(hub())),
            (0u64..4_000).prop_map(|s| Input::Link(LinkStep::Online {
                session_present: false,
                token_life: Duration::from_secs(s)
            })),
            Just(Input::Failed(Failure::new(FailureKind::Lost, "x"))),
            Just(Input::Failed(Failure::new(FailureKind::Unauthorized, "x"))),
            (any::<u64>(), json_value()).prop_map(|(version, patch)| Input::Desired {
                version,
                patch: patch.as_object().cloned().unwrap_or_default()
            }),
            ("(blink|turnon|rundiagnostics|x)", json_value()).prop_map(|(name, payload)| {
                Input::Called(Call { rid: "1".into(), name, payload: Ok(payload) })
            }),
            (any::<u64>(), json_value(), json_value()).prop_map(|(v, d, r)| Input::Twin(TwinDocument {
                desired: d.as_object().cloned().unwrap_or_default(),
                desired_version: v,
                reported: r.as_object().cloned().unwrap_or_default(),
                reported_version: v
            })),
            (0u64..30).prop_map(|n| Input::Written(Ticket(n))),
            (0u64..30).prop_map(|n| Input::Acknowledged(Ticket(n))),
            (0usize..4, any::<f64>()).prop_map(|(knob, by)| Input::Turn { knob, by }),
            any::<bool>().prop_map(Input::Pause),
            any::<u32>().prop_map(|ms| Input::Period(Duration::from_millis(u64::from(ms)))),
        ]
    }

    proptest! {
        /// Whatever comes in, in whatever order: no panic, every call is answered, counters add up.
        #[test]
        fn no_order_of_inputs_breaks_the_device(inputs in prop::collection::vec((0u64..5_000, input()), 0..60)) {
            let mut bench = Bench::with(options());
            let mut calls = 0;
            for (passes, input) in inputs {
                bench.at += passes;
                calls += usize::from(matches!(input, Input::Called(_)));
                bench.feed(input);
            }
            let counters = bench.device.counters();
            prop_assert!(counters.sent <= counters.made && counters.acknowledged <= counters.made);
            // Bring it online, and every reply that is not written goes out.
            bench.feed(Input::Start).feed(Input::Assigned(hub()));
            bench.connect();
            let answered: std::collections::HashSet<_> = bench.out.iter().filter_map(|output| match output {
                Output::Reply { ticket, .. } => Some(*ticket),
                _ => None,
            }).collect();
            if bench.device.phase().is_online() {
                prop_assert!(answered.len() <= calls);
            }
        }
    }
}
