//! A new scope, or its hub, that does not want the device: the way back.

use super::*;

#[test]
fn a_scope_that_does_not_want_it_is_left_at_once() {
    let kinds = [
        FailureKind::Rejected,
        FailureKind::Unauthorized,
        FailureKind::Disabled,
        FailureKind::Unresolved,
        FailureKind::Unreachable,
        FailureKind::Untrusted,
        FailureKind::Protocol,
    ];
    for unattended in [false, true] {
        for kind in kinds {
            let mut bench = Bench::new(false, unattended);
            bench.leave_for("0neNEW");
            bench.out.clear();
            bench.fail(kind);
            assert_eq!(course(&bench.out), [HOME], "{kind:?}");
            assert!(bench.device.gave_up().is_none(), "{kind:?}");
            bench.arrive("old.example");
            assert_eq!(
                bench.outcome(),
                "Not moved to the ID scope 0neNEW, back at 2030-01-01 00:00:01.000000: no."
            );
            assert_eq!(bench.messages(), 1, "and telemetry goes on");
            assert!(
                bench.reports().iter().all(|patch| patch.get("state").is_none()),
                "nothing is begun anew"
            );
            assert!(bench.device.jobs().is_empty());
        }
    }
}

#[test]
fn a_busy_service_is_tried_three_times() {
    for kind in [FailureKind::Unavailable, FailureKind::TimedOut] {
        let mut bench = Bench::moving("0neNEW");
        for _ in 0..2 {
            bench.out.clear();
            bench.fail(kind);
            let Phase::Waiting { until, next: None, .. } = *bench.device.phase() else { panic!("waiting") };
            bench.run_until(until.0);
            assert_eq!(course(&bench.out), [to("0neNEW")]);
        }
        bench.out.clear();
        bench.fail(kind);
        assert_eq!(course(&bench.out), [HOME]);
    }
}

#[test]
fn the_way_back_waits_as_long_as_the_service_asks() {
    let mut bench = Bench::moving("0neNEW");
    bench.out.clear();
    let busy = failure(FailureKind::Rejected).after(Some(Duration::from_secs(30)));
    bench.feed(Input::Failed(busy));
    bench.run_until(30_999);
    assert_eq!(course(&bench.out), []);
    bench.run_until(31_000);
    assert_eq!(course(&bench.out), [HOME]);
}

#[test]
fn a_hub_of_the_new_scope_that_does_not_want_it_sends_it_back() {
    for kind in [FailureKind::Unauthorized, FailureKind::Unreachable, FailureKind::Rejected] {
        let mut bench = Bench::moving("0neNEW");
        bench.feed(Input::Assigned(hub("new.example")));
        bench.out.clear();
        bench.fail(kind);
        assert_eq!(course(&bench.out), [HOME], "{kind:?}");
    }
    let mut bench = Bench::moving("0neNEW");
    bench.feed(Input::Assigned(hub("new.example")));
    for _ in 0..2 {
        bench.out.clear();
        bench.fail(FailureKind::Lost);
        let Phase::Waiting { until, .. } = *bench.device.phase() else { panic!("waiting") };
        bench.run_until(until.0);
        assert_eq!(course(&bench.out), [Output::Connect(hub("new.example"))]);
    }
    bench.out.clear();
    bench.fail(FailureKind::Lost);
    assert_eq!(course(&bench.out), [HOME]);
}

#[test]
fn the_way_back_follows_the_ordinary_rules() {
    let mut bench = Bench::new(false, true);
    bench.leave_for("0neNEW");
    bench.fail(FailureKind::Rejected);
    for _ in 0..5 {
        bench.out.clear();
        bench.fail(FailureKind::Unreachable);
        let Phase::Waiting { until, .. } = *bench.device.phase() else { panic!("waiting") };
        bench.run_until(until.0);
        assert_eq!(course(&bench.out), [HOME]);
    }
    bench.fail(FailureKind::Disabled);
    assert!(bench.device.gave_up().is_some());
    // Switched on again by a person, it tells what became of the move.
    bench.out.clear();
    bench.feed(Input::Start);
    bench.arrive("old.example");
    assert!(bench.outcome().starts_with("Not moved to the ID scope 0neNEW"));
}
