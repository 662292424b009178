//! Modules of a hub's registry: found there, or made.

use std::str::FromStr;

use anyhow::Context as _;
use serde_json::Value;

use super::{Ground, Seat, parts};
use crate::app::{Fact, Place};
use crate::cli::hub::which::explained;
use crate::config::RunConfig;
use crate::device::{Assignment, DeviceId, HubHost, ModuleId, Severity};
use crate::operator::{Client, Identity, NewIdentity, OperatorError};
use crate::profiles::{self, Part};
use crate::wire::SharedKey;
use crate::wire::service::{EDGE_AGENT, EDGE_HUB};

impl Ground {
    /// Finds or makes the modules that the profiles connect as, these two names before the
    /// profile's own.
    pub(super) async fn take_seats(
        &mut self,
        config: &RunConfig,
        device: Option<&DeviceId>,
        module: Option<&ModuleId>,
    ) -> anyhow::Result<()> {
        let names: Vec<_> = config.profiles.iter().map(String::as_str).collect();
        let service = self.service.as_ref().context("a module is made in a hub's registry")?;
        let client = explained(Client::new(service, &self.trust))?;
        let (mut seats, mut told) = (Vec::new(), Vec::new());
        let mut office = Office { client: &client, told: &mut told };
        let mut sit = |device: &DeviceId, module: ModuleId, key: SharedKey, parts: Vec<&'static Part>| {
            let to = Assignment { hub: hub(&self.place), device_id: device.clone() };
            seats.push(Seat::direct(to, Some(module), key, parts));
        };
        match profiles::compose(&names).map_err(anyhow::Error::msg)? {
            profiles::Seat::Module { device: own, module: own_module } => {
                let (device, module) = (named(device, own)?, named(module, own_module)?);
                let whole = office.find_or_make(&device, None, NewIdentity::default()).await?;
                office.check_enabled(&whole, &device)?;
                let identity = office.find_or_make(&device, Some(&module), NewIdentity::default()).await?;
                let key = key(&identity, &device, &module, "give another one with --module-id")?;
                sit(&device, module, key, parts(config));
            }
            profiles::Seat::Edge { device: own, deployment } => {
                let device = named(device, own)?;
                let parts = parts(config);
                let module = |part: &&'static Part| named(None, part.module.unwrap_or_default());
                let modules = parts.iter().map(module).collect::<anyhow::Result<Vec<ModuleId>>>()?;
                office.edge_device(&device, &modules, deployment).await?;
                for (part, module) in parts.into_iter().zip(modules) {
                    let key = office.module_key(&device, &module).await?;
                    sit(&device, module, key, vec![part]);
                }
            }
            profiles::Seat::Device => {}
        }
        self.seats = seats;
        self.made = told;
        Ok(())
    }
}

/// Who does the paperwork in a hub's registry, and tells of it.
struct Office<'a> {
    client: &'a Client,
    told: &'a mut Vec<Fact>,
}

