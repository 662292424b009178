//! A folder that one process has at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use super::files;

/// The file in the folder that is locked.
pub const LOCK: &str = "lock";

/// A folder that this process has. The system lets it go when the process ends, in whatever way: there
/// is no lock that could be left behind.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder cannot be had.
#[derive(Debug)]
pub enum NotTaken {
    /// Somebody else has it: which process, when it says so.
    Held(Option<u32>),
    /// The system refuses.
    Io(io::Error),
}

impl FolderLock {
    /// Takes a folder.
    pub fn take(folder: &Path) -> Result<Self, NotTaken> {
        let mut file = files::open_private(&folder.join(LOCK)).map_err(NotTaken::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NotTaken::Held(written_in(&mut file))),
            Err(TryLockError::Error(source)) => return Err(NotTaken::Io(source)),
        }
        // Only for the other's error message, and for `take_over`; both do without when there is no
        // room for it.
        let _ = file.set_len(0).and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(Self { _file: file })
    }

    /// Takes a folder that somebody else had and has no more. One that is only being made, whose maker
    /// has yet to lock it, is not: a number is written into the file by who has locked it only.
    pub fn take_over(folder: &Path) -> Option<Self> {
        let mut file = files::private().read(true).write(true).open(folder.join(LOCK)).ok()?;
        written_in(&mut file)?;
        file.try_lock().ok().map(|()| Self { _file: file })
    }
}

/// The process that a lock file names.
fn written_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_had_by_one_and_taken_over_only_from_one_that_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        assert!(FolderLock::take_over(path).is_none(), "nobody has had it");
        assert!(!path.join(LOCK).exists());
        let held = FolderLock::take(path).expect("free");
        let refused = FolderLock::take(path).expect_err("held");
        // Windows lets nobody read what is locked.
        assert!(matches!(refused, NotTaken::Held(pid) if pid.is_none_or(|pid| pid == std::process::id())));
        assert!(FolderLock::take_over(path).is_none(), "somebody has it");
        drop(held);
        assert!(FolderLock::take_over(path).is_some(), "it is free");
        std::fs::write(path.join(LOCK), "").expect("written");
        assert!(FolderLock::take_over(path).is_none(), "somebody is about to lock it");
        let nowhere = FolderLock::take(&path.join("missing")).expect_err("there is no folder");
        assert!(matches!(nowhere, NotTaken::Io(error) if error.kind() == io::ErrorKind::NotFound));
    }
}
