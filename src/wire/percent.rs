//! Percent-encoding as the official SDKs do it.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters, in upper-case hexadecimal.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Encodes everything but letters, digits and `- _ . ~`.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Decodes `%XX`; `+` stays a plus. `None` when the bytes are not UTF-8.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_keeps_the_unreserved_characters_only() {
        assert_eq!(encode("A-z_0.9~"), "A-z_0.9~");
        assert_eq!(encode("a b/c+d*e"), "a%20b%2Fc%2Bd%2Ae");
        assert_eq!(encode("°"), "%C2%B0");
    }

    #[test]
    fn decoding_takes_both_cases_and_leaves_plus_alone() {
        assert_eq!(decode("a%2fb%2Fc+d").as_deref(), Some("a/b/c+d"));
        assert_eq!(decode("%FF"), None);
        assert_eq!(decode("100%").as_deref(), Some("100%"));
    }
}
