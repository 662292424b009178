//! The hub that a verb speaks to, and why it did not do what was asked.

use std::io::Write as _;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::HubArgs;
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::cli::runtime_file::{self, Running};
use crate::config::{Authority, ConfigError, HubConfig, Origin};
use crate::device::{DeviceId, HubHost, ModuleId};
use crate::operator::{Client, OperatorError};
use crate::trust::Trust;
use crate::wire::connection_string::Who;
use crate::wire::{ConnectionString, SharedKey};

/// The port of MQTT over TLS, which stands in no connection string.
const MQTT_PORT: u16 = 8883;

/// A hub to speak to, and how to tell what it says.
#[derive(Debug)]
pub struct Hub {
    /// Its service side.
    pub client: Client,
    /// For people or for programs.
    pub format: OutputFormat,
    /// In whose time people are told.
    pub zone: TimeZone,
    /// Where devices find it.
    for_devices: HubHost,
    /// What it was found by, and not by a connection string.
    found: Option<Found>,
}

/// A local cloud that runs on this machine, and what is trusted besides its own authority.
#[derive(Debug)]
struct Found {
    running: Running,
    ca: Option<Authority>,
}

impl Hub {
    /// The hub asked for, or the local cloud that runs on this machine. Connects nowhere yet.
    pub fn of(args: &HubArgs) -> anyhow::Result<Self> {
        if let (Some(_), Some(other)) = (&args.hub, args.connection_option()) {
            let [one, other] = ["hub", other].map(Origin::Option);
            return Err(ConfigError::Conflict { one, other, why: "give the one that names the hub" }.into());
        }
        let config = HubConfig::load(args.layer())?;
        // An option beats the environment.
        let given = if args.hub.is_some() { None } else { config.connection };
        if let Some(connection) = given {
            // It may be one of this computer's as well; if that cannot be told, nothing is lost.
            let all = runtime_file::running().unwrap_or_default();
            let same = all.iter().find(|running| service_host(running).as_ref() == Some(&connection.hub));
            let port = same.and_then(|running| running.mqtt_port);
            let trust = with_authority(Trust::system(), config.ca)?;
            return Self::new(&connection, &trust, port, args.format);
        }
        let all = runtime_file::running().context("cannot look for a running local cloud")?;
        let chosen = Cloud::choose(&all, args.hub.as_ref())?;
        if let Some(note) = chosen.note(&all, args.hub.as_ref()) {
            // It goes on without the note when that cannot be written.
            let _ = writeln!(std::io::stderr(), "envsim: {note}");
        }
        Self::local(Found { running: chosen.running.clone(), ca: config.ca }, args.format)
    }

    /// A local cloud that was found.
    fn local(found: Found, format: OutputFormat) -> anyhow::Result<Self> {
        let trust = Trust::only(&found.running.ca, "the local cloud's authority")?;
        let trust = with_authority(trust, found.ca.clone())?;
        let hub = Self::new(&service(&found.running)?, &trust, found.running.mqtt_port, format)?;
        Ok(Self { found: Some(found), ..hub })
    }

    fn new(
        connection: &ConnectionString,
        trust: &Trust,
        mqtt_port: Option<u16>,
        format: OutputFormat,
    ) -> anyhow::Result<Self> {
        let port = mqtt_port.filter(|port| *port != MQTT_PORT);
        Ok(Self {
            client: explained(Client::new(connection, trust))?,
            format,
            zone: TimeZone::system(),
            for_devices: HubHost { name: connection.hub.name.clone(), port },
            found: None,
        })
    }

    /// Whether it is a local cloud that was found, and may be found again.
    pub fn is_found(&self) -> bool {
        self.found.is_some()
    }

    /// Looks whether another local cloud runs in the place of the one that was found. One that was
    /// started anew has another key and another authority; this is that one from then on.
    pub fn find_again(&mut self) -> bool {
        let Some(found) = &self.found else { return false };
        let all = runtime_file::running().unwrap_or_default();
        let Some(running) = successor(&found.running, all) else { return false };
        let Ok(again) = Self::local(Found { running, ca: found.ca.clone() }, self.format) else {
            return false;
        };
        *self = again;
        true
    }

