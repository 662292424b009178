//! Requests from a client: method, path, headers and body, with and without a good token.
#![no_main]

use std::sync::LazyLock;

use envsim::cloud::fuzzing::Cloud;
use libfuzzer_sys::fuzz_target;

static CLOUD: LazyLock<Cloud> = LazyLock::new(Cloud::new);

// Plain bytes instead of `arbitrary`'s, so that dictionaries and seeds mean something: a byte that
// chooses method and token, the path up to a line's end, headers up to an empty line, the body.
fuzz_target!(|bytes: &[u8]| {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let end = rest.windows(2).position(|two| two == b"\n\n").unwrap_or(rest.len());
    let Ok(head) = std::str::from_utf8(&rest[..end]) else { return };
    let (path, headers) = head.split_once('\n').unwrap_or((head, ""));
    CLOUD.https(*mode, path, headers, rest.get(end + 2..).unwrap_or_default());
});
