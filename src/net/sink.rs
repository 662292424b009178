//! Where a link tells what happened.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

use crate::device::{Input, PacketView};

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
