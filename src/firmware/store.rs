//! The folder: two places for images, a download, and a small file that says which is which.
//!
//! That file alone decides what is true. It is replaced as a whole, by renaming, so whatever happens
//! before the renaming has not happened. What no state speaks of is removed when the folder is opened.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::address::Address;
use super::draft::Draft;
use super::error::StoreError;
use super::state::{Download, Image, ImageFile, Slot, State};
use super::temporary;
use crate::device::image::LONGEST_VERSION;
use crate::system::files;
use crate::system::lock::{FolderLock, NotTaken};

pub(super) const STATE: &str = "state.json";
pub(super) const STATE_DRAFT: &str = "state.json.tmp";
pub(super) const DOWNLOAD: &str = "download.part";

/// Every name that a store gives to a file of its own.
pub(super) const FILES: [&str; 5] = [STATE, STATE_DRAFT, DOWNLOAD, Slot::A.file_name(), Slot::B.file_name()];

/// The most that is read of the state's file.
const MAX_STATE: u64 = 64 * 1024;

/// The images of one device, in a folder that this process holds.
pub struct Store {
    folder: PathBuf,
    state: State,
    draft: Option<Draft>,
    /// Whether the run before ended while an update waited for a download.
    was_cut_short: bool,
    // Before the folder: what is open cannot be removed everywhere.
    _lock: FolderLock,
    _temporary: Option<tempfile::TempDir>,
}

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The version of the running image.
    pub version: String,
    /// Whether it was installed and never confirmed.
    pub on_trial: bool,
}

/// What there is of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) received: u64,
    pub(super) validator: Option<String>,
    pub(super) total: Option<u64>,
}

/// One thing done to the folder. A change is a list of them, so that a test can stop between any two.
#[derive(Debug)]
pub(super) enum Step {
    /// Writes the state beside the one that counts.
    Prepare(Box<State>),
    /// Makes the state that was prepared the one that counts.
    Commit(Box<State>),
    /// Gives the download its place.
    Place(Slot),
    /// Removes a file, if it is there.
    Remove(&'static str),
}

impl Store {
    /// Takes a folder, and makes it when it is missing. A device that was never updated runs 1.0.0.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::take(folder, None)
    }

    /// A fresh folder that is removed when the store is dropped. Those that killed processes have left are
    /// removed on the way.
    pub fn temporary() -> Result<Self, StoreError> {
        let made = temporary::make()?;
        let path = made.path().to_owned();
        Self::take(&path, Some(made))
    }

    fn take(folder: &Path, temporary: Option<tempfile::TempDir>) -> Result<Self, StoreError> {
        let folder =
            std::path::absolute(folder).map_err(StoreError::io("find the firmware folder", folder))?;
        files::make_private_folder(&folder).map_err(StoreError::io("make the firmware folder", &folder))?;
        let lock = FolderLock::take(&folder).map_err(|why| match why {
            NotTaken::Held(pid) => StoreError::InUse { folder: folder.clone(), pid },
            NotTaken::Io(source) => StoreError::io("take the firmware folder's lock", &folder)(source),
        })?;
        let (state, is_new) = match read_state(&folder)? {
            Some(state) => (state, false),
            None => (State::delivered(), true),
        };
        let mut store =
            Self { folder, state, draft: None, was_cut_short: false, _lock: lock, _temporary: temporary };
        store.check()?;
        store.tidy();
        store.was_cut_short = store.state.download.as_ref().is_some_and(|download| download.wanted);
        if is_new {
            // Whoever may not write here hears of it now, and not in the middle of an update.
            store.remember(store.state.clone())?;
        }
        Ok(store)
    }

    /// Its path, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is installed.
    pub fn installed(&self) -> Installed {
        Installed { version: self.state.current.version.clone(), on_trial: self.state.trial }
    }

    /// Puts what was fetched in the place of the running image, on trial, and keeps the running one.
    pub fn install(&mut self, version: &str) -> Result<(), StoreError> {
        let steps = self.steps_to_install(version)?;
        self.carry_out(steps)
    }

    pub(super) fn steps_to_install(&self, version: &str) -> Result<Vec<Step>, StoreError> {
        let length = version.chars().count();
        if !(1..=LONGEST_VERSION).contains(&length) {
            return Err(StoreError::Version(length));
        }
        if self.state.trial {
            return Err(StoreError::OnTrial {
                wanted: version.to_owned(),
                on_trial: self.state.current.version.clone(),
            });
        }
        let Some(Download { received: size, sha256: Some(sha256), .. }) = self.state.download.clone() else {
            return Err(StoreError::NothingFetched(version.to_owned()));
        };
        let slot = self.state.free_slot();
        let mut steps = Vec::new();
        if self.state.previous.is_some() {
            // Its file is about to be replaced: from here on there is no going back to it.
            steps.extend(committed(State { previous: None, ..self.state.clone() }));
        }
        steps.push(Step::Place(slot));
        steps.extend(committed(State {
            current: Image { version: version.to_owned(), file: Some(ImageFile { slot, sha256, size }) },
            previous: Some(self.state.current.clone()),
            trial: true,
            download: None,
            ..self.state.clone()
        }));
        Ok(steps)
    }

