//! Every rule of cloud-to-device messages, under a clock that only moves when it is told to.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::SignedDuration;

use super::changes::Record;
use super::clients::ConnectionId;
use super::feedback::Status;
use super::identities::Spec;
use super::mailbox::{DEPTH, IN_FLIGHT};
use super::message::{Ack, LockToken, Outgoing, Settle};
use super::registry::{Address, Precondition};
use super::testing::{self, now};
use super::{Core, Delivery, Output};
use crate::device::{DeviceId, Millis, Now};
use crate::wire::topic::filter;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// How long a batch of feedback waits for more.
const BATCH: u64 = 15_000;

fn device() -> DeviceId {
    "d".parse().expect("an id")
}

fn address() -> Address {
    Address::device(device())
}

fn core() -> Core {
    let mut core = testing::core();
    core.create_derived(now(0), device()).expect("created");
    core
}

fn outgoing(id: &str, ack: Ack) -> Outgoing {
    let body = Bytes::copy_from_slice(id.as_bytes());
    Outgoing { message_id: Some(id.to_owned()), ack, body, ..Outgoing::default() }
}

fn send(core: &mut Core, at: u64, id: &str) -> Vec<Output> {
    let mut out = Vec::new();
    core.send_message(now(at), &device(), outgoing(id, Ack::Full), &mut out).expect("sent");
    out
}

/// A device that listens, with what it is handed at once.
fn listening(core: &mut Core, at: u64, quality: u8) -> (ConnectionId, Vec<Output>) {
    let mut out = Vec::new();
    let connection = core.connect(now(at), &address(), false, None, &mut out).connection;
    core.subscribe(now(at), connection, &filter::device_bound("d"), quality, &mut out);
    (connection, out)
}

/// The ids of messages handed over, each with its lock.
fn handed(out: &[Output]) -> Vec<(String, LockToken)> {
    out.iter()
        .filter_map(|output| match output {
            Output::Deliver(_, Delivery::Message { lock, message, .. }) => Some((message.id.clone(), *lock)),
            _ => None,
        })
        .collect()
}

fn ids(out: &[Output]) -> Vec<String> {
    handed(out).into_iter().map(|(id, _)| id).collect()
}

fn tick(core: &mut Core, at: u64) -> Vec<Output> {
    let mut out = Vec::new();
    core.tick(now(at), &mut out);
    out
}

fn settle(core: &mut Core, at: u64, lock: LockToken, how: Settle) -> Result<Vec<Output>, u32> {
    let mut out = Vec::new();
    core.settle_message(now(at), &device(), lock, how, &mut out).map_err(|fault| fault.code)?;
    Ok(out)
}

/// What was told to senders up to this moment, by message.
fn told(core: &mut Core, at: u64) -> Vec<(String, Status)> {
    let mut told = Vec::new();
    while let Some(held) = core.receive_feedback(now(at)) {
        told.extend(held.records.iter().map(|it| (it.original_message_id.clone(), it.status_code)));
        core.settle_feedback(now(at), held.lock, Settle::Complete).expect("settled");
    }
    told
}

fn count(core: &Core) -> usize {
    core.device(&device()).expect("a device").messages
}

#[test]
fn a_message_waits_for_its_device_and_is_completed() {
    let mut core = core();
    assert_eq!(send(&mut core, 0, "a"), []);
    assert_eq!(count(&core), 1);
    let mut out = Vec::new();
    let connection = core.connect(now(1), &address(), true, None, &mut out).connection;
    assert_eq!(ids(&out), [""; 0], "connected, not listening");
    core.subscribe(now(1), connection, &filter::device_bound("d"), 1, &mut out);
    let given = handed(&out);
    assert_eq!((given.len(), given[0].0.as_str()), (1, "a"));
    assert_eq!(count(&core), 1, "it counts until it is acknowledged");
    assert_eq!(settle(&mut core, 2, given[0].1, Settle::Complete), Ok(vec![]));
    assert_eq!(count(&core), 0);
    assert_eq!(settle(&mut core, 2, given[0].1, Settle::Complete), Err(412_002));
    assert_eq!(told(&mut core, 2 + BATCH), [("a".to_owned(), Status::Success)]);
    assert_eq!(ids(&send(&mut core, 3, "b")), ["b"], "a device that listens has it at once");
}

