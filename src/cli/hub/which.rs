//! The hub that a verb speaks to, and why it did not do what was asked.

use std::io::Write as _;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::HubArgs;
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::cli::runtime_file;
use crate::config::HubConfig;
use crate::operator::{Client, OperatorError};
use crate::trust::Trust;
use crate::wire::ConnectionString;

/// A hub to speak to, and how to tell what it says.
#[derive(Debug)]
pub struct Hub {
    /// Its service side.
    pub client: Client,
    /// For people or for programs.
    pub format: OutputFormat,
    /// In whose time people are told.
    pub zone: TimeZone,
}

impl Hub {
    /// The hub asked for, or the local cloud that runs on this machine. Connects nowhere yet.
    pub fn of(args: &HubArgs) -> anyhow::Result<Self> {
        let config = HubConfig::load(args.layer())?;
        let (connection, mut trust) = if let Some(connection) = config.connection {
            (connection, Trust::system())
        } else {
            let running = runtime_file::newest().context("cannot look for a running local cloud")?;
            let running = running.ok_or(HubError::NoCloud)?;
            let connection = ConnectionString::parse(&running.service_connection_string)
                .context("what the running local cloud left for us")?;
            (connection, Trust::only(&running.ca, "the local cloud's authority")?)
        };
        if let Some(authority) = &config.ca {
            trust =
                trust.and(&String::from_utf8_lossy(&authority.pem), &authority.path.display().to_string())?;
        }
        let client = explained(Client::new(&connection, &trust))?;
        Ok(Self { client, format: args.format, zone: TimeZone::system() })
    }

    /// Writes one thing told, at once.
    pub fn say(&self, text: &str) -> anyhow::Result<Exit> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to standard output")?;
        Ok(Exit::Done)
    }
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
    /// The hub did not do what was asked.
    #[error("{why}{}", advice(why))]
    Refused {
        /// Why not.
        why: OperatorError,
    },
}

impl HubError {
    /// Whether no hub was reached at all.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::NoCloud | Self::Refused { why: OperatorError::Unreachable { .. } })
    }
}

fn advice(error: &OperatorError) -> String {
    match error.advice() {
        advice if advice.is_empty() => advice,
        advice => format!("; {advice}"),
    }
}

/// The outcome of a request, with what to do next when it failed.
pub fn explained<T>(outcome: Result<T, OperatorError>) -> Result<T, HubError> {
    outcome.map_err(|why| HubError::Refused { why })
}
