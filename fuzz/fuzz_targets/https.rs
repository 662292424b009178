//! Requests from a client: method, path, headers and body, with and without a good token.
#![no_main]

use std::sync::LazyLock;

use envsim::cloud::fuzzing::Cloud;
use libfuzzer_sys::fuzz_target;

static CLOUD: LazyLock<Cloud> = LazyLock::new(Cloud::new);

fuzz_target!(|request: (u8, &str, &str, &[u8])| {
    let (mode, path, condition, body) = request;
    CLOUD.https(mode, path, condition, body);
});
