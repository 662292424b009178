//! The configuration of `envsim run`, every value checked.

use std::str::FromStr;
use std::time::Duration;

use super::error::{nearest, quoted};
use super::secrets::{self, Reader};
use super::setting::{self, RUN, Setting};
use super::{Authority, ConfigError, Given, Layer, Origin, Sitting, Target, durations, hub, target};
use crate::device::{RestartStyle, TimeScale};
use crate::wire::ConnectionString;

/// The longest keep-alive that is of use: a hub drops a silent client after 1.5 times as long,
/// and after 29.45 minutes at the latest (IoT Hub, "MQTT keep-alive time-out").
pub const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(1_177);

/// Everything that decides a configuration, so that deciding is a pure function.
pub struct Sources<'a> {
    /// The command line.
    pub options: Layer,
    /// The environment.
    pub environment: Layer,
    /// The configuration file, when there is one.
    pub file: Layer,
    /// The profiles there are.
    pub profiles: &'a Profiles<'a>,
    /// Reads the files that settings name.
    pub read: Reader<'a>,
}

/// The profiles there are, which others know more about.
pub struct Profiles<'a> {
    /// Their names.
    pub names: &'a [&'a str],
    /// As whom profiles connect when they are put together, or why they cannot be.
    pub compose: &'a dyn Fn(&[&str]) -> Result<Sitting, String>,
    /// The options that one makes use of and not every other does too.
    pub options: fn(&str) -> &'static [&'static str],
}

/// What `envsim run` is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// Where the devices go, and who they are.
    pub target: Target,
    /// How to be the operator of a hub elsewhere.
    pub service: Option<ConnectionString>,
    /// Certificates trusted besides the system's roots.
    pub ca: Option<Authority>,
    /// The port of a hub that is assigned without one. In the local cloud, the one it listens on
    /// if it is free.
    pub mqtt_port: u16,
    /// What the device can do; each a known profile, none twice.
    pub profiles: Vec<String>,
    /// Whether the filter of an IoT Edge device sends on every message, and not only alerts.
    pub forward_all: bool,
    /// The period of telemetry.
    pub interval: Duration,
    /// MQTT's keep-alive.
    pub keep_alive: Duration,
    /// How long a token lives.
    pub sas_ttl: Duration,
    /// The seed of the values, when one was asked for.
    pub seed: Option<u64>,
    /// Divides simulated durations.
    pub time_scale: TimeScale,
    /// What becomes of the link while the device restarts.
    pub reboot_style: RestartStyle,
    /// Where firmware images are kept; in a folder that goes with the run when there is none.
    pub firmware_dir: Option<std::path::PathBuf>,
    /// Whether no screen was asked for. Without a terminal there is none either way.
    pub headless: bool,
    /// The form of headless lines.
    pub format: Format,
    /// When to end.
    pub run_for: Option<Duration>,
    /// After how many acknowledged messages to end.
    pub count: Option<u64>,
    /// Where diagnostics go.
    pub logging: Logging,
}

/// Where diagnostics go, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// The file they are appended to.
    pub file: Option<std::path::PathBuf>,
    /// How often `-v` was given.
    pub verbose: u8,
    /// The filter in `RUST_LOG`.
    pub filter: Option<String>,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// Only what went wrong, and the summary.
    Quiet,
}

impl Format {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Quiet => "quiet",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "quiet" => Ok(Self::Quiet),
            _ => Err(format!("{} is no format: text, json or quiet", quoted(text))),
        }
    }
}

impl RunConfig {
    /// Reads the process's environment and the configuration file, and decides.
    pub fn load(options: Layer, profiles: &Profiles<'_>) -> Result<Self, ConfigError> {
        let read: Reader<'_> = &|path| std::fs::read(path);
        let environment = Layer::from_environment(RUN, |name| std::env::var_os(name))?;
        Self::read(options, environment, profiles, read)
    }

    fn read(
        options: Layer,
        environment: Layer,
        profiles: &Profiles<'_>,
        read: Reader<'_>,
    ) -> Result<Self, ConfigError> {
        let named = options.get(Setting::Config).or_else(|| environment.get(Setting::Config)).cloned();
        let file = match named {
            // Empty is refused below, with everything else that is empty.
            Some(given) if !given.text.trim().is_empty() => {
                let text = secrets::text_of(&given, read)?;
                super::file::parse(std::path::Path::new(&given.text), &text)?
            }
            _ => Layer::new(),
        };
        Self::resolve(&Sources { options, environment, file, profiles, read })
    }

