//! Patches of twins, from devices and from services.
#![no_main]

use envsim::cloud::fuzzing::Twins;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|patches: Vec<(bool, &str)>| {
    let mut twins = Twins::new();
    for (from_device, patch) in patches.into_iter().take(8) {
        twins.patch(from_device, patch);
    }
});
