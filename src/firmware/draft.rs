//! An image that is being written: its digest grows with it, so that no image is read twice.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::system::files;

/// What is read at once.
const PIECE: usize = 256 * 1024;

pub(super) struct Draft {
    file: File,
    hasher: Sha256,
    written: u64,
    /// The most that may be written, as if the disk were full then.
    room: Option<u64>,
}

impl Draft {
    /// Opens the file, and goes on behind the first `keep` bytes, or behind what there is.
    pub(super) fn open(path: &Path, keep: u64, room: Option<u64>) -> io::Result<Self> {
        let file = files::open_private(path)?;
        let there = file.metadata()?.len().min(keep);
        file.set_len(there)?;
        let mut draft = Self { file, hasher: Sha256::new(), written: there, room };
        draft.hash_again()?;
        Ok(draft)
    }

    fn hash_again(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let (mut left, mut piece) = (self.written, vec![0; PIECE]);
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            self.file.read_exact(&mut piece[..wanted])?;
            self.hasher.update(&piece[..wanted]);
            left -= wanted as u64;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.room.is_some_and(|room| self.written + bytes.len() as u64 > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Begins anew with nothing.
    pub(super) fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Sha256::new();
        self.written = 0;
        Ok(())
    }

    /// Waits until everything is surely on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        match self.file.sync_all() {
            // Not every file system can.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }

    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn sha256(&self) -> String {
        hex::encode(self.hasher.clone().finalize())
    }
}

/// A digest, 64 hexadecimal digits in lower case.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
