//! The bytes of one image: from a server, as often as its connection is lost and mended, or from a file.
//!
//! What comes goes to the disk in pieces and is forgotten here, so an image of any size takes the same
//! memory.

use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::{Response, Url};
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep, sleep_until};

use super::answer::{Answer, Part};
use super::download::Fetch;
use super::store::{Kept, Store};
use super::web::{self, Unanswered, Web};
use super::worker::Gone;
use crate::device::ImageNews;
use crate::device::discreet::Shown;
use crate::device::time::Spoken;

/// What is written at once.
const PIECE: usize = 256 * 1024;
/// The most that a crash may cost of a download: so many bytes, and what came in so long.
const SAVE_BYTES: u64 = 4 * 1024 * 1024;
const SAVE_EVERY: Duration = Duration::from_secs(2);
/// How often progress is told at most, and at least.
const TELL_AFTER: Duration = Duration::from_millis(100);
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What went wrong with one attempt.
pub(super) enum Trouble {
    /// The connection; it can be tried again, perhaps after the time that the server says.
    Lost(String, Option<Duration>),
    /// Nobody was there.
    NobodyThere(String),
    /// The server does not give the rest of what is here; another time it may.
    Refused(String),
    /// Something that trying again does not mend.
    Failed(String),
    Cancelled,
    Gone,
}

impl From<Gone> for Trouble {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl From<Unanswered> for Trouble {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Lost(why) => Self::Lost(why, None),
            Unanswered::NobodyThere(why) => Self::NobodyThere(why),
            Unanswered::Failed(why) => Self::Failed(why),
        }
    }
}

