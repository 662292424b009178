//! Patches of twins, from devices and from services.
#![no_main]

use envsim::cloud::fuzzing::Twins;
use libfuzzer_sys::fuzz_target;

// A patch a line; those that begin with `d` are the device's.
fuzz_target!(|text: &str| {
    let mut twins = Twins::new();
    for patch in text.lines().take(8) {
        let from_device = patch.strip_prefix('d');
        twins.patch(from_device.is_some(), from_device.unwrap_or(patch));
    }
});
