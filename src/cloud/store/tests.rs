use std::fs;
use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::*;
use crate::cloud::core::Settings;
use crate::cloud::core::auth::HubNames;
use crate::cloud::core::clients::Subscriptions;
use crate::cloud::core::message::{Ack, Outgoing};
use crate::cloud::core::registry::{Address, Authentication, Identity, Keys, Precondition, Thumbprints};
use crate::cloud::core::service::Write;
use crate::cloud::core::twins::{Section, Twin, TwinUpdate};
use crate::device::{Millis, Now};
use crate::wire::SharedKey;

fn now() -> Now {
    Now { at: Millis(0), wall: Timestamp::from_second(1_893_456_000).expect("a moment") }
}

fn key(byte: u8) -> SharedKey {
    SharedKey::from_bytes(vec![byte; 32]).expect("a key")
}

fn core() -> Core {
    let settings = Settings {
        names: HubNames { own: "localhost".to_owned(), aliases: vec![] },
        assigned_hub: "localhost".to_owned(),
        id_scope: "0ne00ABCDEF".parse().expect("a scope"),
        group_key: key(1),
        retry_after: 0,
        waits: 0,
        assigning_for: 0,
    };
    let mut core = Core::new(settings, [7; 32]);
    core.changes.begin();
    core
}

fn address(device: &str, module: Option<&str>) -> Address {
    Address {
        device: device.parse().expect("an id"),
        module: module.map(|module| module.parse().expect("an id")),
    }
}

fn store(folder: &Path) -> Result<Store, StoreError> {
    Store::open(DataFolder::take(folder)?)
}

fn open(folder: &Path) -> Store {
    store(folder).expect("a store")
}

fn keep(store: &mut Store, core: &mut Core) {
    let records = core.changes.take();
    store.write(core, &records).expect("stored");
}

fn loaded(store: &Store) -> Core {
    let mut core = core();
    store.load(&mut core, now()).expect("loaded");
    core.changes.take();
    core
}

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
    let d: crate::device::DeviceId = "d".parse().expect("an id");
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

#[test]
fn a_folder_is_made_for_its_user_only() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a").join("b");
    let mut store = open(&path);
    let mut core = core();
    core.create_derived(now(), "d".parse().expect("an id")).expect("created");
    keep(&mut store, &mut core);
    store.write_file("ca.pem", "x").expect("written");
    let mut names: Vec<_> =
        fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry")).collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = names
        .iter()
        .map(|entry| {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", entry.path().display());
            }
            entry.file_name().into_string().expect("a name")
        })
        .collect();
    assert_eq!(names, ["ca.pem", "cloud.db", "cloud.db-wal", "lock"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_second_holder_is_told_who_has_the_folder() {
    let folder = TempDir::new().expect("a folder");
    let held = open(folder.path());
    let error = store(folder.path()).expect_err("held");
    assert!(
        matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    drop(held);
    open(folder.path());
}

#[test]
fn a_file_in_the_place_of_the_folder_is_named() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "precious").expect("written");
    for path in [file.clone(), file.join("below")] {
        let error = store(&path).expect_err("a file");
        assert!(matches!(error, StoreError::NotAFolder(_)) && error.is_usage(), "{error}");
    }
    assert_eq!(fs::read(&file).expect("readable"), b"precious");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("d");
    fs::create_dir(&path).expect("made");
    fs::write(path.join("something"), "").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).expect("closed");
    if fs::write(path.join("probe"), "").is_ok() {
        // Root writes where it likes.
        return;
    }
    let error = store(&path).expect_err("closed");
    assert!(matches!(error, StoreError::NotWritable { .. }) && error.is_usage(), "{error}");
}

/// A folder with one device in it, closed.
fn kept() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let mut core = core();
    core.create_derived(now(), "d".parse().expect("an id")).expect("created");
    keep(&mut open(folder.path()), &mut core);
    let file = folder.path().join("cloud.db");
    (folder, file)
}

/// What is wrong with the folder after something was done to its file, which nobody touches then.
#[track_caller]
fn refused(harm: impl FnOnce(&Path)) -> StoreError {
    let (folder, file) = kept();
    harm(&file);
    let before = fs::read(&file).expect("readable");
    let error = store(folder.path()).and_then(|store| store.load(&mut core(), now())).expect_err("refused");
    assert_eq!(fs::read(&file).expect("readable"), before, "{error}");
    error
}

fn with_sql(sql: &str) -> impl FnOnce(&Path) + '_ {
    move |file| Connection::open(file).and_then(|file| file.execute_batch(sql)).expect("done")
}

#[test]
fn a_newer_format_is_refused_with_both_versions() {
    let error = refused(with_sql("PRAGMA user_version = 999"));
    assert!(
        matches!(error, StoreError::Newer { found: 999, known, .. } if known == schema::known()),
        "{error}"
    );
    assert!(error.to_string().contains("999"), "{error}");
}

#[test]
fn another_programs_database_is_refused() {
    let error = refused(with_sql("PRAGMA application_id = 1"));
    assert!(matches!(error, StoreError::Foreign(_)) && error.is_usage(), "{error}");
}