impl Office<'_> {
    /// Makes an identity, or reads the one that is there.
    async fn find_or_make(
        &mut self,
        device: &DeviceId,
        module: Option<&ModuleId>,
        new: NewIdentity,
    ) -> anyhow::Result<Identity> {
        let (identity, did) = match self.client.create(device, module, &new).await {
            Err(OperatorError::Exists { .. }) => {
                (explained(self.client.identity(device, module).await)?, "found")
            }
            made => (explained(made)?, "made"),
        };
        let what = match module {
            Some(module) => format!("module {device}/{module}"),
            None if new.edge => format!("IoT Edge device {device}"),
            None => format!("device {device}"),
        };
        let key = identity.key.as_ref().map(|key| format!(", key {}", key.fingerprint()));
        let host = self.client.host();
        self.tell(format!("{did} the {what} in the registry of {host}{}", key.unwrap_or_default()));
        Ok(identity)
    }

    /// Whether anything can connect as this device, or as a module of it.
    fn check_enabled(&self, identity: &Identity, device: &DeviceId) -> anyhow::Result<()> {
        if identity.told["status"] == "disabled" {
            anyhow::bail!(
                "the device `{device}` in the registry of {} is disabled, so that neither it nor its modules may \
                 connect; enable it there, or give another one with --device-id",
                self.client.host()
            );
        }
        Ok(())
    }

    /// An IoT Edge device with a deployment that has these modules: its own, when it has one.
    async fn edge_device(
        &mut self,
        device: &DeviceId,
        modules: &[ModuleId],
        deployment: &str,
    ) -> anyhow::Result<()> {
        let new = NewIdentity { edge: true, ..NewIdentity::default() };
        let identity = self.find_or_make(device, None, new).await?;
        if identity.told["capabilities"]["iotEdge"] != true {
            anyhow::bail!(
                "the device `{device}` in the registry of {} is no IoT Edge device; give another one with --device-id, \
                 or delete that one",
                self.client.host()
            );
        }
        self.check_enabled(&identity, device)?;
        // Before anything is deployed, because a deployment leaves modules that are there as they are.
        for module in modules {
            match self.client.identity(device, Some(module)).await {
                Err(OperatorError::Unknown { .. }) => {}
                identity => {
                    key(&explained(identity)?, device, module, ANOTHER_DEVICE)?;
                }
            }
        }
        if self.is_deployed(device).await? {
            self.tell(format!("{device} has a deployment already, which stays"));
            return Ok(());
        }
        let content: Value = serde_json::from_str(deployment).context("the deployment of the profile")?;
        explained(self.client.apply_content(device, &content).await)?;
        self.tell(format!("set modules, routes and threshold of {device} by the profile's deployment"));
        Ok(())
    }

    async fn is_deployed(&self, device: &DeviceId) -> anyhow::Result<bool> {
        // Their twins hold the deployment.
        for module in [EDGE_AGENT, EDGE_HUB] {
            let twin = match self.client.twin(device, Some(&named(None, module)?)).await {
                Err(OperatorError::Unknown { .. }) => continue,
                twin => explained(twin)?,
            };
            let desired = twin["properties"]["desired"].as_object();
            if desired.is_some_and(|desired| desired.keys().any(|name| !name.starts_with('$'))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn module_key(&mut self, device: &DeviceId, module: &ModuleId) -> anyhow::Result<SharedKey> {
        match self.client.identity(device, Some(module)).await {
            Err(OperatorError::Unknown { .. }) => anyhow::bail!(
                "the deployment of the IoT Edge device `{device}` has no module `{module}`; add it there, or give \
                 a device without a deployment with --device-id"
            ),
            identity => key(&explained(identity)?, device, module, ANOTHER_DEVICE),
        }
    }

    fn tell(&mut self, text: String) {
        self.told.push(Fact::Note { severity: Severity::Info, text });
    }
}

/// The hub where modules connect: the service side's name says nothing about the port for MQTT.
fn hub(place: &Place) -> HubHost {
    match place {
        Place::Local { hub, mqtt_port, .. } => HubHost { name: hub.clone(), port: Some(*mqtt_port) },
        Place::Service(name) | Place::Hub(name) => HubHost { name: name.clone(), port: None },
    }
}

/// What to do about a module whose name is the profile's own.
const ANOTHER_DEVICE: &str = "give another device with --device-id";

fn key(identity: &Identity, device: &DeviceId, module: &ModuleId, advice: &str) -> anyhow::Result<SharedKey> {
    identity.key.clone().with_context(|| {
        format!("the module `{device}/{module}` has no symmetric key; {advice}, or delete that module")
    })
}

fn named<T: Clone + FromStr>(given: Option<&T>, own: &str) -> anyhow::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    given.map_or_else(|| own.parse().context("the profile's own name"), |given| Ok(given.clone()))
}
