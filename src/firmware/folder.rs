//! A folder that is held by one at a time.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::draft::private;
use super::error::StoreError;

const LOCK: &str = "lock";

/// Takes the folder. The system lets it go when the process ends, in whatever way.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let failed = || StoreError::io("take the firmware folder's lock", &path);
    let mut lock = private(&path).map_err(failed())?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = lock.rewind().and_then(|()| (&lock).take(16).read_to_string(&mut text)).ok();
            let pid = pid.and_then(|_| text.trim().parse().ok());
            return Err(StoreError::InUse { folder: folder.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(failed()(source)),
    }
    // Only for the other's error message; it does without when there is no room for it.
    let _ = lock.set_len(0).and_then(|()| lock.write_all(std::process::id().to_string().as_bytes()));
    Ok(lock)
}