    /// Decides. Reads nothing but the files that settings name, through `sources.read`.
    pub fn resolve(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let levels =
            Levels { layers: [&sources.options, &sources.environment, &sources.file], read: sources.read };
        for layer in levels.layers {
            layer.reject_empty()?;
        }
        let effective = |setting| levels.get_or_default(setting);
        let known = sources.profiles;
        let asked = effective(Setting::Profile);
        let (profiles, sitting) = asked.parsed(|text| {
            let names = profiles(text, known.names)?;
            let sitting = (known.compose)(&names)?;
            Ok((names, sitting))
        })?;
        let target = target::resolve(&levels, sitting)?;
        let given = |setting| levels.get(setting).map(|(_, given)| given);
        let day = Duration::from_secs(86_400);
        let unused = unused(&profiles, known, &levels);
        let config = Self {
            service: match &target {
                Target::Local { .. } | Target::Registry { hub: None, .. } => None,
                // Given for another purpose than this run, perhaps; but then it is the right one.
                _ => given(Setting::Service).map(hub::service).transpose()?,
            },
            target,
            ca: given(Setting::Ca).map(|given| secrets::authority(given, levels.read)).transpose()?,
            mqtt_port: effective(Setting::MqttPort).whole(1, u64::from(u16::MAX), "a port")?,
            profiles: profiles.into_iter().map(str::to_owned).collect(),
            forward_all: effective(Setting::EdgeForward).parsed(|text| match text {
                "alerts" => Ok(false),
                "all" => Ok(true),
                _ => Err(format!("{} is not what can be sent on: alerts or all", quoted(text))),
            })?,
            interval: effective(Setting::Interval).span(Duration::from_millis(10), day)?,
            keep_alive: effective(Setting::KeepAlive)
                .span(Duration::from_secs(1), LONGEST_KEEP_ALIVE)
                .map(whole_seconds)?,
            // Azure takes tokens of up to a year; whole seconds are all that a token can say.
            sas_ttl: effective(Setting::SasTtl).span(Duration::from_secs(1), 365 * day).map(whole_seconds)?,
            seed: given(Setting::Seed).map(|given| given.whole(0, u64::MAX, "a seed")).transpose()?,
            time_scale: effective(Setting::TimeScale).parsed(time_scale)?,
            reboot_style: effective(Setting::RebootStyle).parsed(reboot_style)?,
            firmware_dir: given(Setting::FirmwareDir).map(|given| given.text.clone().into()),
            headless: given(Setting::Headless).is_some(),
            format: effective(Setting::Format).parsed(str::parse)?,
            run_for: given(Setting::For)
                .map(|given| given.span(Duration::from_millis(1), Duration::MAX))
                .transpose()?,
            count: given(Setting::Count)
                .map(|given| given.whole(1, u64::MAX, "a number of messages"))
                .transpose()?,
            logging: Logging {
                file: given(Setting::LogFile).map(|given| given.text.clone().into()),
                verbose: given(Setting::Verbose)
                    .map(|given| given.whole(0, u64::from(u8::MAX), "how verbose to be"))
                    .transpose()?
                    .unwrap_or_default(),
                filter: given(Setting::LogFilter).map(|given| given.text.clone()),
            },
        };
        unused.map_or(Ok(config), Err)
    }
}

/// The three levels, highest first.
pub(super) struct Levels<'a> {
    pub(super) layers: [&'a Layer; 3],
    pub(super) read: Reader<'a>,
}

impl<'a> Levels<'a> {
    /// What the highest level that says something says, and which level that is.
    pub(super) fn get(&self, setting: Setting) -> Option<(usize, &'a Given)> {
        self.layers.iter().enumerate().find_map(|(level, layer)| Some((level, layer.get(setting)?)))
    }

    /// Those of `settings` that the highest level with any of them gives.
    pub(super) fn highest(&self, settings: &[Setting]) -> Option<(usize, Vec<(Setting, &'a Given)>)> {
        self.layers.iter().enumerate().find_map(|(level, layer)| {
            let found: Vec<_> =
                settings.iter().filter_map(|setting| Some((*setting, layer.get(*setting)?))).collect();
            (!found.is_empty()).then_some((level, found))
        })
    }

    pub(super) fn get_or_default(&self, setting: Setting) -> Given {
        let given = self.get(setting).map(|(_, given)| given.clone());
        given.unwrap_or_else(|| self.default(setting, setting::default_of(setting)))
    }

    #[expect(clippy::unused_self, reason = "reads as the level below the three")]
    pub(super) fn default(&self, setting: Setting, text: &str) -> Given {
        let row = RUN.iter().find(|row| row.setting == setting);
        let option = row.and_then(|row| row.option).unwrap_or_default();
        Given { text: text.to_owned(), origin: Origin::Default(option) }
    }
}

impl Given {
    /// The text, read; what goes wrong is told with where the text came from.
    pub(super) fn parsed<'a, T>(
        &'a self,
        read: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        read(&self.text).map_err(|why| ConfigError::Invalid { origin: self.origin.clone(), why })
    }

