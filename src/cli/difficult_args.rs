//! The options of `envsim cloud` that make it difficult: a hub's limits, and trouble.

use std::time::Duration;

use clap::Args;

use crate::cloud::core::quota::Sku;
use crate::cloud::core::trouble::{Busy, Elsewhere, Refuse, Trouble};
use crate::config::{ConfigError, Origin, durations};
use crate::device::HubHost;
use crate::device::time::Spoken;

const HEADING: &str = "Difficult on request";

/// What a busy provisioning service tells its clients to wait, in seconds.
const BUSY: u64 = 3;

/// What `envsim cloud` makes difficult. Nothing, unless it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct DifficultArgs {
    /// Hold the limits of a hub of this size: F1, S1, S2 or S3
    #[arg(long, value_name = "SKU", value_parser = sku, help_heading = HEADING)]
    pub sku: Option<Sku>,

    /// With so many units; 1 if not given
    #[arg(
        long,
        value_name = "N",
        requires = "sku",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = HEADING
    )]
    pub units: Option<u32>,

    /// Answer everything so much later, up to 60s
    #[arg(long, value_name = "TIME", value_parser = latency, help_heading = HEADING)]
    pub latency: Option<Duration>,

    /// Drop all connections again and again
    #[arg(long, value_name = "TIME", value_parser = drop_every, help_heading = HEADING)]
    pub drop_every: Option<Duration>,

    /// End each connection after this time, as if its token had run out
    #[arg(long, value_name = "TIME", value_parser = token_life, help_heading = HEADING)]
    pub token_life: Option<Duration>,

    /// Refuse the first N connections to the hub
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = HEADING)]
    pub refuse: Option<u64>,

    /// MQTT's return code for them: 3 for an outage, 5 for credentials
    #[arg(
        long,
        value_name = "CODE",
        default_value_t = 3,
        requires = "refuse",
        value_parser = clap::value_parser!(u8).range(1..=5),
        help_heading = HEADING
    )]
    pub refuse_code: u8,

    /// Answer the first N requests to the provisioning service with 429
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = HEADING)]
    pub dps_busy: Option<u64>,

    /// Refuse all devices, and let the provisioning service send them to another hub
    #[arg(long, value_name = "HUB", help_heading = HEADING)]
    pub elsewhere: Option<HubHost>,
}

impl DifficultArgs {
    /// The hub's size, whose limits shall hold.
    pub fn quota(&self) -> Result<Option<(Sku, u32)>, ConfigError> {
        let Some(sku) = self.sku else { return Ok(None) };
        let units = self.units.unwrap_or(1);
        if units > sku.most_units() {
            let (name, most) = (sku.name(), sku.most_units());
            let why = format!("is {units}, but a hub of the size {name} has {most} at most");
            return Err(ConfigError::Invalid { origin: Origin::Option("units"), why });
        }
        Ok(Some((sku, units)))
    }

    /// What shall go wrong.
    pub fn trouble(&self) -> Trouble {
        let millis = |time: Option<Duration>| {
            time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
        };
        Trouble {
            latency: millis(self.latency),
            drop_every: millis(self.drop_every),
            token_life: millis(self.token_life),
            refuse: self.refuse.map(|times| Refuse {
                return_code: self.refuse_code,
                times: Some(times),
                device: None,
            }),
            dps_busy: self.dps_busy.map(|times| Busy { times: Some(times), retry_after: BUSY }),
            elsewhere: self.elsewhere.as_ref().map(|hub| Elsewhere { hub: hub.to_string(), device: None }),
        }
    }
}

fn sku(text: &str) -> Result<Sku, String> {
    Sku::named(text).ok_or_else(|| "the sizes are F1, S1, S2 and S3".to_owned())
}

fn latency(text: &str) -> Result<Duration, String> {
    between(text, 1, Trouble::LATEST)
}

fn drop_every(text: &str) -> Result<Duration, String> {
    between(text, Trouble::SHORTEST_DROP, Trouble::LONGEST)
}

fn token_life(text: &str) -> Result<Duration, String> {
    between(text, Trouble::SHORTEST_LIFE, Trouble::LONGEST)
}

fn between(text: &str, least: u64, most: u64) -> Result<Duration, String> {
    let time = durations::parse(text).map_err(|error| error.to_string())?;
    let [least, most] = [least, most].map(Duration::from_millis);
    if !(least..=most).contains(&time) {
        return Err(format!("give a time from {} to {}", Spoken(least), Spoken(most)));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: DifficultArgs,
    }

    fn read(line: &str) -> Result<DifficultArgs, String> {
        let words = std::iter::once("cloud").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.args).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_difficult_unless_it_is_asked_for() {
        let args = read("").expect("no options");
        assert_eq!((args.quota(), args.trouble()), (Ok(None), Trouble::default()));
    }

    #[test]
    fn the_options_say_the_same_as_the_json() {
        let args = read(
            "--latency 50ms --drop-every 15 --token-life 1m --refuse 2 --refuse-code 5 --dps-busy 4 \
             --elsewhere other.example:8884",
        );
        let trouble = args.expect("options").trouble();
        assert_eq!(trouble.check(), Ok(()));
        assert_eq!(
            serde_json::to_value(trouble).expect("JSON"),
            json!({
                "latency": 50, "dropEvery": 15_000, "tokenLife": 60_000,
                "refuse": {"returnCode": 5, "times": 2, "device": null},
                "dpsBusy": {"times": 4, "retryAfter": 3},
                "elsewhere": {"hub": "other.example:8884", "device": null},
            })
        );
        assert_eq!(read("--refuse 1").expect("an option").trouble().refuse.map(|it| it.return_code), Some(3));
    }

    #[test]
    fn a_size_has_units() {
        assert_eq!(read("--sku s1").expect("a size").quota(), Ok(Some((Sku::S1, 1))));
        assert_eq!(read("--sku S2 --units 200").expect("a size").quota(), Ok(Some((Sku::S2, 200))));
        let error = read("--sku S3 --units 11").expect("a size").quota().expect_err("too many");
        assert_eq!(error.to_string(), "--units: is 11, but a hub of the size S3 has 10 at most");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, said) in [
            ("--sku B1", "the sizes are F1, S1, S2 and S3"),
            ("--units 2", "--sku"),
            ("--latency 61s", "give a time from"),
            ("--latency 0", "give a time from"),
            ("--drop-every 1ms", "give a time from"),
            ("--token-life soon", "is not a time"),
            ("--refuse 0", "--refuse"),
            ("--refuse-code 5", "--refuse <N>"),
            ("--refuse 1 --refuse-code 6", "--refuse-code"),
            ("--elsewhere a/b", "--elsewhere"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
