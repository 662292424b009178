//! Microsoft's own SDKs, as their registries give them, against the real binary: they cannot tell
//! it from Azure.
//!
//! Every case is a program of a few lines on an unmodified SDK, in `python/` and `node/`, several
//! to a file by concept. The whole table with its results stands at the end of the output;
//! `cargo test --test sdk -- twin` runs what has `twin` in its name.
//!
//! Never here: what needs no SDK (`tests/it`), and code of the SDKs' own tests.
//!
//! In reading order: [`suite`] (the files and what they need), [`environment`] (where the SDKs
//! come from), [`clouds`] (what they talk to), [`certificates`] (for devices that show one), [`script`]
//! (one case, run), [`tutorial`], [`reboot`], [`firmware`], [`edge_filter`] and [`operator`] (the cases
//! that are led from here), [`snippets`] (what the README shows), [`table`] (the end of the output).

#![expect(unreachable_pub, reason = "`pub` here means: for every module of the tests")]

mod certificates;
mod clouds;
mod edge_filter;
mod environment;
mod firmware;
mod operator;
mod reboot;
mod script;
mod snippets;
mod suite;
#[expect(dead_code, unused_imports, reason = "shared with the other tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod table;
mod tutorial;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = libtest_mimic::Arguments::from_args();
    // Most of a case is waiting, so more of them run than there are processors.
    args.test_threads.get_or_insert(8);
    let suite = suite::Suite::new();
    let trials = suite.trials();
    let conclusion = if args.list {
        libtest_mimic::run(&args, trials)
    } else {
        table::run_with_table(args, trials, &suite)
    };
    suite.end();
    conclusion.exit_code()
}
