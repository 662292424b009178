//! What becomes of changes that cannot be written, and of very many that can.

use super::*;

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
