//! The task that carries out what one device asks for.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::attempt::{self, Ended, Standing};
use super::online::{After, Online};
use super::sink::{Gone, InputSink, Sink};
use super::{dps, error};
use crate::device::{
    Assignment, Failure, HubHost, IdScope, Input, LinkStep, ModuleId, Output, RegistrationId,
};
use crate::trust::Trust;
use crate::wire::SharedKey;

/// How many outputs may wait for a link. The device's window of unacknowledged messages is far
/// smaller, so a full queue means a link that has stopped taking anything; its device is told
/// ([`Full`]) instead of waiting, because it shares its loop with others.
const OUTPUTS: usize = 256;

/// How long a polite goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who a device is to the services, and how it reaches them. Its `Debug` shows no key.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// Which device, in the program's list; comes back with every event.
    pub slot: usize,
    /// How to be provisioned; `None` for a device that knows its hub.
    pub provisioning: Option<ProvisioningOptions>,
    /// The key that signs tokens for the hub.
    pub key: SharedKey,
    /// The module that connects, when it is one.
    pub module: Option<ModuleId>,
    /// Whether it wants the messages that are routed to its inputs.
    pub inputs: bool,
    /// Where to connect instead of to the hub.
    pub gateway: Option<HubHost>,
    /// The model announced to both services.
    pub model_id: Option<String>,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// How long a token is good for.
    pub sas_ttl: Duration,
    /// The port of hubs that were given without one.
    pub mqtt_port: u16,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// Whether events carry the message as it stood on the wire.
    pub keep_packets: bool,
}

/// Who a device is to a provisioning service. Its `Debug` shows no key.
#[derive(Debug, Clone)]
pub struct ProvisioningOptions {
    /// `host`, `host:port` or `https://host:port`.
    pub host: String,
    /// The service's ID scope.
    pub scope: IdScope,
    /// The device's name there.
    pub registration: RegistrationId,
    /// The device's key there; for a group enrolment the derived one.
    pub key: SharedKey,
}

/// The link takes nothing more: its queue is full, or its task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link takes nothing more")]
pub struct Full;

/// The way to a link.
#[derive(Clone)]
pub struct LinkHandle {
    outputs: mpsc::Sender<Output>,
}

impl LinkHandle {
    /// Hands over something the device wants done. Never waits.
    pub fn send(&self, output: Output) -> Result<(), Full> {
        self.outputs.try_send(output).map_err(|_| Full)
    }
}

impl fmt::Debug for LinkHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkHandle").field("room", &self.outputs.capacity()).finish()
    }
}

/// Starts the task of one device. It ends when `stop` is cancelled (politely, within a second),
/// when the handle is dropped, or when nobody reads `inputs` any more.
pub fn spawn(
    options: LinkOptions,
    inputs: InputSink,
    stop: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> LinkHandle {
    let (sender, outputs) = mpsc::channel(OUTPUTS);
    let sink = Sink::new(options.slot, inputs, stop.clone());
    let link = Link { options, sink, queue: Queue { outputs, held: VecDeque::new(), stop } };
    tasks.spawn(link.run());
    LinkHandle { outputs: sender }
}

/// What waits to be done.
pub(super) struct Queue {
    outputs: mpsc::Receiver<Output>,
    /// What came while a connection was being made, in order. Never longer than [`OUTPUTS`].
    held: VecDeque<Output>,
    stop: CancellationToken,
}

/// How an attempt ended.
enum Outcome<T> {
    Done(T),
    Failed(Failure),
    Abandoned,
    Disconnected,
    Over,
}

impl Queue {
    /// The next output; `None` when the task shall end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Output> {
        if self.stop.is_cancelled() {
            return None;
        }
        if let Some(output) = self.held.pop_front() {
            return Some(output);
        }
        tokio::select! {
            () = self.stop.cancelled() => None,
            output = self.outputs.recv() => output,
        }
    }

    /// The next output that waits already.
    pub(super) fn ready(&mut self) -> Option<Output> {
        self.held.pop_front().or_else(|| self.outputs.try_recv().ok())
    }

    /// Runs an attempt for as long as the device wants it. Everything else that the device asks
    /// for meanwhile waits its turn.
    async fn during<T>(&mut self, attempt: impl Future<Output = Result<T, Ended>>) -> Outcome<T> {
        tokio::pin!(attempt);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Outcome::Over,
                output = self.outputs.recv(), if self.held.len() < OUTPUTS => match output {
                    None => return Outcome::Over,
                    Some(Output::Abandon) => return Outcome::Abandoned,
                    Some(Output::Disconnect) => return Outcome::Disconnected,
                    Some(Output::Cut) => return Outcome::Failed(error::cut()),
                    Some(other) => self.held.push_back(other),
                },
                ended = &mut attempt => return match ended {
                    Ok(done) => Outcome::Done(done),
                    Err(Ended::Failed(failure)) => Outcome::Failed(failure),
                    Err(Ended::Gone) => Outcome::Over,
                },
            }
        }
    }
}

