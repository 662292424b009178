//! Certificates of clients and of authorities.
#![no_main]

use envsim::cloud::fuzzing::check_certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| check_certificate(bytes));
