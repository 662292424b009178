//! Files and folders for the user only who runs this program.
//!
//! **Unix, macOS:** a file is made with mode 0600, a folder with 0700, whatever the umask allows.
//!
//! **Windows:** there are no modes. A file has the access rules of the folder that it is made in,
//! and within the user's profile folder (`C:\Users\NAME`) these let in that user, the system and
//! administrators, who on Unix read everything too. So a private file is private there by standing
//! in the profile folder: what this program chooses a place for does, and [`why_open`] tells of a
//! place that a person chose elsewhere.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Options that open a file; if that makes it, then for this user only. On Windows in the user's
/// profile folder only, see [`why_open`].
pub fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is no mode to set"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a file to read and write, and makes it when it is missing, as [`private()`] does.
pub fn open_private(path: &Path) -> io::Result<File> {
    private().read(true).write(true).create(true).truncate(false).open(path)
}

/// Writes a private file that is to take another one's place by renaming: it is surely on the disk
/// before that, for names and contents reach the disk in any order.
pub fn write_draft(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = open_private(path)?;
    file.set_len(0)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a folder for this user only, and those above it that are missing; one that is there stays as
/// open as its owner made it. On Windows private in the user's profile folder only, see [`why_open`].
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes everybody else's rights to a folder away, where there are such rights to take: on Windows
/// nothing changes.
pub fn close_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Waits until the names in a folder are surely on the disk. Windows has no such thing to ask for:
/// NTFS keeps a journal of its names.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Why a file that [`private()`] makes at this place may be read by others all the same: words that
/// follow the place's name. Nowhere on Unix; on Windows outside the user's profile folder.
#[cfg(unix)]
pub fn why_open(_: &Path) -> Option<String> {
    None
}

/// Why a file that [`private()`] makes at this place may be read by others all the same: words that
/// follow the place's name. Nowhere on Unix; on Windows outside the user's profile folder.
#[cfg(not(unix))]
pub fn why_open(path: &Path) -> Option<String> {
    let Some(profile) = std::env::home_dir() else {
        return Some("may be open to other users: this user has no profile folder".to_owned());
    };
    let is_inside = std::path::absolute(path).is_ok_and(|path| is_below(&path, &profile));
    (!is_inside).then(|| {
        format!(
            "is outside the user's profile folder {}: on Windows the access rules there say who may read it",
            profile.display()
        )
    })
}

/// Names on Windows differ in more than the case of their letters.
#[cfg(not(unix))]
fn is_below(path: &Path, folder: &Path) -> bool {
    let mut parts = path.components();
    folder.components().all(|wanted| {
        parts.next().is_some_and(|part| part.as_os_str().eq_ignore_ascii_case(wanted.as_os_str()))
    }) && !parts.any(|part| part == std::path::Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_made_can_be_written_and_is_told_of_where_it_is_not_private() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("a/b");
        make_private_folder(&folder).expect("made");
        make_private_folder(&folder).expect("there already");
        close_folder(&folder).expect("closed");
        let path = folder.join("key");
        let mut file = private().write(true).create_new(true).open(&path).expect("made");
        file.write_all(b"x").expect("written");
        sync_names(&folder).expect("on the disk");
        assert_eq!(std::fs::read(&path).expect("readable"), b"x");
        for content in [&b"longer"[..], b"y"] {
            write_draft(&path, content).expect("written");
            assert_eq!(std::fs::read(&path).expect("readable"), content);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
            assert_eq!(
                (mode(&path), mode(&folder), mode(folder.parent().expect("a"))),
                (0o600, 0o700, 0o700)
            );
            assert_eq!(why_open(Path::new("/anywhere")), None);
        }
    }

    #[cfg(windows)]
    #[test]
    fn a_place_outside_the_profile_folder_is_told_of() {
        let profile = Path::new(r"C:\Users\Kim");
        assert!(is_below(Path::new(r"c:\users\KIM\data\cloud.db"), profile));
        for other in [r"C:\Users\Kimberley\x", r"D:\Users\Kim\x", r"C:\Users", r"C:\Users\Kim\..\Lee\x"] {
            assert!(!is_below(Path::new(other), profile), "{other}");
        }
        let home = std::env::home_dir().expect("a profile folder");
        assert_eq!(why_open(&home.join("x")), None);
        assert!(why_open(Path::new(r"C:\x")).is_some_and(|why| why.contains("profile folder")));
    }
}
