//! What a run stands on: where its devices go, and who each of them is there.
//!
//! Everything that has to exist before a device can begin is made here: the local cloud, and what
//! has to stand in a hub's registry (`registry`).

mod registry;

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Context as _;

use super::runtime_file::{Running, RuntimeFile};
use crate::app::{Fact, Place};
use crate::cloud::{CloudOptions, LocalCloud, PortChoice};
use crate::config::{RunConfig, Sitting, Target};
use crate::device::{Assignment, HubHost, IdScope, ModuleId, RegistrationId};
use crate::net::ProvisioningOptions;
use crate::profiles::{self, Part};
use crate::trust::Trust;
use crate::wire::connection_string::Who;
use crate::wire::{ConnectionString, SharedKey};

/// Where the devices of a run go, and what they need to get there.
pub(super) struct Ground {
    /// Where they go.
    pub(super) place: Place,
    /// What connects, each by itself.
    pub(super) seats: Vec<Seat>,
    /// Whose certificates are trusted.
    pub(super) trust: Trust,
    /// How to be the hub's operator, where that is known.
    pub(super) service: Option<ConnectionString>,
    /// The local cloud, when it is in here.
    pub(super) cloud: Option<LocalCloud>,
    /// What was made in the hub's registry, or found there.
    made: Vec<Fact>,
    _found: Option<RuntimeFile>,
}

/// One that connects: who it is, how it gets to its hub, and what it is made of.
pub(super) struct Seat {
    /// For people: what it registers as.
    pub(super) name: String,
    /// The key that signs for it.
    pub(super) key: SharedKey,
    /// The module that it is, when it is one.
    pub(super) module: Option<ModuleId>,
    /// Its hub, when that is known.
    pub(super) direct: Option<Assignment>,
    /// How it gets to know its hub otherwise.
    pub(super) provisioning: Option<ProvisioningOptions>,
    /// Where to connect instead of to the hub.
    pub(super) gateway: Option<HubHost>,
    /// The parts of its profiles.
    pub(super) parts: Vec<&'static Part>,
}

/// As whom profiles connect when they are put together, in the configuration's words.
pub(super) fn compose(names: &[&str]) -> Result<Sitting, String> {
    profiles::compose(names).map(|seat| match seat {
        profiles::Seat::Device => Sitting::Device,
        profiles::Seat::Module { .. } => Sitting::Module,
        profiles::Seat::Edge { .. } => Sitting::Edge,
    })
}

impl Ground {
    /// Prepares what `config` asks for.
    pub(super) async fn prepare(config: &RunConfig) -> anyhow::Result<Self> {
        match &config.target {
            Target::Local { devices } => {
                Self::local(config).await.map(|ground| ground.with_local(devices, config))
            }
            Target::Dps { host, scope, devices, key } => {
                let seat = |registration: &RegistrationId| {
                    let options = ProvisioningOptions {
                        host: host.url(),
                        scope: scope.clone(),
                        registration: registration.clone(),
                        key: key.for_device(registration),
                    };
                    Seat::provisioned(options, parts(config))
                };
                let seats = devices.iter().map(seat).collect();
                Self::elsewhere(config, Place::Service(host.to_string()), seats)
            }
            Target::Direct(connection) => {
                let Who::Device(device, module) = &connection.who else {
                    anyhow::bail!("the connection string is a service's, a device's has `DeviceId`");
                };
                let to = Assignment { hub: connection.hub.clone(), device_id: device.clone() };
                let seat = Seat::direct(to, module.clone(), connection.key.clone(), parts(config));
                let seat = Seat { gateway: connection.gateway.clone(), ..seat };
                Self::elsewhere(config, Place::Hub(connection.hub.to_string()), vec![seat])
            }
            Target::Registry { hub, device, module } => {
                let mut ground = match hub {
                    Some(hub) => Self::elsewhere(config, Place::Hub(hub.name.clone()), Vec::new())?,
                    None => Self::local(config).await?,
                };
                ground.take_seats(config, device.as_ref(), module.as_ref()).await?;
                Ok(ground)
            }
        }
    }

    /// What all ways to a hub elsewhere have in common.
    fn elsewhere(config: &RunConfig, place: Place, seats: Vec<Seat>) -> anyhow::Result<Self> {
        let mut trust = Trust::system();
        if let Some(authority) = &config.ca {
            let from = authority.path.display().to_string();
            trust = trust.and(&String::from_utf8_lossy(&authority.pem), &from)?;
        }
        let service = config.service.clone();
        Ok(Self { place, seats, trust, service, cloud: None, made: Vec::new(), _found: None })
    }

