//! Why a folder of images cannot be used, or something in it cannot be done.

use std::io;
use std::path::{Path, PathBuf};

/// Why a folder of images cannot be used, or something in it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another device of this one, has it.
    #[error(
        "the firmware folder {} is in use by {}: stop that one, or choose another folder with --firmware-dir",
        .folder.display(), holder(*.pid)
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Which process, when it says so.
        pid: Option<u32>,
    },
    /// It is not what was once written.
    #[error(
        "{} cannot be relied on: {why}; move the folder away, and the device starts with the firmware that it \
         was delivered with, or choose another folder with --firmware-dir; nothing has been changed",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refuses.
    #[error("cannot {doing} {}: {}", .path.display(), reason(.source))]
    Io {
        /// What was attempted: a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing to install.
    #[error("cannot install `{0}`: no image has been fetched and checked; fetch it first")]
    NothingFetched(String),
    /// One thing at a time.
    #[error("cannot install `{wanted}`: `{on_trial}` is on trial; confirm it or go back first")]
    OnTrial {
        /// What was to be installed.
        wanted: String,
        /// What runs.
        on_trial: String,
    },
    /// There is nothing to confirm.
    #[error("cannot confirm `{0}`: it is not on trial")]
    NotOnTrial(String),
    /// A name that nobody would give.
    #[error("cannot install an image whose version has {0} characters: 1 to {max} are possible", max = crate::device::image::LONGEST_VERSION)]
    Version(usize),
    /// A defect of this program.
    #[error("the work on the firmware folder was broken off: {0}; please report this")]
    BrokenOff(String),
}

impl StoreError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// What the system said, and what to do next.
pub(super) fn reason(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let advice = match error.kind() {
        Kind::StorageFull => {
            return "the disk is full; free some room there, or choose another folder with --firmware-dir"
                .to_owned();
        }
        Kind::QuotaExceeded => "free some room there, or choose another folder with --firmware-dir",
        Kind::PermissionDenied => {
            return format!(
                "there is no permission ({error}); let this user write there, or choose another folder with --firmware-dir"
            );
        }
        Kind::ReadOnlyFilesystem | Kind::FileTooLarge | Kind::NotADirectory | Kind::AlreadyExists => {
            "choose another folder with --firmware-dir"
        }
        Kind::NotFound => {
            "check that nobody has removed the folder, or choose another one with --firmware-dir"
        }
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) if pid == std::process::id() => "another device of this program".to_owned(),
        Some(pid) => format!("another envsim (process {pid})"),
        None => "another envsim".to_owned(),
    }
}
