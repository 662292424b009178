//! Frames from a client, right after the opening handshake of a WebSocket.
#![no_main]

use std::sync::LazyLock;

use envsim::cloud::fuzzing::Cloud;
use libfuzzer_sys::fuzz_target;

static CLOUD: LazyLock<Cloud> = LazyLock::new(Cloud::new);

fuzz_target!(|bytes: &[u8]| {
    let Some((mode, bytes)) = bytes.split_first() else { return };
    CLOUD.websocket(mode % 3, bytes);
});
