//! Folders that go with the run that has made them.
//!
//! Whoever ends in order removes its own. One that was killed cannot: the next one that makes such a
//! folder removes what is left of those that nobody has any more. Images may be large.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::error::StoreError;
use super::store::FILES;
use crate::system::lock::{FolderLock, LOCK};

const PREFIX: &str = "envsim-firmware-";

/// A new folder among the temporary ones.
pub(super) fn make() -> Result<TempDir, StoreError> {
    let place = std::env::temp_dir();
    make_in(&place).map_err(StoreError::io("make a folder for firmware images in", &place))
}

pub(super) fn make_in(place: &Path) -> io::Result<TempDir> {
    let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
    // It is no concern of this run whether that succeeds.
    let _ = clear(place, made.path());
    Ok(made)
}

/// Removes what killed processes of the same user have left.
fn clear(place: &Path, ours: &Path) -> io::Result<()> {
    let owner = owner(&fs::symlink_metadata(ours)?);
    for entry in fs::read_dir(place)?.flatten() {
        let path = entry.path();
        if path == ours || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // Anyone may make something of that name here; a link might lead anywhere.
        let is_own =
            fs::symlink_metadata(&path).is_ok_and(|there| there.is_dir() && self::owner(&there) == owner);
        if is_own {
            remove(&path);
        }
    }
    Ok(())
}

/// Removes one folder, unless somebody has it or it holds what no store has put there.
fn remove(folder: &Path) {
    let Some(lock) = FolderLock::take_over(folder) else { return };
    for name in FILES {
        let _ = fs::remove_file(folder.join(name));
    }
    // What is open cannot be removed everywhere.
    drop(lock);
    let _ = fs::remove_file(folder.join(LOCK));
    if fs::remove_dir(folder).is_ok() {
        tracing::debug!("removed {}, which a run that was killed had left", folder.display());
    }
}

#[cfg(unix)]
fn owner(there: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(there)
}

/// On other systems the folder for temporary files is the user's own already.
#[cfg(not(unix))]
fn owner(_: &fs::Metadata) -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    #[test]
    fn only_folders_that_nobody_has_any_more_are_removed() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = |name: &str| {
            let path = place.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&path).expect("made");
            path
        };
        let (killed, held, beginning, strange) =
            (folder("killed"), folder("held"), folder("beginning"), folder("strange"));
        drop(Store::open(&killed).expect("a store"));
        fs::write(killed.join("image-a.bin"), "large").expect("written");
        let holder = Store::open(&held).expect("a store");
        fs::write(beginning.join(LOCK), "").expect("written");
        drop(Store::open(&strange).expect("a store"));
        fs::write(strange.join("thesis.txt"), "mine").expect("written");
        let other = place.path().join("somebody-else");
        drop(Store::open(&other).expect("a store"));
        #[cfg(unix)]
        std::os::unix::fs::symlink(&other, place.path().join(format!("{PREFIX}link"))).expect("linked");

        let made = make_in(place.path()).expect("made");
        assert!(!killed.exists());
        assert!(made.path().exists() && held.join("state.json").exists() && beginning.exists());
        assert!(strange.join("thesis.txt").exists() && other.join("state.json").exists());
        drop(holder);
        drop(make_in(place.path()).expect("made"));
        assert!(!held.exists());
    }
}