    /// The image on trial stays.
    pub fn confirm(&mut self) -> Result<(), StoreError> {
        if !self.state.trial {
            return Err(StoreError::NotOnTrial(self.state.current.version.clone()));
        }
        self.remember(State { trial: false, ..self.state.clone() })
    }

    /// Goes back to the image before when one is on trial, and forgets what was fetched; the version
    /// that runs then.
    pub fn roll_back(&mut self) -> Result<String, StoreError> {
        let steps = self.steps_to_roll_back();
        self.carry_out(steps)?;
        Ok(self.state.current.version.clone())
    }

    pub(super) fn steps_to_roll_back(&self) -> Vec<Step> {
        let mut state = self.state.clone();
        let mut unused = Vec::new();
        if state.download.as_ref().is_some_and(|download| download.sha256.is_some()) {
            state.download = None;
            unused.push(Step::Remove(DOWNLOAD));
        }
        if state.trial
            && let Some(previous) = state.previous.take()
        {
            unused.extend(state.current.slot().map(|slot| Step::Remove(slot.file_name())));
            state.current = previous;
            state.trial = false;
        }
        if state == self.state {
            return Vec::new();
        }
        committed(state).into_iter().chain(unused).collect()
    }

    pub(super) fn carry_out(&mut self, steps: impl IntoIterator<Item = Step>) -> Result<(), StoreError> {
        for step in steps {
            if let Err(error) = self.step(step) {
                self.tidy();
                return Err(error);
            }
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), StoreError> {
        match step {
            Step::Prepare(state) => {
                let path = self.folder.join(STATE_DRAFT);
                files::write_draft(&path, state.text().as_bytes()).map_err(StoreError::io("write", &path))
            }
            Step::Commit(state) => {
                let path = self.folder.join(STATE);
                fs::rename(self.folder.join(STATE_DRAFT), &path).map_err(StoreError::io("replace", &path))?;
                self.state = *state;
                self.sync_folder();
                Ok(())
            }
            Step::Place(slot) => {
                self.draft = None;
                let path = self.folder.join(slot.file_name());
                fs::rename(self.folder.join(DOWNLOAD), &path)
                    .map_err(StoreError::io("put the image in place as", &path))?;
                self.sync_folder();
                Ok(())
            }
            Step::Remove(name) => {
                if name == DOWNLOAD {
                    self.draft = None;
                }
                match fs::remove_file(self.folder.join(name)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(StoreError::io("remove", &self.folder.join(name))(error))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn remember(&mut self, state: State) -> Result<(), StoreError> {
        self.carry_out(committed(state))
    }

    /// A renaming outlives a power cut only when the folder is on the disk too. It has happened all
    /// the same where that cannot be had.
    fn sync_folder(&self) {
        if let Err(error) = files::sync_names(&self.folder) {
            tracing::warn!("{}", StoreError::io("make sure of what is in", &self.folder)(error));
        }
    }

    /// Whether the images are there that the state speaks of.
    fn check(&self) -> Result<(), StoreError> {
        for file in self.state.files() {
            let path = self.folder.join(file.slot.file_name());
            let why = match fs::metadata(&path) {
                Ok(there) if there.is_file() && there.len() == file.size => continue,
                Ok(there) => format!("it has {} bytes instead of {}", there.len(), file.size),
                Err(error) => format!("it is an installed image, and {error}"),
            };
            return Err(StoreError::Damaged { path, why });
        }
        Ok(())
    }

    /// Removes what no state speaks of, and forgets a download that is not there: what a crash, or a
    /// change that went wrong half way, has left behind.
    fn tidy(&mut self) {
        let there = fs::metadata(self.folder.join(DOWNLOAD)).ok().map(|there| there.len());
        if let Some(download) = &self.state.download {
            let is_whole = there.is_some_and(|there| there >= download.received);
            if there.is_none() || (download.sha256.is_some() && !is_whole) {
                self.state.download = None;
            }
        }
        let used: Vec<_> = self.state.files().map(|file| file.slot).collect();
        let mut unused: Vec<_> =
            Slot::BOTH.into_iter().filter(|slot| !used.contains(slot)).map(Slot::file_name).collect();
        unused.push(STATE_DRAFT);
        unused.extend(self.state.download.is_none().then_some(DOWNLOAD));
        for name in unused {
            if let Err(error) = self.step(Step::Remove(name)) {
                tracing::warn!("{error}");
            }
        }
    }
}

/// Downloading.
impl Store {
    /// Opens the download of an image, and goes on with what there is of it. `room` is the most
    /// that it may take.
    ///
    /// An image that is still on trial was to be gone back from and could not be, for a full disk perhaps;
    /// that is made up for first.
    pub(super) fn begin(&mut self, address: &Address, room: Option<u64>) -> Result<Kept, StoreError> {
        self.was_cut_short = false;
        if self.state.trial {
            self.roll_back()?;
        }
        let uri_sha256 = address.digest();
        let kept = self
            .state
            .download
            .clone()
            .filter(|download| download.uri_sha256 == uri_sha256 && download.usable() > 0);
        let mut download = kept.unwrap_or_else(|| Download {
            from: address.to_string(),
            uri_sha256,
            validator: None,
            received: 0,
            total: None,
            sha256: None,
            wanted: true,
        });
        (download.sha256, download.wanted) = (None, true);
        let path = self.folder.join(DOWNLOAD);
        let draft = Draft::open(&path, download.received, room)
            .map_err(StoreError::io("write the image to", &path))?;
        download.received = draft.written();
        let Download { received, total, validator, .. } = download.clone();
        let kept = Kept { received, validator, total };
        self.draft = Some(draft);
        self.remember(State { download: Some(download), ..self.state.clone() })?;
        Ok(kept)
    }

    /// Begins the download anew, with an image that the server knows by `validator` and that has `total`
    /// bytes.
    pub(super) fn restart(
        &mut self,
        validator: Option<String>,
        total: Option<u64>,
    ) -> Result<(), StoreError> {
        let path = self.folder.join(DOWNLOAD);
        self.draft()?.empty().map_err(StoreError::io("write the image to", &path))?;
        let mut state = self.state.clone();
        if let Some(download) = &mut state.download {
            (download.received, download.validator, download.total) = (0, validator, total);
        }
        self.remember(state)
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.folder.join(DOWNLOAD);
        self.draft()?.write(bytes).map_err(StoreError::io("write the image to", &path))
    }

    /// The update that wanted the download has failed. What there is of it stays.
    pub(super) fn give_up(&mut self) -> Result<(), StoreError> {
        self.no_more_wanted().map(drop)
    }

    /// Whether the run before ended while an update waited for a download: from where, and how much of
    /// it can be gone on from. It is told once.
    pub(super) fn cut_short(&mut self) -> Result<Option<(String, u64)>, StoreError> {
        if !std::mem::take(&mut self.was_cut_short) {
            return Ok(None);
        }
        let download = self.no_more_wanted()?;
        Ok(download.map(|download| (download.from.clone(), download.usable())))
    }

    fn no_more_wanted(&mut self) -> Result<Option<Download>, StoreError> {
        let Some(download) = self.state.download.clone().filter(|download| download.wanted) else {
            return Ok(None);
        };
        let given_up = Download { wanted: false, ..download.clone() };
        self.remember(State { download: Some(given_up), ..self.state.clone() })?;
        Ok(Some(download))
    }

    /// Makes sure that what there is of the download survives a crash.
    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        self.save_as(None)
    }

    fn save_as(&mut self, sha256: Option<String>) -> Result<(), StoreError> {
        let path = self.folder.join(DOWNLOAD);
        let draft = self.draft()?;
        draft.sync().map_err(StoreError::io("write the image to", &path))?;
        let received = draft.written();
        let mut state = self.state.clone();
        if let Some(download) = &mut state.download {
            (download.received, download.sha256) = (received, sha256);
        }
        self.remember(state)
    }

    /// The digest of what there is of the download.
    pub(super) fn sha256(&mut self) -> Result<String, StoreError> {
        Ok(self.draft()?.sha256())
    }

    /// The download is whole and is what it should be; its size.
    pub(super) fn keep(&mut self) -> Result<u64, StoreError> {
        let (sha256, size) = (self.sha256()?, self.draft()?.written());
        self.save_as(Some(sha256))?;
        self.draft = None;
        Ok(size)
    }

    /// Forgets the download.
    pub(super) fn discard(&mut self) {
        // The file first: the disk may be full. A state whose file is gone is understood.
        let forgotten = self
            .step(Step::Remove(DOWNLOAD))
            .and_then(|()| self.remember(State { download: None, ..self.state.clone() }));
        if let Err(error) = forgotten {
            tracing::warn!("{error}");
            self.state.download = None;
        }
    }

    fn draft(&mut self) -> Result<&mut Draft, StoreError> {
        self.draft.as_mut().ok_or_else(|| StoreError::BrokenOff("no download has begun".to_owned()))
    }
}

fn committed(state: State) -> [Step; 2] {
    let state = Box::new(state);
    [Step::Prepare(state.clone()), Step::Commit(state)]
}

fn read_state(folder: &Path) -> Result<Option<State>, StoreError> {
    let path = folder.join(STATE);
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(MAX_STATE).read_to_end(&mut text)) {
        Ok(_) => State::read(&text).map(Some).map_err(|why| StoreError::Damaged { path, why }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read", &path)(error)),
    }
}
