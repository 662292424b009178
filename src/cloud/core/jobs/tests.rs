use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{ACTIVE, CALLS, HISTORY_SECONDS, RUNNING, SLICE};
use crate::cloud::core::identities::Spec;
use crate::cloud::core::query::{Query, Row as _};
use crate::cloud::core::registry::{Address, Precondition};
use crate::cloud::core::testing::{core, now};
use crate::cloud::core::{Core, Delivery, Output};
use crate::device::{Millis, Now};
use crate::wire::topic::filter;

fn address(device: &str) -> Address {
    Address::device(device.parse().expect("an id"))
}

fn with_devices(names: &[&str]) -> Core {
    let mut core = core();
    for name in names {
        core.create(now(0), Spec::plain(address(name))).expect("created");
    }
    core
}

fn body(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn update(condition: &str) -> Map<String, Value> {
    let twin = json!({"etag": "*", "tags": {"seen": true}, "properties": {"desired": {"a": 1}}});
    body(json!({"type": "scheduleUpdateTwin", "queryCondition": condition, "updateTwin": twin}))
}

fn method(condition: &str, more: Value) -> Map<String, Value> {
    let mut call = json!({"methodName": "go", "payload": {"x": 1}, "responseTimeoutInSeconds": 10});
    call.as_object_mut().expect("an object").extend(body(more));
    body(json!({"type": "scheduleDeviceMethod", "queryCondition": condition, "cloudToDeviceMethod": call}))
}

/// Ticks while something is due by `at`. Answers how often, and what came out.
fn run(core: &mut Core, at: u64) -> (usize, Vec<Output>) {
    let (mut ticks, mut out) = (0, Vec::new());
    while core.next_due().is_some_and(|due| due <= Millis(at)) {
        core.tick(now(at), &mut out);
        ticks += 1;
        assert!(ticks < 10_000, "there is always something to do");
    }
    (ticks, out)
}

fn status(core: &Core, id: &str) -> String {
    core.job(id).expect("the job").told()["status"].as_str().expect("a status").to_owned()
}

fn statistics(core: &Core, id: &str) -> [u64; 4] {
    let statistics = core.job(id).expect("the job").statistics;
    [statistics.devices, statistics.succeeded, statistics.failed, statistics.running]
}

fn rows(core: &Core, query: &str) -> Vec<Value> {
    Query::parse(query).expect("a query").run(core.device_jobs()).items
}

fn online(core: &mut Core, device: &str) -> Vec<Output> {
    let mut out = Vec::new();
    let connection = core.connect(now(0), &address(device), true, None, &mut out).connection;
    core.subscribe(now(0), connection, filter::METHODS, 1, &mut out);
    core.subscribe(now(0), connection, filter::DESIRED, 1, &mut out);
    out
}

/// The requests of commands that devices have been given.
fn calls(out: &[Output]) -> Vec<String> {
    out.iter()
        .filter_map(|output| match output {
            Output::Deliver(_, Delivery::Method { call, .. }) => Some(call.rid()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_job_writes_the_twins_that_its_condition_selects_and_pushes_them() {
    let mut core = with_devices(&["a", "b", "c"]);
    online(&mut core, "b");
    let told = core.create_job(now(5), "j", &update("deviceId IN ['a', 'b']")).expect("taken").told();
    assert_eq!(
        (&told["status"], &told["jobId"], &told["type"]),
        (&json!("queued"), &json!("j"), &json!("scheduleUpdateTwin"))
    );
    let (_, out) = run(&mut core, 10);
    assert!(matches!(out.as_slice(), [Output::Deliver(_, Delivery::Desired { .. })]), "{out:?}");
    assert_eq!((status(&core, "j").as_str(), statistics(&core, "j")), ("completed", [2, 2, 0, 0]));
    assert_eq!(core.identity(&address("a")).expect("a device").twin.desired.value["a"], 1);
    assert!(core.identity(&address("c")).expect("a device").twin.tags.is_empty());
    let found =
        rows(&core, "SELECT * FROM devices.jobs WHERE deviceId = 'a' AND jobType = 'scheduleUpdateTwin'");
    assert_eq!(found[0]["status"], "completed");
    assert_eq!(found[0]["endTimeUtc"], "2030-01-01T00:00:00.01Z");
    assert_eq!(core.next_due(), None);
}

#[test]
fn every_way_to_select_devices_works() {
    for (condition, devices) in [
        ("*", 2),
        ("", 2),
        ("tags.x = 1", 1),
        ("FROM devices.modules WHERE moduleId = 'm'", 1),
        ("false = true", 0),
    ] {
        let mut core = with_devices(&["a", "b"]);
        let m = Address::module("a".parse().expect("an id"), "m".parse().expect("an id"));
        core.create(now(0), Spec::plain(m)).expect("created");
        let tags = crate::cloud::core::twins::TwinUpdate { tags: Some(body(json!({"x": 1}))), desired: None };
        let merge = crate::cloud::core::service::Write::Merge;
        core.write_twin(now(0), &address("b"), &tags, merge, &Precondition::Any, &mut Vec::new())
            .expect("written");
        core.create_job(now(0), "j", &update(condition)).expect("taken");
        run(&mut core, 1);
        assert_eq!(
            (status(&core, "j").as_str(), statistics(&core, "j")),
            ("completed", [devices, devices, 0, 0]),
            "{condition}"
        );
    }
}

#[test]
fn a_job_for_later_waits_for_its_time() {
    let mut core = with_devices(&["a"]);
    let mut request = update("*");
    let start = Timestamp::from_millisecond(now(60_000).wall.as_millisecond()).expect("a time");
    request.insert("startTime".to_owned(), json!(start.to_string()));
    assert_eq!(core.create_job(now(0), "j", &request).expect("taken").told()["status"], "scheduled");
    assert_eq!(core.next_due(), Some(Millis(60_000)));
    run(&mut core, 59_999);
    assert_eq!(status(&core, "j"), "scheduled");
    run(&mut core, 60_000);
    assert_eq!(status(&core, "j"), "completed");
}

#[test]
fn a_method_job_really_calls_and_keeps_each_outcome() {
    let mut core = with_devices(&["off", "on", "silent"]);
    online(&mut core, "on");
    online(&mut core, "silent");
    core.create_job(now(0), "j", &method("*", json!({}))).expect("taken");
    let (_, mut out) = run(&mut core, 1);
    let requests = calls(&out);
    assert_eq!((status(&core, "j").as_str(), statistics(&core, "j")), ("running", [3, 0, 1, 2]));
    out.clear();
    assert!(core.method_answer(&address("on"), &requests[0], "201", b"{\"ok\":true}", &mut out));
    assert_eq!(out, [], "the job waited, not a caller");
    run(&mut core, 5);
    assert_eq!(statistics(&core, "j"), [3, 1, 1, 1]);
    let (_, out) = run(&mut core, 10_001);
    assert_eq!(out, []);
    assert_eq!((status(&core, "j").as_str(), statistics(&core, "j")), ("completed", [3, 1, 2, 0]));
    let of = |device: &str| {
        rows(&core, &format!("SELECT * FROM devices.jobs WHERE deviceId = '{device}'"))[0].clone()
    };
    assert_eq!(
        of("on")["outcome"],
        json!({"deviceMethodResponse": {"status": 201, "payload": {"ok": true}}})
    );
    assert_eq!(
        (&of("off")["status"], &of("off")["error"]["code"]),
        (&json!("failed"), &json!("DeviceNotOnline"))
    );
    assert_eq!(of("silent")["error"]["code"], "GatewayTimeout");
}

#[test]
fn deleting_a_device_fails_its_part_of_a_job() {
    let mut core = with_devices(&["a"]);
    online(&mut core, "a");
    core.create_job(now(0), "j", &method("*", json!({}))).expect("taken");
    run(&mut core, 1);
    let mut out = Vec::new();
    core.delete(&address("a"), &Precondition::Any, &mut out).expect("deleted");
    run(&mut core, 2);
    assert_eq!((status(&core, "j").as_str(), statistics(&core, "j")), ("completed", [1, 0, 1, 0]));
}

#[test]
fn a_job_is_given_up_when_its_time_is_over() {
    let mut core = with_devices(&["a"]);
    online(&mut core, "a");
    let mut request = method("*", json!({"responseTimeoutInSeconds": 300}));
    request.insert("maxExecutionTimeInSeconds".to_owned(), json!(20));
    core.create_job(now(0), "j", &request).expect("taken");
    run(&mut core, 1);
    assert_eq!(core.next_due(), Some(Millis(20_001)));
    run(&mut core, 20_001);
    let told = core.job("j").expect("the job").told();
    assert_eq!(
        (&told["status"], &told["failureReason"]),
        (&json!("failed"), &json!("the job did not end within the 20 s that it may take"))
    );
    assert_eq!(rows(&core, "SELECT * FROM devices.jobs")[0]["error"]["code"], "JobTimedOut");
    assert_eq!(statistics(&core, "j"), [1, 0, 1, 0]);
    assert_eq!(core.next_due(), None, "the call is gone too");
}

#[test]
fn a_cancelled_job_does_nothing_more_and_cannot_be_cancelled_twice() {
    let mut core = with_devices(&["a"]);
    online(&mut core, "a");
    core.create_job(now(0), "j", &method("*", json!({}))).expect("taken");
    let (_, out) = run(&mut core, 1);
    assert_eq!(core.cancel_job(now(2), "j").expect("cancelled").told()["status"], "cancelled");
    assert_eq!(rows(&core, "SELECT * FROM devices.jobs")[0]["status"], "canceled");
    assert!(
        !core.method_answer(&address("a"), &calls(&out)[0], "200", b"1", &mut Vec::new()),
        "nobody waits"
    );
    assert_eq!(core.cancel_job(now(3), "j").map(|_| ()).map_err(|fault| fault.status), Err(400));
    assert_eq!(core.cancel_job(now(3), "k").map(|_| ()).map_err(|fault| fault.code), Err(404_002));
}

#[test]
fn many_devices_are_done_in_parts() {
    let mut core = core();
    for number in 0..=SLICE * 2 {
        core.create(now(0), Spec::plain(address(&format!("d{number}")))).expect("created");
    }
    core.create_job(now(0), "j", &update("*")).expect("taken");
    let mut out = Vec::new();
    core.tick(now(1), &mut out);
    assert_eq!((status(&core, "j").as_str(), statistics(&core, "j")[0]), ("running", SLICE as u64));
    assert_eq!(core.next_due(), Some(Millis(0)));
    let (ticks, _) = run(&mut core, 2);
    assert_eq!((ticks, statistics(&core, "j")[1]), (2, (SLICE * 2 + 1) as u64));
}

#[test]
fn commands_under_way_are_bounded_and_the_job_goes_on_as_answers_come() {
    let mut core = core();
    for number in 0..=CALLS {
        let name = format!("d{number:04}");
        core.create(now(0), Spec::plain(address(&name))).expect("created");
        online(&mut core, &name);
    }
    core.create_job(now(0), "j", &method("*", json!({}))).expect("taken");
    let (_, out) = run(&mut core, 1);
    let requests = calls(&out);
    assert_eq!((requests.len(), status(&core, "j").as_str()), (CALLS, "running"));
    core.method_answer(&address("d0000"), &requests[0], "200", b"1", &mut Vec::new());
    let (_, out) = run(&mut core, 2);
    assert_eq!((calls(&out).len(), statistics(&core, "j")[3]), (1, CALLS as u64));
}

#[test]
fn jobs_wait_for_their_turn_and_their_number_is_bounded() {
    let mut core = with_devices(&["a"]);
    online(&mut core, "a");
    for number in 0..ACTIVE {
        core.create_job(now(0), &format!("j{number:03}"), &method("*", json!({}))).expect("taken");
    }
    let full =
        core.create_job(now(0), "more", &update("*")).map(|_| ()).map_err(|fault| (fault.status, fault.code));
    assert_eq!(full, Err((429, 429_004)));
    core.tick(now(1), &mut Vec::new());
    let of = |core: &Core, wanted: &str| core.all_jobs().filter(|job| job.told()["status"] == wanted).count();
    assert_eq!((of(&core, "running"), of(&core, "queued")), (RUNNING, ACTIVE - RUNNING));
    core.cancel_job(now(2), "j000").expect("cancelled");
    run(&mut core, 3);
    assert_eq!((of(&core, "running"), status(&core, "j010").as_str()), (RUNNING, "running"));
}

#[test]
fn a_job_is_there_once_and_forgotten_after_thirty_days() {
    let mut core = with_devices(&["a"]);
    core.create_job(now(0), "j", &update("*")).expect("taken");
    run(&mut core, 1);
    let again =
        core.create_job(now(2), "j", &update("*")).map(|_| ()).map_err(|fault| (fault.status, fault.code));
    assert_eq!(again, Err((409, 409_104)));
    let later = now(u64::try_from((HISTORY_SECONDS + 1) * 1000).expect("a time"));
    core.create_job(later, "j", &update("*")).expect("the name is free again");
}

#[test]
fn what_no_device_would_take_is_refused_at_once() {
    let mut core = core();
    let with = |mut request: Map<String, Value>, name: &str, value: Value| {
        request.insert(name.to_owned(), value);
        request
    };
    for (request, code) in [
        (with(update("*"), "type", json!("export")), 501_000),
        (with(update("*"), "type", json!("dance")), 400_004),
        (with(update("*"), "updateTwin", Value::Null), 400_004),
        (with(update("*"), "updateTwin", json!({"properties": {"desired": {"$x": 1}}})), 400_004),
        (with(update("*"), "updateTwin", json!({"properties": {}})), 400_004),
        (with(update("*"), "queryCondition", json!("deviceId =")), 400_004),
        (with(update("*"), "queryCondition", json!(5)), 400_004),
        (with(update("*"), "startTime", json!("tomorrow")), 400_004),
        (with(update("*"), "maxExecutionTimeInSeconds", json!(0)), 400_004),
        (with(update("*"), "jobId", json!("other")), 400_004),
        (method("*", json!({"methodName": ""})), 400_004),
        (method("*", json!({"responseTimeoutInSeconds": 1})), 400_004),
        (with(method("*", json!({})), "cloudToDeviceMethod", Value::Null), 400_004),
    ] {
        let taken = core.create_job(now(0), "j", &request).map(|_| ()).map_err(|fault| fault.code);
        assert_eq!(taken, Err(code), "{request:?}");
    }
    assert!(core.create_job(now(0), "query", &update("*")).is_err());
    assert!(core.create_job(now(0), "a b", &update("*")).is_err());
    let civil = with(update("*"), "startTime", json!("2020-01-01T00:00:00"));
    assert!(core.create_job(now(0), "j", &civil).is_ok());
}

#[test]
fn a_twin_whose_etag_is_another_is_left_alone() {
    let mut core = with_devices(&["a"]);
    let mut request = update("*");
    request["updateTwin"]["etag"] = json!("AAAAAAAAAAk=");
    core.create_job(now(0), "j", &request).expect("taken");
    run(&mut core, 1);
    assert_eq!(statistics(&core, "j"), [1, 0, 1, 0]);
    assert_eq!(rows(&core, "SELECT * FROM devices.jobs")[0]["error"]["code"], "PreconditionFailed");
}

#[test]
fn a_job_that_a_store_has_kept_goes_on_where_it_was() {
    let mut core = core();
    core.changes.begin();
    for number in 0..=SLICE {
        core.create(now(0), Spec::plain(address(&format!("d{number:04}")))).expect("created");
    }
    core.create_job(now(0), "j", &update("*")).expect("taken");
    core.tick(now(1), &mut Vec::new());
    assert!(core.changes.take().contains(&crate::cloud::core::changes::Record::Job("j".to_owned())));
    let record = core.job_record("j").expect("a record");
    let mut second = crate::cloud::core::testing::core();
    for number in 0..=SLICE {
        second.create(now(0), Spec::plain(address(&format!("d{number:04}")))).expect("created");
    }
    let later = Now { at: Millis(0), wall: now(100).wall };
    second.restore_job(later, &record).expect("restored");
    run(&mut second, 200);
    assert_eq!((status(&second, "j").as_str(), statistics(&second, "j")), ("completed", [501, 501, 0, 0]));
    assert!(second.identity(&address("d0000")).expect("a device").twin.tags.is_empty(), "it was done before");
    assert!(!second.identity(&address("d0500")).expect("a device").twin.tags.is_empty());
    for bad in [json!(null), json!({}), json!({"job": {"jobId": "x"}})] {
        assert!(second.restore_job(later, &bad).is_err());
    }
}

#[test]
fn a_whole_row_has_what_conditions_ask_for() {
    let mut core = with_devices(&["a"]);
    core.create_job(now(0), "j", &update("*")).expect("taken");
    run(&mut core, 1);
    let row = core.device_jobs().next().expect("a row");
    let whole = row.whole();
    for name in ["deviceId", "jobId", "jobType", "status"] {
        let step = [crate::cloud::core::query::Step::Name(name.to_owned())];
        assert_eq!(row.value(&step).map(std::borrow::Cow::into_owned).as_ref(), whole.get(name), "{name}");
    }
}

#[test]
fn answers_that_there_is_no_room_for_are_counted_and_said_to_be_missing() {
    let mut core = core();
    let answer = serde_json::to_vec(&json!("x".repeat(120_000))).expect("JSON");
    let devices = super::ANSWER_BYTES / answer.len() + 2;
    for number in 0..devices {
        let name = format!("d{number:04}");
        core.create(now(0), Spec::plain(address(&name))).expect("created");
        online(&mut core, &name);
    }
    for id in ["first", "second"] {
        core.create_job(now(0), id, &method("*", json!({}))).expect("taken");
        let (_, out) = run(&mut core, 1);
        for (number, call) in calls(&out).iter().enumerate() {
            core.method_answer(&address(&format!("d{number:04}")), call, "200", &answer, &mut Vec::new());
        }
        run(&mut core, 2);
        assert_eq!(statistics(&core, id)[1], devices as u64, "{id}");
        let missing = rows(&core, "SELECT * FROM devices.jobs WHERE error.code = 'AnswerNotKept'");
        assert_eq!(missing.len(), 2, "{id}");
    }
    let told = core.job("first").expect("the job").told();
    assert!(told["statusMessage"].is_string(), "the older job's records have made room: {told}");
}
