//! Where the devices' firmware images are kept: a folder for each device that orders any, and the task
//! that works in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{Slot, Station};
use crate::device::{ImageNews, ImageOrder, Profile};
use crate::firmware::{self, FirmwareOptions, Limits, Store, StoreError};
use crate::system::lock::FolderLock;
use crate::trust::Trust;

/// How much news may wait for the loop. Whoever downloads waits when it is full.
const NEWS: usize = 64;

/// The ways to and from the places where images are kept.
pub struct Images {
    /// The way to each device's, by slot, for those that keep any.
    pub orders: Vec<Option<mpsc::Sender<ImageOrder>>>,
    /// What becomes of the orders.
    pub news: mpsc::Receiver<(Slot, ImageNews)>,
}

fn keeps_images(station: &Station) -> bool {
    station.device.profiles().any(Profile::keeps_images)
}

impl Images {
    /// Whether any of them keeps images.
    pub fn are_kept(stations: &[Station]) -> bool {
        stations.iter().any(keeps_images)
    }

    /// Opens a folder for each station whose kinds order images: its own below `folder`, or one that
    /// goes with the run. An image may be anywhere, so what the system trusts counts beside `trust`.
    pub fn spawn(
        folder: Option<&Path>,
        stations: &[Station],
        trust: &Trust,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, StoreError> {
        let (sink, news) = mpsc::channel(NEWS);
        let trust = trust.and_system();
        let mut orders = Vec::with_capacity(stations.len());
        for (slot, station) in stations.iter().enumerate() {
            if !keeps_images(station) {
                orders.push(None);
                continue;
            }
            let store = match folder {
                Some(folder) => Store::open(&place(folder, &station.label()))?,
                None => Store::temporary()?,
            };
            let options = FirmwareOptions { slot, store, trust: trust.clone(), limits: Limits::default() };
            let handle = firmware::spawn(options, sink.clone(), stop.clone(), tasks);
            orders.push(Some(handle.into_sender()));
        }
        Ok(Self { orders, news })
    }
}

/// Where a device's images are below a folder. Earlier versions wrote large letters as they are, and what
/// Windows minds; what one of them has left is taken along.
fn place(folder: &Path, name: &str) -> PathBuf {
    let place = folder.join(folder_name(name));
    let earlier =
        written(name, |at, byte| is_plain(byte) || byte.is_ascii_uppercase() || byte == b'.' && at > 0);
    // By its entry: on a disk that does not tell cases apart, another device's would be found there too.
    let is_there = || {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| name == *earlier)
    };
    if place.exists() || !is_there() {
        return place;
    }
    let earlier = folder.join(earlier);
    // Not from under another process: it is told that the folder is in use.
    let is_free = FolderLock::take_over(&earlier).is_some();
    if is_free && std::fs::rename(&earlier, &place).is_ok() { place } else { earlier }
}

/// A device's name as that of a folder. Device ids may be `..`, and may hold what no file system takes
/// (IoT Hub, "Device identity properties": `- . + % _ # * ? ! ( ) , : = @ $ '`); a module's has a slash.
/// Ids differ also when only the case of a letter does, and names of folders not on every disk. Windows
/// forgets a dot at the end and keeps some names for itself ("Naming Files, Paths, and Namespaces"); a
/// folder has the same name on every system.
fn folder_name(name: &str) -> String {
    let is_kept = is_kept_by_windows(name);
    let mut text = written(name, |at, byte| match at {
        0 => is_plain(byte) && !is_kept,
        at => is_plain(byte) || byte == b'.' && at + 1 < name.len(),
    });
    if text.len() > LONGEST_NAME {
        // Other names may begin as this one does.
        text.truncate(LONGEST_NAME - 65);
        text = format!("{text}-{}", hex::encode(Sha256::digest(name)));
    }
    text
}

/// The longest name that a folder is given: file systems take 255, and an id has 128 characters, each of
/// which may need three.
const LONGEST_NAME: usize = 200;

/// Whether a character stands for itself in every name on every disk.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'_')
}

/// A name with everything encoded that is not to stay `as_it_is` at its place.
fn written(name: &str, as_it_is: impl Fn(usize, u8) -> bool) -> String {
    name.bytes().enumerate().fold(String::with_capacity(name.len()), |mut text, (at, byte)| {
        if as_it_is(at, byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// `NUL` and its like, whatever follows a dot.
fn is_kept_by_windows(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered =
        |prefix| stem.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']));
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_s_folder_stays_below_the_one_given_and_tells_devices_apart() {
        for (name, folder) in [
            ("env-sensor-01", "env-sensor-01"),
            ("a.b", "a.b"),
            ("..", "%2E%2E"),
            (".a.", "%2Ea%2E"),
            ("Sensor-A", "%53ensor-%41"),
            ("sensor-A", "sensor-%41"),
            ("a.", "a%2E"),
            ("nul.x", "%6Eul.x"),
            ("COM1", "%43%4F%4D1"),
            ("com1", "%63om1"),
            ("com10", "com10"),
            ("console", "console"),
            ("edge/filter", "edge%2Ffilter"),
            ("a%2Fb", "a%252%46b"),
            ("a%2fb", "a%252fb"),
            ("a:b*c?", "a%3Ab%2Ac%3F"),
        ] {
            assert_eq!(folder_name(name), folder);
        }
        let (long, other) = ("A".repeat(128), format!("{}B", "A".repeat(127)));
        assert_eq!((folder_name(&long).len(), folder_name(&"a".repeat(128)).len()), (LONGEST_NAME, 128));
        assert_ne!(folder_name(&long), folder_name(&other));
    }

    #[test]
    fn what_an_earlier_version_has_left_is_taken_along() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path();
        let (earlier, now) = (folder.join("Sensor.A"), folder.join("%53ensor.%41"));
        assert_eq!(place(folder, "Sensor.A"), now, "there is nothing");
        let holder = Store::open(&earlier).expect("a store");
        assert_eq!(place(folder, "Sensor.A"), earlier, "somebody has it");
        drop(holder);
        assert_eq!(place(folder, "Sensor.A"), now);
        assert!(now.join("state.json").exists() && !earlier.exists());
        drop(Store::open(&earlier).expect("a store"));
        assert_eq!(place(folder, "Sensor.A"), now, "that one counts now");
        drop(Store::open(&folder.join("sensor-01")).expect("a store"));
        assert_eq!(place(folder, "sensor-01"), folder.join("sensor-01"));
    }
}
