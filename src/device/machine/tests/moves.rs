//! Scripts for moves from one ID scope to another: inputs with times, outputs compared.

use serde_json::json;

use crate::device::machine::*;
use crate::device::{Call, FailureKind};
use crate::profiles::environment::Environment;

struct Bench {
    device: Device,
    at: u64,
    out: Vec<Output>,
}

fn hub(name: &str) -> Assignment {
    Assignment { hub: name.parse().expect("a host"), device_id: "d1".parse().expect("an id") }
}

fn scope(text: &str) -> IdScope {
    text.parse().expect("an ID scope")
}

fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "no")
}

/// What is asked of the link besides messages, reports, replies and notes.
fn course(out: &[Output]) -> Vec<Output> {
    let course = |output: &&Output| {
        matches!(output, Output::Disconnect | Output::Abandon | Output::Provision { .. } | Output::Connect(_))
    };
    out.iter().filter(course).cloned().collect()
}

fn to(name: &str) -> Output {
    Output::Provision { scope: Some(scope(name)) }
}

const HOME: Output = Output::Provision { scope: None };

impl Bench {
    fn new(direct: bool, unattended: bool) -> Self {
        let options = DeviceOptions {
            direct: direct.then(|| hub("old.example")),
            period: Duration::from_secs(2),
            seed: 1,
            restarts: RestartStyle::Held,
            scale: TimeScale::ONE,
            zone: TimeZone::UTC,
            unattended,
        };
        let device = Device::new(options, vec![Box::new(Environment::new(1))]);
        let mut bench = Self { device, at: 0, out: Vec::new() };
        bench.feed(Input::Start);
        if !direct {
            bench.feed(Input::Assigned(hub("old.example")));
        }
        bench.online();
        bench.twin(json!({"name": "Kitchen"}), 1, json!({}));
        bench.run_until(1_000);
        bench.settle();
        bench
    }

    fn feed(&mut self, input: Input) -> &mut Self {
        let wall =
            jiff::Timestamp::from_millisecond(1_893_456_000_000 + i64::try_from(self.at).unwrap()).unwrap();
        self.device.handle(Now { at: Millis(self.at), wall }, input, &mut self.out);
        self
    }

    fn fail(&mut self, kind: FailureKind) -> &mut Self {
        self.feed(Input::Failed(failure(kind)))
    }

    fn online(&mut self) {
        let step = LinkStep::Online { session_present: false, token_life: Duration::from_secs(3_600) };
        self.feed(Input::Link(step));
    }

    fn twin(&mut self, desired: Value, version: u64, reported: Value) {
        let (Value::Object(desired), Value::Object(reported)) = (desired, reported) else {
            panic!("objects")
        };
        let document = TwinDocument { desired, desired_version: version, reported, reported_version: 1 };
        self.feed(Input::Twin(document));
    }

    fn order(&mut self, payload: Value) -> Reply {
        self.feed(Input::Called(Call { rid: "r".into(), name: "DeviceMove".into(), payload: Ok(payload) }));
        let reply = self.out.iter().rev().find_map(|output| match output {
            Output::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        reply.expect("a reply")
    }

    /// Ordered away to `name`, its old link closed.
    fn moving(name: &str) -> Self {
        let mut bench = Self::new(false, false);
        bench.leave_for(name);
        bench
    }

    fn leave_for(&mut self, name: &str) {
        assert_eq!(self.order(json!(name)), Reply::accepted());
        self.settle();
        self.feed(Input::Closed);
    }

    fn arrive(&mut self, name: &str) {
        self.feed(Input::Assigned(hub(name)));
        self.online();
    }

    fn run_until(&mut self, end: u64) {
        while let Some(Millis(due)) = self.device.next_due().filter(|due| due.0 <= end) {
            self.at = self.at.max(due);
            self.feed(Input::Timer);
        }
        self.at = end;
    }

    fn reports(&self) -> Vec<Value> {
        let patch = |output: &Output| match output {
            Output::Report { patch, .. } => Some(patch.clone()),
            _ => None,
        };
        self.out.iter().filter_map(patch).collect()
    }

    fn messages(&self) -> usize {
        self.out.iter().filter(|output| matches!(output, Output::Send { .. })).count()
    }

    fn outcome(&self) -> String {
        let said =
            self.reports().iter().find_map(|patch| patch["DeviceMove"]["value"].as_str().map(str::to_owned));
        said.expect("an outcome")
    }

    /// Everything handed out is written and answered.
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

impl Bench {
    fn order_unheard(&mut self, name: &str) {
        let call = Call { rid: "r".into(), name: "DeviceMove".into(), payload: Ok(json!(name)) };
        self.feed(Input::Called(call));
    }
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

mod anything {
    use super::*;
    use proptest::prelude::*;

    fn input() -> impl Strategy<Value = Input> {
        let kinds = [
            FailureKind::Rejected,
            FailureKind::Unauthorized,
            FailureKind::Unavailable,
            FailureKind::Unreachable,
            FailureKind::Lost,
        ];
        let step = LinkStep::Online { session_present: false, token_life: Duration::from_secs(3_600) };
        prop_oneof![
            3 => "0ne[AB]".prop_map(|to| Input::Called(Call {
                rid: "r".into(),
                name: "DeviceMove".into(),
                payload: Ok(json!(to))
            })),
            3 => Just(Input::Link(step)),
            2 => Just(Input::Assigned(hub("some.example"))),
            2 => prop::sample::select(kinds.to_vec()).prop_map(|kind| Input::Failed(failure(kind))),
            1 => Just(Input::Closed),
            1 => Just(Input::Start),
            1 => Just(Input::Timer),
            1 => any::<bool>().prop_map(Input::Pause),
        ]
    }

    proptest! {
        /// Whatever comes in, in whatever order: nothing is sampled on the way, and a device that
        /// is online is not on the way any more, nor does its profile believe so.
        #[test]
        fn no_order_of_inputs_leaves_a_move_hanging(
            inputs in prop::collection::vec((0u64..5_000, input()), 0..40)
        ) {
            let mut bench = Bench::new(false, false);
            for (passes, input) in inputs {
                let (moving, made) = (bench.device.moving.is_some(), bench.device.counters().made);
                bench.run_until(bench.at + passes);
                if moving {
                    prop_assert_eq!(bench.device.counters().made, made);
                }
                bench.feed(input);
                let believes = !bench.device.jobs().is_empty();
                prop_assert_eq!(bench.device.moving.is_some(), believes);
                prop_assert!(!(bench.device.phase().is_online() && believes));
            }
        }
    }
}
