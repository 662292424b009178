//! The local cloud: an IoT Hub and a Device Provisioning Service inside this program.
//!
//! [`LocalCloud::start`] binds two ports, makes certificates, keys and an ID scope of its own, and
//! serves until it is stopped. Devices reach it through TLS sockets only, exactly as they reach
//! Azure.
//!
//! Never here: the device's state machine or its client code (`net`), which this cloud judges;
//! screens; profiles.
//!
//! In reading order: [`core`] (what a hub is, pure), [`dialect`] (MQTT's topics and bodies, pure),
//! [`cert`], [`store`] (what is kept), `options` and `error`, `listen` (the ports), `beginning`,
//! `shared` (the one core behind its lock), `door` (sockets), `mqtt`, `rest` and `amqp`; then the
//! cloud that runs, below.

mod amqp;
mod beginning;
pub mod cert;
pub mod core;
pub mod dialect;
mod door;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod listen;
mod mqtt;
mod options;
mod rest;
mod shared;
pub mod store;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use self::beginning::Beginning;
use self::cert::Certificates;
use self::core::Settings;
use self::core::auth::HubNames;
use self::core::quota::Quota;
pub use self::error::CloudError;
use self::listen::Listeners;
pub use self::options::{AMQP_PORT, CloudOptions, HTTPS_PORT, MQTT_PORT, PortChoice};
use self::shared::Shared;
use self::store::DataFolder;
use crate::device::{DeviceId, HubHost, IdScope};
use crate::wire::SharedKey;
use crate::wire::connection_string::{ConnectionString, Who};
use crate::wire::enrolment::OWNER_POLICY;

/// How long connections may take to end when the cloud stops.
const STOP: Duration = Duration::from_secs(2);

