//! A hub for tests, and a clock that only moves when it is told to.

use jiff::Timestamp;

use super::auth::HubNames;
use super::{Core, Settings};
use crate::device::{Millis, Now};
use crate::wire::SharedKey;

/// When tests begin, in seconds since 1970: 2030-01-01T00:00:00Z.
pub(in crate::cloud) const START: i64 = 1_893_456_000;

/// So many milliseconds after [`START`], on both clocks.
pub(in crate::cloud) fn now(millis: u64) -> Now {
    let wall = START * 1000 + i64::try_from(millis).expect("a moment");
    Now { at: Millis(millis), wall: Timestamp::from_millisecond(wall).expect("a moment") }
}

/// The enrolment group's key.
pub(in crate::cloud) fn group() -> SharedKey {
    SharedKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key")
}

/// A hub called `localhost`.
pub(in crate::cloud) fn settings() -> Settings {
    Settings {
        names: HubNames { own: "localhost".to_owned(), aliases: vec![] },
        assigned_hub: "localhost".to_owned(),
        id_scope: "0ne00ABCDEF".parse().expect("a scope"),
        group_key: group(),
        retry_after: 0,
        waits: 0,
        assigning_for: 0,
    }
}

/// A cloud with nothing in it.
pub(in crate::cloud) fn core() -> Core {
    Core::new(settings(), [7; 32])
}
