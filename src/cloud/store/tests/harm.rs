//! A file that is not as this program wrote it last: older, newer, of another program, damaged.

use super::*;

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
fn an_older_format_is_taken_up_with_all_that_is_in_it() {
    let (folder, file) = kept();
    let back = "DROP TABLE routed; PRAGMA user_version = 1";
    with_sql(back)(&file);
    assert!(loaded(&open(folder.path())).kept_identity(&address("d", None)).is_some());
    let version = |file: &Path| {
        let file = Connection::open(file).expect("a database");
        file.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).expect("a version")
    };
    assert_eq!(version(&file), schema::known());
    open(folder.path());
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
