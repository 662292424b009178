//! The grammar of the command line. What a value means is checked in `config`, so that a flag, a
//! variable and the file are held to the same rules and speak in the same words.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

use super::cloud_args::CloudArgs;
use super::exit::{self, Exit};
use super::hub::HubArgs;
use super::manual::{CompletionsArgs, ManArgs};
use super::run_args::RunArgs;
use crate::config::error::may_be_secret;

const ABOUT: &str = "An environmental-sensor device for Azure IoT, with its own local cloud inside";

const LONG_ABOUT: &str = "An environmental-sensor device for Azure IoT Hub, DPS and IoT Central that you watch and tweak in a \
terminal.\n\nWithout options it runs against a local cloud inside this program: no account, no network. With an ID scope or a \
connection string it runs against Azure, unchanged.";

const EXAMPLES: &str = "Examples:
  envsim                                    the device on a screen, with the local cloud inside
  envsim --headless --count 10              ten messages, as lines, then a summary
  envsim run --id-scope 0ne00ABCDEF --device-id sensor-01 --key-file key.txt
                                            the device in Azure, by way of DPS or IoT Central
  envsim cloud                              only the local cloud, for devices in any language
  envsim hub invoke env-sensor-01 blink --payload 5
                                            a command for the device in the other terminal";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "envsim",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = format!("{EXAMPLES}\n\n{}", exit::HELP),
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the device (what `envsim` alone does)
    #[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
    Run(Box<RunArgs>),
    /// Run only the local cloud: an IoT Hub and DPS for devices in any language
    Cloud(CloudArgs),
    /// Be the back end: invoke commands, read and change twins, watch messages
    Hub(HubArgs),
    /// Write completions for a shell to standard output
    Completions(CompletionsArgs),
    /// Write man pages
    Man(ManArgs),
}

impl Cli {
    /// What to do; `envsim` alone is `envsim run`.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or_else(|| Command::Run(Box::new(self.run)))
    }
}

/// Reads a command line. Help and version go to standard output, errors to standard error, and
/// what is left to do is to end with the code returned.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Exit> {
    read(arguments).map_err(|error| {
        // When not even that can be written, the code is all that can be said.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage } else { Exit::Done }
    })
}

fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    Cli::try_parse_from(arguments).map(Cli::into_command).map_err(without_secrets)
}

/// Takes words out of an error that may be a key in the wrong place: half a connection string, for
/// example, whose `;` the shell took for the end of a command.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    const NOT_SHOWN: &str = "(not shown, it may be a key)";
    let holds_secret = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(word)) => may_be_secret(word),
        _ => false,
    };
    if error.kind() == ErrorKind::ValueValidation && holds_secret(&error, ContextKind::InvalidValue) {
        // What the check said may repeat the value, and cannot be taken out of the error. So this is
        // another one, in the parser's form.
        let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
        let value = context(ContextKind::InvalidValue);
        let reason = error.source().map(|why| why.to_string().replace(&value, "(not shown)"));
        let reason =
            reason.filter(|why| !may_be_secret(why)).map(|why| format!(": {why}")).unwrap_or_default();
        let option = context(ContextKind::InvalidArg);
        return clap::Error::raw(
            ErrorKind::ValueValidation,
            format!(
                "invalid value for '{option}' {NOT_SHOWN}{reason}\n\nFor more information, try '--help'.\n"
            ),
        );
    }
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
        ContextKind::InvalidValue,
        ContextKind::PriorArg,
    ] {
        if holds_secret(&error, kind) {
            error.insert(kind, ContextValue::String(NOT_SHOWN.to_owned()));
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
