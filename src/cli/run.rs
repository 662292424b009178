//! `envsim run`: one device, on a screen or without one, with the local cloud inside or with Azure.

use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use rand::RngExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::images::Images;
use super::runtime_file::{Running, RuntimeFile};
use crate::app::{AppState, Desk, Ending, Fact, Limits, Place, Station};
use crate::cloud::{CloudOptions, LocalCloud, PortChoice};
use crate::config::{HubConfig, Layer, RunConfig, Target};
use crate::device::{Assignment, Device, DeviceOptions, HubHost, RegistrationId};
use crate::net::{self, LinkOptions, ProvisioningOptions};
use crate::operator;
use crate::profiles;
use crate::report;
use crate::runtime::desk::DeskClerk;
use crate::runtime::signals::Signals;
use crate::runtime::{self, Clock, Show, Wiring};
use crate::trust::Trust;
use crate::ui::{ColorDepth, Theme};
use crate::wire::connection_string::Who;
use crate::wire::{ConnectionString, SharedKey};

/// How many link events may wait for the loop: a few seconds of the busiest device. Links wait
/// when it is full.
const LINK_EVENTS: usize = 256;

/// Runs a device until it ends; the exit code says how.
pub async fn run(config: RunConfig, clock: Clock) -> anyhow::Result<Exit> {
    let signals = Signals::listen().context("cannot listen for signals")?;
    let on_screen = is_on_screen(&config);
    let ground = Ground::prepare(&config).await?;
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
    let zone = TimeZone::system();
    let options = DeviceOptions {
        direct: ground.direct.clone(),
        period: config.interval,
        seed,
        scale: config.time_scale,
        restarts: config.reboot_style,
        zone: zone.clone(),
        unattended: !on_screen,
    };
    let entries: Vec<_> = config.profiles.iter().filter_map(|name| profiles::find(name)).collect();
    let making = profiles::Making { seed };
    let parts: Vec<_> = entries.iter().flat_map(|entry| entry.parts).collect();
    let device = Device::new(options, parts.iter().map(|part| (part.build)(&making)).collect());
    let station = Station::new(device, ground.name.clone(), ground.key.fingerprint());

    let client =
        ground.service.as_ref().map(|service| operator::Client::new(service, &ground.trust)).transpose();
    let client = client.context("the operator's requests cannot be made")?;
    let closed = client.is_none().then(|| {
        "set IOTHUB_CONNECTION_STRING to a service connection string to operate a hub in Azure from here"
            .to_owned()
    });
    let desk = Desk::new(closed, ground.cloud.is_some());
    let mut state = AppState::new(clock.now(), zone, vec![station], ground.place.clone(), desk, seed);
    state.limits = Limits { until: config.run_for.map(|span| clock.now().at + span), count: config.count };
    state.unattended = !on_screen;
    for fact in ground.facts(config, seed) {
        state.log.add(clock.now(), None, fact, None);
    }

    let (clerk, answers) = DeskClerk::new(client);
    let (sink, link_events) = mpsc::channel(LINK_EVENTS);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let link = LinkOptions {
        slot: 0,
        provisioning: ground.provisioning.clone(),
        key: ground.key.clone(),
        module: ground.module.clone(),
        inputs: !state.station().device.ports().is_empty(),
        gateway: ground.gateway.clone(),
        // A hub is told one model; the first profile's stands for the device.
        model_id: parts.first().map(|part| part.model.model_id.to_owned()),
        keep_alive: config.keep_alive,
        sas_ttl: config.sas_ttl,
        mqtt_port: config.mqtt_port,
        trust: ground.trust.clone(),
        keep_packets: on_screen,
    };
    let links = vec![net::spawn(link, sink, stop.clone(), &mut tasks)];
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
        signals,
        tasks,
        stop,
    };
    runtime::run(&mut state, wiring).await.context("the screen or standard output broke")
}

/// Where the device goes, and what it needs to get there.
struct Ground {
    place: Place,
    name: String,
    key: SharedKey,
    module: Option<crate::device::ModuleId>,
    gateway: Option<HubHost>,
    direct: Option<Assignment>,
    provisioning: Option<ProvisioningOptions>,
    trust: Trust,
    service: Option<ConnectionString>,
    cloud: Option<LocalCloud>,
    _found: Option<RuntimeFile>,
}

