//! What a local cloud keeps between runs: one SQLite file in a folder of its own.
//!
//! The core notes the names of records that an act has changed; [`Keeper`] writes them in one
//! transaction before anybody is told of the act, and puts the core back when that fails. What
//! comes and goes with every message (telemetry, connections, commands under way, the time of the
//! last activity) is not kept and costs nothing here. A message of a module that has to wait for
//! another, behind the routes of an IoT Edge device, is the one that is kept.
//!
//! The file is a write-ahead log and what it has been moved to (SQLite, "Write-Ahead Logging"),
//! with `synchronous=NORMAL`: what has been written is with the operating system before it is
//! acknowledged, so that it survives the end of this process in whatever way. It is not forced to
//! the disk each time: after a loss of *power* the file is whole, but the latest changes may be
//! missing. `FULL` would cover that too, and costs a wait for the disk with every change while the
//! whole cloud stands still.
//!
//! Never here: what a record means (`core`), sockets, or anything that a device's message to the hub
//! has to wait for.
//!
//! In reading order: [`error`], [`folder`] (whose the folder is), [`schema`] (the file and its
//! versions), [`table`] (what a kind of record is), [`identity`], [`twin`], [`session`],
//! [`authority`], [`mailbox`], [`routed`], [`enrolment`], [`registration`], [`job`],
//! [`configuration`] (each one kind), [`founding`] (keys, scope,
//! authority), [`keeper`], then [`Store`] below.
//!
//! A new kind of record is a file like [`session`], its place in [`table::TABLES`], and a step in
//! [`schema`] that makes its table.

mod authority;
mod configuration;
mod enrolment;
mod error;
mod folder;
mod forms;
mod founding;
mod identity;
mod job;
mod keeper;
mod mailbox;
mod registration;
mod routed;
mod schema;
mod session;
mod table;
#[cfg(test)]
mod tests;
mod twin;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

pub use self::error::StoreError;
pub use self::folder::DataFolder;
pub use self::founding::{Founding, KeptAuthority};
pub(super) use self::keeper::Keeper;
pub(super) use self::schema::CA_FILE;
use self::table::{Key, TABLES, Table, tables_of};
use super::core::Core;
use super::core::changes::Record;
use crate::device::Now;

/// An open data folder: nobody else has it, its file is sound and of this version.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    file: PathBuf,
    folder: DataFolder,
}

