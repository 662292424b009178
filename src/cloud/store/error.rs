//! Why a data folder cannot be used. Whichever it is, nothing in it has been changed.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is something else of that name.
    #[error(
        "the data folder {} is not a folder, there is a file of that name: choose another with \
         --data-dir", .0.display()
    )]
    NotAFolder(PathBuf),
    /// The system does not let this user in.
    #[error(
        "the data folder {} cannot be used: {source}; choose a folder with --data-dir that you may write to",
        .folder.display()
    )]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "the data folder {} is in use by {}: stop that one, or choose another folder with --data-dir",
        .folder.display(), process(*.pid)
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Which process, when it says so.
        pid: Option<u32>,
    },
    /// A database, but not one of this program.
    #[error(
        "{} is a database of another program: choose another folder with --data-dir",
        .0.display()
    )]
    Foreign(PathBuf),
    /// A later version of this program has written it.
    #[error(
        "{} has the format {found}, this version of envsim knows formats up to {known}: use the version of envsim \
         that wrote it, or another folder; nothing has been changed",
        .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known here.
        known: i64,
    },
    /// It is not what was once written.
    #[error(
        "{} is damaged: {detail}; nothing has been deleted: put a copy from before in its place, or move it away \
         to begin anew",
        .file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// There is no room.
    #[error("the disk is full, {} cannot be written ({detail}): make room and start again", .file.display())]
    Full {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// Anything else.
    #[error("cannot {attempt} {}: {source}", .file.display())]
    Sqlite {
        /// The file.
        file: PathBuf,
        /// What was attempted.
        attempt: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("the process {pid}"))
}

impl StoreError {
    /// Whether another `--data-dir` is what helps: a mistake in how the program was called.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::NotAFolder(_) | Self::NotWritable { .. } | Self::Foreign(_))
    }

    /// What an error of the system about the folder or a file in it means.
    pub(super) fn from_io(folder: &Path, source: io::Error) -> Self {
        let folder = folder.to_owned();
        match source.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Self::NotAFolder(folder),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { file: folder, detail: source.to_string() }
            }
            _ => Self::NotWritable { folder, source },
        }
    }

    /// What an error of SQLite about the file means.
    pub(super) fn from_sqlite(file: &Path, attempt: &'static str, source: rusqlite::Error) -> Self {
        let owned = file.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { file: owned, detail: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::Full { file: owned, detail: source.to_string() },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                let folder = file.parent().unwrap_or(file).to_owned();
                Self::NotWritable { folder, source: io::Error::other(source) }
            }
            // Other programs that read SQLite's files take no notice of this program's own lock.
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::InUse { folder: file.parent().unwrap_or(file).to_owned(), pid: None }
            }
            _ if is_shape(&source) => Self::Damaged { file: owned, detail: source.to_string() },
            _ => Self::Sqlite { file: owned, attempt, source },
        }
    }
}

/// Whether a value is not of the type that its column has, or not UTF-8.
fn is_shape(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    )
}
