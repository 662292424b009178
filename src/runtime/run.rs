//! The loop: wait for something to happen, decide, carry out, show.

use std::io;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::desk::DeskClerk;
use super::signals::Signals;
use super::{Clock, Show};
use crate::app::{self, AppState, DeskAnswer, Effect, Ending, Event, Slot};
use crate::device::{Failure, FailureKind, ImageNews, ImageOrder, Input, Millis, Phase};
use crate::net::{LinkEvent, LinkHandle};

/// How many events are taken in before the next picture: a flood must not freeze the screen.
const BATCH: usize = 256;

/// How long devices may take to say good-bye.
const GRACE: Duration = Duration::from_secs(3);

/// Everything that the loop holds besides the state.
pub struct Wiring {
    /// The time.
    pub clock: Clock,
    /// Where the state is shown.
    pub show: Show,
    /// One for each device, by slot.
    pub links: Vec<LinkHandle>,
    /// What happens to the devices.
    pub link_events: mpsc::Receiver<LinkEvent>,
    /// The way to each device's firmware images, by slot, for those that keep any.
    pub images: Vec<Option<mpsc::Sender<ImageOrder>>>,
    /// What becomes of the images.
    pub image_news: mpsc::Receiver<(Slot, ImageNews)>,
    /// The operator's client.
    pub clerk: DeskClerk,
    /// The operator's answers.
    pub answers: mpsc::Receiver<DeskAnswer>,
    /// Whether something goes wrong on request in the local cloud, where there is one in here.
    pub trouble: Option<watch::Receiver<bool>>,
    /// Signals.
    pub signals: Signals,
    /// The tasks of the links.
    pub tasks: JoinSet<()>,
    /// Told when everything is to stop.
    pub stop: CancellationToken,
}

/// Runs until it ends; returns how.
///
/// The end is a written sequence: devices say good-bye (what is decided goes out first), links
/// close politely, tasks are waited for with a deadline, the summary is shown, and the terminal
/// goes back when `wiring` is dropped. A second interrupt skips to the last.
pub async fn run(state: &mut AppState, mut wiring: Wiring) -> io::Result<Ending> {
    for slot in 0..state.stations.len() {
        let start = Event::Device { slot, input: Input::Start, packet: None };
        wiring.take_in(state, start)?;
    }
    let mut deadline = None;
    let mut phases = Phases::default();
    loop {
        phases.note(state, wiring.clock.now().at);
        wiring.show.refresh(state, wiring.clock.now().at);
        if state.ending.is_some() && deadline.is_none() {
            deadline = Some(tokio::time::Instant::now() + GRACE);
        }
        let Some(event) = wiring.next(state, deadline).await? else { break };
        if interrupts_again(state, &event) {
            break;
        }
        let mut done = wiring.take_in(state, event)?;
        for _ in 0..BATCH {
            let Ok(event) = wiring.link_events.try_recv() else { break };
            done |= wiring.take_in(state, from_link(event))?;
        }
        if done {
            break;
        }
    }
    tracing::debug!(ending = ?state.ending, "all is ending: waiting for the links");
    wiring.stop.cancel();
    drain(&mut wiring.tasks).await;
    // What links had to tell on their way out belongs into the summary.
    while let Ok(event) = wiring.link_events.try_recv() {
        wiring.take_in(state, from_link(event))?;
    }
    let summary = Event::Remark { fact: app::summary(state) };
    wiring.take_in(state, summary)?;
    Ok(state.ending.unwrap_or(Ending::Done))
}

/// In which phase each device was when the last picture was made, for diagnostics.
#[derive(Default)]
struct Phases(Vec<Discriminant<Phase>>);

impl Phases {
    /// Takes down which devices are in another phase now; why is told by their links.
    fn note(&mut self, state: &AppState, now: Millis) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        for (slot, station) in state.stations.iter().enumerate() {
            let phase = station.device.phase();
            let is = discriminant(phase);
            if self.0.get(slot) == Some(&is) {
                continue;
            }
            match self.0.get_mut(slot) {
                Some(was) => *was = is,
                None => self.0.push(is),
            }
            let device = station.label();
            match phase {
                Phase::Idle => tracing::debug!(slot, device, "not begun"),
                Phase::Provisioning => tracing::debug!(slot, device, "provisioning"),
                Phase::Connecting(to) => tracing::debug!(slot, device, hub = %to.hub, "connecting"),
                Phase::Online { renews, .. } => {
                    tracing::debug!(slot, device, renews_in = ?renews.since(now), "online");
                }
                Phase::Waiting { until, attempt, next, .. } => {
                    let (again_in, provisions) = (until.since(now), next.is_none());
                    tracing::debug!(
                        slot,
                        device,
                        attempt,
                        ?again_in,
                        provisions,
                        "offline, trying again later"
                    );
                }
                Phase::Restarting { until, .. } => {
                    tracing::debug!(slot, device, back_in = ?until.since(now), "restarting");
                }
                Phase::Stopped(_) => tracing::debug!(slot, device, "gave up"),
                Phase::Leaving => tracing::debug!(slot, device, "leaving"),
                Phase::Left => tracing::debug!(slot, device, "left"),
            }
        }
    }
}

