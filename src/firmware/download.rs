//! One image fetched, checked, and kept or removed.

use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::error::StoreError;
use super::store::Store;
use super::transfer::{Transfer, Trouble};
use super::worker::{Disk, Gone, Limits, Sink};
use crate::device::ImageNews;
use crate::trust::Trust;

/// How fetching ended without an image.
#[derive(Debug)]
pub(super) enum Ended {
    /// What was attempted, on what, why it failed, what to do next.
    Failed(String),
    /// It was called off. What there is of the image is kept.
    Cancelled,
    /// Nobody listens any more.
    Gone,
}

impl From<Gone> for Ended {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

/// What fetching needs.
#[derive(Clone, Copy)]
pub(super) struct Fetch<'a> {
    pub(super) run: u64,
    pub(super) disk: &'a Disk,
    pub(super) trust: &'a Trust,
    pub(super) limits: &'a Limits,
    pub(super) sink: &'a Sink,
    pub(super) cancel: &'a CancellationToken,
}

impl Fetch<'_> {
    /// Fetches an image and checks it; what to tell the device then.
    pub(super) async fn fetch(&self, uri: &str, wanted: Option<&str>) -> Result<ImageNews, Ended> {
        let failed = |what: &str, why: &str| Ended::Failed(format!("cannot download {what}: {why}"));
        let address = Address::parse(uri).map_err(|why| failed("the image", &why))?;
        let name = address.to_string();
        let wanted = wanted.map(str::to_ascii_lowercase);
        if wanted.as_ref().is_some_and(|digest| !is_sha256(digest)) {
            return Err(failed(
                &name,
                "the SHA-256 that it must have is not one; write 64 hexadecimal digits",
            ));
        }
        let (begun, room) = (address.clone(), self.limits.room);
        let kept = self.disk.run(move |store| store.begin(&begun, room)).await;
        let kept = kept.map_err(|error| failed(&name, &error.to_string()))?;
        let mut transfer = Transfer::new(*self, kept);
        let transferred = match &address {
            Address::Web(url) => transfer.take_from_web(url).await,
            Address::File { path, .. } => transfer.take_from_file(path).await,
        };
        match transferred {
            Ok(()) => {}
            Err(Trouble::Failed(why)) => {
                self.do_on_disk(discard).await;
                return Err(failed(&name, &why));
            }
            Err(Trouble::Lost(why, _) | Trouble::NobodyThere(why) | Trouble::Refused(why)) => {
                self.do_on_disk(Store::give_up).await;
                return Err(failed(&name, &why));
            }
            Err(Trouble::Cancelled) => {
                transfer.save().await;
                return Err(Ended::Cancelled);
            }
            Err(Trouble::Gone) => return Err(Ended::Gone),
        }
        if transfer.received() == 0 {
            self.do_on_disk(discard).await;
            return Err(failed(&name, "the image is empty; check the address"));
        }
        self.check(&name, wanted).await
    }

    async fn check(&self, name: &str, wanted: Option<String>) -> Result<ImageNews, Ended> {
        let checked = self.disk.run(move |store| {
            let sha256 = store.sha256()?;
            let is_wanted = wanted.as_ref().is_none_or(|wanted| *wanted == sha256);
            if !is_wanted {
                store.discard();
                return Ok(Err((sha256, wanted.unwrap_or_default())));
            }
            match store.keep() {
                Ok(size) => Ok(Ok((sha256, size))),
                Err(error) => {
                    store.discard();
                    Err(error)
                }
            }
        });
        match checked.await {
            Ok(Ok((sha256, size))) => Ok(ImageNews::Fetched { run: self.run, size, sha256 }),
            Ok(Err((is, wanted))) => Err(Ended::Failed(format!(
                "{name} is not the image that was asked for: its SHA-256 is {is}, and not {wanted}; check the digest \
                 and the address, the image has been removed"
            ))),
            Err(error) => Err(Ended::Failed(format!("cannot keep what was downloaded from {name}: {error}"))),
        }
    }

    /// What the update's outcome does not depend on.
    async fn do_on_disk(&self, work: impl FnOnce(&mut Store) -> Result<(), StoreError> + Send + 'static) {
        if let Err(error) = self.disk.run(work).await {
            tracing::warn!("{error}");
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form of what is done on the disk")]
fn discard(store: &mut Store) -> Result<(), StoreError> {
    store.discard();
    Ok(())
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
