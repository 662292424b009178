//! How `envsim hub` in one terminal finds the local cloud that runs in another.
//!
//! A running `envsim` or `envsim cloud` leaves a file for its own user in the user's runtime
//! directory, one for each process. It holds the local cloud's throw-away keys, so neither the
//! folder nor the file may be open to others, and a folder that somebody else made is not used.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::system::{files, user};
use crate::wire::ConnectionString;

/// More than any file of ours holds; what is longer is not ours.
const MOST: u64 = 64 * 1024;

/// What a back end needs to know of a running local cloud.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// The process.
    pub pid: u32,
    /// The hub's name.
    pub hub: String,
    /// The connection string of its back ends, with the port of HTTPS in `HostName`.
    pub service_connection_string: String,
    /// The certificate to trust, as PEM.
    pub ca: String,
    /// Where it takes MQTT, when it is known not to be the usual port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mqtt_port: Option<u16>,
}

impl Running {
    /// This process, with this local cloud.
    pub fn this_process(hub: &str, service: &ConnectionString, ca: &str) -> Self {
        Self {
            pid: std::process::id(),
            hub: hub.to_owned(),
            service_connection_string: service.reveal(),
            ca: ca.to_owned(),
            mqtt_port: None,
        }
    }

    /// The same, taking MQTT on this port.
    #[must_use]
    pub fn with_mqtt_port(self, port: u16) -> Self {
        Self { mqtt_port: Some(port), ..self }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("pid", &self.pid).field("hub", &self.hub).finish_non_exhaustive()
    }
}

/// The file of this process, removed when this goes.
///
/// A lock on it says that the process lives: the system lets it go when the process ends, in
/// whatever way, and unlike a process's number it means the same on every system and is never used
/// again. The lock is a shared one, which on Windows too lets others read.
#[derive(Debug)]
pub struct RuntimeFile {
    path: PathBuf,
    held: File,
}

impl RuntimeFile {
    /// Leaves the file in the user's runtime directory.
    pub fn leave(running: &Running) -> io::Result<Self> {
        Self::leave_in(&user::runtime_folder()?, running)
    }

    fn leave_in(folder: &Path, running: &Running) -> io::Result<Self> {
        files::make_private_folder(folder)?;
        user::check_own(folder)?;
        let path = folder.join(format!("{}.json", running.pid));
        // Held before it has its name. Where files cannot be locked, `is_held` does without too.
        let held = write_and(&path, &serde_json::to_vec(running)?, |file| {
            let _ = file.try_lock_shared();
        })?;
        Ok(Self { path, held })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the authority's certificate is, for programs that take a path.
    pub fn authority(&self) -> PathBuf {
        authority(&self.path)
    }
}

/// Writes a file for this user only, whole or not at all: a reader never sees half of it.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write_and(path, content, |_| ()).map(drop)
}

/// The same, with something done to the file before anybody can find it.
fn write_and(path: &Path, content: &[u8], finish: impl FnOnce(&File)) -> io::Result<File> {
    let draft = path.with_extension("tmp");
    // One that a process with the same number left when it was killed.
    remove(&draft);
    let written =
        files::private().read(true).write(true).create_new(true).open(&draft).and_then(|mut file| {
            file.write_all(content)?;
            finish(&file);
            fs::rename(&draft, path)?;
            Ok(file)
        });
    if written.is_err() {
        remove(&draft);
    }
    written
}

impl Drop for RuntimeFile {
    fn drop(&mut self) {
        remove(&self.path);
        // Windows may take its time over it otherwise (`LockFileEx`, Remarks).
        let _ = self.held.unlock();
    }
}

/// The local clouds that run, the one that was started last first. Files of processes that are gone
/// are removed on the way.
pub fn running() -> io::Result<Vec<Running>> {
    running_in(&user::runtime_folder()?)
}

