//! Any inputs in any order.

use super::*;
use crate::profiles::reboot::Reboot;
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
        ("(blink|turnon|rundiagnostics|rebootDevice|rebootDevice|x)", json_value()).prop_map(
            |(name, payload)| { Input::Called(Call { rid: "1".into(), name, payload: Ok(payload) }) }
        ),
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

/// The inputs that speak of something handed out make sense only for that.
fn makes_sense(bench: &Bench, input: &Input) -> bool {
    let (Input::Written(spoken_of) | Input::Acknowledged(spoken_of)) = input else { return true };
    bench.out.iter().any(|output| match output {
        Output::Send { ticket, .. } | Output::Reply { ticket, .. } => ticket == spoken_of,
        _ => false,
    })
}

proptest! {
    /// Whatever comes in, in whatever order: no panic, every call is answered once, counters add up.
    #[test]
    fn no_order_of_inputs_breaks_the_device(
        link in any::<bool>(),
        inputs in prop::collection::vec((0u64..5_000, input()), 0..60),
    ) {
        let style = if link { RestartStyle::Link } else { RestartStyle::Held };
        let mut bench = Bench::with(DeviceOptions { restarts: style, ..options() });
        bench.device.profiles.push(Box::new(Reboot::default()));
        let mut calls = Vec::new();
        for (passes, mut input) in inputs {
            bench.at += passes;
            if let Input::Called(call) = &mut input {
                call.rid = calls.len().to_string();
                calls.push(call.rid.clone());
            }
            if makes_sense(&bench, &input) {
                bench.feed(input);
            }
        }
        let counters = bench.device.counters();
        prop_assert!(counters.sent <= counters.made && counters.acknowledged <= counters.made);
        // Bring it online and let it finish its restart: whatever is not written goes out then.
        for _ in 0..2 {
            bench.feed(Input::Start).feed(Input::Assigned(hub()));
            bench.connect();
            bench.run_until(bench.at + 21_000);
        }
        prop_assert!(bench.device.phase().is_online() && bench.device.away().is_none());
        let answers: std::collections::BTreeSet<_> = bench.out.iter().filter_map(|output| match output {
            Output::Reply { ticket, rid, .. } => Some((rid.clone(), *ticket)),
            _ => None,
        }).collect();
        let mut answered: Vec<_> = answers.into_iter().map(|(rid, _)| rid).collect();
        answered.sort_unstable();
        calls.sort_unstable();
        prop_assert_eq!(answered, calls);
    }
}
