//! Each kind of record comes back with all it had, and nothing else is written.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::cloud::core::clients::Subscriptions;
use crate::cloud::core::identities::Spec;
use crate::cloud::core::message::{Ack, Outgoing};
use crate::cloud::core::registry::{Authentication, Identity, Keys, Thumbprints};
use crate::cloud::core::routes::Place;
use crate::cloud::core::routes::deployment::EDGE_HUB;
use crate::cloud::core::routes::kept::Kept;
use crate::cloud::core::twins::{Section, Twin};
use crate::device::DeviceId;

fn object() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::vec((any::<String>(), value), 0..4).prop_map(|members| members.into_iter().collect())
}

fn section() -> impl Strategy<Value = Section> {
    (object(), object(), 1..u64::MAX).prop_map(|(value, metadata, version)| Section {
        value,
        metadata,
        version,
    })
}

fn twin() -> impl Strategy<Value = Twin> {
    (object(), section(), section(), any::<u64>(), any::<u64>()).prop_map(
        |(tags, desired, reported, version, revision)| Twin { tags, desired, reported, version, revision },
    )
}

fn authentication() -> impl Strategy<Value = Authentication> {
    let print = || prop::option::of("[0-9A-F]{40}");
    prop_oneof![
        (any::<u8>(), any::<u8>())
            .prop_map(|(a, b)| Authentication::Sas(Keys { primary: key(a), secondary: key(b) })),
        (print(), print())
            .prop_map(|(primary, secondary)| Authentication::SelfSigned(Thumbprints { primary, secondary })),
        Just(Authentication::CertificateAuthority),
        Just(Authentication::None),
    ]
}

fn moment() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::of(
        (0_i64..4_000_000_000_000).prop_map(|at| Timestamp::from_millisecond(at).expect("a time")),
    )
}

