//! How `envsim hub` in one terminal finds the local cloud that runs in another.
//!
//! A running `envsim` or `envsim cloud` leaves a file for its own user in the user's runtime
//! directory, one for each process. It holds the local cloud's throw-away keys, so neither the
//! folder nor the file may be open to others, and a folder that somebody else made is not used.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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
    /// When that process began, in the system's own words, as numbers of processes are used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process_start: Option<String>,
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
        let pid = std::process::id();
        Self {
            pid,
            process_start: process_start(pid),
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
#[derive(Debug)]
pub struct RuntimeFile {
    path: PathBuf,
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
        write_private(&path, &serde_json::to_vec(running)?)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a file for this user only, whole or not at all: a reader never sees half of it.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("tmp");
    // One that a process with the same number left when it was killed.
    remove(&draft);
    let made = files::private().write(true).create_new(true).open(&draft);
    let written = made.and_then(|mut file| file.write_all(content));
    let written = written.and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        remove(&draft);
    }
    written
}

impl Drop for RuntimeFile {
    fn drop(&mut self) {
        remove(&self.path);
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
            Some(found) if is_alive(&found) => running.push(found),
            Some(_) => remove(&path),
            None => {}
        }
    }
    Ok(running)
}

/// A file that cannot be read is somebody else's, or of another version: it is left alone.
fn read(path: &Path) -> Option<Running> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether the process still runs; where the system cannot be asked, whether its port answers.
fn is_alive(running: &Running) -> bool {
    if Path::new("/proc/self").exists() {
        let start = process_start(running.pid);
        return start.is_some() && (running.process_start.is_none() || start == running.process_start);
    }
    let Ok(service) = ConnectionString::parse(&running.service_connection_string) else { return false };
    let address = (service.hub.name.as_str(), service.hub.port.unwrap_or(443));
    let Ok(addresses) = address.to_socket_addrs() else { return false };
    addresses
        .into_iter()
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_ok())
}

/// proc(5), `/proc/PID/stat`, field 22: when the process began, in ticks since the system did.
fn process_start(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything, brackets too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    // A zombie has ended; only its parent has not taken notice yet.
    (fields.next()? != "Z").then(|| fields.nth(18).map(str::to_owned))?
}

/// Whether it was there does not matter.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn running(pid: u32) -> Running {
        let service = ConnectionString::parse(
            "HostName=localhost:8443;SharedAccessKeyName=iothubowner;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        )
        .expect("a connection string");
        Running {
            pid,
            process_start: process_start(pid),
            ..Running::this_process("localhost", &service, "PEM")
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_left_for_its_owner_found_and_taken_away() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("envsim");
        assert_eq!(running_in(&folder).expect("no folder is no error"), []);
        let this = running(std::process::id());
        let file = RuntimeFile::leave_in(&folder, &this).expect("a file");
        assert_eq!((mode(&folder), mode(file.path())), (0o700, 0o600));
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
        // No process can have this number; one with ours that began at another time is gone too.
        let gone = RuntimeFile::leave_in(&folder, &running(u32::MAX)).expect("a file");
        let foreign = folder.join("foreign.json");
        fs::write(&foreign, "not ours").expect("written");
        assert_eq!(
            running_in(&folder).expect("readable").iter().map(|found| found.pid).collect::<Vec<_>>(),
            [std::process::id()]
        );
        assert_eq!((gone.path().exists(), this.path().exists(), foreign.exists()), (false, true, true));
        let again = Running { process_start: Some("1".to_owned()), ..running(std::process::id()) };
        let again = RuntimeFile::leave_in(&folder, &again).expect("a file");
        assert_eq!(running_in(&folder).expect("readable"), []);
        assert!(!again.path().exists());
    }

    #[test]
    fn a_folder_that_is_open_or_not_a_folder_is_refused() {
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
