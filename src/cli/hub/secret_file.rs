//! A file for this user only, which is given what a device or module needs to connect.
//!
//! It is made before the hub is asked, so that no new identity's key is lost to a file that cannot
//! be written; and it goes again when nothing comes of it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::values::{self, InputError};
use crate::system::files;

/// A file that waits for its content.
#[derive(Debug)]
pub struct SecretFile {
    file: File,
    /// Where it is until then.
    draft: PathBuf,
    path: PathBuf,
    filled: bool,
}

impl SecretFile {
    /// Makes sure that it can be written. Another file in its place is an error, unless it is to be
    /// replaced; then it stays until the new one is whole.
    pub fn reserve(path: &Path, replace: bool) -> Result<Self, InputError> {
        // The file's name is told.
        if values::may_be_key(&path.display().to_string()) {
            return Err(InputError::NotFile);
        }
        if path == Path::new("-") {
            return Err(InputError::NoScreen);
        }
        let draft = if replace { draft_of(path) } else { path.to_owned() };
        if replace {
            // A killed process has left it; its number has come up again.
            let _ = fs::remove_file(&draft);
        }
        match files::private().write(true).create_new(true).open(&draft) {
            Ok(file) => Ok(Self { file, draft, path: path.to_owned(), filled: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(InputError::FileExists { path: draft.display().to_string() })
            }
            Err(error) => {
                Err(InputError::CannotWrite { path: path.display().to_string(), why: error.to_string() })
            }
        }
    }

    /// Writes its content, one line.
    pub fn fill(mut self, line: &str) -> io::Result<()> {
        writeln!(self.file, "{line}").and_then(|()| self.file.sync_all())?;
        if self.draft != self.path {
            fs::rename(&self.draft, &self.path)?;
        }
        self.filled = true;
        Ok(())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.filled {
            // One that stays is empty, or half of a line, and this user's alone.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_secret_is_written_for_its_owner_and_over_nothing_that_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("device.txt");
        SecretFile::reserve(&path, false).expect("free").fill("one").expect("written");
        assert_eq!((fs::read_to_string(&path).expect("text"), mode(&path)), ("one\n".to_owned(), 0o600));
        let error = SecretFile::reserve(&path, false).expect_err("taken").to_string();
        assert!(error.contains("device.txt is there already") && error.contains("--force"), "{error}");

        drop(SecretFile::reserve(&path, true).expect("to be replaced"));
        assert_eq!(fs::read_to_string(&path).expect("text"), "one\n");
        SecretFile::reserve(&path, true).expect("to be replaced").fill("two").expect("written");
        assert_eq!((fs::read_to_string(&path).expect("text"), mode(&path)), ("two\n".to_owned(), 0o600));
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_file_that_gets_no_content_goes_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("device.txt");
        drop(SecretFile::reserve(&path, false).expect("free"));
        assert!(!path.exists());
        let nowhere = folder.path().join("no/such/folder");
        for name in ["HostName=h;DeviceId=d;SharedAccessKey=AAEC", "AAEC="] {
            let path = folder.path().join(name);
            assert_eq!(SecretFile::reserve(&path, false).err(), Some(InputError::NotFile));
        }
        assert!(SecretFile::reserve(&nowhere, false).expect_err("no folder").to_string().contains("cannot"));
    }
}