#[test]
fn damage_is_named_with_the_file_and_what_to_do() {
    let cut = |file: &Path| {
        let bytes = fs::read(file).expect("readable");
        fs::write(file, &bytes[..bytes.len() / 2 + 100]).expect("cut");
    };
    let scrawl = |file: &Path| {
        let mut bytes = fs::read(file).expect("readable");
        let last = bytes.len() - 4096;
        bytes[last..last + 200].fill(0xa5);
        fs::write(file, bytes).expect("scrawled");
    };
    let garbage = |file: &Path| fs::write(file, vec![b'x'; 9000]).expect("written");
    let lost = |file: &Path| {
        fs::write(file, "").expect("emptied");
        fs::write(file.with_extension("db-wal"), "a log").expect("written");
    };
    let errors = [
        refused(cut),
        refused(scrawl),
        refused(garbage),
        refused(lost),
        refused(with_sql("DELETE FROM twins")),
        refused(with_sql("DELETE FROM identities")),
        refused(with_sql("UPDATE identities SET body = '{'")),
        refused(with_sql("UPDATE twins SET body = '[]'")),
        refused(with_sql("UPDATE identities SET name = ''")),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Damaged { .. }) && !error.is_usage(), "{error}");
        let text = error.to_string();
        assert!(text.contains("cloud.db is damaged") && text.contains("nothing has been deleted"), "{text}");
        assert!(!text.contains("primary"), "no keys: {text}");
    }
}

#[test]
fn a_full_disk_undoes_what_it_cannot_store_and_lets_go_on() {
    let folder = TempDir::new().expect("a folder");
    let mut core = core();
    let mut keeper = Keeper::new(open(folder.path()), &mut core);
    let d = address("d", None);
    core.create_derived(now(), d.device.clone()).expect("created");
    keeper.keep(&mut core, now()).expect("stored");
    let limit = |keeper: &Keeper, more| {
        let store = keeper.store().expect("a store");
        store.limit_pages(store.pages() + more);
    };
    limit(&keeper, 0);
    let before = core.kept_identity(&d).cloned();
    let tag = json!({"large": "x".repeat(4000)}).as_object().cloned();
    let update = TwinUpdate {
        tags: None,
        desired: tag.map(|tag| (0..7).map(|n| (n.to_string(), Value::Object(tag.clone()))).collect()),
    };
    for _ in 0..2 {
        core.write_twin(now(), &d, &update, Write::Merge, &Precondition::Any, &mut Vec::new())
            .expect("changed");
        let fault = keeper.keep(&mut core, now()).expect_err("no room");
        assert_eq!((fault.status, fault.code), (503, 503_001), "{fault}");
        assert!(fault.message.contains(&folder.path().display().to_string()), "{fault}");
        assert_eq!(core.kept_identity(&d).cloned(), before, "it has not happened");
    }
    // New and deleted records are undone as well; whoever is connected stays so.
    core.connect(now(), &d, true, None, &mut Vec::new());
    for number in 0..100 {
        core.create_derived(now(), format!("new-{number}").parse().expect("an id")).expect("created");
    }
    keeper.keep(&mut core, now()).expect_err("no room");
    assert!(core.kept_identity(&address("new-0", None)).is_none());
    assert!(core.kept_identity(&d).is_some_and(|identity| identity.connected));
    limit(&keeper, 1000);
    keeper.agree(&mut core, now()).expect("agreed");
    core.write_twin(now(), &d, &update, Write::Merge, &Precondition::Any, &mut Vec::new()).expect("changed");
    keeper.keep(&mut core, now()).expect("there is room again");
    let after = core.kept_identity(&d).expect("there").twin.clone();
    drop(keeper);
    assert_eq!(loaded(&open(folder.path())).kept_identity(&d).map(|identity| &identity.twin), Some(&after));
}

#[test]
fn an_act_that_panicked_halfway_is_undone_before_the_next() {
    let folder = TempDir::new().expect("a folder");
    let mut core = core();
    let mut keeper = Keeper::new(open(folder.path()), &mut core);
    core.create_derived(now(), "half".parse().expect("an id")).expect("created");
    // The panic ended the act here: `keep` was never asked.
    keeper.agree(&mut core, now()).expect("agreed");
    assert!(core.kept_identity(&address("half", None)).is_none() && core.changes.is_empty());
}

#[test]
fn many_reports_do_not_make_the_log_grow_without_end() {
    let folder = TempDir::new().expect("a folder");
    let mut store = open(folder.path());
    let (mut core, d) = (core(), address("d", None));
    core.create_derived(now(), d.device.clone()).expect("created");
    for number in 0..5_000 {
        core.report(now(), &d, json!({"n": number}).to_string().as_bytes(), None, &mut Vec::new())
            .expect("reported");
        keep(&mut store, &mut core);
    }
    let log = fs::metadata(folder.path().join("cloud.db-wal")).expect("a log").len();
    assert!(log < 8 * 1024 * 1024, "{log}");
}
