//! What waits, for how long, and in which order it goes.

use super::*;

#[test]
fn a_module_that_was_away_has_all_later_in_order_and_the_urgent_first() {
    let mut core = with_routes(&json!({
        "calm": "FROM /messages/* WHERE NOT urgent = 'yes' INTO BrokeredEndpoint(\"/modules/other/inputs/i\")",
        "plain": {"route": "FROM /messages/modules/filterModule/* INTO BrokeredEndpoint(\"/modules/other/inputs/i\")", "priority": 9},
        "urgent": {"route": "FROM /messages/* WHERE urgent = 'yes' INTO BrokeredEndpoint(\"/modules/other/inputs/i\")", "priority": 0},
    }));
    for (bag, body) in [("urgent=no", "1"), ("urgent=no", "2"), ("urgent=yes", "3"), ("urgent=yes", "4")] {
        assert_eq!(send(&mut core, 1, "tempSensor", bag, body), []);
    }
    send(&mut core, 1, "filterModule", "urgent=no", "5");
    assert_eq!(account(&core, "urgent"), (0, 2, 0, 0));
    // Connected is not subscribed.
    let connection = core.connect(now(2), &address("other"), false, None, &mut Vec::new()).connection;
    let mut out = Vec::new();
    core.subscribe(now(3), connection, &filter::inputs("edge", "other")[1], 1, &mut out);
    assert_eq!(bodies(&out), ["3", "4", "5", "1", "2"]);
    core.disconnected(now(4), connection);
    // Nothing was acknowledged: it has all of it again, in the same order, and unasked.
    let mut out = Vec::new();
    core.connect(now(5), &address("other"), false, None, &mut out);
    assert_eq!(bodies(&out), ["3", "4", "5", "1", "2"]);
    for (_, _, lock) in handed(&out) {
        settle(&mut core, 6, "other", lock);
    }
    assert_eq!(account(&core, "urgent"), (2, 0, 0, 0));
}

#[test]
fn a_module_holds_sixteen_at_most_and_has_them_again_in_order_when_it_is_silent() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    let (_, _) = listening(&mut core, 0, "filterModule", 1);
    let mut out = Vec::new();
    for n in 0..IN_FLIGHT + 4 {
        out.extend(measure(&mut core, 1, &n.to_string()));
    }
    let first = handed(&out);
    assert_eq!(first.len(), IN_FLIGHT);
    let out = settle(&mut core, 2, "filterModule", first[1].2);
    assert_eq!(bodies(&out), ["16"]);
    assert!(core.settle_routed(now(2), &address("filterModule"), first[1].2, &mut Vec::new()).is_err());
    assert!(core.settle_routed(now(2), &address("other"), first[0].2, &mut Vec::new()).is_err());
    let due = core.next_due().expect("a lock that ends");
    assert_eq!(due, now(1).at + LOCK);
    let out = tick(&mut core, due.0);
    let expected: Vec<_> = std::iter::once(0).chain(2..=16).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&out), expected);
    // An acknowledgement of the delivery before is one of the message.
    assert_eq!(bodies(&settle(&mut core, due.0 + 1, "filterModule", first[0].2)), ["17"]);
}

#[test]
fn messages_expire_by_their_route_s_time_to_live_but_not_in_a_module_s_hands() {
    let mut core = core();
    let short = json!({"route": TO_FILTER, "timeToLiveSecs": 10});
    let other = "FROM /messages/* INTO BrokeredEndpoint(\"/modules/other/inputs/i\")";
    let store = json!({"timeToLiveSecs": 100});
    desire(
        &mut core,
        0,
        &json!({"routes": {"short": short, "long": other}, "storeAndForwardConfiguration": store}),
    );
    measure(&mut core, 0, "1");
    assert_eq!(core.next_due(), Some(Millis(10_000)));
    tick(&mut core, 9_999);
    assert_eq!(account(&core, "short"), (0, 1, 0, 0));
    tick(&mut core, 10_000);
    assert_eq!(account(&core, "short"), (0, 0, 1, 0));
    assert_eq!(listening(&mut core, 10_001, "filterModule", 1).1, []);
    tick(&mut core, 100_000);
    assert_eq!(account(&core, "long"), (0, 0, 1, 0));
    // Handed over in time, and given back when it is over.
    let out = measure(&mut core, 200_000, "2");
    assert_eq!(bodies(&out), ["2"]);
    tick(&mut core, 210_000);
    assert_eq!(account(&core, "short"), (0, 1, 1, 0));
    let due = 200_000 + u64::try_from(LOCK.as_millis()).expect("short");
    assert_eq!(bodies(&tick(&mut core, due)), Vec::<String>::new());
    assert_eq!(account(&core, "short"), (0, 0, 2, 0));
    tick(&mut core, 400_000);
    assert_eq!(core.next_due(), None, "nothing is left behind");
}