struct Link {
    options: LinkOptions,
    sink: Sink,
    queue: Queue,
}

impl Link {
    async fn run(mut self) {
        let slot = self.options.slot;
        while let Some(output) = self.queue.next().await {
            let carried_on = match output {
                Output::Provision { scope } => self.provision(scope).await,
                Output::Connect(to) | Output::Renew(to) => self.connect(to).await,
                Output::Disconnect => self.sink.tell(Input::Closed).await.is_ok(),
                // Decided while a link stood that stands no more. The device keeps what it wants
                // sent until it is acknowledged and asks again for it on the next link.
                stale => {
                    // What it holds is not for diagnostics.
                    let what = match stale {
                        Output::Send { .. } => "a message",
                        Output::Reply { .. } => "an answer",
                        Output::Report { .. } => "reported properties",
                        Output::FetchTwin(_) => "a request for the twin",
                        _ => "what is over already",
                    };
                    tracing::trace!(slot, what, "there is no link to carry this out");
                    true
                }
            };
            if !carried_on {
                return;
            }
        }
    }

    /// Whether to carry on, as with the next two.
    async fn provision(&mut self, scope: Option<IdScope>) -> bool {
        let Some(mut provisioning) = self.options.provisioning.clone() else {
            let failure = Failure::new(
                crate::device::FailureKind::Rejected,
                "provisioning was asked for without an ID scope",
            )
            .advise("give --id-scope, or a connection string to go without provisioning");
            return self.sink.tell(Input::Failed(failure)).await.is_ok();
        };
        if let Some(scope) = scope {
            provisioning.scope = scope;
        }
        let model = self.options.model_id.as_deref();
        let slot = self.options.slot;
        let (registration, scope) = (&provisioning.registration, &provisioning.scope);
        tracing::debug!(slot, host = provisioning.host, %registration, %scope, "asking for a hub");
        let attempt = dps::provision(&provisioning, model, &self.options.trust, &self.sink);
        match self.queue.during(attempt).await {
            Outcome::Done(assignment) => self.sink.tell(Input::Assigned(assignment)).await.is_ok(),
            outcome => self.unfinished(outcome).await,
        }
    }

    /// Connects, serves the link until it ends, and again as often as its token is renewed.
    async fn connect(&mut self, mut to: Assignment) -> bool {
        loop {
            let attempt = attempt::connect(&self.options, &to, &self.sink);
            match self.queue.during(attempt).await {
                Outcome::Done(standing) => match self.serve(&to, standing).await {
                    Ok(Some(again)) => to = again,
                    Ok(None) => return true,
                    Err(Gone) => return false,
                },
                outcome => return self.unfinished(outcome).await,
            }
        }
    }

    async fn unfinished<T>(&mut self, outcome: Outcome<T>) -> bool {
        match outcome {
            Outcome::Failed(failure) => self.sink.tell(Input::Failed(failure)).await.is_ok(),
            Outcome::Disconnected => self.sink.tell(Input::Closed).await.is_ok(),
            Outcome::Abandoned | Outcome::Done(_) => true,
            Outcome::Over => false,
        }
    }

    /// Serves a link until it ends; the assignment to connect to again, when its token is to be
    /// renewed.
    async fn serve(&mut self, to: &Assignment, standing: Standing) -> Result<Option<Assignment>, Gone> {
        let Standing { session, early, session_present } = standing;
        let online = LinkStep::Online { session_present, token_life: self.options.sas_ttl };
        self.sink.tell(Input::Link(online)).await?;
        let module = self.options.module.as_ref().map(ModuleId::as_str);
        let mut link =
            Online::new(session, to.device_id.as_str(), module, &self.sink, self.options.keep_packets);
        let after = link.run(early, &mut self.queue).await?;
        let hub = to.hub.name.as_str();
        match after {
            After::Lost(error) => {
                self.sink.tell(Input::Failed(error::lost(hub, &error))).await?;
                Ok(None)
            }
            After::Cut => {
                tracing::debug!(slot = self.options.slot, "cutting the link without a word");
                // Dropped as it is: no DISCONNECT, no close_notify, as when a cable is pulled.
                drop(link);
                self.sink.tell(Input::Failed(error::cut())).await?;
                Ok(None)
            }
            After::Renew(again) => {
                tracing::debug!(slot = self.options.slot, "the token is to be renewed: connecting again");
                link.settle().await?;
                link.close(GOODBYE).await?;
                Ok(Some(again))
            }
            After::Disconnect => {
                link.close(GOODBYE).await?;
                self.sink.tell(Input::Closed).await?;
                Ok(None)
            }
            After::Abandon => {
                link.close(GOODBYE).await?;
                Ok(None)
            }
            After::Stop => {
                tracing::debug!(slot = self.options.slot, "all is ending: disconnecting");
                link.close(GOODBYE).await?;
                Err(Gone)
            }
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