fn running_in(folder: &Path) -> io::Result<Vec<Running>> {
    match fs::symlink_metadata(folder) {
        Ok(_) => user::check_own(folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| Some((fs::symlink_metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    files.sort();
    let mut running = Vec::new();
    for (_, path) in files.into_iter().rev() {
        match read(&path) {
            Some((found, file)) if is_held(&file, &path) => running.push(found),
            // Only while no other reader asks the same: `file` is locked until it is dropped.
            Some(_) => {
                remove(&authority(&path));
                remove(&path);
            }
            None => {}
        }
    }
    Ok(running)
}

/// A file that cannot be read is somebody else's, or of another version: it is left alone.
fn read(path: &Path) -> Option<(Running, File)> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    let file = File::open(path).ok()?;
    (&file).take(MOST).read_to_string(&mut text).ok()?;
    Some((serde_json::from_str(&text).ok()?, file))
}

/// Whether the process that left the file still runs; a file system without locks cannot tell, and
/// then it does.
fn is_held(file: &File, path: &Path) -> bool {
    match file.try_lock() {
        Ok(()) => false,
        Err(TryLockError::Error(_)) => true,
        // Held by the process, or for a moment by another reader who finds nobody: that one removes it.
        Err(TryLockError::WouldBlock) => file.try_lock_shared().is_ok() && path.exists(),
    }
}

/// The place beside a runtime file for the same process's authority.
fn authority(path: &Path) -> PathBuf {
    path.with_extension("pem")
}

/// Whether it was there does not matter.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(pid: u32) -> Running {
        let service = ConnectionString::parse(
            "HostName=localhost:8443;SharedAccessKeyName=iothubowner;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        )
        .expect("a connection string");
        Running { pid, ..Running::this_process("localhost", &service, "PEM") }
    }

    #[test]
    fn a_file_is_left_for_its_owner_found_and_taken_away() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("envsim");
        assert_eq!(running_in(&folder).expect("no folder is no error"), []);
        let this = running(std::process::id());
        let file = RuntimeFile::leave_in(&folder, &this).expect("a file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&folder), mode(file.path())), (0o700, 0o600));
        }
        assert_eq!(running_in(&folder).expect("readable"), std::slice::from_ref(&this));
        assert!(!format!("{this:?}").contains("SharedAccessKey"));
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
        assert_eq!(running_in(&folder).expect("readable"), []);
    }

    #[test]
    fn what_a_killed_process_left_is_skipped_and_removed() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("envsim");
        let this = RuntimeFile::leave_in(&folder, &running(std::process::id())).expect("a file");
        let gone = RuntimeFile::leave_in(&folder, &running(2)).expect("a file");
        // As the system does when a process ends. Wine says otherwise and does it too.
        let _ = gone.held.unlock();
        // What a cloud puts beside it.
        let [theirs, ours] = [&gone, &this].map(RuntimeFile::authority);
        for path in [&theirs, &ours] {
            fs::write(path, "PEM").expect("written");
        }
        let foreign = folder.join("foreign.json");
        fs::write(&foreign, "not ours").expect("written");
        for _ in 0..2 {
            let found = running_in(&folder).expect("readable");
            assert_eq!(found.iter().map(|found| found.pid).collect::<Vec<_>>(), [std::process::id()]);
            assert_eq!((gone.path().exists(), this.path().exists(), foreign.exists()), (false, true, true));
            assert_eq!((theirs.exists(), ours.exists()), (false, true));
        }
    }

    #[test]
    fn a_file_that_another_reader_finds_abandoned_is_left_to_that_one() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("envsim");
        let gone = RuntimeFile::leave_in(&folder, &running(2)).expect("a file");
        // As the system does when a process ends. Wine says otherwise and does it too.
        let _ = gone.held.unlock();
        let other = File::open(gone.path()).expect("the file");
        other.try_lock().expect("nobody holds it");
        assert!(!is_held(&File::open(gone.path()).expect("the file"), gone.path()));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_open_or_not_a_folder_is_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let base = tempfile::tempdir().expect("a folder");
        let open = base.path().join("open");
        fs::create_dir(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("set");
        let link = base.path().join("link");
        symlink(base.path(), &link).expect("linked");
        for folder in [&open, &link] {
            let error = RuntimeFile::leave_in(folder, &running(1)).expect_err("refused").to_string();
            assert!(error.contains("XDG_RUNTIME_DIR"), "{error}");
            assert!(running_in(folder).is_err());
        }
    }
}