    /// Whether programs are told, not people.
    pub fn is_for_programs(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Writes one thing told, at once: a line for programs, or words for people.
    pub fn tell(&self, json: &Value, text: impl FnOnce() -> String) -> anyhow::Result<Exit> {
        if self.is_for_programs() { self.say(&json.to_string()) } else { self.say(&text()) }
    }

    /// Writes one thing told, at once.
    pub fn say(&self, text: &str) -> anyhow::Result<Exit> {
        say(text)
    }

    /// What a device or module needs to connect to this hub.
    pub fn connection_string(
        &self,
        device: &DeviceId,
        module: Option<&ModuleId>,
        key: SharedKey,
    ) -> ConnectionString {
        ConnectionString {
            hub: self.for_devices.clone(),
            gateway: None,
            who: Who::Device(device.clone(), module.cloned()),
            key,
        }
    }
}

/// Writes one thing told, at once.
pub fn say(text: &str) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(Exit::Done)
}

/// What became of something told by a verb whose exit code tells an outcome: that has to be found out
/// even when nobody reads any more.
pub fn even_unread(told: anyhow::Result<Exit>) -> anyhow::Result<()> {
    match told {
        Err(error) if crate::cli::reader_gone(&error) => Ok(()),
        told => told.map(drop),
    }
}

/// Whose certificates are taken where no hub is asked: the system's, and the one of an option.
pub fn trust(args: &HubArgs) -> anyhow::Result<Trust> {
    with_authority(Trust::system(), HubConfig::load(args.layer())?.ca)
}

fn with_authority(trust: Trust, ca: Option<Authority>) -> anyhow::Result<Trust> {
    Ok(match ca {
        Some(ca) => trust.and(&String::from_utf8_lossy(&ca.pem), &ca.path.display().to_string())?,
        None => trust,
    })
}

/// A local cloud that runs.
struct Cloud<'a> {
    running: &'a Running,
    service: ConnectionString,
}

impl<'a> Cloud<'a> {
    /// The one asked for, by its name and port, or the one that was started last.
    fn choose(all: &'a [Running], wanted: Option<&HubHost>) -> anyhow::Result<Self> {
        let is_wanted = |running: &&Running| wanted.is_none_or(|wanted| goes_by(running, wanted));
        let Some(running) = all.iter().find(is_wanted) else {
            return Err(match wanted {
                Some(wanted) => HubError::NoSuchCloud { wanted: wanted.to_string(), running: names(all) },
                None => HubError::NoCloud,
            }
            .into());
        };
        Ok(Self { running, service: service(running)? })
    }

    /// Which one it is, when it could have been another.
    fn note(&self, all: &[Running], wanted: Option<&HubHost>) -> Option<String> {
        let could_be = |running: &&Running| wanted.is_none_or(|wanted| goes_by(running, wanted));
        let those: Vec<_> = all.iter().filter(could_be).collect();
        let count = those.len();
        let which = match wanted {
            Some(wanted) => format!("{count} local clouds on this computer go by {wanted}"),
            None => format!("{count} local clouds run on this computer"),
        };
        (count > 1).then(|| {
            format!(
                "{which}; this is the one that was started last, {} (process {}); --hub NAME:PORT takes another: \
                 {}",
                self.service.hub,
                self.running.pid,
                names(those)
            )
        })
    }
}

fn service(running: &Running) -> anyhow::Result<ConnectionString> {
    ConnectionString::parse(&running.service_connection_string)
        .context("what the running local cloud left for us")
}

/// The one at the same address, if it is another one.
fn successor(former: &Running, all: Vec<Running>) -> Option<Running> {
    let at = service_host(former)?;
    all.into_iter()
        .find(|running| service_host(running).as_ref() == Some(&at))
        .filter(|running| running != former)
}

fn service_host(running: &Running) -> Option<HubHost> {
    ConnectionString::parse(&running.service_connection_string).ok().map(|service| service.hub)
}

fn goes_by(running: &Running, wanted: &HubHost) -> bool {
    service_host(running).is_some_and(|host| {
        host.name.eq_ignore_ascii_case(&wanted.name) && wanted.port.is_none_or(|port| host.port == Some(port))
    })
}