/// A local cloud that runs. Dropping it ends it at once; [`LocalCloud::stop`] ends it cleanly.
#[derive(Debug)]
pub struct LocalCloud {
    hub: String,
    mqtt_port: u16,
    https_port: u16,
    amqp_port: Option<u16>,
    ca_pem: String,
    ca_file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl LocalCloud {
    /// Binds, makes what has to be made, and serves in the background of the current runtime.
    pub async fn start(options: CloudOptions) -> Result<Self, CloudError> {
        Self::start_within(options, door::Limits::default()).await
    }

    async fn start_within(options: CloudOptions, limits: door::Limits) -> Result<Self, CloudError> {
        // The folder comes before the ports: a second cloud on the same folder, and therefore
        // likely on the same ports, is best told about the folder.
        let folder = options.data_dir.as_deref().map(DataFolder::take).transpose()?;
        let Listeners { mqtt, https, amqp } = Listeners::bind(&options)?;
        let ((mqtt, mqtt_port), (https, https_port)) = (mqtt, https);
        let beginning = Beginning::of(folder).await?;
        let certificates =
            Certificates::make(&beginning.authority, options.bind, options.hostname.as_deref())?;
        let hub = hub_name(&options)?;
        let settings = settings(&options, &beginning, &hub, mqtt_port);
        let (ca_file, data_dir) = (beginning.ca_file.clone(), beginning.data_dir.clone());
        let shared = Arc::new(beginning.shared(settings).await?);
        furnish(&shared, options)?;

        let tasks = TaskTracker::new();
        let timekeeper = Arc::clone(&shared);
        tasks.spawn(async move { timekeeper.keep_time().await });
        let amqp_port = amqp.as_ref().map(|(_, port)| *port);
        if let Some((amqp, _)) = amqp {
            door::open_amqp(amqp, &certificates.server, &shared, &tasks, limits);
        }
        door::open(mqtt, https, &certificates.server, &shared, &tasks, limits);
        let ca_pem = certificates.ca_pem;
        Ok(Self { hub, mqtt_port, https_port, amqp_port, ca_pem, ca_file, data_dir, shared, tasks })
    }

    /// The hub's host name, without a port.
    pub fn hub(&self) -> &str {
        &self.hub
    }

    /// Where MQTT is served.
    pub fn mqtt_port(&self) -> u16 {
        self.mqtt_port
    }

    /// Where DPS and the service side are served.
    pub fn https_port(&self) -> u16 {
        self.https_port
    }

    /// Where AMQP is served, if it is.
    pub fn amqp_port(&self) -> Option<u16> {
        self.amqp_port
    }

    /// A connection string of the Event Hubs compatible endpoint, key and all, as readers of events
    /// take it; if AMQP is served.
    pub fn event_hub_connection_string(&self) -> Option<String> {
        let (port, policy) = (self.amqp_port?, "service");
        let key = self.shared.look(|core, _| core.policy_key(policy).map(SharedKey::reveal))?;
        // Most SDKs read no port, and know this one.
        let port = if port == AMQP_PORT { String::new() } else { format!(":{port}") };
        let (hub, entity) = (&self.hub, amqp::address::EVENT_HUB);
        Some(format!(
            "Endpoint=sb://{hub}{port}/;SharedAccessKeyName={policy};SharedAccessKey={key};EntityPath={entity}"
        ))
    }

    /// The provisioning service's URL.
    pub fn provisioning_endpoint(&self) -> String {
        format!("https://{}:{}", self.hub, self.https_port)
    }

    /// The provisioning service's ID scope.
    pub fn id_scope(&self) -> IdScope {
        self.shared.look(|core, _| core.settings().id_scope.clone())
    }

    /// The other ID scopes that it serves.
    pub fn other_scopes(&self) -> Vec<IdScope> {
        self.shared.look(|core, _| core.other_scopes().to_vec())
    }

    /// The enrolment group's key, from which devices' keys are derived.
    pub fn group_key(&self) -> SharedKey {
        self.shared.look(|core, _| core.group_key())
    }

    /// The certificate that clients have to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as a file, where there is a data folder: in there, and the same after every start.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// The folder in which everything is kept.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// A connection string of the policy `iothubowner`, key and all, as service SDKs take it.
    pub fn service_connection_string(&self) -> String {
        let key = self.shared.look(|core, _| core.policy_key("iothubowner").cloned());
        let hub = self.https_host();
        key.map(|key| {
            let who = Who::Service("iothubowner".to_owned());
            ConnectionString { hub, gateway: None, who, key }.reveal()
        })
        .unwrap_or_default()
    }

    /// The name for HTTPS, without the port that everybody assumes: Node's SDK cannot read one.
    fn https_host(&self) -> HubHost {
        HubHost { name: self.hub.clone(), port: (self.https_port != 443).then_some(self.https_port) }
    }

    /// A connection string of the provisioning service's owner policy, key and all, as service SDKs
    /// take it.
    pub fn provisioning_service_connection_string(&self) -> String {
        let key = self.shared.look(|core, _| core.policy_key(OWNER_POLICY).cloned());
        let hub = self.https_host();
        key.map(|key| {
            let who = Who::Service(OWNER_POLICY.to_owned());
            ConnectionString { hub, gateway: None, who, key }.reveal()
        })
        .unwrap_or_default()
    }

    /// Ends every connection and waits for it, but not for ever.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.tasks.close();
        if timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!("the local cloud's connections did not all end within {STOP:?}");
        }
        self.shared.close();
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

/// How the core is set up.
fn settings(options: &CloudOptions, beginning: &Beginning, hub: &str, mqtt_port: u16) -> Settings {
    let assigned_hub = if mqtt_port == MQTT_PORT { hub.to_owned() } else { format!("{hub}:{mqtt_port}") };
    let mut aliases = vec![options.bind.to_string()];
    if options.bind.is_loopback() || options.bind.is_unspecified() {
        aliases.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
    }
    Settings {
        names: HubNames { own: hub.to_owned(), aliases },
        assigned_hub,
        id_scope: beginning.id_scope.clone(),
        group_key: beginning.group_key.clone(),
        retry_after: options.retry_after,
        waits: 0,
        assigning_for: u64::try_from(options.assigning_for.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Puts in what is to be there from the start.
fn furnish(shared: &Shared, options: CloudOptions) -> Result<(), CloudError> {
    let is_kept = options.data_dir.is_some();
    shared.change(|core, now, _| {
        for name in &options.devices {
            let device: DeviceId =
                name.parse().map_err(|source| CloudError::DeviceName { name: name.clone(), source })?;
            // One that was kept stays as it is: the same command line starts the cloud again.
            if !is_kept || core.device(&device).is_err() {
                core.create_derived(now, device)?;
            }
        }
        for (name, pem) in &options.authorities {
            core.put_authority(name, pem)
                .map_err(|source| CloudError::Authority { name: name.clone(), source })?;
        }
        core.set_more_scopes(options.more_scopes);
        core.set_quota(options.quota.map(|(sku, units)| Quota::new(sku, units)));
        Ok::<_, CloudError>(())
    })?;
    shared.set_trouble(options.trouble).map_err(CloudError::Trouble)
}

fn hub_name(options: &CloudOptions) -> Result<String, CloudError> {
    match &options.hostname {
        Some(name) => {
            let host: HubHost =
                name.parse().map_err(|source| CloudError::HostName { name: name.clone(), source })?;
            Ok(host.name)
        }
        None if options.bind == IpAddr::V4(Ipv4Addr::LOCALHOST) || options.bind.is_unspecified() => {
            Ok("localhost".to_owned())
        }
        None => Ok(options.bind.to_string()),
    }
}
