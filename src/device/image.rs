//! Firmware images: what a device asks of the place where it keeps them, and what it is told.
//!
//! A device keeps two images, the running one and the one before. A new one is fetched, checked,
//! installed and then on trial: only when it is confirmed does it stay. A device that starts with
//! an image on trial has been interrupted between the two, and goes back to the one before.

use std::fmt;

use super::discreet::discreet;

/// The longest name of a version, in characters: it comes from whoever asks for an update.
pub const LONGEST_VERSION: usize = 64;

/// Where an image is, as whoever asks for it has written it. It may hold a password or a signature, so its
/// `Debug` and `Display` are [`discreet`].
#[derive(Clone, PartialEq, Eq)]
pub struct ImageUri(String);

impl ImageUri {
    /// Takes an address as it is written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The address itself. For whoever follows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&discreet(&self.0))
    }
}

impl fmt::Debug for ImageUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageUri({self})")
    }
}

/// One thing a device wants done with its images. Each is answered by [`ImageNews`] of the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageOrder {
    /// Say what is installed, and then, once, whether an update was cut short by the end of the run
    /// before ([`ImageNews::CutShort`]).
    Inspect,
    /// Download an image, or go on with a download that was interrupted, and check it.
    Fetch {
        /// Which update.
        run: u64,
        /// `http:`, `https:` or `file:`.
        uri: ImageUri,
        /// The SHA-256 that it must have, 64 hexadecimal digits in lower case.
        sha256: Option<String>,
    },
    /// Break a download off, because the device is away for a while, and keep what there is of it:
    /// [`Fetch`](Self::Fetch) goes on from it. [`ImageNews::Interrupted`] tells that it was, and when no
    /// download is under way nothing does.
    Pause {
        /// Which update.
        run: u64,
    },
    /// Put what was fetched in the place of the running image, on trial; keep the running one.
    Install {
        /// Which update.
        run: u64,
        /// What the image is called from now on.
        version: String,
    },
    /// The image on trial works: it stays.
    Confirm {
        /// Which update.
        run: u64,
    },
    /// Go back to the image before, when one is on trial; forget what was fetched.
    ///
    /// It ends a download under way, which is told of no more, and forgets what came of it. A part that
    /// a lost connection has left stays, and the next fetch of the same address goes on from it.
    RollBack {
        /// Which update.
        run: u64,
    },
}

impl ImageOrder {
    /// Which update it belongs to; 0 for an inspection.
    pub fn run(&self) -> u64 {
        match self {
            Self::Inspect => 0,
            Self::Fetch { run, .. }
            | Self::Pause { run }
            | Self::Install { run, .. }
            | Self::Confirm { run }
            | Self::RollBack { run } => *run,
        }
    }
}

/// What became of an [`ImageOrder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageNews {
    /// What is installed.
    Installed {
        /// The version of the running image.
        version: String,
        /// Whether it is on trial: installed, and never confirmed.
        on_trial: bool,
    },
    /// The run before ended in the middle of a download. What is surely here of it is gone on from when
    /// the same address is asked for again.
    CutShort {
        /// From where, without what may be secret.
        from: String,
        /// How many bytes can be gone on from.
        received: u64,
    },
    /// So much has been downloaded. Told at least every second, and at most ten times a second.
    Progress {
        /// Which update.
        run: u64,
        /// Bytes so far, of this attempt and of those before that it goes on from.
        received: u64,
        /// Bytes in all, as far as the server says.
        total: Option<u64>,
    },
    /// The connection to the image's server was lost, and is tried again; or the download was paused.
    Interrupted {
        /// Which update.
        run: u64,
        /// Why.
        reason: String,
    },
    /// The image is here, and is what it should be.
    Fetched {
        /// Which update.
        run: u64,
        /// Bytes.
        size: u64,
        /// Its SHA-256, 64 hexadecimal digits in lower case.
        sha256: String,
    },
    /// The image is in place, on trial.
    Placed {
        /// Which update.
        run: u64,
    },
    /// The image stays.
    Confirmed {
        /// Which update.
        run: u64,
    },
    /// The image before runs again; this is its version.
    RolledBack {
        /// Which update.
        run: u64,
        /// The version of the image that runs.
        version: String,
    },
    /// An order could not be carried out; nothing of it has remained, except the part of an image
    /// whose connection was lost too often: another fetch of the same address goes on from it.
    Failed {
        /// Which update; 0 for an inspection.
        run: u64,
        /// What was attempted, on what, why it failed, what to do next.
        reason: String,
    },
}

impl ImageNews {
    /// Which update it belongs to; none for what an inspection tells.
    pub fn run(&self) -> Option<u64> {
        match self {
            Self::Installed { .. } | Self::CutShort { .. } | Self::Failed { run: 0, .. } => None,
            Self::Progress { run, .. }
            | Self::Interrupted { run, .. }
            | Self::Fetched { run, .. }
            | Self::Placed { run }
            | Self::Confirmed { run }
            | Self::RolledBack { run, .. }
            | Self::Failed { run, .. } => Some(*run),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_does_not_give_its_address_away() {
        let uri = ImageUri::new("http://u:SECRET@h/x?sig=SECRET");
        assert_eq!(uri.to_string(), "http://…@h/x?…");
        let order = ImageOrder::Fetch { run: 1, uri, sha256: None };
        assert_eq!(format!("{order:?}"), "Fetch { run: 1, uri: ImageUri(http://…@h/x?…), sha256: None }");
    }
}