fn names<'a>(all: impl IntoIterator<Item = &'a Running>) -> String {
    let names: Vec<_> = all.into_iter().filter_map(service_host).map(|host| host.to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Why a verb could not be carried out, with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// There is no hub to ask.
    #[error(
        "no local cloud runs on this computer; start `envsim` or `envsim cloud` in another terminal, or give \
         --connection-string-file or IOTHUB_CONNECTION_STRING for a hub in Azure"
    )]
    NoCloud,
    /// There is no such hub to ask.
    #[error("no local cloud on this computer goes by {wanted}; those that run: {running}")]
    NoSuchCloud {
        /// What was asked for.
        wanted: String,
        /// What there is.
        running: String,
    },
    /// The hub did not do what was asked.
    #[error("{why}{}", with_semicolon(&why.advice()))]
    Refused {
        /// Why not.
        why: OperatorError,
    },
    /// The hub did not do what was asked, and an option would help.
    #[error("{why}{}", with_semicolon(advice))]
    Advised {
        /// Why not.
        why: OperatorError,
        /// What to do next.
        advice: String,
    },
}

impl HubError {
    /// Whether no hub was reached at all.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(
            self,
            Self::NoCloud
                | Self::NoSuchCloud { .. }
                | Self::Refused { why: OperatorError::Unreachable { .. } }
                | Self::Advised { why: OperatorError::Unreachable { .. }, .. }
        )
    }
}

fn with_semicolon(advice: &str) -> String {
    if advice.is_empty() { String::new() } else { format!("; {advice}") }
}

/// The outcome of a request, with what to do next when it failed.
pub fn explained<T>(outcome: Result<T, OperatorError>) -> Result<T, HubError> {
    outcome.map_err(|why| HubError::Refused { why })
}

/// The outcome of a request, with what to do next where this verb knows better.
pub fn advised<T>(
    outcome: Result<T, OperatorError>,
    advice: impl FnOnce(&OperatorError) -> Option<String>,
) -> Result<T, HubError> {
    outcome.map_err(|why| match advice(&why) {
        Some(advice) => HubError::Advised { why, advice },
        None => HubError::Refused { why },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(pid: u32, host: &str) -> Running {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let service = format!("HostName={host};SharedAccessKeyName=iothubowner;SharedAccessKey={key}");
        let service = ConnectionString::parse(&service).expect("a connection string");
        let mut running = Running::this_process(&service.hub.name, &service, "PEM");
        running.pid = pid;
        running
    }

    #[test]
    fn one_of_several_clouds_is_chosen_and_said() {
        let all = [running(2, "localhost:9443"), running(1, "localhost:8443"), running(3, "127.0.0.2:8443")];
        let choose = |wanted: Option<&str>| {
            let wanted: Option<HubHost> = wanted.map(|wanted| wanted.parse().expect("a host"));
            let chosen = Cloud::choose(&all, wanted.as_ref()).map_err(|error| error.to_string())?;
            Ok::<_, String>((chosen.running.pid, chosen.note(&all, wanted.as_ref())))
        };
        let (pid, note) = choose(None).expect("the last");
        assert_eq!(pid, 2);
        assert_eq!(
            note.as_deref(),
            Some(
                "3 local clouds run on this computer; this is the one that was started last, localhost:9443 \
                 (process 2); --hub NAME:PORT takes another: localhost:9443, localhost:8443, 127.0.0.2:8443"
            )
        );
        assert_eq!(choose(Some("localhost:8443")), Ok((1, None)));
        assert_eq!(choose(Some("127.0.0.2")), Ok((3, None)));
        let (pid, note) = choose(Some("LOCALHOST")).expect("the last of two");
        assert_eq!(pid, 2);
        assert_eq!(
            note.as_deref(),
            Some(
                "2 local clouds on this computer go by LOCALHOST; this is the one that was started last, \
                 localhost:9443 (process 2); --hub NAME:PORT takes another: localhost:9443, localhost:8443"
            )
        );
        assert!(choose(Some("elsewhere")).expect_err("none").contains("those that run: localhost:9443"));
        let alone = &all[..1];
        assert_eq!(Cloud::choose(alone, None).map(|cloud| cloud.note(alone, None)).expect("one"), None);
    }

    #[test]
    fn a_cloud_is_followed_by_the_next_one_at_its_address_only() {
        let (former, elsewhere) = (running(1, "localhost:8443"), running(2, "localhost:9443"));
        let of = |all: &[&Running]| {
            let all = all.iter().map(|running| (*running).clone()).collect();
            successor(&former, all).map(|running| running.pid)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&elsewhere, &former]), None);
        let next = running(3, "localhost:8443");
        assert_eq!(of(&[&elsewhere, &next, &former]), Some(3));
        // Where two have one address the later one stays.
        assert_eq!(of(&[&former, &next]), None);
    }
}
