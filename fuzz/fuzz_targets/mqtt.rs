//! Bytes from a client, right after TLS: whole connections to the hub and the provisioning service.
#![no_main]

use std::sync::LazyLock;

use envsim::cloud::fuzzing::Cloud;
use libfuzzer_sys::fuzz_target;

static CLOUD: LazyLock<Cloud> = LazyLock::new(Cloud::new);

fuzz_target!(|bytes: &[u8]| {
    let Some((mode, bytes)) = bytes.split_first() else { return };
    // Every other input comes from a client that has been let in, or the fuzzer would have to guess
    // a signature first.
    CLOUD.mqtt(mode % 3, bytes);
});
