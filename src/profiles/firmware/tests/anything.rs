//! Anything in any order: orders stay in their order, and the next update is always possible.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::{Bench, URI, failed, fetched};
use crate::device::{ImageNews, ImageOrder, RestartStyle};

/// One thing that happens: to this update, to one before, or to one that never was.
fn happen(bench: &mut Bench, rng: &mut ChaCha8Rng) {
    let latest = bench.asked;
    let run = [latest, latest, latest, latest.saturating_sub(1), latest + 1][rng.random_range(0..5)];
    match rng.random_range(0..14) {
        // Nobody can be asked who is not there.
        0 | 1 if !bench.device.phase().is_online() => {}
        0 => {
            let _ = bench.ask(json!({"fwPackageUri": URI, "version": "1.1.0"}));
        }
        1 => {
            let _ = bench.ask(json!({"fwPackageUri": "test.com"}));
        }
        2 => bench.news(ImageNews::Progress { run, received: rng.random_range(0..9), total: Some(4) }),
        3 => bench.news(ImageNews::Interrupted { run, reason: "again".to_owned() }),
        4 | 5 => bench.news(fetched(run)),
        6 | 7 => bench.news(ImageNews::Placed { run }),
        8 => bench.news(ImageNews::Confirmed { run }),
        9 => bench.news(ImageNews::RolledBack { run, version: "1.0.0".to_owned() }),
        10 => bench.news(failed(run)),
        11 => {
            let on_trial = rng.random_ratio(1, 4);
            bench.news(ImageNews::Installed { version: "1.0.0".to_owned(), on_trial });
        }
        12 => bench.lose_link(),
        _ => bench.pass(rng.random_range(1..20)),
    }
    bench.connected();
    for order in &bench.orders {
        bench.asked = bench.asked.max(order.run());
    }
}

/// What may be ordered after what, of the same update or of a later one.
fn is_in_turn(before: Option<&ImageOrder>, next: &ImageOrder) -> bool {
    use ImageOrder as O;
    let Some(before) = before else { return !matches!(next, O::Install { .. } | O::Confirm { .. }) };
    let same = before.run() == next.run();
    match (before, next) {
        // One that was paused is fetched again.
        (O::Fetch { .. }, O::Install { .. } | O::Pause { .. })
        | (O::Pause { .. }, O::Fetch { .. })
        | (O::Install { .. }, O::Confirm { .. }) => same,
        (_, O::Install { .. } | O::Confirm { .. } | O::Pause { .. }) => false,
        (_, O::Fetch { run, .. }) => *run > before.run(),
        (_, O::RollBack { run }) => *run >= before.run(),
        (_, O::Inspect) => true,
    }
}

#[test]
fn whatever_happens_orders_keep_their_turn_and_the_next_update_is_possible() {
    for seed in 0..400 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let style = if seed % 2 == 0 { RestartStyle::Held } else { RestartStyle::Link };
        let mut bench = Bench::new(style);
        for _ in 0..60 {
            happen(&mut bench, &mut rng);
            assert!(bench.device.jobs().len() <= 1, "seed {seed}");
        }
        let mut before = None;
        for order in bench.orders.iter().filter(|order| **order != ImageOrder::Inspect) {
            assert!(is_in_turn(before, order), "seed {seed}: {before:?}, then {order:?}");
            before = Some(order);
        }
        // However far it was, the restart and two failures end it.
        for _ in 0..3 {
            bench.news(failed(bench.asked));
            bench.pass(60);
            bench.connected();
        }
        let reply = bench.ask(json!({"fwPackageUri": URI, "version": "1.1.0"}));
        assert_eq!(reply.status, 200, "seed {seed}: {reply:?}");
        assert!(matches!(bench.orders.last(), Some(ImageOrder::Fetch { .. })), "seed {seed}");
        let run = bench.orders.last().map_or(0, ImageOrder::run);
        bench.news(fetched(run));
        bench.news(ImageNews::Placed { run });
        bench.pass(15);
        bench.connected();
        bench.news(ImageNews::Confirmed { run });
        assert_eq!((bench.status(), bench.version()), ("completed", "1.1.0"), "seed {seed}");
    }
}
