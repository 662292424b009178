//! Orders that come at the wrong moment, or make no sense, and leaving on the way.

use super::*;

#[test]
fn orders_that_make_no_sense_are_refused() {
    let mut bench = Bench::new(false, false);
    for payload in
        [json!(""), json!("not a scope"), json!("0ne_1"), json!(null), json!({"idScope": "0neA"}), json!(5)]
    {
        let reply = bench.order(payload.clone());
        assert_eq!(reply.status, 400, "{payload}: {reply:?}");
    }
    assert!(bench.device.phase().is_online() && bench.device.jobs().is_empty());
    let mut straight = Bench::new(true, false);
    let reply = straight.order(json!("0neNEW"));
    assert_eq!(reply.status, 409);
    assert!(reply.payload["error"].as_str().is_some_and(|said| said.contains("straight to its hub")));
    assert!(straight.device.phase().is_online());
}

#[test]
fn an_order_that_comes_while_it_moves_is_refused_and_changes_nothing() {
    let mut bench = Bench::moving("0neNEW");
    bench.feed(Input::Assigned(hub("new.example")));
    // Written by the old hub, read after its good-bye.
    bench.feed(Input::Called(Call {
        rid: "r2".into(),
        name: "DeviceMove".into(),
        payload: Ok(json!("0neOTHER")),
    }));
    assert!(course(&bench.out).iter().all(|output| *output != to("0neOTHER")));
    bench.online();
    assert!(bench.outcome().starts_with("Moved to the ID scope 0neNEW"));
}

#[test]
fn a_move_that_cannot_begin_is_told_to_its_profile() {
    let mut bench = Bench::new(false, false);
    bench.fail(FailureKind::Lost);
    // Read from the socket before it broke.
    bench.order_unheard("0neNEW");
    assert!(bench.device.jobs().is_empty());
    bench.run_until(10_000);
    bench.online();
    assert!(bench.outcome().contains("the device is not online"), "{}", bench.outcome());
}

#[test]
fn leaving_in_the_middle_gives_up_everything() {
    let mut bench = Bench::moving("0neNEW");
    bench.out.clear();
    bench.feed(Input::Leave);
    assert_eq!(course(&bench.out), [Output::Abandon]);
    assert_eq!(*bench.device.phase(), Phase::Left);
    bench.fail(FailureKind::Rejected).feed(Input::Assigned(hub("new.example")));
    bench.run_until(60_000);
    assert_eq!(course(&bench.out), [Output::Abandon], "nothing brings it back");
    let mut early = Bench::new(false, false);
    early.order(json!("0neNEW"));
    early.feed(Input::Leave).feed(Input::Closed);
    assert_eq!(*early.device.phase(), Phase::Left);
}
