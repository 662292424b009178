//! AMQP 1.0, as the services of a hub speak it.
//!
//! In reading order: `open` (a connection and a session), `ask` (questions and answers over links, of
//! which putting a token is one), `said` (errors in words).

mod ask;
mod open;
mod said;

pub(super) use ask::{Asker, put_token, token};
pub(super) use open::{close, open};
pub(super) use said::{End, Peer, words};

/// Sixteen bytes in the form of a GUID.
pub(super) fn guid(bytes: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_five_groups() {
        let bytes = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
        assert_eq!(guid(bytes), "01234567-89ab-cdef-0123-456789abcdef");
    }
}
