//! What a shell offers behind an option, and what help lists: words, files, folders.
//!
//! Values of `run` are checked by `config`, in its own words, so that an option and a line of the
//! file are held to the same rules; what is offered here is therefore never what is checked.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, ValueHint};

use crate::profiles::{self, CATALOG, Entry, Seat};

/// Takes any text, and offers some.
#[derive(Debug, Clone)]
pub(super) struct Offers(fn() -> Vec<PossibleValue>);

/// The kinds of device.
pub(super) const PROFILES: Offers =
    Offers(|| CATALOG.iter().map(|entry| PossibleValue::new(entry.name).help(entry.title)).collect());
/// What a filter sends on.
pub(super) const FORWARDED: Offers = Offers(|| ["alerts", "all"].map(PossibleValue::new).into());
/// What a reboot does to the link.
pub(super) const REBOOT_STYLES: Offers = Offers(|| ["hold", "link"].map(PossibleValue::new).into());
/// Forms of lines.
pub(super) const FORMATS: Offers = Offers(|| ["text", "json", "quiet"].map(PossibleValue::new).into());
/// For completions: the kinds of device, and those that go together, because no shell completes
/// what is behind a comma.
const COMBINED: Offers = Offers(|| combined().into_iter().map(PossibleValue::new).collect());

impl TypedValueParser for Offers {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter()))
    }
}

/// Every profile, then the lists of those that make one device together, in the catalogue's order.
fn combined() -> Vec<String> {
    let devices: Vec<_> = CATALOG.iter().filter(|entry| entry.seat == Seat::Device).collect();
    let sets = 1..1_usize << devices.len();
    let lists = sets.filter(|set| set.count_ones() > 1).map(|set| {
        let names = devices.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
        names.map(|(_, entry): (_, &&Entry)| entry.name).collect::<Vec<_>>()
    });
    let lists = lists.filter(|names| profiles::compose(names).is_ok()).map(|names| names.join(","));
    CATALOG.iter().map(|entry| entry.name.to_owned()).chain(lists).collect()
}

/// The grammar with what shells are to complete. What a value is called says what it is; behind an
/// option for an id or a number a shell would otherwise offer files.
pub(super) fn for_shells(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        if !arg.get_action().takes_values() {
            return arg;
        }
        let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        match name.as_deref() {
            Some("FILE") => arg.value_hint(ValueHint::FilePath),
            Some("DIR" | "FOLDER") => arg.value_hint(ValueHint::DirPath),
            Some("PROFILE") => arg.value_parser(COMBINED),
            _ => arg.value_hint(ValueHint::Other),
        }
    });
    let names: Vec<_> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| command.mut_subcommand(name, for_shells))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::args::Cli;

    fn arg<'a>(command: &'a Command, path: &[&str], long: &str) -> &'a Arg {
        let command = path
            .iter()
            .fold(command, |command, name| command.find_subcommand(name).unwrap_or_else(|| panic!("{name}")));
        let found = command.get_arguments().find(|arg| arg.get_long() == Some(long));
        found.unwrap_or_else(|| panic!("{path:?} --{long}"))
    }

    #[test]
    fn files_folders_and_names_are_told_apart() {
        let command = for_shells(Cli::command());
        for (path, long, hint) in [
            (&["run"][..], "key-file", ValueHint::FilePath),
            (&["run"], "ca", ValueHint::FilePath),
            (&[], "config", ValueHint::FilePath),
            (&["run"], "firmware-dir", ValueHint::DirPath),
            (&["run"], "device-id", ValueHint::Other),
            (&["cloud"], "device-ca", ValueHint::FilePath),
            (&["cloud"], "data-dir", ValueHint::DirPath),
            (&["hub"], "ca", ValueHint::FilePath),
            (&["hub", "invoke"], "payload-file", ValueHint::FilePath),
            (&["hub", "monitor"], "device", ValueHint::Other),
        ] {
            assert_eq!(arg(&command, path, long).get_value_hint(), hint, "{path:?} --{long}");
        }
    }

    #[test]
    fn profiles_are_offered_alone_and_together() {
        let offered = |command: &Command, path: &[&str], long| {
            let values = arg(command, path, long).get_possible_values();
            values.iter().map(|value| value.get_name().to_owned()).collect::<Vec<_>>()
        };
        let plain = Cli::command();
        let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
        assert_eq!(offered(&plain, &["run"], "profile"), names);
        let shells = for_shells(Cli::command());
        for path in [&[][..], &["run"]] {
            let offered = offered(&shells, path, "profile");
            assert!(offered.starts_with(&names.iter().map(ToString::to_string).collect::<Vec<_>>()));
            for list in ["environment,reboot", "environment,reboot,firmware", "reboot,firmware"] {
                assert!(offered.iter().any(|one| one == list), "{list}: {offered:?}");
            }
            assert!(!offered.iter().any(|one| one.contains("edge-filter,")), "{offered:?}");
        }
        assert_eq!(offered(&shells, &["run"], "reboot-style"), ["hold", "link"]);
    }
}
