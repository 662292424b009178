//! The command line, and where everything is put together: one file for each subcommand.
//!
//! Never here: protocol, decisions of the device, or drawing; those have folders of their own.
//!
//! In reading order: [`args`] (the grammar), [`run_args`], [`cloud_args`], [`difficult_args`], [`exit`],
//! `overdue` (an end that does not come), [`logging`], [`runtime_file`] (how one terminal finds the other's local cloud), `ground`
//! (what a run stands on), [`images`] (where firmware is kept), [`mod@run`], [`cloud`], [`hub`],
//! [`manual`] and `suggest` (what shells and readers are told).

pub mod args;
pub mod cloud;
pub mod cloud_args;
pub mod difficult_args;
pub mod exit;
mod ground;
pub mod hub;
pub mod images;
pub mod logging;
pub mod manual;
mod overdue;
pub mod run;
pub mod run_args;
pub mod runtime_file;
mod suggest;

pub use args::{Command, parse};
pub use exit::Exit;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

use crate::cloud::CloudError;
use crate::config::{ConfigError, Profiles, RunConfig};
use crate::firmware::StoreError;
use crate::profiles;
use crate::runtime::Clock;

/// Runs the program from its command line to its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let clock = Clock::start();
    let outcome = parse(arguments).map_or_else(Ok, |command| carry_out(command, clock));
    outcome.unwrap_or_else(|error| {
        // `envsim … | head -3` has got what it wanted.
        if reader_gone(&error) {
            return Exit::Done;
        }
        // The one place where an error is told. When not even that can be written, the exit code is
        // all that can be said.
        let text = crate::report::text::printable(&told(&error));
        let _ = writeln!(io::stderr(), "envsim: {text}");
        let is_usage = error.downcast_ref::<CloudError>().is_some_and(CloudError::is_usage);
        let is_usage = is_usage || error.is::<StoreError>();
        if is_usage || error.is::<ConfigError>() || error.is::<hub::values::InputError>() {
            Exit::Usage
        } else if error
            .downcast_ref::<hub::which::HubError>()
            .is_some_and(hub::which::HubError::is_out_of_reach)
        {
            Exit::Connect
        } else {
            Exit::Failed
        }
    })
}

/// Whether something could not be written because nobody reads it any more.
fn reader_gone(error: &anyhow::Error) -> bool {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_gone))
}

/// Says so on standard error when a place that a person chose for what holds keys may be open to
/// others, which no mode can prevent on this system. The work goes on: the folder's rules may be right.
fn note_if_open(path: &std::path::Path) {
    if let Some(why) = crate::system::files::why_open(path) {
        let text =
            crate::report::text::printable(&format!("note: {} is to hold keys, and {why}", path.display()));
        let _ = writeln!(io::stderr(), "envsim: {text}");
    }
}

/// An error and its causes in one line, without those that it has said already.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn carry_out(command: Command, clock: Clock) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => {
            let names: Vec<_> = profiles::CATALOG.iter().map(|entry| entry.name).collect();
            let options = |name: &str| profiles::find(name).map_or(&[][..], |entry| entry.options);
            let known = Profiles { names: &names, compose: &ground::compose, options };
            let config = RunConfig::load(args.into_layer(), &known)?;
            logging::start(&config.logging, run::is_on_screen(&config))?;
            to_its_end(threads(), run::run(config, clock))
        }
        Command::Cloud(args) => {
            logging::start(&args.logging(logging::filter_given()), false)?;
            to_its_end(threads().div_ceil(2), cloud::run(args))
        }
        Command::Hub(args) => to_its_end(threads(), hub::run(args)),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    }
}

/// How much of this machine there is. A cloud takes half of it: its clients run here as well, and
/// threads that take turns at one socket's work cost more than they bring.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How long the end waits for what threads still have to do that nobody waits for any more.
const LEAVING: Duration = Duration::from_secs(1);

/// Runs one command to its end. A thread that waits for a disk or a name and gets no answer is left behind.
fn to_its_end<T>(threads: usize, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEAVING);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_thread_that_waits_for_a_disk_does_not_keep_the_program_from_its_end() {
        let (answer, disk) = mpsc::channel::<()>();
        let (end, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let work = async {
                let (begin, has_begun) = tokio::sync::oneshot::channel();
                tokio::task::spawn_blocking(move || begin.send(()).map(|()| disk.recv()));
                Ok(has_begun.await?)
            };
            end.send(to_its_end(1, work).is_ok())
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(true));
        drop(answer);
    }
}