impl Ground {
    async fn prepare(config: &RunConfig) -> anyhow::Result<Self> {
        match &config.target {
            Target::Local { registration } => Self::local(config, registration).await,
            Target::Dps { host, scope, registration, key } => {
                let key = key.for_device(registration);
                Ok(Self {
                    place: Place::Service(host.to_string()),
                    provisioning: Some(ProvisioningOptions {
                        host: host.url(),
                        scope: scope.clone(),
                        registration: registration.clone(),
                        key: key.clone(),
                    }),
                    ..Self::azure(config, registration.to_string(), key)?
                })
            }
            Target::Direct(connection) => {
                let Who::Device(device, module) = &connection.who else {
                    anyhow::bail!("the connection string is a service's, a device's has `DeviceId`");
                };
                let direct = Assignment { hub: connection.hub.clone(), device_id: device.clone() };
                Ok(Self {
                    place: Place::Hub(connection.hub.to_string()),
                    direct: Some(direct),
                    module: module.clone(),
                    gateway: connection.gateway.clone(),
                    ..Self::azure(config, device.to_string(), connection.key.clone())?
                })
            }
        }
    }

    /// What all ways to a hub elsewhere have in common.
    fn azure(config: &RunConfig, name: String, key: SharedKey) -> anyhow::Result<Self> {
        let mut trust = Trust::system();
        if let Some(authority) = &config.ca {
            let from = authority.path.display().to_string();
            trust = trust.and(&String::from_utf8_lossy(&authority.pem), &from)?;
        }
        Ok(Self {
            place: Place::Service(String::new()),
            name,
            key,
            module: None,
            gateway: None,
            direct: None,
            provisioning: None,
            trust,
            service: HubConfig::load(Layer::new())?.connection,
            cloud: None,
            _found: None,
        })
    }

    async fn local(config: &RunConfig, registration: &RegistrationId) -> anyhow::Result<Self> {
        let options = CloudOptions {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            mqtt_port: PortChoice::Preferred(config.mqtt_port),
            https_port: PortChoice::Preferred(8443),
            ..CloudOptions::default()
        };
        let cloud = LocalCloud::start(options).await.context("the local cloud cannot start")?;
        let key = cloud.group_key().derive(registration.as_str());
        let service = ConnectionString::parse(&cloud.service_connection_string())
            .context("the local cloud's own connection string")?;
        // Without it `envsim hub` has to be told where the hub is; that is no reason not to run.
        let found = RuntimeFile::leave(&Running::this_process(cloud.hub(), &service, cloud.ca_pem())).ok();
        Ok(Self {
            place: Place::Local {
                hub: cloud.hub().to_owned(),
                mqtt_port: cloud.mqtt_port(),
                https_port: cloud.https_port(),
            },
            name: registration.to_string(),
            provisioning: Some(ProvisioningOptions {
                host: cloud.provisioning_endpoint(),
                scope: cloud.id_scope(),
                registration: registration.clone(),
                key: key.clone(),
            }),
            key,
            module: None,
            gateway: None,
            direct: None,
            trust: Trust::only(cloud.ca_pem(), "the local cloud's authority")?,
            service: Some(service),
            cloud: Some(cloud),
            _found: found,
        })
    }

    /// The first lines of a run.
    fn facts(&self, config: &RunConfig, seed: u64) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Place::Local { hub, mqtt_port, https_port } = &self.place {
            let note = if *mqtt_port == config.mqtt_port {
                String::new()
            } else {
                format!(" (port {} is taken, so official SDKs cannot connect to this one)", config.mqtt_port)
            };
            let (hub, mqtt_port, https_port) = (hub.clone(), *mqtt_port, *https_port);
            let others = self.cloud.iter().flat_map(LocalCloud::other_scopes);
            let other_scopes = others.map(|scope| scope.to_string()).collect();
            facts.push(Fact::CloudReady { hub, mqtt_port, https_port, other_scopes, note });
        }
        let place = match &self.place {
            Place::Local { .. } => "in the local cloud".to_owned(),
            Place::Service(host) => format!("by way of {host}"),
            Place::Hub(host) => format!("straight to {host}"),
        };
        let profiles = config.profiles.join(", ");
        facts.push(Fact::Started { device: self.name.clone(), profiles, place, seed });
        facts
    }
}
