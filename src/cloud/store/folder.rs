//! The data folder: made for its user only, and held by one process at a time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::system::files;
use crate::system::lock::{FolderLock, NotTaken};

const DATABASE: &str = "cloud.db";

/// A data folder that is held by this process.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: FolderLock,
}

impl DataFolder {
    /// Makes the folder where it is missing, and takes it.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|source| StoreError::from_io(path, source))?;
        let failed = |source| StoreError::from_io(&path, source);
        make(&path).map_err(failed)?;
        match FolderLock::take(&path) {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err(NotTaken::Held(pid)) => Err(StoreError::InUse { folder: path, pid }),
            Err(NotTaken::Io(source)) => Err(failed(source)),
        }
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database's file, made when it is missing: for this user only, and so are the files that
    /// SQLite makes beside it, which take after it.
    pub(super) fn file(&self) -> Result<PathBuf, StoreError> {
        let file = self.path.join(DATABASE);
        files::open_private(&file).map_err(|source| StoreError::from_io(&self.path, source))?;
        Ok(file)
    }

    /// Writes a file into the folder, whole or not at all, unless it is there with this content.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        if fs::read(&path).is_ok_and(|there| there == content.as_bytes()) {
            return Ok(path);
        }
        let draft = self.path.join(format!("{name}.tmp"));
        let written = files::write_draft(&draft, content.as_bytes()).and_then(|()| fs::rename(&draft, &path));
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