prop_compose! {
    fn identity()(
        module in prop::option::of("[a-z$#]{1,8}"),
        authentication in authentication(),
        (generation, etag) in any::<(String, String)>(),
        (enabled, edge) in any::<(bool, bool)>(),
        (status_reason, scope, managed_by, model_id) in any::<(Option<String>, Option<String>, Option<String>, Option<String>)>(),
        (status_updated, connection_updated, last_activity) in (moment(), moment(), moment()),
        twin in twin(),
    ) -> Identity {
        Identity {
            address: address("dEvice#1", module.as_deref()),
            authentication, generation, etag, enabled, status_reason, status_updated, edge, scope, managed_by,
            connected: false, connection_updated, last_activity, model_id, messages: 0, twin, configurations: std::collections::BTreeMap::new(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_identity_comes_back_with_all_it_had(identity in identity()) {
        let folder = TempDir::new().expect("a folder");
        let mut store = open(folder.path());
        let (mut core, at) = (core(), identity.address.clone());
        core.restore_identity(&at, Some(identity.clone()));
        core.changes.identity(&at);
        keep(&mut store, &mut core);
        let core = loaded(&store);
        prop_assert_eq!(core.kept_identity(&at), Some(&identity));
    }

    #[test]
    fn a_session_comes_back_with_all_it_had(
        granted in prop::array::uniform5(prop::option::of(0..2_u8)),
    ) {
        let folder = TempDir::new().expect("a folder");
        let mut store = open(folder.path());
        let [methods, twin_answers, desired, device_bound, inputs] = granted;
        let session = Subscriptions { methods, twin_answers, desired, device_bound, inputs };
        let (mut core, at) = (core(), address("d", Some("m")));
        core.restore_session(&at, Some(session));
        core.changes.session(&at);
        keep(&mut store, &mut core);
        let core = loaded(&store);
        prop_assert_eq!(core.kept_session(&at), Some(&session));
    }
}

#[test]
fn what_is_founded_is_found_again() {
    let folder = TempDir::new().expect("a folder");
    let core = core();
    let authority = KeptAuthority { certificate: "a certificate".to_owned(), key: "a secret".to_owned() };
    let founding =
        Founding::new(&core.settings().id_scope, &core.settings().group_key, core.policy_keys(), authority);
    {
        let mut store = open(folder.path());
        assert_eq!(store.founding().expect("readable"), None);
        store.found(&founding, None).expect("stored");
    }
    assert_eq!(open(folder.path()).founding().expect("readable"), Some(founding.clone()));
    assert!(!format!("{founding:?}").contains("a secret"));
}

#[test]
fn an_authority_comes_back() {
    let folder = TempDir::new().expect("a folder");
    let mut store = open(folder.path());
    let mut core = core();
    let made = crate::cloud::cert::Authority::make().expect("an authority");
    core.put_authority("mine", made.pem().as_bytes()).expect("taken");
    keep(&mut store, &mut core);
    assert_eq!(loaded(&store).authorities().get("mine"), core.authorities().get("mine"));
    core.remove_authority("mine").expect("removed");
    keep(&mut store, &mut core);
    assert_eq!(loaded(&store).authorities().get("mine"), None);
}

#[test]
fn waiting_messages_come_back_in_order_with_all_they_had() {
    let folder = TempDir::new().expect("a folder");
    let mut store = open(folder.path());
    let mut core = core();
    let d: DeviceId = "d".parse().expect("an id");
    core.create_derived(now(), d.clone()).expect("created");
    let full = Outgoing {
        message_id: Some("id".to_owned()),
        correlation_id: Some("correlation".to_owned()),
        user_id: Some("user".to_owned()),
        content_type: Some("text/plain".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        ack: Ack::Full,
        expiry: Timestamp::from_second(1_893_456_100).ok(),
        properties: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
        body: vec![0, 255, 7].into(),
    };
    for sent in [full, Outgoing::default()] {
        core.send_message(now(), &d, sent, &mut Vec::new()).expect("queued");
    }
    keep(&mut store, &mut core);
    let again = loaded(&store);
    assert_eq!(again.mailbox(&d), core.mailbox(&d));
    assert_eq!(again.device(&d).map(|device| device.messages), Ok(2));
    core.delete(&Address::device(d.clone()), &Precondition::Any, &mut Vec::new()).expect("deleted");
    keep(&mut store, &mut core);
    assert_eq!(loaded(&store).mailbox(&d), None);
}

#[test]
fn what_is_deleted_stays_away_with_its_twin_and_session() {
    let folder = TempDir::new().expect("a folder");
    let mut store = open(folder.path());
    let (mut core, d) = (core(), address("d", None));
    core.create_derived(now(), d.device.clone()).expect("created");
    core.connect(now(), &d, false, None, &mut Vec::new());
    keep(&mut store, &mut core);
    assert!(loaded(&store).kept_session(&d).is_some());
    core.delete(&d, &Precondition::Any, &mut Vec::new()).expect("deleted");
    keep(&mut store, &mut core);
    let core = loaded(&store);
    assert!(core.kept_identity(&d).is_none() && core.kept_session(&d).is_none());
}

/// A hub with an IoT Edge device `edge`, and what waits there: two messages of its module `a` for
/// its module `b`.
fn with_routes() -> (Core, DeviceId) {
    let mut core = core();
    let edge = address("edge", None);
    core.create(now(), Spec { edge: true, ..Spec::plain(edge.clone()) }).expect("created");
    for name in ["a", "b"] {
        core.create(now(), Spec::plain(address("edge", Some(name)))).expect("created");
    }
    let route = json!({
        "route": "FROM /* INTO BrokeredEndpoint(\"/modules/b/inputs/i\")", "priority": 2, "timeToLiveSecs": 60,
    });
    let update = TwinUpdate { tags: None, desired: json!({"routes": {"r": route}}).as_object().cloned() };
    let (hub, mut out) = (address("edge", Some(EDGE_HUB)), Vec::new());
    core.write_twin(now(), &hub, &update, Write::Replace, &Precondition::Any, &mut out).expect("written");
    let a = address("edge", Some("a"));
    core.message(now(), &a, "%24.on=o&n=1", vec![0, 255, 7].into(), &mut out).expect("taken");
    core.report(now(), &a, br#"{"x":1}"#, None, &mut out).expect("reported");
    (core, edge.device)
}

fn waiting(core: &Core, device: &DeviceId) -> Vec<Option<Kept>> {
    (1..=2).map(|sequence| core.routed(device, Place { priority: 2, sequence })).collect()
}

#[test]
fn routed_messages_that_wait_come_back_each_from_a_row_of_its_own() {
    let folder = TempDir::new().expect("a folder");
    let mut store = open(folder.path());
    let (mut core, edge) = with_routes();
    keep(&mut store, &mut core);
    let again = loaded(&store);
    let seen = waiting(&again, &edge);
    assert!(seen.iter().all(Option::is_some), "{seen:?}");
    assert_eq!(seen, waiting(&core, &edge));
    assert_eq!(again.edge_status(&edge), core.edge_status(&edge));
    let later = Now { at: Millis(0), wall: now().wall + Duration::from_secs(59) };
    let mut core = self::core();
    store.load(&mut core, later).expect("loaded");
    core.changes.take();
    core.tick(Now { at: Millis(1_000), ..later }, &mut Vec::new());
    assert_eq!(core.changes.take().len(), 2, "they expire when they were to");
}

#[test]
fn a_routed_message_to_which_no_route_leads_is_taken_out_of_the_file() {
    let folder = TempDir::new().expect("a folder");
    let (mut core, edge) = with_routes();
    {
        let mut store = open(folder.path());
        keep(&mut store, &mut core);
        // As it is when an Edge hub of its own has been sent other routes and has not come to them.
        let sql =
            "UPDATE twins SET body = json_set(body, '$.desired.value', json('{}')) WHERE part = '$edgeHub'";
        assert_eq!(store.connection.execute(sql, []).expect("changed"), 1);
    }
    for left in [2, 0] {
        let shared = crate::cloud::shared::Shared::new(self::core());
        let store = open(folder.path());
        let sql = "SELECT count(*) FROM routed";
        let count: i64 = store.connection.query_row(sql, [], |row| row.get(0)).expect("a count");
        assert_eq!(count, left);
        shared.attach(store).expect("taken up");
        assert_eq!(shared.look(|core, _| waiting(core, &edge)), [None, None]);
        shared.close();
    }
}

#[test]
fn a_twins_change_writes_its_twin_alone() {
    let (mut core, d) = (core(), address("d", None));
    core.create_derived(now(), d.device.clone()).expect("created");
    core.changes.take();
    core.report(now(), &d, br#"{"a":1}"#, None, &mut Vec::new()).expect("reported");
    let update = TwinUpdate { tags: Some(Map::new()), desired: None };
    core.write_twin(now(), &d, &update, Write::Merge, &Precondition::Any, &mut Vec::new()).expect("written");
    assert_eq!(Vec::from_iter(core.changes.take()), [Record::Twin(d)]);
}

#[test]
fn telemetry_and_coming_back_write_nothing() {
    let (mut core, d) = (core(), address("d", None));
    core.create_derived(now(), d.device.clone()).expect("created");
    let first = core.connect(now(), &d, false, None, &mut Vec::new()).connection;
    core.subscribe(now(), first, "$iothub/methods/POST/#", 1, &mut Vec::new());
    core.disconnected(now(), first);
    core.changes.take();
    let second = core.connect(now(), &d, false, None, &mut Vec::new()).connection;
    core.subscribe(now(), second, "$iothub/methods/POST/#", 1, &mut Vec::new());
    core.message(now(), &d, "", "hello".into(), &mut Vec::new()).expect("taken");
    core.disconnected(now(), second);
    assert!(core.changes.is_empty());
}
