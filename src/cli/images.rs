//! Where the devices' firmware images are kept: a folder for each device that orders any, and the task
//! that works in it.

use std::fmt::Write as _;
use std::path::Path;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{Slot, Station};
use crate::device::{ImageNews, ImageOrder, Profile};
use crate::firmware::{self, FirmwareOptions, Limits, Store, StoreError};
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
                Some(folder) => Store::open(&folder.join(folder_name(&station.label())))?,
                None => Store::temporary()?,
            };
            let options = FirmwareOptions { slot, store, trust: trust.clone(), limits: Limits::default() };
            let handle = firmware::spawn(options, sink.clone(), stop.clone(), tasks);
            orders.push(Some(handle.into_sender()));
        }
        Ok(Self { orders, news })
    }
}

/// A device's name as that of a folder. Device ids may be `..`, and may hold what no file system takes
/// (IoT Hub, "Device identity properties": `- . + % _ # * ? ! ( ) , : = @ $ '`); a module's has a slash.
/// Windows forgets a dot at the end and keeps some names for itself ("Naming Files, Paths, and
/// Namespaces"); a folder has the same name on every system.
fn folder_name(name: &str) -> String {
    let last = name.len().saturating_sub(1);
    let is_kept = is_kept_by_windows(name);
    name.bytes().enumerate().fold(String::with_capacity(name.len()), |mut text, (place, byte)| {
        match byte {
            first if place == 0 && is_kept => {
                let _ = write!(text, "%{first:02X}");
            }
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' => text.push(char::from(byte)),
            b'.' if place > 0 && place < last => text.push('.'),
            other => {
                let _ = write!(text, "%{other:02X}");
            }
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
            ("a.", "a%2E"),
            ("nul.x", "%6Eul.x"),
            ("COM1", "%43OM1"),
            ("com10", "com10"),
            ("console", "console"),
            ("edge/filter", "edge%2Ffilter"),
            ("a%2Fb", "a%252Fb"),
            ("a:b*c?", "a%3Ab%2Ac%3F"),
        ] {
            assert_eq!(folder_name(name), folder);
        }
    }
}
