//! The verbs of `envsim hub`: what is asked, how it is waited for, and how it is told.
//!
//! Everything but [`verbs`] is pure; the requests themselves are `operator`'s.
//!
//! In reading order: [`payload`] (what is sent), [`wait_for`] (when an outcome is there),
//! [`mod@print`] (how it is told), [`verbs`] (carried out).

pub mod payload;
pub mod print;
pub mod verbs;
pub mod wait_for;
