//! Any inputs in any order.

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