#[test]
fn messages_have_ids_numbers_and_times() {
    let mut core = core();
    let mut out = Vec::new();
    let mut sent = |at, message| core.send_message(now(at), &device(), message, &mut out).expect("sent");
    let first = sent(0, Outgoing::default());
    let second = sent(5, Outgoing { message_id: Some(String::new()), ..Outgoing::default() });
    assert_eq!((first.sequence, second.sequence), (1, 2));
    assert_eq!((first.enqueued, second.enqueued), (now(0).wall, now(5).wall));
    assert_eq!(first.expiry, now(HOUR).wall);
    assert_ne!(first.id, second.id);
    let parts: Vec<_> = first.id.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{}", first.id);
    assert_eq!(&first.id[14..15], "4");
}

#[test]
fn a_queue_holds_fifty() {
    let mut core = core();
    for n in 0..DEPTH {
        send(&mut core, 0, &n.to_string());
    }
    let more = core.send_message(now(0), &device(), outgoing("x", Ack::None), &mut Vec::new());
    let fault = more.expect_err("refused");
    assert_eq!((fault.status, fault.code, fault.name), (403, 403_004, "DeviceMaximumQueueDepthExceeded"));
    let nobody = "nobody".parse().expect("an id");
    let fault = core.send_message(now(0), &nobody, outgoing("x", Ack::None), &mut Vec::new());
    assert_eq!(fault.map_err(|fault| fault.code).err(), Some(404_001));
    // One that is in the device's hands has its place still.
    let (_, out) = listening(&mut core, 1, 1);
    assert!(core.send_message(now(1), &device(), outgoing("x", Ack::None), &mut Vec::new()).is_err());
    let lock = handed(&out)[0].1;
    settle(&mut core, 1, lock, Settle::Complete).expect("settled");
    assert!(core.send_message(now(1), &device(), outgoing("x", Ack::None), &mut Vec::new()).is_ok());
}

#[test]
fn as_many_as_may_are_in_flight_and_their_order_is_kept() {
    let mut core = core();
    let wanted: Vec<_> = (0..IN_FLIGHT + 2).map(|n| n.to_string()).collect();
    for id in &wanted {
        send(&mut core, 0, id);
    }
    let (_, out) = listening(&mut core, 1, 1);
    assert_eq!(ids(&out), wanted[..IN_FLIGHT]);
    let lock = handed(&out)[3].1;
    let out = settle(&mut core, 2, lock, Settle::Complete).expect("settled");
    assert_eq!(ids(&out), wanted[IN_FLIGHT..=IN_FLIGHT]);
}

#[test]
fn a_message_that_is_not_acknowledged_comes_again_after_a_minute_ten_times_in_all() {
    let mut core = core();
    send(&mut core, 0, "a");
    let (_, out) = listening(&mut core, 0, 1);
    let mut lock = handed(&out)[0].1;
    for delivery in 1..10 {
        let at = delivery * MINUTE;
        assert_eq!(core.next_due(), Some(Millis(at)));
        assert_eq!(tick(&mut core, at - 1), []);
        let out = tick(&mut core, at);
        assert_eq!(ids(&out), ["a"], "delivery {delivery}");
        assert_eq!(settle(&mut core, at, lock, Settle::Complete), Err(412_002), "too late");
        lock = handed(&out)[0].1;
    }
    assert_eq!(tick(&mut core, 10 * MINUTE), []);
    assert_eq!(count(&core), 0);
    assert_eq!(told(&mut core, 10 * MINUTE + BATCH), [("a".to_owned(), Status::DeliveryCountExceeded)]);
}

#[test]
fn what_a_connection_held_goes_to_the_next_one_at_once_and_first() {
    let mut core = core();
    for id in ["a", "b"] {
        send(&mut core, 0, id);
    }
    let (first, out) = listening(&mut core, 1, 1);
    let lock = handed(&out)[0].1;
    core.disconnected(now(2), first);
    assert_eq!(settle(&mut core, 2, lock, Settle::Complete), Err(412_002));
    send(&mut core, 3, "c");
    // The session was kept: nothing is subscribed again.
    let mut out = Vec::new();
    let second = core.connect(now(4), &address(), false, None, &mut out).connection;
    assert_eq!(ids(&out), ["a", "b", "c"]);
    // A third takes the second's place, and what it held.
    let mut out = Vec::new();
    core.connect(now(5), &address(), false, None, &mut out);
    assert_eq!(ids(&out), ["a", "b", "c"]);
    core.disconnected(now(6), second);
    assert!(handed(&out).iter().all(|(_, lock)| settle(&mut core, 7, *lock, Settle::Complete).is_ok()));
}

