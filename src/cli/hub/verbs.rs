//! The verbs carried out: requests by `operator`, words by [`mod@print`].

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::wait_for::{Progress, WaitFor};
use super::{payload, print};
use crate::app::Ending;
use crate::cli::Exit;
use crate::cli::hub_args::{FaultsVerb, HubArgs, InvokeArgs, MonitorArgs, TwinVerb, Verb};
use crate::cli::runtime_file;
use crate::config::HubConfig;
use crate::device::DeviceId;
use crate::operator::{Client, OperatorError};
use crate::runtime::signals::Signals;
use crate::trust::Trust;
use crate::wire::ConnectionString;

/// How often the twin is read while an outcome is waited for. Azure allows many more a second.
const POLL: Duration = Duration::from_millis(500);

/// Carries out one verb, until it is done or a signal comes.
pub async fn run(args: HubArgs) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let client = client(&args)?;
    let verb = async {
        match &args.verb {
            Verb::Invoke(invoke) => self::invoke(&client, &args, invoke).await,
            Verb::Twin(TwinVerb::Show { device }) => {
                say(&print::twin(&explained(client.twin(device, None).await)?, args.format))
            }
            Verb::Twin(TwinVerb::Update(update)) => {
                let patch = payload::twin_patch(update)?;
                let twin = explained(client.update_twin(&update.device, None, &patch).await)?;
                say(&print::twin(&twin, args.format))
            }
            Verb::Send(send) => {
                let answer = explained(client.send(&send.device, &payload::message(send)).await)?;
                say(&print::sent(&send.device, &answer, &TimeZone::system(), args.format))
            }
            Verb::Faults(verb) => faults(&client, &args, verb).await,
            Verb::Drop { device } => {
                let count = explained(client.drop_connections(device.as_ref()).await)?;
                say(&print::dropped(count, args.format))
            }
            Verb::Monitor(monitor) => self::monitor(&client, &args, monitor).await,
        }
    };
    tokio::select! {
        biased;
        ending = signals.next() => Ok(match ending {
            Ending::Terminated => Exit::Done,
            _ => Exit::Interrupted,
        }),
        outcome = verb => outcome,
    }
}

/// The hub asked for, or the local cloud that runs on this machine.
fn client(args: &HubArgs) -> anyhow::Result<Client> {
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
        trust = trust.and(&String::from_utf8_lossy(&authority.pem), &authority.path.display().to_string())?;
    }
    Ok(explained(Client::new(&connection, &trust))?)
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

fn explained<T>(outcome: Result<T, OperatorError>) -> Result<T, HubError> {
    outcome.map_err(|why| HubError::Refused { why })
}

fn say(text: &str) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to standard output")?;
    Ok(Exit::Done)
}

async fn invoke(client: &Client, args: &HubArgs, invoke: &InvokeArgs) -> anyhow::Result<Exit> {
    let invocation = payload::invocation(invoke)?;
    // A twin remembers; only what is reported after this counts.
    let before = match &invoke.wait_for {
        Some(_) => Some(reported(client, &invoke.device).await?),
        None => None,
    };
    let began = Instant::now();
    let result = explained(client.invoke(&invoke.device, None, &invocation).await)?;
    say(&print::answer(&invoke.command, &result, began.elapsed(), args.format))?;
    let exit = print::exit_of(&result);
    match &invoke.wait_for {
        Some(wanted) if exit == Exit::Done => wait_for(client, args, invoke, wanted, before.as_ref()).await,
        _ => Ok(exit),
    }
}

async fn reported(client: &Client, device: &DeviceId) -> anyhow::Result<Value> {
    let mut twin = explained(client.twin(device, None).await)?;
    Ok(twin["properties"]["reported"].take())
}

async fn wait_for(
    client: &Client,
    args: &HubArgs,
    invoke: &InvokeArgs,
    wanted: &WaitFor,
    before: Option<&Value>,
) -> anyhow::Result<Exit> {
    let zone = TimeZone::system();
    let began = Instant::now();
    let mut last = None;
    loop {
        let progress = wanted.progress(before, &reported(client, &invoke.device).await?);
        if last.as_ref() != Some(&progress) {
            say(&print::step(wanted, &progress, Timestamp::now(), &zone, args.format))?;
        }
        if matches!(progress, Progress::Met(_)) {
            return Ok(Exit::Done);
        }
        if began.elapsed() >= invoke.timeout {
            anyhow::bail!("{}", print::gave_up(wanted, &progress, began.elapsed()));
        }
        last = Some(progress);
        tokio::time::sleep(POLL.min(invoke.timeout)).await;
    }
}

async fn faults(client: &Client, args: &HubArgs, verb: &FaultsVerb) -> anyhow::Result<Exit> {
    let faults = match verb {
        FaultsVerb::Show => client.faults().await,
        FaultsVerb::Set { faults } => client.set_faults(&payload::faults(faults)?).await,
        FaultsVerb::Clear => client.clear_faults().await,
    };
    say(&print::faults(&explained(faults)?, args.format))
}

async fn monitor(client: &Client, args: &HubArgs, monitor: &MonitorArgs) -> anyhow::Result<Exit> {
    let zone = TimeZone::system();
    let mut events = explained(client.monitor().await)?;
    let mut left = monitor.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(event) = explained(events.next().await)? else {
            anyhow::bail!("the hub {} has ended the stream of events; it was stopped", client.host());
        };
        if monitor.device.as_ref().is_none_or(|device| device.as_str() == event.device_id) {
            say(&print::event(&event, &zone, args.format))?;
            left -= 1;
        }
    }
    Ok(Exit::Done)
}
