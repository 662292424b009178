//! Who runs this program, and the folder of that user's own for what lives as long as a process.

use std::io;
use std::path::{Path, PathBuf};

/// Where what lives as long as a process may be left for the same user's other processes:
/// `$XDG_RUNTIME_DIR/envsim`; else on Unix and macOS a folder of the user's own among the temporary
/// ones, and on Windows one in the user's profile folder.
pub fn runtime_folder() -> io::Result<PathBuf> {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        // The XDG Base Directory Specification asks for an absolute path and to ignore any other.
        Some(path) if path.is_absolute() && path.is_dir() => Ok(path.join("envsim")),
        _ => own_folder(),
    }
}

#[cfg(unix)]
fn own_folder() -> io::Result<PathBuf> {
    Ok(std::env::temp_dir().join(format!("envsim-{}", number()?)))
}

/// Not the folder for temporary files, which a variable may lead anywhere.
#[cfg(not(unix))]
fn own_folder() -> io::Result<PathBuf> {
    let profile = std::env::home_dir().ok_or_else(|| io::Error::other("this user has no profile folder"))?;
    Ok(profile.join("AppData").join("Local").join("envsim").join("run"))
}

/// Refuses a folder that is not this user's alone: in a shared folder for temporary files anyone can
/// make one with our name and wait for us.
#[cfg(unix)]
pub fn check_own(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        return refuse(folder, "is not a folder");
    }
    if metadata.uid() != number()? {
        return refuse(folder, "belongs to another user");
    }
    if metadata.mode() & 0o077 != 0 {
        return refuse(folder, "is open to other users");
    }
    Ok(())
}

/// Refuses a folder that is not this user's alone: one outside the profile folder, or that only leads
/// elsewhere.
#[cfg(not(unix))]
pub fn check_own(folder: &Path) -> io::Result<()> {
    if !std::fs::symlink_metadata(folder)?.is_dir() {
        return refuse(folder, "is not a folder");
    }
    super::files::why_open(folder).map_or(Ok(()), |why| refuse(folder, &why))
}

fn refuse(folder: &Path, why: &str) -> io::Result<()> {
    let text =
        format!("{} {why}; remove it, or set XDG_RUNTIME_DIR to a folder of your own", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// The number of the user this process acts for. The standard library does not say, but what the
/// process makes belongs to that user.
#[cfg(unix)]
fn number() -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt as _;
    use std::time::SystemTime;
    if let Ok(metadata) = std::fs::metadata("/proc/self") {
        return Ok(metadata.uid());
    }
    let nonce = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let probe = std::env::temp_dir().join(format!("envsim-probe-{}-{nonce}", std::process::id()));
    let uid = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?.metadata()?.uid();
    // Whether it can be removed does not matter: it is empty.
    let _ = std::fs::remove_file(&probe);
    Ok(uid)
}
