//! What waits, over the end of a cloud and the start of the next.

use std::collections::BTreeMap;

use super::*;
use crate::cloud::core::changes::Record;
use crate::cloud::core::routes::Place;
use crate::cloud::core::routes::kept::Kept;

/// What a store has: a message for each record.
#[derive(Debug, Default)]
pub(super) struct Disk(BTreeMap<Place, Kept>);

impl Disk {
    /// Begins to note what a core changes.
    pub(super) fn of(core: &mut Core) -> Self {
        core.changes.begin();
        Self::default()
    }

    /// Stores what has changed. Answers how many records that were.
    pub(super) fn keep(&mut self, core: &mut Core) -> usize {
        let mut count = 0;
        for record in core.changes.take() {
            let Record::Routed(device, place) = record else { continue };
            count += 1;
            match core.routed(&device, place) {
                Some(kept) => self.0.insert(place, kept),
                None => self.0.remove(&place),
            };
        }
        count
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next cloud on the same folder: the same identities and routes, and what waited.
    pub(super) fn restart(&self, core: &Core, now: Now) -> Core {
        let mut next = self::core();
        let twin = core.identity(&address(EDGE_HUB)).expect("a module").twin.clone();
        assert!(next.restore_twin(&address(EDGE_HUB), twin));
        // In whatever order a store has them.
        for (place, kept) in self.0.iter().rev() {
            next.restore_routed(now, &address("m").device, *place, kept.clone());
        }
        assert!(next.changes.is_empty(), "what comes from a store is no news for it");
        next.changes.begin();
        next
    }
}

#[test]
fn only_what_has_to_wait_is_stored_each_message_by_itself() {
    let mut core = with_routes(&json!({"in": TO_FILTER, "up": TO_HUB}));
    let mut disk = Disk::of(&mut core);
    for n in 1..=3 {
        measure(&mut core, 1, &n.to_string());
        assert_eq!(disk.keep(&mut core), 1, "the others are not written again");
    }
    assert_eq!(disk.len(), 3);
    send(&mut core, 2, "filterModule", "%24.on=output1", "passes at once");
    assert_eq!((disk.keep(&mut core), upstream(&core).len()), (0, 1));
    let (connection, out) = listening(&mut core, 3, "filterModule", 1);
    assert_eq!(disk.keep(&mut core), 0, "in whose hands a message is, is not stored");
    settle(&mut core, 4, "filterModule", handed(&out)[1].2);
    assert_eq!((disk.keep(&mut core), disk.len()), (1, 2));
    core.disconnected(now(5), connection);
    assert_eq!(disk.keep(&mut core), 0);
    core.delete(&address("m").of_device(), &Precondition::Any, &mut Vec::new()).expect("deleted");
    assert_eq!((disk.keep(&mut core), disk.len()), (2, 0));
}

#[test]
fn what_waited_waits_again_in_its_order_with_all_it_had() {
    let input = "INTO BrokeredEndpoint(\"/modules/other/inputs/i\")";
    let mut core = with_routes(&json!({
        "calm": format!("FROM /messages/* {input}"),
        "urgent": {"route": format!("FROM /messages/* WHERE urgent = 'yes' {input}"), "priority": 0},
        "twins": {"route": format!("FROM /twinChangeNotifications {input}"), "priority": 3},
    }));
    let mut disk = Disk::of(&mut core);
    for (bag, body) in [("a=b%20c&flag", "1"), ("urgent=yes", "2"), ("urgent=yes", "3"), ("", "4")] {
        send(&mut core, 1, "tempSensor", bag, body);
    }
    core.report(now(1), &address("tempSensor"), br#"{"x":1}"#, None, &mut Vec::new()).expect("reported");
    // One is in the module's hands when the cloud ends.
    let (_, before) = listening(&mut core, 2, "other", 1);
    settle(&mut core, 3, "other", handed(&before)[0].2);
    disk.keep(&mut core);
    let mut next = disk.restart(&core, now(0));
    assert_eq!(account(&next, "calm"), (0, 2, 0, 0));
    let (_, after) = listening(&mut next, 1, "other", 1);
    assert_eq!(bodies(&after), ["3", r#"{"x":1}"#, "1", "4"]);
    let messages = |out: &[Output]| -> Vec<_> {
        let each = |output: &Output| match output {
            Output::Deliver(_, Delivery::Routed { message, input, .. }) => {
                Some((Arc::clone(message), Arc::clone(input)))
            }
            _ => None,
        };
        out.iter().filter_map(each).collect()
    };
    assert_eq!(messages(&after), messages(&before)[1..]);
    // What comes next comes behind them.
    disk = Disk::default();
    let mut out = send(&mut next, 2, "tempSensor", "", "5");
    assert_eq!((bodies(&out), disk.keep(&mut next)), (vec!["5".to_owned()], 1));
    out.extend(after);
    for (_, _, lock) in handed(&out) {
        settle(&mut next, 3, "other", lock);
    }
    assert_eq!((account(&next, "calm").1, account(&next, "urgent").1), (0, 0));
}

#[test]
fn the_time_to_live_goes_on_while_the_cloud_does_not() {
    let mut core = with_routes(&json!({"in": {"route": TO_FILTER, "timeToLiveSecs": 10}}));
    let mut disk = Disk::of(&mut core);
    measure(&mut core, 1_000, "1");
    measure(&mut core, 5_000, "2");
    disk.keep(&mut core);
    // The next cloud's own clock begins at 0.
    let wall = now(12_000).wall;
    let mut next = disk.restart(&core, Now { at: Millis(0), wall });
    let mut tick = |at: u64| {
        let wall = now(12_000 + at).wall;
        next.tick(Now { at: Millis(at), wall }, &mut Vec::new());
        let kept = disk.keep(&mut next);
        (account(&next, "in"), kept)
    };
    assert_eq!(tick(0), ((0, 1, 1, 0), 1), "one has expired meanwhile, and is not kept any longer");
    assert_eq!(tick(2_999), ((0, 1, 1, 0), 0));
    assert_eq!(tick(3_000), ((0, 0, 2, 0), 1));
    assert_eq!(disk.len(), 0);
}

#[test]
fn the_hub_is_asked_again_for_what_waited_for_it() {
    let mut core = with_routes(&json!({"up": TO_HUB}));
    let mut disk = Disk::of(&mut core);
    core.set_quota(Some(Quota::new(Sku::F1, 1)));
    let mut sent = 0;
    while account(&core, "up").1 == 0 {
        send(&mut core, 1, "filterModule", "%24.on=output1", "1");
        sent += 1;
        assert!(sent < 10_000, "no limit is ever reached");
    }
    disk.keep(&mut core);
    assert_eq!(disk.len(), 1);
    let mut next = disk.restart(&core, now(0));
    let due = next.next_due().expect("to be asked again");
    tick(&mut next, due.0);
    assert_eq!((account(&next, "up"), upstream(&next).len()), ((1, 0, 0, 0), 1));
    disk.keep(&mut next);
    assert_eq!(disk.len(), 0);
}

#[test]
fn what_no_route_leads_to_any_more_is_left_out_and_the_store_told() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    let mut disk = Disk::of(&mut core);
    measure(&mut core, 1, "1");
    disk.keep(&mut core);
    let (place, kept) = disk.0.first_key_value().expect("a message");
    let device = address("m").device;
    let mut next = self::core();
    next.restore_routed(now(0), &device, *place, kept.clone());
    assert_eq!(next.routed(&device, *place), None);
    assert_eq!(next.next_due(), None);
    assert_eq!(Vec::from_iter(next.changes.take()), [Record::Routed(device, *place)]);
}

#[test]
fn what_could_not_be_stored_has_not_happened() {
    let mut core = with_routes(&json!({"in": TO_FILTER}));
    let mut disk = Disk::of(&mut core);
    let device = address("m").device;
    measure(&mut core, 1, "1");
    disk.keep(&mut core);
    // One comes and one goes, and neither can be written.
    let (_, out) = listening(&mut core, 2, "filterModule", 1);
    settle(&mut core, 3, "filterModule", handed(&out)[0].2);
    measure(&mut core, 3, "2");
    for record in core.changes.take() {
        let Record::Routed(device, place) = record else { continue };
        match disk.0.get(&place) {
            Some(kept) => core.restore_routed(now(3), &device, place, kept.clone()),
            None => core.forget_routed(&device, place),
        }
    }
    let waiting: Vec<_> = disk.0.keys().map(|place| core.routed(&device, *place)).collect();
    assert_eq!(waiting, disk.0.values().cloned().map(Some).collect::<Vec<_>>());
    assert_eq!(account(&core, "in").1, 1);
    // The module that is there still has it again unasked.
    let due = core.next_due().expect("to be handed over");
    assert_eq!(bodies(&tick(&mut core, due.0)), ["1"]);
}

#[test]
fn places_are_written_and_read() {
    let place = Place { priority: 10, sequence: u64::MAX };
    assert_eq!(place.to_string(), "10.18446744073709551615");
    assert_eq!("10.18446744073709551615".parse(), Ok(place));
    for bad in ["", "1", "1.", ".1", "256.1", "1.-1", "1.1.1", "a.b"] {
        assert!(bad.parse::<Place>().is_err(), "{bad}");
    }
}
