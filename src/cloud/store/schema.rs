//! The file itself: how it is opened, what tells that it is ours and sound, and its versions.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::StoreError;

/// `envs`, in the place that SQLite has for such a mark ("Database File Format", 1.3.17).
const APPLICATION: i64 = 0x656e_7673;

/// The authority's certificate, which lies beside the file for programs that want a path.
pub(in crate::cloud) const CA_FILE: &str = "ca.pem";

/// What leads from each version to the next; the first from an empty file. A step that has been
/// released is never changed.
const STEPS: &[&str] = &[
    "
    CREATE TABLE settings (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    -- `name` is the device, `part` the module on it, empty for the device itself.
    CREATE TABLE identities (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE twins (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE authorities (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE mailboxes (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE enrolments (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE enrolment_groups (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE registrations (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE jobs (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE configurations (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
    CREATE TABLE sessions (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
",
    "
    -- `name` is the device, `part` the place of a message in its queue.
    CREATE TABLE routed (name TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (name, part)) STRICT;
",
];

/// The version that this program writes.
pub(super) fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Opens a file that is there, empty when it is new, and brings it to this version.
pub(super) fn open(file: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::from_sqlite(file, "open", source);
    check_log(file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    // Until the file is known to be ours, closing it must not tidy it up.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    // One process has the folder; with nobody to share with, SQLite needs no file for that.
    pragma(&connection, "locking_mode", "EXCLUSIVE").map_err(failed)?;
    let version = number(&connection, "user_version").map_err(failed)?;
    let application = number(&connection, "application_id").map_err(failed)?;
    let entries = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let is_new = entries.map_err(failed)? == 0 && version == 0 && application == 0;
    if is_new {
        check_beginning(file)?;
    } else {
        if application != APPLICATION {
            return Err(StoreError::Foreign(file.to_owned()));
        }
        if version > known() {
            return Err(StoreError::Newer { file: file.to_owned(), found: version, known: known() });
        }
        check(&connection, file)?;
    }
    pragma(&connection, "journal_mode", "WAL").map_err(failed)?;
    pragma(&connection, "synchronous", "NORMAL").map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&mut connection, version).map_err(failed)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failed)?;
    Ok(connection)
}

/// SQLite takes an empty file for a new one and deletes the log that lies beside it. Whoever lost
/// the file and has the log still must not lose that too.
fn check_log(file: &Path) -> Result<(), StoreError> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let log = file.with_extension("db-wal");
    if length(file) == 0 && length(&log) > 0 {
        let detail = format!("it is empty, but {}, which belongs to it, is not", log.display());
        return Err(StoreError::Damaged { file: file.to_owned(), detail });
    }
    Ok(())
}

/// A file without a content is new, unless the authority beside it says that the folder has been in
/// use: then what was in the file lay in its log, and the log is gone. A new cloud in its place would
/// be trusted by nobody.
fn check_beginning(file: &Path) -> Result<(), StoreError> {
    let authority = file.with_file_name(CA_FILE);
    if !authority.exists() {
        return Ok(());
    }
    let log = file.with_extension("db-wal");
    let detail = format!(
        "it has nothing in it, but {} says that the folder has been in use: was {} lost?",
        authority.display(),
        log.display()
    );
    Err(StoreError::Damaged { file: file.to_owned(), detail })
}

/// Sets a pragma that may answer with a row.
fn pragma(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| {
        if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
    })
}

fn number(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Reads the whole file once: pages that do not fit together are found now and not in the middle
/// of a test.
fn check(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::from_sqlite(file, "check", source);
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if said == "ok" { Ok(()) } else { Err(StoreError::Damaged { file: file.to_owned(), detail: said }) }
}

fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(from).unwrap_or(0);
    if done >= STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known())?;
    transaction.commit()
}
