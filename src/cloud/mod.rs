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
//! [`cert`], [`store`] (what is kept), `beginning`, `shared` (the one core behind its lock), `door`
//! (sockets), `mqtt`, `rest` and `amqp`.

mod amqp;
mod beginning;
pub mod cert;
pub mod core;
pub mod dialect;
mod door;
#[cfg(fuzzing)]
pub mod fuzzing;
mod mqtt;
mod rest;
mod shared;
pub mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use self::beginning::Beginning;
use self::cert::{CertificateError, Certificates};
use self::core::Settings;
use self::core::auth::HubNames;
use self::core::fault::Fault;
use self::core::quota::{Quota, Sku};
use self::core::trouble::Trouble;
use self::shared::Shared;
use self::store::{DataFolder, StoreError};
use crate::device::identity::NameError;
use crate::device::{DeviceId, HubHost, IdScope};
use crate::system::ports;
use crate::wire::SharedKey;
use crate::wire::connection_string::{ConnectionString, Who};
use crate::wire::enrolment::OWNER_POLICY;

/// The port that official device SDKs hard-code.
pub const MQTT_PORT: u16 = 8883;
/// Where HTTPS is served unless told otherwise.
pub const HTTPS_PORT: u16 = 8443;

/// Where AMQP is served unless told otherwise: Python's and Node's service SDKs know no other.
pub const AMQP_PORT: u16 = 5671;

/// How long connections may take to end when the cloud stops.
const STOP: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Which port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortChoice {
    /// This one or none; 0 is any free one.
    Exactly(u16),
    /// This one when it is free, else any.
    Preferred(u16),
}

/// How a local cloud is started.
#[derive(Debug, Clone)]
pub struct CloudOptions {
    /// The address to listen on.
    pub bind: IpAddr,
    /// For MQTT.
    pub mqtt_port: PortChoice,
    /// For DPS and the service side.
    pub https_port: PortChoice,
    /// For services over AMQP. Without it there is no AMQP.
    pub amqp_port: Option<PortChoice>,
    /// The hub's name, when it is not to be the address: it has to resolve where devices run.
    pub hostname: Option<String>,
    /// Devices that exist from the start, their keys derived from the group key.
    pub devices: Vec<String>,
    /// What registering devices are told to wait, in seconds. 0 provisions in an instant.
    pub retry_after: u64,
    /// How long registering devices are told to wait at least before they have a hub.
    pub assigning_for: Duration,
    /// The hub's size and its number of units, when their limits shall hold.
    pub quota: Option<(Sku, u32)>,
    /// What goes wrong from the start.
    pub trouble: Trouble,
    /// Certificate authorities of devices: name, and certificate as PEM.
    pub authorities: Vec<(String, Vec<u8>)>,
    /// The folder that keeps everything between runs. Without one nothing is kept.
    pub data_dir: Option<PathBuf>,
    /// How many ID scopes there are besides the first, for devices to move to.
    pub more_scopes: u32,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            mqtt_port: PortChoice::Preferred(MQTT_PORT),
            https_port: PortChoice::Preferred(HTTPS_PORT),
            amqp_port: None,
            hostname: None,
            devices: Vec::new(),
            retry_after: 0,
            assigning_for: Duration::ZERO,
            quota: None,
            trouble: Trouble::default(),
            authorities: Vec::new(),
            data_dir: None,
            more_scopes: 1,
        }
    }
}

