//! The data folder: made for its user only, and held by one process at a time.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::system::files;

const LOCK: &str = "lock";
const DATABASE: &str = "cloud.db";

/// A data folder that is held by this process. The system lets it go when the process ends, in
/// whatever way: there is no lock that could be left behind.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it is missing, and takes it.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|source| StoreError::from_io(path, source))?;
        let failed = |source| StoreError::from_io(&path, source);
        make(&path).map_err(failed)?;
        let mut lock = private(&path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { pid: written_in(&mut lock), folder: path });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Only for the other's error message; it does without when there is no room for it.
        let _ = lock.set_len(0).and_then(|()| lock.write_all(std::process::id().to_string().as_bytes()));
        Ok(Self { path, _lock: lock })
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database's file, made when it is missing: for this user only, and so are the files that
    /// SQLite makes beside it, which take after it.
    pub(super) fn file(&self) -> Result<PathBuf, StoreError> {
        let file = self.path.join(DATABASE);
        private(&file).map_err(|source| StoreError::from_io(&self.path, source))?;
        Ok(file)
    }

    /// Writes a file into the folder, whole or not at all, unless it is there with this content.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        if fs::read(&path).is_ok_and(|there| there == content.as_bytes()) {
            return Ok(path);
        }
        let draft = self.path.join(format!("{name}.tmp"));
        let written = private(&draft)
            .and_then(|mut file| {
                file.set_len(0)?;
                file.write_all(content.as_bytes())
            })
            .and_then(|()| fs::rename(&draft, &path));
        written.map_err(|source| StoreError::from_io(&self.path, source))?;
        Ok(path)
    }
}

/// Makes a folder for this user only. One that is there and has something in it stays as open as
/// its owner made it: the files in it are private in any case.
fn make(path: &Path) -> io::Result<()> {
    files::make_private_folder(path)?;
    if fs::read_dir(path)?.next().is_none() {
        // Whose folder it is, it may not be possible; then it is not this program's to close.
        let _ = files::close_folder(path);
    }
    Ok(())
}

/// Opens a file to read and write, and makes it when it is missing: for this user only.
fn private(path: &Path) -> io::Result<File> {
    files::private().read(true).write(true).create(true).truncate(false).open(path)
}

/// The process that a lock file names.
fn written_in(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