    fn whole<T: TryFrom<u64>>(&self, least: u64, most: u64, what: &str) -> Result<T, ConfigError> {
        self.parsed(|text| {
            let number = text.trim().replace('_', "").parse::<u64>().ok();
            number
                .filter(|number| (least..=most).contains(number))
                .and_then(|n| T::try_from(n).ok())
                .ok_or_else(|| {
                    let bounds = match most {
                        u64::MAX => format!("a whole number from {least}"),
                        most => format!("a whole number from {least} to {most}"),
                    };
                    format!("{} is not {what}: give {bounds}", quoted(text))
                })
        })
    }

    fn span(&self, least: Duration, most: Duration) -> Result<Duration, ConfigError> {
        self.parsed(|text| {
            let span = durations::parse(text).map_err(|error| format!("{} {error}", quoted(text)))?;
            if span < least {
                return Err(format!("{} is too short, the least is {}", quoted(text), compact(least)));
            }
            if span > most {
                return Err(format!("{} is too long, the most is {}", quoted(text), compact(most)));
            }
            Ok(span)
        })
    }
}

/// A bound as one would type it.
fn compact(span: Duration) -> String {
    match (span.as_secs(), span.subsec_millis()) {
        (0, ms) => format!("{ms}ms"),
        (s, _) if s % 86_400 == 0 => format!("{}d", s / 86_400),
        (s, _) => format!("{s}s"),
    }
}

/// MQTT and tokens count whole seconds. Rounded down, so that nothing lives longer than asked.
fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}

fn time_scale(text: &str) -> Result<TimeScale, String> {
    let scale = text.trim().parse().ok().and_then(TimeScale::new);
    scale.ok_or_else(|| format!("{} is not a scale: give a number from 0.001 to 1000000", quoted(text)))
}

fn profiles<'a>(text: &'a str, known: &[&str]) -> Result<Vec<&'a str>, String> {
    let names = listed(text, "profile", |one, other| one == other)?;
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => {
            let hint = nearest(name, known.iter().copied());
            let hint = hint.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            Err(format!("there is no profile {}{hint}; there is {}", quoted(name), known.join(", ")))
        }
        None => Ok(names),
    }
}

/// What is wrong with an option that none of the profiles makes use of: who types one means something
/// by it. A file may be shared by runs of several profiles, and what it says for others is no mistake.
fn unused(chosen: &[&str], known: &Profiles<'_>, levels: &Levels<'_>) -> Option<ConfigError> {
    setting::RUN.iter().find_map(|row| {
        let option = row.option?;
        let makes_use = |name: &&&str| (known.options)(name).contains(&option);
        let users: Vec<_> = known.names.iter().filter(makes_use).copied().collect();
        let (_, given) = levels.get(row.setting)?;
        let is_typed = !matches!(given.origin, Origin::File { .. });
        let is_unused = !users.is_empty() && !chosen.iter().any(|name| users.contains(name));
        (is_typed && is_unused).then(|| ConfigError::Incomplete {
            given: given.origin.clone(),
            missing: format!(
                "no profile that makes use of it: choose {} with --profile, or leave it out",
                users.join(" or ")
            ),
        })
    })
}

fn reboot_style(text: &str) -> Result<RestartStyle, String> {
    match text.trim() {
        "hold" => Ok(RestartStyle::Held),
        "link" => Ok(RestartStyle::Link),
        _ => Err(format!("{} is no way to reboot: hold (keeps the link) or link (drops it)", quoted(text))),
    }
}

/// The names in a list with commas, none empty and none twice.
pub(super) fn listed<'a>(
    text: &'a str,
    what: &str,
    same: impl Fn(&str, &str) -> bool,
) -> Result<Vec<&'a str>, String> {
    let mut names: Vec<&str> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name.is_empty() {
            return Err("has an empty name between its commas".to_owned());
        }
        if let Some(known) = names.iter().find(|known| same(known, name)) {
            return Err(if *known == name {
                format!("names the {what} {} twice", quoted(name))
            } else {
                let (one, other) = (quoted(known), quoted(name));
                format!(
                    "names the {what}s {one} and {other}, which differ in case only: case does not matter"
                )
            });
        }
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
#[path = "run_tests/mod.rs"]
mod tests;