/// An image on its way.
pub(super) struct Transfer<'a> {
    fetch: Fetch<'a>,
    /// What is not yet written.
    piece: Vec<u8>,
    written: u64,
    validator: Option<String>,
    total: Option<u64>,
    /// Where what comes at the moment has to end.
    end: Option<u64>,
    /// Whether a server has answered.
    reached: bool,
    told: Instant,
    saved: (Instant, u64),
    /// When it has taken too long.
    deadline: Instant,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(fetch: Fetch<'a>, kept: Kept) -> Self {
        let Kept { received, validator, total } = kept;
        let now = Instant::now();
        Self {
            fetch,
            piece: Vec::new(),
            written: received,
            validator,
            total,
            end: None,
            reached: false,
            told: now,
            saved: (now, received),
            deadline: now + fetch.limits.longest,
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.written + self.piece.len() as u64
    }

    /// What to do after a failure, with what there is.
    fn again(&self) -> String {
        match self.received() {
            1.. if self.validator.is_some() => {
                format!("ask again to go on behind the {} bytes that are here", self.received())
            }
            _ => "check that the server is running, and ask again".to_owned(),
        }
    }

    pub(super) async fn take_from_web(&mut self, url: &Url) -> Result<(), Trouble> {
        let limits = self.fetch.limits;
        let mut furthest = self.received();
        let (mut in_vain, mut lost) = (0, 0);
        loop {
            let (why, after) = match self.attempt(url).await {
                Err(Trouble::Lost(why, after)) => (why, after),
                // Nobody has ever been there: more likely it is the address that is wrong.
                Err(Trouble::NobodyThere(why)) if self.reached || self.received() > 0 => (why, None),
                other => return other,
            };
            self.flush().await?;
            self.save().await;
            self.tell().await?;
            in_vain = if self.received() > furthest + limits.least { 1 } else { in_vain + 1 };
            furthest = furthest.max(self.received());
            lost += 1;
            let is_late = Instant::now() >= self.deadline;
            if in_vain >= limits.tries || lost >= limits.tries_in_all || is_late {
                let why = format!("{why}, the {} time; {}", ordinal(lost), self.again());
                return Err(Trouble::Lost(why, None));
            }
            let pause = limits.pause.saturating_mul(1 << (in_vain - 1).min(16)).min(limits.longest_pause);
            // Whoever says when it will be ready is not asked before.
            let pause = after.map_or(pause, |after| after.max(pause));
            if let Some(after) = after
                && after >= self.deadline.saturating_duration_since(Instant::now())
            {
                let after = Spoken(after);
                let why =
                    format!("{why}; it says to come back in {after}, which is too long: ask again then");
                return Err(Trouble::Lost(why, None));
            }
            let reason = format!("{why}; trying again in {}", Spoken(pause));
            self.fetch.sink.tell(ImageNews::Interrupted { run: self.fetch.run, reason }).await?;
            tokio::select! {
                biased;
                () = self.fetch.cancel.cancelled() => return Err(Trouble::Cancelled),
                () = sleep(pause) => {}
                () = sleep_until(self.deadline) => {}
            }
        }
    }

    async fn attempt(&mut self, url: &Url) -> Result<(), Trouble> {
        loop {
            let received = self.received();
            if received > 0 && self.validator.is_none() {
                self.restart(None, None).await?;
                continue;
            }
            let web = Web { trust: self.fetch.trust, stall: self.fetch.limits.stall };
            let part = self.validator.as_deref().filter(|_| received > 0);
            let part = part.map(|validator| Part { received, validator, total: self.total });
            let (response, answer) = tokio::select! {
                biased;
                () = self.fetch.cancel.cancelled() => return Err(Trouble::Cancelled),
                () = sleep_until(self.deadline) => return Err(self.too_long()),
                answered = web.ask(url, part) => answered?,
            };
            self.reached = true;
            match answer {
                Answer::Whole { total, validator } => {
                    self.check_size(total)?;
                    self.restart(validator, total).await?;
                    self.end = total;
                    return self.body(response).await;
                }
                Answer::Rest { end, total } => {
                    self.check_size(total.or(Some(end)))?;
                    // Some servers say the size only with the whole.
                    self.total = total.or(self.total);
                    self.end = Some(end);
                    self.body(response).await?;
                    // Some never do, and perhaps this was not all of it: there is something behind it until
                    // the server says that there is nothing.
                    if self.total.is_some() {
                        return Ok(());
                    }
                }
                Answer::NothingMissing => {
                    self.total = Some(received);
                    return self.check_size(self.total);
                }
                Answer::StartOver => self.restart(None, None).await?,
                Answer::Later { why, after } => return Err(Trouble::Lost(why, after)),
                Answer::Refused(why) if part.is_some() => {
                    return Err(Trouble::Refused(format!("{why}; {}", self.again())));
                }
                Answer::Refused(why) => return Err(Trouble::Failed(why)),
                // Followed there already.
                Answer::Moved(_) => return Err(Trouble::Failed("it has moved".to_owned())),
            }
        }
    }

    async fn body(&mut self, mut response: Response) -> Result<(), Trouble> {
        self.tell().await?;
        let (stall, least) = (self.fetch.limits.stall, self.fetch.limits.least);
        let mut heard = Instant::now();
        let mut window = (heard, self.received());
        loop {
            let chunk = tokio::select! {
                biased;
                () = self.fetch.cancel.cancelled() => return Err(Trouble::Cancelled),
                () = sleep_until(self.deadline) => return Err(self.too_long()),
                chunk = response.chunk() => chunk,
                () = sleep_until(heard + stall) => {
                    let from = Shown(response.url());
                    return Err(Trouble::Lost(format!("{from} has sent nothing for {}", Spoken(stall)), None));
                }
                () = sleep_until(self.told + TELL_EVERY) => {
                    self.save_when_due().await?;
                    self.tell().await?;
                    continue;
                }
            };
            heard = Instant::now();
            match chunk {
                Ok(Some(chunk)) => self.take(&chunk).await?,
                Ok(None) => break,
                Err(error) => return Err(Trouble::Lost(web::lost(response.url(), &error), None)),
            }
            if heard.duration_since(window.0) >= stall {
                let came = self.received() - window.1;
                if came < least {
                    let from = Shown(response.url());
                    let why = format!("{from} has sent only {came} bytes in {}", Spoken(stall));
                    return Err(Trouble::Lost(why, None));
                }
                window = (heard, self.received());
            }
        }
        self.flush().await?;
        match self.total.or(self.end) {
            Some(total) if total != self.received() => {
                let why = format!("the server has ended after {} of {total} bytes", self.received());
                Err(Trouble::Lost(why, None))
            }
            _ => Ok(()),
        }
    }

    fn too_long(&self) -> Trouble {
        Trouble::Lost(format!("it has taken {}", Spoken(self.fetch.limits.longest)), None)
    }

    pub(super) async fn take_from_file(&mut self, path: &Path) -> Result<(), Trouble> {
        // Before it is opened: opening a pipe waits for somebody to write into it.
        is_plain_file(&self.of_disk(tokio::fs::metadata(path)).await?)?;
        let mut file = self.of_disk(tokio::fs::File::open(path)).await?;
        let there = self.of_disk(file.metadata()).await?;
        is_plain_file(&there)?;
        self.check_size(Some(there.len()))?;
        (self.total, self.end) = (Some(there.len()), Some(there.len()));
        self.tell().await?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = self.of_disk(file.read(&mut piece)).await?;
            if read == 0 {
                return self.flush().await;
            }
            self.take(&piece[..read]).await?;
        }
    }

    /// Waits for a disk, which may be on another machine, or a file in name only, and never answer.
    async fn of_disk<T>(&self, answer: impl Future<Output = io::Result<T>>) -> Result<T, Trouble> {
        let stall = self.fetch.limits.stall;
        // A timer comes up to a millisecond late, and meanwhile an answer would be taken.
        if Instant::now() >= self.deadline {
            return Err(self.too_long());
        }
        tokio::select! {
            biased;
            () = self.fetch.cancel.cancelled() => Err(Trouble::Cancelled),
            () = sleep_until(self.deadline) => Err(self.too_long()),
            answered = answer => answered.map_err(|error| {
                let advice = match error.kind() {
                    io::ErrorKind::NotFound => "check the address for typing errors",
                    io::ErrorKind::PermissionDenied => "let this user read it",
                    _ => "check the file",
                };
                Trouble::Failed(format!("{error}; {advice}"))
            }),
            () = sleep(stall) => {
                let why = format!("it has given nothing for {}; check what it is on", Spoken(stall));
                Err(Trouble::Failed(why))
            }
        }
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let received = self.received() + bytes.len() as u64;
        self.check_size(Some(received))?;
        if let Some(end) = self.end.filter(|end| received > *end) {
            let why = format!("more comes than the {end} bytes that were announced; check the address");
            return Err(Trouble::Failed(why));
        }
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush().await?;
        }
        self.save_when_due().await?;
        if self.told.elapsed() >= TELL_AFTER {
            self.tell().await?;
        }
        Ok(())
    }

    async fn save_when_due(&mut self) -> Result<(), Trouble> {
        let (at, saved) = self.saved;
        if self.written - saved >= SAVE_BYTES || at.elapsed() >= SAVE_EVERY && self.received() > saved {
            self.flush().await?;
            self.save().await;
        }
        Ok(())
    }

    fn check_size(&self, size: Option<u64>) -> Result<(), Trouble> {
        let largest = self.fetch.limits.largest;
        match size {
            Some(size) if size > largest => Err(Trouble::Failed(format!(
                "it has {size} bytes or more, and no image may have more than {largest}; check the address"
            ))),
            _ => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), Trouble> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        let length = piece.len() as u64;
        let written = self.fetch.disk.run(move |store| store.write(&piece)).await;
        written.map_err(|error| Trouble::Failed(error.to_string()))?;
        self.written += length;
        Ok(())
    }

    /// Keeps what there is for another time. When that cannot be, it can still be gone on from now.
    pub(super) async fn save(&mut self) {
        if self.flush().await.is_ok()
            && let Err(error) = self.fetch.disk.run(Store::save).await
        {
            tracing::warn!("{error}");
        }
        self.saved = (Instant::now(), self.written);
    }

    async fn restart(&mut self, validator: Option<String>, total: Option<u64>) -> Result<(), Trouble> {
        self.piece.clear();
        self.validator.clone_from(&validator);
        self.total = total;
        let restarted = self.fetch.disk.run(move |store| store.restart(validator, total)).await;
        restarted.map_err(|error| Trouble::Failed(error.to_string()))?;
        self.written = 0;
        self.saved = (Instant::now(), 0);
        Ok(())
    }

    async fn tell(&mut self) -> Result<(), Gone> {
        self.told = Instant::now();
        let (received, total) = (self.received(), self.total);
        self.fetch.sink.tell(ImageNews::Progress { run: self.fetch.run, received, total }).await
    }
}

fn is_plain_file(there: &std::fs::Metadata) -> Result<(), Trouble> {
    let kind = there.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "it is a folder",
        () => "it is a device or a pipe",
    };
    Err(Trouble::Failed(format!("{what}, and not a file; give the address of a file")))
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}
