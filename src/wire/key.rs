//! A symmetric key, which signs and never shows itself.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// A symmetric key of a device, an enrolment group or a policy.
///
/// Its `Debug` and `Display` show the fingerprint only.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey(Vec<u8>);

/// Why a text is not a key. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64 at all.
    #[error("is not base64: copy the whole key as the portal shows it, with its final `=`")]
    NotBase64,
    /// DPS and IoT Hub take 16 to 64 bytes.
    #[error("holds {0} bytes, a key has 16 to 64: part of it may be missing")]
    Length(usize),
}

impl SharedKey {
    /// Reads a key as portals show it.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError::NotBase64)?;
        Self::from_bytes(bytes)
    }

    /// Takes the bytes of a key.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, KeyError> {
        if (16..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(KeyError::Length(bytes.len())) }
    }

    /// The key as portals show it. For the few places whose purpose is to hand a key over.
    pub fn reveal(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// The key that Event Hubs makes of it: the letters of its base64, not the bytes that they stand
    /// for. Event Hubs, "Authenticate access to Event Hubs resources using shared access signatures".
    #[must_use]
    pub fn as_written(&self) -> Self {
        Self(self.reveal().into_bytes())
    }

    /// HMAC-SHA256 of `text`, in base64.
    pub fn sign(&self, text: &str) -> String {
        STANDARD.encode(self.mac(text).finalize().into_bytes())
    }

    /// Whether `signature`, in base64, is this key's for `text`. Takes the same time for every
    /// wrong signature.
    pub fn verifies(&self, text: &str, signature: &str) -> bool {
        STANDARD.decode(signature).is_ok_and(|bytes| self.mac(text).verify_slice(&bytes).is_ok())
    }

    /// The key of one device of an enrolment group.
    ///
    /// DPS, "Symmetric key attestation", group enrolments: the HMAC of the registration id.
    #[must_use]
    pub fn derive(&self, registration_id: &str) -> Self {
        Self(self.mac(registration_id).finalize().into_bytes().to_vec())
    }

    /// Eight hexadecimal digits that tell keys apart and give nothing away.
    pub fn fingerprint(&self) -> String {
        hex::encode(&Sha256::digest(&self.0)[..4])
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(text.as_bytes());
        mac
    }
}

impl fmt::Display for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.fingerprint())
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({})", self.fingerprint())
    }
}

/// A text that somebody else wrote, with words in the place of what may be a key or the signature of
/// a token: their base64 has 22 characters and `=` at its end, or 40 with digits and more than those
/// of hexadecimal numbers. The names of errors are as long, and so are thumbprints.
pub fn without_keys(text: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let may_be_key = |run: &str| {
        let is_mixed =
            run.contains(|c: char| c.is_ascii_digit()) && run.contains(|c: char| !c.is_ascii_hexdigit());
        run.len() >= 22 && run.ends_with('=') || run.len() >= 40 && is_mixed
    };
    let mut told = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_base64) {
        let (before, from) = rest.split_at(start);
        let (run, after) = from.split_at(from.find(|c| !is_base64(c)).unwrap_or(from.len()));
        told.push_str(before);
        told.push_str(if may_be_key(run) { "(not shown, it may be a key)" } else { run });
        rest = after;
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_key_is_taken_out_of_a_text_and_nothing_else() {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let hidden = "(not shown, it may be a key)";
        for (text, told) in [
            (format!("key {key}, no"), format!("key {hidden}, no")),
            (format!("`{key}`"), format!("`{hidden}`")),
            ("AAECAwQFBgcICQoLDA0ODw==".to_owned(), hidden.to_owned()),
            (
                format!("sr=h&sig={}%3D&se=1", &key[..43]),
                // A name with `=` belongs to the same letters.
                format!("sr=h&{hidden}%3D&se=1"),
            ),
        ] {
            assert_eq!(without_keys(&text), told);
        }
        for text in [
            "",
            "the device `env-sensor-01` is not there: ä",
            "Tracking ID:0123456789abcdef0123456789abcdef-G:10",
            "630DCD2966C4336691125448BBB25B4FF412A49C732DB2C8ABC1B8581BD710DD",
            "DeviceMaximumActiveFileUploadLimitExceeded",
        ] {
            assert_eq!(without_keys(text), text);
        }
    }

    const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const K2: &str =
        "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA==";
    const MICROSOFT: &str =
        "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==";

    #[test]
    fn device_keys_are_derived_as_published() {
        let derive = |key: &str, id: &str| SharedKey::from_base64(key).expect("a key").derive(id).reveal();
        assert_eq!(derive(K1, "sensor-01"), "8NqVUuWeBcXZXvMjEs8QcaTAvskXQ6V5RDXFBEtwYQ0=");
        assert_eq!(derive(K1, "sensor:lab.7_b-01"), "mD4RABcmu0ZTfjeUP+T3jJsqp1kNnQSDhbuQw02FZO8=");
        assert_eq!(derive(K2, "Sensor-01"), "oYkIZoLqhwwI7+jE0rIQMkhn4Au62RI9CyR10346kWU=");
        assert_eq!(derive(K2, "sensor-01"), "yoVK7Vr2X398J37VIszav/PVOF/adrjz5DvX0SLqi60=");
        assert_eq!(
            derive(MICROSOFT, "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6"),
            "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc="
        );
    }

    #[test]
    fn a_key_never_shows_itself() {
        let key = SharedKey::from_base64(K1).expect("a key");
        assert_eq!(format!("{key} {key:?}"), "key 630dcd29 SharedKey(630dcd29)");
    }

    #[test]
    fn bad_keys_are_told_apart_without_being_repeated() {
        assert_eq!(SharedKey::from_base64("not base64!"), Err(KeyError::NotBase64));
        assert_eq!(SharedKey::from_base64("AAEC"), Err(KeyError::Length(3)));
        assert!(SharedKey::from_base64(&format!(" {K1}\n")).is_ok());
    }

    #[test]
    fn a_wrong_signature_does_not_verify() {
        let key = SharedKey::from_base64(K1).expect("a key");
        let signature = key.sign("text");
        assert!(key.verifies("text", &signature));
        for wrong in ["", "AAAA", "not base64!", &signature[1..]] {
            assert!(!key.verifies("text", wrong), "{wrong:?}");
        }
    }
}
