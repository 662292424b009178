//! The operator's requests, carried out beside everything else.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app::desk::Ask;
use crate::app::{DeskAnswer, DeskRequest};
use crate::device::{DeviceId, ModuleId};
use crate::operator::{Client, Invocation, OperatorError, TwinPatch, faults};

/// How many requests may be under way: a person does not type faster.
const MOST: usize = 8;

/// Carries requests to the hub's service side, each in a task of its own, and brings the answers
/// back. Dropping it ends what is under way.
pub struct DeskClerk {
    client: Option<Arc<Client>>,
    answers: mpsc::Sender<DeskAnswer>,
    tasks: JoinSet<()>,
}

impl DeskClerk {
    /// A clerk, and where the answers come out; without a client every request is refused.
    pub fn new(client: Option<Client>) -> (Self, mpsc::Receiver<DeskAnswer>) {
        // Never more answers than requests under way, and one refusal each above that.
        let (answers, receiver) = mpsc::channel(2 * MOST);
        (Self { client: client.map(Arc::new), answers, tasks: JoinSet::new() }, receiver)
    }

    /// Begins to carry out a request.
    pub fn handle(&mut self, request: DeskRequest) {
        while self.tasks.try_join_next().is_some() {}
        let id = request.id;
        let refuse = |why: &str| {
            // A full queue holds answers that the loop is about to read; this one is lost with
            // the request, and the person sees a request without an answer.
            let _ = self.answers.try_send(DeskAnswer { id, outcome: Err(why.to_owned()) });
        };
        let Some(client) = self.client.clone() else {
            return refuse("there is no service connection to the hub");
        };
        if self.tasks.len() >= MOST {
            return refuse("too many requests are under way");
        }
        let answers = self.answers.clone();
        tracing::debug!(
            id,
            device = request.device,
            module = request.module,
            "asking the hub's service side"
        );
        self.tasks.spawn(async move {
            let outcome = ask(&client, request).await.map_err(|error| match error.advice() {
                advice if advice.is_empty() => error.to_string(),
                advice => format!("{error}; {advice}"),
            });
            tracing::debug!(id, ok = outcome.is_ok(), "the hub's service side has answered");
            let _ = answers.send(DeskAnswer { id, outcome }).await;
        });
    }
}

async fn ask(client: &Client, request: DeskRequest) -> Result<String, OperatorError> {
    let Ok(device) = request.device.parse::<DeviceId>() else {
        return Err(OperatorError::Unknown { host: client.host().to_owned(), subject: request.device });
    };
    let module = match request.module.as_deref().map(str::parse::<ModuleId>) {
        None => None,
        Some(Ok(module)) => Some(module),
        Some(Err(_)) => {
            let subject = format!("{device}/{}", request.module.unwrap_or_default());
            return Err(OperatorError::Unknown { host: client.host().to_owned(), subject });
        }
    };
    let module = module.as_ref();
    match request.ask {
        Ask::Invoke { command, request } => {
            let result = client.invoke(&device, module, &Invocation::new(command, request)).await?;
            Ok(match result.payload {
                Value::Null => format!("status {}", result.status),
                payload => format!("status {} {payload}", result.status),
            })
        }
        Ask::Desired(desired) => {
            let desired = desired.as_object().cloned().unwrap_or_default();
            let patch = TwinPatch { desired, ..TwinPatch::default() };
            let twin = client.update_twin(&device, module, &patch).await?;
            Ok(format!("desired version {}", twin["properties"]["desired"]["$version"]))
        }
        Ask::Faults(faults) => {
            let left = match faults.as_object() {
                Some(more) => client.add_faults(more).await?,
                None => client.clear_faults().await?,
            };
            Ok(faults::words(&left))
        }
        Ask::Twin => {
            let twin = client.twin(&device, module).await?;
            Ok(serde_json::to_string_pretty(&twin).unwrap_or_else(|_| twin.to_string()))
        }
    }
}
