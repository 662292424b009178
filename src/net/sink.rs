//! Where a link tells what happened.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use crate::device::{Input, LinkStep, PacketView, ProvisioningStep};

/// One thing that happened to one device.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEvent {
    /// Which device, by its place in the program's list.
    pub slot: usize,
    /// What happened.
    pub input: Input,
    /// The message that it came with or was sent as, when such are kept.
    pub packet: Option<PacketView>,
}

/// The way to the program's loop. Bounded by whoever makes it: a link waits when it is full, so a
/// flood from one hub slows that hub's link down and nothing else.
pub type InputSink = mpsc::Sender<LinkEvent>;

/// The program's loop has gone; there is nobody left to work for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// The sink of one device.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    slot: usize,
    events: InputSink,
    stop: CancellationToken,
}

impl Sink {
    pub(super) fn new(slot: usize, events: InputSink, stop: CancellationToken) -> Self {
        Self { slot, events, stop }
    }

    pub(super) async fn tell(&self, input: Input) -> Result<(), Gone> {
        self.show(input, None).await
    }

    pub(super) async fn show(&self, input: Input, packet: Option<PacketView>) -> Result<(), Gone> {
        note(self.slot, &input);
        let event = LinkEvent { slot: self.slot, input, packet };
        match self.events.try_send(event) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Gone),
            // A loop that is stopping may hold its end and read no more.
            Err(TrySendError::Full(event)) => tokio::select! {
                sent = self.events.send(event) => sent.map_err(|_| Gone),
                () = self.stop.cancelled() => Err(Gone),
            },
        }
    }
}

/// Takes down what happened, for diagnostics: how far a link is, and never what messages hold.
fn note(slot: usize, input: &Input) {
    match input {
        Input::Provisioning(ProvisioningStep::Registering { host, .. }) => {
            tracing::debug!(slot, host, "registering with the provisioning service");
        }
        Input::Provisioning(ProvisioningStep::Assigning { operation_id, again_in }) => {
            tracing::debug!(slot, operation_id, ?again_in, "being assigned to a hub, asking again");
        }
        Input::Assigned(to) => {
            tracing::debug!(slot, hub = %to.hub, device = %to.device_id, "assigned to a hub");
        }
        Input::Link(LinkStep::Reached(address)) => tracing::debug!(slot, %address, "TCP stands"),
        Input::Link(LinkStep::Secured { protocol }) => {
            tracing::debug!(slot, protocol, "TLS stands, the certificate is trusted");
        }
        Input::Link(LinkStep::Online { session_present, token_life }) => {
            tracing::debug!(slot, session_present, ?token_life, "the hub has let the device in");
        }
        Input::Failed(failure) => {
            let (kind, retry_after) = (failure.kind, failure.retry_after);
            tracing::debug!(slot, ?kind, ?retry_after, "failed: {failure}");
        }
        Input::Closed => tracing::debug!(slot, "closed as asked"),
        Input::Twin(_) => tracing::debug!(slot, "the twin has come"),
        Input::TwinRefused { status, message } => {
            tracing::debug!(slot, status, message, "the hub gives no twin");
        }
        Input::Desired { version, .. } => tracing::debug!(slot, version, "desired properties have changed"),
        Input::Called(call) => {
            tracing::debug!(slot, command = call.name, rid = call.rid, "a command has come");
        }
        Input::Received(_) => tracing::trace!(slot, "a message has come"),
        Input::Written(ticket) => tracing::trace!(slot, ticket = ticket.0, "written"),
        Input::Acknowledged(ticket) => tracing::trace!(slot, ticket = ticket.0, "acknowledged"),
        Input::ReportTaken { ticket, version } => {
            tracing::debug!(slot, ticket = ticket.0, version, "reported properties were taken");
        }
        Input::ReportRefused { ticket, status, message } => {
            tracing::debug!(slot, ticket = ticket.0, status, message, "reported properties were refused");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::device::{Call, Failure, FailureKind};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn diagnostics_tell_how_far_a_link_is_and_nothing_of_what_messages_hold() {
        let paper = Paper::default();
        let writer = paper.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let failure =
            Failure::new(FailureKind::Unauthorized, "the hub h did not let d in").advise("see its key");
        tracing::subscriber::with_default(subscriber, || {
            for input in [
                Input::Provisioning(ProvisioningStep::Registering {
                    host: "dps".to_owned(),
                    scope: "0ne00112233".parse().expect("a scope"),
                }),
                Input::Link(LinkStep::Online { session_present: true, token_life: Duration::from_secs(60) }),
                Input::Failed(failure),
                Input::Called(Call {
                    rid: "1".to_owned(),
                    name: "blink".to_owned(),
                    payload: Ok(json!("a password")),
                }),
                Input::Desired {
                    version: 4,
                    patch: [("wifi".to_owned(), json!("a password"))].into_iter().collect(),
                },
            ] {
                note(3, &input);
            }
        });
        let told = String::from_utf8(paper.0.lock().expect("nobody panicked").clone()).expect("text");
        for words in [
            "registering with the provisioning service slot=3 host=\"dps\"",
            "the hub has let the device in slot=3 session_present=true token_life=60s",
            "failed: the hub h did not let d in; see its key slot=3 kind=Unauthorized",
            "a command has come slot=3 command=\"blink\"",
            "desired properties have changed slot=3 version=4",
        ] {
            assert!(told.contains(words), "{words}:\n{told}");
        }
        assert!(!told.contains("password"), "{told}");
    }
}