    /// The local cloud, and nobody in it yet.
    async fn local(config: &RunConfig) -> anyhow::Result<Self> {
        let options = CloudOptions {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            mqtt_port: PortChoice::Preferred(config.mqtt_port),
            https_port: PortChoice::Preferred(8443),
            ..CloudOptions::default()
        };
        let cloud = LocalCloud::start(options).await.context("the local cloud cannot start")?;
        let service = ConnectionString::parse(&cloud.service_connection_string())
            .context("the local cloud's own connection string")?;
        // Without it `envsim hub` has to be told where the hub is; that is no reason not to run.
        let found = RuntimeFile::leave(
            &Running::this_process(cloud.hub(), &service, cloud.ca_pem()).with_mqtt_port(cloud.mqtt_port()),
        )
        .ok();
        Ok(Self {
            place: Place::Local {
                hub: cloud.hub().to_owned(),
                mqtt_port: cloud.mqtt_port(),
                https_port: cloud.https_port(),
            },
            seats: Vec::new(),
            trust: Trust::only(cloud.ca_pem(), "the local cloud's authority")?,
            service: Some(service),
            cloud: Some(cloud),
            made: Vec::new(),
            _found: found,
        })
    }

    /// Devices that the local cloud in here provisions.
    fn with_local(mut self, devices: &[RegistrationId], config: &RunConfig) -> Self {
        let Some(cloud) = &self.cloud else { return self };
        let seat = |registration: &RegistrationId| {
            let options = ProvisioningOptions {
                host: cloud.provisioning_endpoint(),
                scope: cloud.id_scope(),
                registration: registration.clone(),
                key: cloud.group_key().derive(registration.as_str()),
            };
            Seat::provisioned(options, parts(config))
        };
        self.seats = devices.iter().map(seat).collect();
        self
    }

    /// The ID scopes of the local cloud in here, its own first.
    pub(super) fn scopes(&self) -> Vec<IdScope> {
        let all = |cloud: &LocalCloud| std::iter::once(cloud.id_scope()).chain(cloud.other_scopes());
        self.cloud.iter().flat_map(all).collect()
    }

    /// The first lines of a run.
    pub(super) fn facts(&self, config: &RunConfig, seed: impl Fn(usize) -> u64) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Place::Local { hub, mqtt_port, https_port } = &self.place {
            let note = if *mqtt_port == config.mqtt_port {
                String::new()
            } else {
                format!(" (port {} is taken, so official SDKs cannot connect to this one)", config.mqtt_port)
            };
            let (hub, mqtt_port, https_port) = (hub.clone(), *mqtt_port, *https_port);
            let mut scopes = self.scopes().into_iter().map(|scope| scope.to_string());
            let id_scope = scopes.next().unwrap_or_default();
            let other_scopes = scopes.collect();
            facts.push(Fact::CloudReady { hub, id_scope, mqtt_port, https_port, other_scopes, note });
        }
        facts.extend(self.made.iter().cloned());
        for (slot, seat) in self.seats.iter().enumerate() {
            let place = match &self.place {
                Place::Local { .. } => "in the local cloud".to_owned(),
                Place::Service(host) => format!("by way of {host}"),
                Place::Hub(host) => format!("straight to {host}"),
            };
            let (device, profiles, seed) = (seat.name.clone(), config.profiles.join(", "), seed(slot));
            facts.push(Fact::Started { device, profiles, place, seed });
        }
        facts
    }
}

impl Seat {
    /// A device that is told its hub by a provisioning service.
    fn provisioned(provisioning: ProvisioningOptions, parts: Vec<&'static Part>) -> Self {
        Self {
            name: provisioning.registration.to_string(),
            key: provisioning.key.clone(),
            module: None,
            direct: None,
            provisioning: Some(provisioning),
            gateway: None,
            parts,
        }
    }

    /// A device or a module that knows its hub.
    fn direct(to: Assignment, module: Option<ModuleId>, key: SharedKey, parts: Vec<&'static Part>) -> Self {
        let name = match &module {
            Some(module) => format!("{}/{module}", to.device_id),
            None => to.device_id.to_string(),
        };
        Self { name, key, module, direct: Some(to), provisioning: None, gateway: None, parts }
    }
}

/// The parts of all profiles that were asked for.
fn parts(config: &RunConfig) -> Vec<&'static Part> {
    config.profiles.iter().filter_map(|name| profiles::find(name)).flat_map(|entry| entry.parts).collect()
}