#[test]
fn a_full_queue_drops_the_newest_of_its_route_and_counts_it() {
    let input = |name: &str| {
        format!("FROM /messages/modules/{name}/* INTO BrokeredEndpoint(\"/modules/other/inputs/i\")")
    };
    let mut core = with_routes(&json!({"a": input("tempSensor"), "b": input("filterModule")}));
    for n in 0..MESSAGES + 2 {
        send(&mut core, 1, "tempSensor", "", &n.to_string());
    }
    assert_eq!(account(&core, "a"), (0, MESSAGES, 0, 2));
    let large = "x".repeat(200_000);
    for _ in 0..BYTES / large.len() + 3 {
        send(&mut core, 1, "filterModule", "", &large);
    }
    let (_, queued, _, dropped) = account(&core, "b");
    assert_eq!(
        (queued, dropped),
        (BYTES / (large.len() + OVERHEAD), 3),
        "one route does not take another's room"
    );
    let (_, out) = listening(&mut core, 2, "other", 1);
    assert_eq!(bodies(&out)[0], "0", "the oldest stay");
}

#[test]
fn properties_that_no_topic_could_carry_are_dropped_before_they_wait() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    send(&mut core, 1, "tempSensor", &format!("%24.on=temperatureOutput&a={}", "'".repeat(25_000)), "");
    assert_eq!(account(&core, "in"), (0, 0, 0, 1));
    send(&mut core, 1, "tempSensor", &format!("%24.on=temperatureOutput&a={}", "a".repeat(25_000)), "");
    assert_eq!(account(&core, "in"), (0, 1, 0, 1));
}

#[test]
fn with_quality_0_a_message_has_passed_when_it_was_written() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    listening(&mut core, 1, "filterModule", 0);
    let out = measure(&mut core, 2, "1");
    assert!(matches!(out.as_slice(), [Output::Deliver(_, Delivery::Routed { quality: 0, .. })]), "{out:?}");
}

#[test]
fn a_throttled_hub_is_asked_again_and_the_urgent_goes_first() {
    let up = |word: &str| format!("FROM /messages/* WHERE urgent = '{word}' INTO $upstream");
    let mut core = with_routes(&json!({"calm": up("no"), "urgent": {"route": up("yes"), "priority": 0}}));
    core.set_quota(Some(Quota::new(Sku::F1, 1)));
    let mut sent = 0;
    while account(&core, "calm").1 == 0 {
        send(&mut core, 1, "tempSensor", "urgent=no", "1");
        sent += 1;
        assert!(sent < 10_000, "no limit is ever reached");
    }
    send(&mut core, 1, "tempSensor", "urgent=yes", "2");
    assert_eq!(account(&core, "urgent"), (0, 1, 0, 0));
    let mut at = 1;
    while account(&core, "urgent").1 + account(&core, "calm").1 > 0 {
        at = core.next_due().expect("to be asked again").0;
        tick(&mut core, at);
        assert!(at < 60_000, "it is never taken");
    }
    let seen = upstream(&core);
    assert_eq!(seen.len(), sent + 1);
    assert_eq!(seen[sent - 1].1, json!(2), "it came last and went before the one that waited");
    assert!(at >= 1000);
}

#[test]
fn a_module_that_is_made_anew_under_its_name_gets_nothing_of_the_old_one() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    let (_, _) = listening(&mut core, 1, "filterModule", 1);
    assert_eq!(bodies(&measure(&mut core, 2, "held")), ["held"]);
    core.delete(&address("filterModule"), &Precondition::Any, &mut Vec::new()).expect("deleted");
    assert_eq!(account(&core, "in"), (0, 0, 0, 1));
    core.create(now(3), Spec::plain(address("filterModule"))).expect("created");
    assert_eq!(listening(&mut core, 4, "filterModule", 1).1, []);
    assert_eq!(bodies(&measure(&mut core, 5, "new")), ["new"]);
}
