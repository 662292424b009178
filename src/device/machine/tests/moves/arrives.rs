//! A move that succeeds: in which order, what comes along, and what stays behind.

use super::*;

#[test]
fn the_reply_and_what_was_decided_go_out_then_the_link_closes_then_the_new_scope_is_asked() {
    let mut bench = Bench::new(false, false);
    bench.run_until(1_999);
    bench.at = 2_000;
    assert_eq!(bench.order(json!("0neNEW")), Reply::accepted());
    let kinds: Vec<_> = bench.out.iter().filter(|output| !matches!(output, Output::Note(_))).collect();
    assert!(
        matches!(
            kinds[..],
            [Output::Reply { .. }, Output::Send { .. }, Output::Disconnect, Output::Provision { .. }]
        ),
        "{kinds:?}"
    );
    assert_eq!(course(&bench.out), [Output::Disconnect, to("0neNEW")]);
    let job = &bench.device.jobs()[0];
    assert_eq!((job.command, job.until), ("DeviceMove", None));
}

#[test]
fn telemetry_stops_while_it_moves_whatever_a_person_does() {
    let mut bench = Bench::moving("0neNEW");
    let made = bench.device.counters().made;
    bench.feed(Input::Pause(true)).feed(Input::Pause(false)).feed(Input::Period(Duration::from_millis(100)));
    bench.run_until(60_000);
    assert_eq!(bench.device.counters().made, made);
    bench.arrive("new.example");
    assert_eq!(bench.messages(), 1, "and goes on at once");
    bench.run_until(61_000);
    assert_eq!(bench.messages(), 11);
}

#[test]
fn a_paused_device_arrives_paused() {
    let mut bench = Bench::moving("0neNEW");
    bench.feed(Input::Pause(true));
    bench.arrive("new.example");
    bench.run_until(60_000);
    assert_eq!(bench.messages(), 0);
}

#[test]
fn it_arrives_as_in_another_application() {
    let mut bench = Bench::moving("0neNEW");
    bench.at = 3_000;
    bench.arrive("new.example");
    assert_eq!(course(&bench.out), [Output::Connect(hub("new.example"))]);
    assert_eq!(
        bench.reports(),
        [
            json!({"state": "true"}),
            json!({"DeviceMove": {
                "value": "Moved to the ID scope 0neNEW at 2030-01-01 00:00:03.000000.", "status": "completed"
            }}),
        ]
    );
    assert!(bench.device.jobs().is_empty());
    assert!(bench.device.twin().is_none());
    assert_eq!(bench.device.properties()[0].standing, Standing::Unset);
    bench.out.clear();
    // The same version as in the old application, which it has acknowledged there.
    bench.twin(json!({"name": "Attic"}), 1, json!({}));
    bench.run_until(4_000);
    assert_eq!(bench.reports(), [json!({"name": {"value": "Attic", "ac": 200, "av": 1, "ad": "completed"}})]);
}

#[test]
fn what_the_new_application_was_told_before_is_what_the_device_holds() {
    let mut bench = Bench::moving("0neNEW");
    bench.arrive("new.example");
    bench.out.clear();
    let told = json!({"name": {"value": "Attic", "ac": 200, "av": 4, "ad": "completed"}});
    bench.twin(json!({"name": "Attic"}), 4, told);
    bench.run_until(5_000);
    assert!(bench.reports().is_empty());
    let name = &bench.device.properties()[0];
    assert_eq!((&name.value, &name.standing), (&json!("Attic"), &Standing::InStep { version: 4 }));
}

#[test]
fn what_the_old_application_still_waits_for_is_not_told_to_the_new_one() {
    let mut bench = Bench::new(false, false);
    bench.feed(Input::Desired { version: 2, patch: json!({"brightness": 2}).as_object().cloned().unwrap() });
    assert_eq!(bench.order(json!("0neNEW")), Reply::accepted());
    // Lost before the reply was written: there is nobody to give it to any more.
    bench.feed(Input::Closed);
    bench.out.clear();
    bench.run_until(2_000);
    bench.arrive("new.example");
    bench.twin(json!({}), 1, json!({}));
    bench.run_until(30_000);
    assert!(!bench.out.iter().any(|output| matches!(output, Output::Reply { .. })));
    assert!(bench.reports().iter().all(|patch| patch.get("brightness").is_none()), "{:?}", bench.reports());
}

#[test]
fn what_the_old_application_waits_for_is_told_when_the_device_returns() {
    let mut bench = Bench::new(false, false);
    bench.feed(Input::Desired { version: 2, patch: json!({"brightness": 2}).as_object().cloned().unwrap() });
    bench.leave_for("0neNEW");
    bench.fail(FailureKind::Rejected);
    bench.run_until(10_000);
    bench.arrive("old.example");
    let told = bench.reports();
    assert!(told.iter().any(|patch| patch["brightness"]["av"] == 2), "{told:?}");
    assert!(bench.device.twin().is_some());
}

#[test]
fn a_link_that_breaks_while_it_is_closed_says_nothing_about_the_new_scope() {
    let mut bench = Bench::new(false, false);
    bench.order(json!("0neNEW"));
    bench.out.clear();
    bench.fail(FailureKind::Lost);
    assert_eq!(*bench.device.phase(), Phase::Provisioning);
    bench.run_until(60_000);
    assert_eq!(course(&bench.out), [], "the service is being asked already");
    bench.arrive("new.example");
    assert!(bench.outcome().starts_with("Moved to"));
}

#[test]
fn the_old_link_s_good_bye_may_come_late() {
    let mut bench = Bench::new(false, false);
    bench.order(json!("0neNEW"));
    bench.feed(Input::Assigned(hub("new.example"))).feed(Input::Closed);
    assert_eq!(*bench.device.phase(), Phase::Connecting(hub("new.example")));
    bench.online();
    assert!(bench.outcome().starts_with("Moved to"));
}

#[test]
fn it_moves_on_from_there_and_returns_there() {
    let mut bench = Bench::moving("0neNEW");
    bench.arrive("new.example");
    bench.settle();
    bench.leave_for("0neTHIRD");
    bench.out.clear();
    bench.fail(FailureKind::Unauthorized);
    assert_eq!(course(&bench.out), [to("0neNEW")]);
    bench.arrive("new.example");
    bench.settle();
    bench.leave_for("0neTHIRD");
    bench.arrive("third.example");
    assert!(bench.outcome().starts_with("Moved to the ID scope 0neTHIRD"));
    // From now on, that is where it belongs.
    bench.settle();
    bench.fail(FailureKind::Lost);
    bench.run_until(bench.at + 5_000);
    bench.out.clear();
    bench.fail(FailureKind::Unauthorized);
    bench.run_until(bench.at + 60_000);
    assert_eq!(course(&bench.out)[0], to("0neTHIRD"));
}
