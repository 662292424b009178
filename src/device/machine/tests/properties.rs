//! Desired properties, acknowledgements, the twin.

use super::*;

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
    assert_eq!(bench.reports()[1]["name"]["av"], json!(2));
}

#[test]
fn a_twin_that_was_made_anew_is_begun_with_again() {
    // Whichever of its two versions gives it away.
    for (desired, reported) in [(1, 1), (3, 1), (1, 9)] {
        let mut bench = Bench::online();
        bench.desired(2, json!({"brightness": 2}));
        bench.run_until(5_000);
        bench.settle();
        let known = bench.device.twin().expect("a twin").clone();
        assert_eq!(known.desired_version, 2);
        assert!(known.reported_version > 1, "it has reported");
        bench.lose();
        bench.run_until(7_000);
        bench.connect();
        bench.out.clear();
        let reported_version = reported;
        let brightness = json!({"brightness": 3}).as_object().expect("an object").clone();
        bench.feed(Input::Twin(TwinDocument {
            desired: brightness,
            desired_version: desired,
            reported_version,
            ..TwinDocument::default()
        }));
        bench.run_until(bench.at + 5_000);
        assert_eq!(bench.reports()[0], json!({"state": "true"}), "{desired}, {reported}");
        assert_eq!(bench.reports()[1]["brightness"]["av"], json!(desired), "{desired}, {reported}");
    }
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
fn a_hub_that_stays_busy_is_reported_to_ever_more_slowly() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"name": "A"}));
    bench.run_until(1_000);
    let (mut asked, mut refused) = (0, Vec::new());
    while bench.at < 600_000 {
        for output in std::mem::take(&mut bench.out) {
            match output {
                Output::Report { ticket, .. } => refused.push(ticket),
                other => answers(other).into_iter().for_each(|input| {
                    bench.feed(input);
                }),
            }
        }
        for ticket in refused.drain(..) {
            asked += 1;
            bench.feed(Input::ReportRefused { ticket, status: 429, message: "slow down".into() });
        }
        let next = bench.device.next_due().expect("telemetry, at the least");
        bench.run_until(next.0.min(600_000));
    }
    // 1, 2, 4 … 32 s, then a minute each, with up to half of it taken off.
    assert!((12..=26).contains(&asked), "{asked} in ten minutes");
}

#[test]
fn an_acknowledgement_deletes_the_words_of_one_that_the_hub_has_not_answered_yet() {
    let mut bench = Bench::online();
    bench.desired(2, json!({"name": {"value": "old words"}}));
    bench.run_until(1_000);
    bench.desired(3, json!({"name": "new words"}));
    bench.run_until(2_000);
    let reports = bench.reports();
    assert_eq!(reports[0]["name"]["status"], "completed");
    let name = json!({"value": "new words", "ac": 200, "av": 3, "ad": "completed",
        "status": null, "desiredVersion": null});
    assert_eq!(reports[1], json!({ "name": name }));
}

#[test]
fn a_twin_that_the_hub_refuses_is_asked_for_again_once() {
    let mut bench = Bench::online();
    bench.lose();
    bench.run_until(2_000);
    bench.connect();
    bench.run_until(bench.at + 15_000);
    bench.feed(Input::TwinRefused { status: 500, message: "no".into() });
    bench.out.clear();
    let fetches = |bench: &Bench| bench.out.iter().filter(|o| matches!(o, Output::FetchTwin(_))).count();
    bench.run_until(bench.at + 19_999);
    assert_eq!(fetches(&bench), 0, "it counts from the refusal");
    bench.run_until(bench.at + 1);
    assert_eq!(fetches(&bench), 1);
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
