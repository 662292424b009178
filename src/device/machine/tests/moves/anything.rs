//! Moves in whatever order things happen.

use proptest::prelude::*;

use super::*;

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
