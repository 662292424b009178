//! Whatever happens in whatever order: nothing is lost without being counted, nothing overtakes
//! what is before it, and nothing is left behind; a cloud that ends and begins again in between
//! changes none of it.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::kept::Disk;
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Send { urgent: bool },
    Come,
    Go,
    Acknowledge,
    Wait(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => any::<bool>().prop_map(|urgent| Step::Send { urgent }),
        2 => Just(Step::Come),
        1 => Just(Step::Go),
        6 => Just(Step::Acknowledge),
        2 => (1_u64..70_000).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..120)
}

/// The module as it is at the other end.
#[derive(Default)]
struct Module {
    connection: Option<ConnectionId>,
    hands: VecDeque<(u64, LockToken)>,
    acknowledged: Vec<u64>,
}

impl Module {
    fn take(&mut self, out: &[Output]) {
        for (_, body, lock) in handed(out) {
            let number = body.parse().expect("a number");
            // What it has already it has a second time, at the place where it comes again.
            self.hands.retain(|(own, _)| *own != number);
            self.hands.push_back((number, lock));
        }
    }
}

proptest! {
    #[test]
    fn every_message_is_acknowledged_or_waits_or_has_expired(steps in steps()) {
        let into = "INTO BrokeredEndpoint(\"/modules/other/inputs/i\")";
        let mut core = with_routes(&json!({
            "calm": {"route": format!("FROM /messages/* WHERE urgent = 'no' {into}"), "timeToLiveSecs": 100},
            "urgent": {"route": format!("FROM /messages/* WHERE urgent = 'yes' {into}"), "priority": 0},
        }));
        let mut disk = Disk::of(&mut core);
        let (mut at, mut sent, mut module) = (0, 0_u64, Module::default());
        // What was counted by clouds before: passed, expired, dropped.
        let mut past = (0, 0, 0);
        for step in steps {
            at += 1;
            match step {
                Step::Send { urgent } => {
                    sent += 1;
                    let word = if urgent { "urgent=yes" } else { "urgent=no" };
                    module.take(&send(&mut core, at, "tempSensor", word, &sent.to_string()));
                }
                Step::Come => {
                    let (connection, out) = listening(&mut core, at, "other", 1);
                    module.connection = Some(connection);
                    module.hands.clear();
                    module.take(&out);
                }
                Step::Go => {
                    if let Some(connection) = module.connection.take() {
                        core.disconnected(now(at), connection);
                        module.hands.clear();
                    }
                }
                Step::Acknowledge => {
                    if let Some((number, lock)) = module.hands.pop_front() {
                        let mut out = Vec::new();
                        // It may have expired when it was given back.
                        if core.settle_routed(now(at), &address("other"), lock, &mut out).is_ok() {
                            module.acknowledged.push(number);
                        }
                        module.take(&out);
                    }
                }
                Step::Wait(millis) => {
                    let end = at + millis;
                    while let Some(due) = core.next_due().filter(|due| due.0 <= end) {
                        at = due.0;
                        module.take(&tick(&mut core, at));
                    }
                    at = end;
                }
                Step::Restart => {
                    for name in ["calm", "urgent"] {
                        let (passed, _, expired, dropped) = account(&core, name);
                        past = (past.0 + passed, past.1 + expired, past.2 + dropped);
                    }
                    core = disk.restart(&core, now(at));
                    module.connection = None;
                    module.hands.clear();
                }
            }
            disk.keep(&mut core);
            let [calm, urgent] = [account(&core, "calm"), account(&core, "urgent")];
            // What has expired in its hands the module does not know to be over.
            prop_assert!(past.1 + calm.2 > 0 || module.hands.len() <= IN_FLIGHT);
            let counted = |(passed, queued, expired, dropped): (u64, usize, u64, u64)| {
                passed + queued as u64 + expired + dropped
            };
            prop_assert_eq!(counted(calm) + counted(urgent) + past.0 + past.1 + past.2, sent);
            prop_assert_eq!(disk.len(), calm.1 + urgent.1, "what waits is stored, and nothing else is");
            prop_assert_eq!(calm.0 + urgent.0 + past.0, module.acknowledged.len() as u64);
        }
        let mut once = module.acknowledged.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), module.acknowledged.len(), "what is acknowledged does not come again");
        if let Some(connection) = module.connection {
            core.disconnected(now(at), connection);
        }
        while let Some(due) = core.next_due() {
            tick(&mut core, due.0);
        }
        prop_assert_eq!(account(&core, "calm").1 + account(&core, "urgent").1, 0);
    }
}
