//! How keys and times stand in a document, and how one is read.

use serde::de::DeserializeOwned;

/// Reads a document. The error says where it is wrong and not what stands there, which may be a
/// key.
pub(super) fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body)
        .map_err(|error| format!("it is not the JSON that it should be, from character {}", error.column()))
}

/// A key as portals show it. The file is for its owner's eyes only.
pub(super) mod key {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use crate::wire::SharedKey;

    pub(in crate::cloud::store) fn serialize<S: Serializer>(
        key: &SharedKey,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&key.reveal())
    }

    pub(in crate::cloud::store) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SharedKey, D::Error> {
        let text = String::deserialize(from)?;
        SharedKey::from_base64(&text).map_err(|why| de::Error::custom(format!("a key {why}")))
    }
}

/// A time, when there is one.
pub(super) mod time {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde hands it over like this")]
    pub(in crate::cloud::store) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(|at| at.to_string()).serialize(to)
    }

    pub(in crate::cloud::store) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}