/// A second wish to end while devices still say good-bye.
fn interrupts_again(state: &AppState, event: &Event) -> bool {
    let ends = matches!(event, Event::Stop(_) | Event::Intent(app::Intent::Interrupt | app::Intent::Quit));
    state.ending.is_some() && ends
}

fn from_link(event: LinkEvent) -> Event {
    Event::Device { slot: event.slot, input: event.input, packet: event.packet }
}

/// Waits for tasks, then ends those that are stuck.
async fn drain(tasks: &mut JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(1), all).await.is_err() {
        tasks.shutdown().await;
    }
}

impl Wiring {
    /// The next event; `None` when the time to say good-bye is over.
    async fn next(
        &mut self,
        state: &AppState,
        deadline: Option<tokio::time::Instant>,
    ) -> io::Result<Option<Event>> {
        let due = [state.next_due(), self.show.next_due(state)].into_iter().flatten().min();
        let wake = due.map(|at| self.clock.instant(at));
        let event = tokio::select! {
            biased;
            ending = self.signals.next() => Event::Stop(ending),
            () = sleep_until(deadline) => return Ok(None),
            event = self.show.next_event(state) => match event {
                Ok(event) => event,
                // The terminal has gone, as with SIGHUP.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Event::Stop(Ending::Terminated),
                Err(error) => return Err(error),
            },
            Some(event) = self.link_events.recv() => from_link(event),
            Some((slot, news)) = self.image_news.recv() => {
                Event::Device { slot, input: Input::Image(news), packet: None }
            }
            Some(answer) = self.answers.recv() => Event::Desk(answer),
            on = changed(&mut self.trouble) => Event::Trouble(on),
            () = sleep_until(wake) => Event::Tick,
        };
        Ok(Some(event))
    }

    /// Takes one event in, carries out what it brings about, and shows it; whether all is over.
    fn take_in(&mut self, state: &mut AppState, event: Event) -> io::Result<bool> {
        let mut done = false;
        let mut events = vec![event];
        let mut full: Vec<Slot> = Vec::new();
        while let Some(event) = events.pop() {
            for effect in app::reduce(state, self.clock.now(), event) {
                match effect {
                    // What follows a message that was not taken must not overtake it.
                    Effect::Link { slot, .. } if full.contains(&slot) => {}
                    Effect::Link { slot, output } => {
                        if self.links.get(slot).is_some_and(|link| link.send(output).is_err()) {
                            full.push(slot);
                            events.push(stuck(slot));
                        }
                    }
                    Effect::Image { slot, order } => {
                        let place = self.images.get(slot).and_then(Option::as_ref);
                        let run = order.run();
                        if place.is_none_or(|place| place.try_send(order).is_err()) {
                            events.push(no_images(slot, run));
                        }
                    }
                    Effect::Desk(request) => self.clerk.handle(request),
                    Effect::Exit => done = true,
                }
            }
        }
        self.show.changed(state)?;
        Ok(done)
    }
}

/// There is no place for firmware images, or it takes no more orders.
fn no_images(slot: Slot, run: u64) -> Event {
    let reason = "the place where firmware images are kept does not answer".to_owned();
    Event::Device { slot, input: Input::Image(ImageNews::Failed { run, reason }), packet: None }
}

/// A link whose queue is full has not moved for hundreds of messages: nothing more comes of it. It
/// is not lost, for what was handed over last has not been taken.
fn stuck(slot: usize) -> Event {
    tracing::debug!(slot, "the link's queue is full");
    let failure = Failure::new(FailureKind::Unavailable, "the link does not take any more messages");
    Event::Device { slot, input: Input::Failed(failure), packet: None }
}

/// What is new about trouble; never when there is no cloud to tell, or it has gone.
async fn changed(trouble: &mut Option<watch::Receiver<bool>>) -> bool {
    if let Some(receiver) = trouble
        && receiver.changed().await.is_ok()
    {
        return *receiver.borrow_and_update();
    }
    std::future::pending().await
}

async fn sleep_until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