#[test]
fn a_clean_session_loses_its_subscription_and_no_message() {
    let mut core = core();
    let (connection, _) = listening(&mut core, 0, 1);
    core.disconnected(now(1), connection);
    send(&mut core, 2, "a");
    let mut out = Vec::new();
    let connection = core.connect(now(3), &address(), true, None, &mut out).connection;
    assert_eq!(ids(&out), [""; 0]);
    core.subscribe(now(3), connection, &filter::device_bound("d"), 1, &mut out);
    assert_eq!(ids(&out), ["a"]);
    core.unsubscribe(connection, &filter::device_bound("d"));
    assert_eq!(send(&mut core, 4, "b"), []);
}

#[test]
fn a_message_expires_in_the_queue_but_not_in_the_device_s_hands() {
    let mut core = core();
    let until = |minutes: i64| Some(now(0).wall + SignedDuration::from_mins(minutes));
    for (id, minutes) in [("soon", 2), ("later", 3)] {
        let message = Outgoing { expiry: until(minutes), ..outgoing(id, Ack::Negative) };
        core.send_message(now(0), &device(), message, &mut Vec::new()).expect("sent");
    }
    assert_eq!(core.next_due(), Some(Millis(2 * MINUTE)));
    tick(&mut core, 2 * MINUTE);
    assert_eq!(count(&core), 1);
    assert_eq!(told(&mut core, 2 * MINUTE + BATCH), [("soon".to_owned(), Status::Expired)]);
    // Held from before its end to a moment behind it, and completed.
    let (connection, out) = listening(&mut core, 3 * MINUTE - 1, 1);
    tick(&mut core, 3 * MINUTE + 1);
    assert_eq!(count(&core), 1);
    let again = core.send_message(now(0), &device(), outgoing("x", Ack::None), &mut Vec::new());
    assert!(again.is_ok());
    core.disconnected(now(3 * MINUTE + 2), connection);
    assert_eq!(settle(&mut core, 3 * MINUTE + 2, handed(&out)[0].1, Settle::Complete), Err(412_002));
    assert_eq!(told(&mut core, 4 * MINUTE), [("later".to_owned(), Status::Expired)], "given back too late");
    assert_eq!(count(&core), 1);
    let too_late = Outgoing { expiry: until(60 * 49), ..Outgoing::default() };
    let fault = core.send_message(now(0), &device(), too_late, &mut Vec::new()).expect_err("refused");
    assert_eq!((fault.status, fault.code, fault.name), (403, 403_009, "InvalidMessageExpiryTime"));
}

#[test]
fn senders_are_told_what_they_asked_for() {
    let mut core = core();
    for (id, ack) in
        [("none", Ack::None), ("positive", Ack::Positive), ("negative", Ack::Negative), ("full", Ack::Full)]
    {
        for outcome in ["good", "bad"] {
            let message = outgoing(&format!("{id} {outcome}"), ack);
            core.send_message(now(0), &device(), message, &mut Vec::new()).expect("sent");
        }
    }
    while let Some(taken) = core.receive_message(now(1), &device()).expect("a device") {
        let how = if taken.message.id.ends_with("good") { Settle::Complete } else { Settle::Reject };
        settle(&mut core, 1, taken.lock, how).expect("settled");
    }
    assert_eq!(core.next_due(), Some(Millis(1 + BATCH)));
    assert_eq!(
        told(&mut core, 1 + BATCH),
        [
            ("positive good".to_owned(), Status::Success),
            ("negative bad".to_owned(), Status::Rejected),
            ("full good".to_owned(), Status::Success),
            ("full bad".to_owned(), Status::Rejected),
        ]
    );
}

#[test]
fn over_https_a_message_is_held_abandoned_and_counted() {
    let mut core = core();
    send(&mut core, 0, "a");
    let take = |core: &mut Core, at| core.receive_message(now(at), &device()).expect("a device");
    let first = take(&mut core, 1).expect("a message");
    assert_eq!((first.deliveries, first.message.id.as_str()), (0, "a"));
    assert_eq!(take(&mut core, 1), None, "somebody holds it");
    assert_eq!(settle(&mut core, 2, first.lock, Settle::Abandon), Ok(vec![]));
    let second = take(&mut core, 2).expect("again");
    assert_eq!(second.deliveries, 1);
    assert_eq!(settle(&mut core, 2, first.lock, Settle::Complete), Err(412_002));
    // A minute is over to the millisecond, whether time was told of it or not.
    assert_eq!(settle(&mut core, 2 + MINUTE, second.lock, Settle::Complete), Err(412_002));
    tick(&mut core, 2 + MINUTE);
    assert_eq!(take(&mut core, 2 + MINUTE).expect("again").deliveries, 2);
}

