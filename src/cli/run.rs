//! `envsim run`: devices, on a screen or without one, with the local cloud inside or with Azure.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use rand::RngExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::ground::{Ground, Seat};
use super::images::Images;
use super::overdue;
use crate::app::{self, AppState, Desk, Ending, Fact, Limits, Station};
use crate::cloud::LocalCloud;
use crate::config::RunConfig;
use crate::device::{Device, DeviceOptions, Severity};
use crate::net::{self, LinkOptions};
use crate::operator;
use crate::profiles;
use crate::report;
use crate::runtime::desk::DeskClerk;
use crate::runtime::signals::Signals;
use crate::runtime::{self, Clock, Show, Wiring};
use crate::ui::{ColorDepth, Theme};
use crate::wire::local::FIRMWARE_PATH;

/// How many link events may wait for the loop: a few seconds of the busiest device. Links wait
/// when it is full.
const LINK_EVENTS: usize = 256;

/// How long it may take to end after a signal: more than what devices, links and the local cloud are
/// given in turn.
const GRACE: Duration = Duration::from_secs(8);

/// Runs devices until they end; the exit code says how.
pub async fn run(config: RunConfig, clock: Clock) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let on_screen = is_on_screen(&config);
    // A screen has to be given back in order.
    if !on_screen {
        overdue::end_after(GRACE, Exit::from).context("cannot listen for signals")?;
    }
    // A registry that does not answer must not keep anybody from leaving.
    let ground = tokio::select! {
        biased;
        ending = signals.next() => return Ok(Exit::from(ending)),
        ground = Ground::prepare(&config) => ground?,
    };
    let ending = operate(&config, clock, signals, on_screen, &ground).await;
    if let Some(cloud) = ground.cloud {
        cloud.stop().await;
    }
    ending.map(Exit::from)
}

/// Whether there is a screen: one was not declined, and there is a terminal to show it on.
pub fn is_on_screen(config: &RunConfig) -> bool {
    !config.headless && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// The theme for the terminal that the environment describes.
fn theme() -> Theme {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let term = variable("TERM");
    let colors = match (term.as_str(), variable("COLORTERM").as_str()) {
        ("dumb", _) => ColorDepth::None,
        (_, "truecolor" | "24bit") => ColorDepth::Full,
        _ => ColorDepth::Sixteen,
    };
    // See no-color.org: set, and not empty. The kernel's own console has no Braille.
    Theme::choose(!variable("NO_COLOR").is_empty(), colors, matches!(term.as_str(), "linux" | "dumb"))
}

async fn operate(
    config: &RunConfig,
    clock: Clock,
    signals: Signals,
    on_screen: bool,
    ground: &Ground,
) -> anyhow::Result<Ending> {
    let seed = config.seed.unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let seed_of = |slot: usize| app::state::seed_of(seed, slot);
    let zone = TimeZone::system();
    let station = |(slot, seat): (usize, &Seat)| {
        let options = DeviceOptions {
            direct: seat.direct.clone(),
            period: config.interval,
            seed: seed_of(slot),
            scale: config.time_scale,
            restarts: config.reboot_style,
            zone: zone.clone(),
            unattended: !on_screen,
        };
        let making = profiles::Making { seed: seed_of(slot), forward_all: config.forward_all };
        let device = Device::new(options, seat.parts.iter().map(|part| (part.build)(&making)).collect());
        Station::new(device, seat.name.clone(), seat.key.fingerprint()).as_module(seat.module.clone())
    };
    let stations: Vec<_> = ground.seats.iter().enumerate().map(station).collect();

    let client =
        ground.service.as_ref().map(|service| operator::Client::new(service, &ground.trust)).transpose();
    let client = client.context("the operator's requests cannot be made")?;
    let closed = client.is_none().then(|| {
        "set IOTHUB_CONNECTION_STRING to a service connection string to operate a hub in Azure from here"
            .to_owned()
    });
    let mut desk = Desk::new(closed, ground.cloud.is_some());
    desk.scopes = ground.scopes();
    let mut state = AppState::new(clock.now(), zone.clone(), stations, ground.place.clone(), desk, seed);
    state.limits = Limits { until: config.run_for.map(|span| clock.now().at + span), count: config.count };
    state.unattended = !on_screen;
    for fact in ground.facts(config, seed_of) {
        state.log.add(clock.now(), None, fact, None);
    }

    let (clerk, answers) = DeskClerk::new(client);
    let (sink, link_events) = mpsc::channel(LINK_EVENTS);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let link = |(slot, seat): (usize, &Seat)| LinkOptions {
        slot,
        provisioning: seat.provisioning.clone(),
        key: seat.key.clone(),
        module: seat.module.clone(),
        inputs: !state.stations[slot].device.ports().is_empty(),
        gateway: seat.gateway.clone(),
        // A hub is told one model; the first profile's stands for the device.
        model_id: seat.parts.first().map(|part| part.model.model_id.to_owned()),
        keep_alive: config.keep_alive,
        sas_ttl: config.sas_ttl,
        mqtt_port: config.mqtt_port,
        trust: ground.trust.clone(),
        keep_packets: on_screen,
    };
    let links = ground.seats.iter().enumerate().map(link);
    let links = links.map(|link| net::spawn(link, sink.clone(), stop.clone(), &mut tasks)).collect();
    if let (Some(cloud), true) = (&ground.cloud, Images::are_kept(&state.stations)) {
        let text = format!("firmware images to try: {}{FIRMWARE_PATH}", cloud.provisioning_endpoint());
        state.log.add(clock.now(), None, Fact::Note { severity: Severity::Info, text }, None);
    }
    let images =
        Images::spawn(config.firmware_dir.as_deref(), &state.stations, &ground.trust, &stop, &mut tasks)?;
    let show = if on_screen {
        Show::screen(theme()).context("cannot take the terminal")?
    } else {
        let name = config.format.name();
        Show::lines(report::find(name).with_context(|| format!("there is no format `{name}`"))?)
    };
    let wiring = Wiring {
        clock,
        show,
        links,
        link_events,
        images: images.orders,
        image_news: images.news,
        clerk,
        answers,
        trouble: ground.cloud.as_ref().map(LocalCloud::watch_trouble),
        signals,
        tasks,
        stop,
    };
    runtime::run(&mut state, wiring).await.context("the screen or standard output broke")
}
