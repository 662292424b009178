//! What is remembered between runs: one small file, replaced as a whole.

use serde::{Deserialize, Serialize};

/// The format of the file. A later one is refused, not guessed at.
const FORMAT: u32 = 1;

/// What a device runs before it has ever been updated.
const DELIVERED: &str = "1.0.0";

/// What is installed, and what has been downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct State {
    pub(super) format: u32,
    /// What runs.
    pub(super) current: Image,
    /// What ran before.
    pub(super) previous: Option<Image>,
    /// Whether what runs was never confirmed.
    pub(super) trial: bool,
    /// What the download file holds.
    pub(super) download: Option<Download>,
}

/// An image that is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Image {
    pub(super) version: String,
    /// Where it is and what it has to be; `None` for the firmware that the device was delivered with.
    pub(super) file: Option<ImageFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ImageFile {
    pub(super) slot: Slot,
    pub(super) sha256: String,
    pub(super) size: u64,
}

/// One of the two places for images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Slot {
    A,
    B,
}

/// A download, whole or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Download {
    /// From where, for people to read: without what may be secret.
    pub(super) from: String,
    /// The SHA-256 of the whole URI, which may hold a secret and is compared only.
    pub(super) uri_sha256: String,
    /// The `ETag`, or the `Last-Modified`, by which the server tells that it is still the same image.
    pub(super) validator: Option<String>,
    /// How many bytes are surely on the disk.
    pub(super) received: u64,
    /// How many bytes the image has, when the server has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    /// The image's SHA-256, when it is whole and has been checked.
    pub(super) sha256: Option<String>,
    /// Whether an update is still waiting for it. Who starts with one that does was ended in the middle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) wanted: bool,
}

impl Download {
    /// How much of it can be gone on from: without a validator nobody can tell whether the rest is of
    /// the same image.
    pub(super) fn usable(&self) -> u64 {
        if self.validator.is_some() { self.received } else { 0 }
    }
}

impl Slot {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) const fn file_name(self) -> &'static str {
        match self {
            Self::A => "image-a.bin",
            Self::B => "image-b.bin",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl Image {
    pub(super) fn slot(&self) -> Option<Slot> {
        self.file.as_ref().map(|file| file.slot)
    }
}

impl State {
    /// A device as it was delivered.
    pub(super) fn delivered() -> Self {
        let current = Image { version: DELIVERED.to_owned(), file: None };
        Self { format: FORMAT, current, previous: None, trial: false, download: None }
    }

    /// Reads it, and checks what can be checked without looking at other files.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        // The format first: what a later one holds besides is not known here.
        #[derive(Deserialize)]
        struct Any {
            format: u32,
        }
        let any: Any =
            serde_json::from_slice(text).map_err(|error| format!("it is not as written ({error})"))?;
        if any.format != FORMAT {
            return Err(format!("it has the format {}, this version of envsim knows {FORMAT}", any.format));
        }
        let state: Self =
            serde_json::from_slice(text).map_err(|error| format!("it is not as written ({error})"))?;
        let previous = state.previous.as_ref();
        if state.trial && previous.is_none() {
            return Err("an image is on trial, and there is none to go back to".to_owned());
        }
        if state.current.slot().is_some() && state.current.slot() == previous.and_then(Image::slot) {
            return Err("two images claim the same file".to_owned());
        }
        Ok(state)
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Where the next image goes.
    pub(super) fn free_slot(&self) -> Slot {
        self.current.slot().map_or(Slot::A, Slot::other)
    }

    /// The images that have files.
    pub(super) fn files(&self) -> impl Iterator<Item = &ImageFile> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|image| image.file.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_written_as_people_can_read_it() {
        let mut state = State::delivered();
        state.previous = Some(state.current.clone());
        let file = ImageFile { slot: Slot::A, sha256: "ab".to_owned(), size: 3 };
        state.current = Image { version: "2".to_owned(), file: Some(file) };
        state.trial = true;
        let written: serde_json::Value = serde_json::from_str(&state.text()).expect("JSON");
        let wanted = serde_json::json!({
            "format": 1,
            "current": {"version": "2", "file": {"slot": "a", "sha256": "ab", "size": 3}},
            "previous": {"version": "1.0.0", "file": null},
            "trial": true,
            "download": null,
        });
        assert_eq!(written, wanted);
        assert_eq!(State::read(state.text().as_bytes()), Ok(state));
    }

    #[test]
    fn what_contradicts_itself_is_not_believed() {
        let said = |text: &str| State::read(text.as_bytes()).expect_err(text);
        assert!(said("").starts_with("it is not as written"));
        assert!(said("{\"format\":1,\"current\":").starts_with("it is not as written"));
        assert!(said("\0\0\0\0").starts_with("it is not as written"));
        assert_eq!(said("{\"format\":2}"), "it has the format 2, this version of envsim knows 1");
        let trial = r#"{"format":1,"current":{"version":"2","file":null},"previous":null,"trial":true,"download":null}"#;
        assert_eq!(said(trial), "an image is on trial, and there is none to go back to");
        let image = r#"{"version":"2","file":{"slot":"a","sha256":"","size":1}}"#;
        let twice =
            format!(r#"{{"format":1,"current":{image},"previous":{image},"trial":false,"download":null}}"#);
        assert_eq!(said(&twice), "two images claim the same file");
    }
}