#[test]
fn a_purge_takes_all_and_tells_the_senders() {
    let mut core = core();
    for id in ["a", "b"] {
        send(&mut core, 0, id);
    }
    let held = core.receive_message(now(1), &device()).expect("a device").expect("a message");
    assert_eq!(core.purge_messages(now(2), &device()), Ok(2));
    assert_eq!(count(&core), 0);
    assert_eq!(settle(&mut core, 2, held.lock, Settle::Complete), Err(412_002));
    assert_eq!(core.purge_messages(now(2), &device()), Ok(0));
    let purged = ["a", "b"].map(|id| (id.to_owned(), Status::Purged));
    assert_eq!(told(&mut core, 2 + BATCH), purged);
    assert!(core.purge_messages(now(2), &"nobody".parse().expect("an id")).is_err());
    assert_eq!(core.next_due(), None, "nothing is left behind");
}

#[test]
fn a_deleted_device_takes_its_messages_with_it_and_a_disabled_one_does_not() {
    let mut core = core();
    let mut out = Vec::new();
    let off = Spec { enabled: false, ..Spec::plain(address()) };
    core.change(now(0), off, &Precondition::Any, &mut out).expect("changed");
    send(&mut core, 0, "a");
    assert_eq!(count(&core), 1);
    core.delete(&address(), &Precondition::Any, &mut out).expect("deleted");
    assert_eq!(core.next_due(), None);
    core.create(now(1), Spec::plain(address())).expect("created");
    assert_eq!(count(&core), 0);
    let (_, out) = listening(&mut core, 2, 1);
    assert_eq!(ids(&out), [""; 0]);
    assert_eq!(ids(&send(&mut core, 3, "b")), ["b"]);
}

#[test]
fn a_queue_is_kept_and_given_back() {
    let mut before = core();
    before.changes.begin();
    for id in ["a", "b", "c"] {
        send(&mut before, 0, id);
    }
    let noted = BTreeSet::from([Record::Mailbox(device())]);
    assert_eq!(before.changes.take(), noted);
    let first = before.receive_message(now(1), &device()).expect("a device").expect("a message");
    settle(&mut before, 1, first.lock, Settle::Complete).expect("settled");
    let second = before.receive_message(now(1), &device()).expect("a device").expect("a message");
    settle(&mut before, 1, second.lock, Settle::Abandon).expect("settled");
    assert_eq!(before.changes.take(), noted);
    let kept = before.mailbox(&device()).expect("a queue");
    assert_eq!((kept.last_sequence, kept.messages.len(), kept.messages[0].1), (3, 2, 1));

    // The same seed makes the same device again: its generation too.
    let mut after = core();
    let mut other = kept.clone();
    other.generation = "another".to_owned();
    assert!(!after.restore_mailbox(now(5), &device(), other));
    assert!(!after.restore_mailbox(now(5), &"nobody".parse().expect("an id"), kept.clone()));
    assert!(after.restore_mailbox(now(5), &device(), kept.clone()));
    assert_eq!(count(&after), 2);
    assert_eq!(after.mailbox(&device()), Some(kept));
    let (_, out) = listening(&mut after, 6, 1);
    assert_eq!(ids(&out), ["b", "c"]);
    let message = after.send_message(now(7), &device(), Outgoing::default(), &mut Vec::new());
    assert_eq!(message.expect("sent").sequence, 4);
    after.delete(&address(), &Precondition::Any, &mut Vec::new()).expect("deleted");
    assert_eq!(after.mailbox(&device()), None);
}

#[test]
fn what_expired_while_nobody_ran_goes_with_the_first_tick() {
    let mut before = core();
    send(&mut before, 0, "a");
    let kept = before.mailbox(&device()).expect("a queue");
    let mut after = core();
    let later = Now { at: Millis(10), wall: now(2 * HOUR).wall };
    assert!(after.restore_mailbox(later, &device(), kept));
    assert_eq!(after.receive_message(later, &device()), Ok(None));
    after.tick(later, &mut Vec::new());
    assert_eq!(count(&after), 0);
    let later = Now { at: Millis(10 + BATCH), wall: later.wall };
    assert_eq!(after.receive_feedback(later).expect("feedback").records[0].status_code, Status::Expired);
}