impl Store {
    /// Opens the file in a folder, or makes it. Whatever is wrong, the file stays as it is.
    pub fn open(folder: DataFolder) -> Result<Self, StoreError> {
        let file = folder.file()?;
        let connection = schema::open(&file)?;
        Ok(Self { connection, file, folder })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the cloud was founded with, unless this is the first time.
    pub fn founding(&self) -> Result<Option<Founding>, StoreError> {
        let sql = "SELECT body FROM settings WHERE name = 'founding'";
        let body = self.connection.query_row(sql, [], |row| row.get::<_, String>(0)).optional();
        let body = body.map_err(|error| self.failed("read", error))?;
        body.map(|body| forms::read(&body))
            .transpose()
            .map_err(|why| self.damaged(format!("its settings cannot be read: {why}")))
    }

    /// Keeps what the cloud is founded with, and on the first start what stands in `core` from the
    /// beginning: both or neither.
    pub fn found(&mut self, founding: &Founding, first: Option<&Core>) -> Result<(), StoreError> {
        self.write_founding(founding, first).map_err(|error| self.failed("write", error))
    }

    fn write_founding(&mut self, founding: &Founding, first: Option<&Core>) -> rusqlite::Result<()> {
        let body = serde_json::to_string(founding).unwrap_or_default();
        let sql = "INSERT INTO settings (name, body) VALUES ('founding', ?1) \
                   ON CONFLICT (name) DO UPDATE SET body = excluded.body WHERE body <> excluded.body";
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(sql, [body])?;
        if let Some(core) = first {
            let (tables, key) = tables_of(&Core::default_group_record());
            for table in tables {
                put(&transaction, table, &key, (table.read)(core, &key))?;
            }
        }
        transaction.commit()?;
        // Into the file itself, so that it is one from now on, whatever becomes of its log.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Gives all that is kept to a new core.
    pub fn load(&self, core: &mut Core, now: Now) -> Result<(), StoreError> {
        for table in TABLES {
            let sql = format!("SELECT name, part, body FROM {}", table.name);
            let mut statement = self.connection.prepare(&sql).map_err(|error| self.failed("read", error))?;
            let mut rows = statement.query([]).map_err(|error| self.failed("read", error))?;
            while let Some(row) = rows.next().map_err(|error| self.failed("read", error))? {
                let read = || Ok((row.get(0)?, row.get(1)?, row.get_ref(2)?.as_str()?));
                let (name, part, body) = read().map_err(|error| self.failed("read", error))?;
                let key = Key { name, part };
                self.restore(core, now, table, &key, Some(body))?;
            }
        }
        self.check_pairs()
    }

    /// Every identity has a twin; that no twin is without its identity has been seen on the way.
    fn check_pairs(&self) -> Result<(), StoreError> {
        let sql = "SELECT (SELECT count(*) FROM identities) - (SELECT count(*) FROM twins)";
        let missing: i64 = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| self.failed("read", error))?;
        if missing == 0 { Ok(()) } else { Err(self.damaged(format!("{missing} twins are missing"))) }
    }

    /// Stores records as they stand in the core: all of them or none.
    fn write(&mut self, core: &Core, records: &BTreeSet<Record>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for record in records {
            let (tables, key) = tables_of(record);
            for table in tables {
                put(&transaction, table, &key, (table.read)(core, &key))?;
            }
        }
        transaction.commit()
    }

    /// Puts records in the core back to how they are stored.
    fn reload(&self, core: &mut Core, now: Now, records: &BTreeSet<Record>) -> Result<(), StoreError> {
        for record in records {
            let (tables, key) = tables_of(record);
            for table in tables {
                let sql = format!("SELECT body FROM {} WHERE name = ?1 AND part = ?2", table.name);
                let body = self
                    .connection
                    .prepare_cached(&sql)
                    .and_then(|mut statement| {
                        let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
                        statement.query_row(params![key.name, key.part], read).optional()
                    })
                    .map_err(|error| self.failed("read", error))?;
                self.restore(core, now, table, &key, body.as_deref())?;
            }
        }
        Ok(())
    }

    fn restore(
        &self,
        core: &mut Core,
        now: Now,
        table: &Table,
        key: &Key,
        body: Option<&str>,
    ) -> Result<(), StoreError> {
        (table.restore)(core, now, key, body).map_err(|why| {
            self.damaged(format!("the entry `{key}` in its table {} cannot be read: {why}", table.name))
        })
    }

    fn failed(&self, attempt: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.file, attempt, source)
    }

    /// Writes a file beside the database, unless it is there as it should be.
    pub(super) fn write_file(&self, name: &str, content: &str) -> Result<PathBuf, StoreError> {
        self.folder.write(name, content)
    }

    /// What is kept cannot be read as what it should be.
    pub(super) fn damaged(&self, detail: String) -> StoreError {
        StoreError::Damaged { file: self.file.clone(), detail }
    }

    /// Lets the file grow to so many pages and no further: a disk that is full, for tests.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        self.connection.pragma_update(None, "max_page_count", pages).expect("a limit");
    }

    /// How many pages the file has.
    #[cfg(test)]
    pub(super) fn pages(&self) -> u32 {
        self.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a count")
    }
}

fn put(
    transaction: &Transaction<'_>,
    table: &Table,
    key: &Key,
    body: Option<String>,
) -> rusqlite::Result<()> {
    let Table { name, .. } = table;
    let Some(body) = body else {
        let sql = format!("DELETE FROM {name} WHERE name = ?1 AND part = ?2");
        return transaction.prepare_cached(&sql)?.execute(params![key.name, key.part]).map(|_| ());
    };
    let sql = format!(
        "INSERT INTO {name} (name, part, body) VALUES (?1, ?2, ?3) \
         ON CONFLICT (name, part) DO UPDATE SET body = excluded.body"
    );
    transaction.prepare_cached(&sql)?.execute(params![key.name, key.part, body]).map(|_| ())
}