/// Why a local cloud cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A port cannot be had.
    #[error(
        "the local cloud cannot listen on {address} for {purpose}: {source}; {}, or choose another with {option}",
        remedy(source, *address)
    )]
    Bind {
        /// Address and port.
        address: SocketAddr,
        /// MQTT, HTTPS or AMQP.
        purpose: &'static str,
        /// The option that chooses another.
        option: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something about the sockets afterwards.
    #[error("the local cloud cannot use its sockets: {0}")]
    Socket(#[from] io::Error),
    /// No certificates.
    #[error("the local cloud cannot start: {0}")]
    Certificate(#[from] CertificateError),
    /// The host name is not one.
    #[error("the local cloud cannot be called `{name}`: {source}")]
    HostName {
        /// As given.
        name: String,
        /// Why not.
        source: NameError,
    },
    /// A device to be created has a bad name.
    #[error("the local cloud cannot create the device `{name}`: {source}")]
    DeviceName {
        /// As given.
        name: String,
        /// Why not.
        source: NameError,
    },
    /// A device cannot be created.
    #[error("the local cloud cannot create a device: {0}")]
    Device(#[from] Fault),
    /// An authority cannot be taken.
    #[error("the local cloud cannot take the certificate authority `{name}`: {source}")]
    Authority {
        /// Its name.
        name: String,
        /// Why not.
        source: Fault,
    },
    /// What shall go wrong cannot be had.
    #[error("the local cloud cannot make the trouble that was asked for: {0}")]
    Trouble(Fault),
    /// The data folder cannot be used.
    #[error("{0}")]
    Store(#[source] Box<StoreError>),
}

impl CloudError {
    /// Whether it is a mistake in how the program was called.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_usage())
    }
}

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
        // Then the ports at once: from here on clients queue instead of being refused.
        let mqtt = bind(options.bind, options.mqtt_port, "MQTT", "--mqtt-port")?;
        let https = bind(options.bind, options.https_port, "HTTPS", "--https-port")?;
        let (mqtt_port, https_port) = (mqtt.local_addr()?.port(), https.local_addr()?.port());
        let amqp =
            options.amqp_port.map(|choice| bind(options.bind, choice, "AMQP", "--amqp-port")).transpose()?;
        let amqp_port = amqp.as_ref().map(TcpListener::local_addr).transpose()?.map(|at| at.port());
        let beginning = Beginning::of(folder).await?;
        let certificates =
            Certificates::make(&beginning.authority, options.bind, options.hostname.as_deref())?;

        let hub = hub_name(&options)?;
        let assigned_hub = if mqtt_port == MQTT_PORT { hub.clone() } else { format!("{hub}:{mqtt_port}") };
        let mut aliases = vec![options.bind.to_string()];
        if options.bind.is_loopback() || options.bind.is_unspecified() {
            aliases.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        }
        let settings = Settings {
            names: HubNames { own: hub.clone(), aliases },
            assigned_hub,
            id_scope: beginning.id_scope.clone(),
            group_key: beginning.group_key.clone(),
            retry_after: options.retry_after,
            waits: 0,
            assigning_for: u64::try_from(options.assigning_for.as_millis()).unwrap_or(u64::MAX),
        };
        let (ca_file, data_dir) = (beginning.ca_file.clone(), beginning.data_dir.clone());
        let shared = Arc::new(beginning.shared(settings).await?);
        shared.change(|core, now, _| {
            for name in &options.devices {
                let device: DeviceId =
                    name.parse().map_err(|source| CloudError::DeviceName { name: name.clone(), source })?;
                // One that was kept stays as it is: the same command line starts the cloud again.
                if data_dir.is_none() || core.device(&device).is_err() {
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
        shared.set_trouble(options.trouble).map_err(CloudError::Trouble)?;

        let tasks = TaskTracker::new();
        let timekeeper = Arc::clone(&shared);
        tasks.spawn(async move { timekeeper.keep_time().await });
        if let Some(amqp) = amqp {
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

/// What to do about a port that cannot be had. Those below 1024 need a right on some systems, and the
/// port that some SDKs insist on is one of them.
fn remedy(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ports::get_permission(address.port()),
        io::ErrorKind::AddrNotAvailable => "give --bind an address of this computer".to_owned(),
        _ => "stop what uses the port".to_owned(),
    }
}

fn bind(
    host: IpAddr,
    choice: PortChoice,
    purpose: &'static str,
    option: &'static str,
) -> Result<TcpListener, CloudError> {
    let (PortChoice::Exactly(port) | PortChoice::Preferred(port)) = choice;
    let address = SocketAddr::new(host, port);
    let bound = listen(address).or_else(|error| match choice {
        PortChoice::Preferred(_) => listen(SocketAddr::new(host, 0)).map_err(|_| error),
        PortChoice::Exactly(_) => Err(error),
    });
    bound.map_err(|source| CloudError::Bind { address, purpose, option, source })
}

/// Listens with a longer queue than the usual 128: a client that finds it full tries again only
/// after a second, and a thousand may come at once.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a port is free again as soon as its cloud has ended. On
    // Windows the option would mean that two may have it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
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
