//! How the device comes online, stays there and leaves.

use super::*;

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
