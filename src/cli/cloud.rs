//! `envsim cloud`: only the local cloud, for devices in any language.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::cloud_args::{CloudArgs, OutputFormat};
use super::exit::Exit;
use super::runtime_file::{self, Running, RuntimeFile};
use crate::app::Ending;
use crate::cloud::{CloudOptions, LocalCloud, PortChoice};
use crate::runtime::signals::Signals;
use crate::wire::ConnectionString;

/// Serves until a signal comes.
pub async fn run(args: CloudArgs) -> anyhow::Result<Exit> {
    // Heard before anything stands, so that a signal at any moment ends it cleanly.
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let mut devices: Vec<String> = args.device.iter().map(ToString::to_string).collect();
    let many = u64::from(args.devices.unwrap_or(0));
    devices.extend((0..many).map(|number| args.id_pattern.name(number)));
    let options = CloudOptions {
        bind: args.bind,
        mqtt_port: PortChoice::Exactly(args.mqtt_port),
        https_port: PortChoice::Exactly(args.https_port),
        hostname: args.hostname.clone(),
        devices,
        data_dir: args.data_dir.clone(),
        ..CloudOptions::default()
    };
    let cloud = LocalCloud::start(options).await.context("the local cloud cannot start")?;
    let service = ConnectionString::parse(&cloud.service_connection_string())
        .context("the local cloud's own connection string")?;
    let found = RuntimeFile::leave(&Running::this_process(cloud.hub(), &service, cloud.ca_pem()))
        .with_context(|| {
            let folder = runtime_file::folder().map(|path| path.display().to_string()).unwrap_or_default();
            format!(
                "cannot write to the runtime directory {folder}; set XDG_RUNTIME_DIR to a folder of yours"
            )
        })?;
    // The one in the data folder stays where it is from run to run.
    let throw_away = match cloud.ca_file() {
        Some(_) => None,
        None => Some(AuthorityFile::write(&found, cloud.ca_pem())?),
    };
    let ca_file = cloud.ca_file().or(throw_away.as_ref().map(|file| file.0.as_path()));
    announce(&args, &cloud, ca_file.unwrap_or(Path::new(""))).context("cannot write the ready line")?;
    let ending = signals.next().await;
    debug_assert!(matches!(ending, Ending::Interrupted | Ending::Terminated));
    cloud.stop().await;
    Ok(Exit::Done)
}

/// The authority's certificate as a file, for programs that take a path. Goes with the process.
struct AuthorityFile(PathBuf);

impl AuthorityFile {
    fn write(beside: &RuntimeFile, pem: &str) -> anyhow::Result<Self> {
        let path = beside.path().with_extension("pem");
        runtime_file::write_private(&path, pem.as_bytes())
            .with_context(|| format!("cannot write the authority's certificate to {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for AuthorityFile {
    fn drop(&mut self) {
        // A certificate that stays is no secret and no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Says that it is ready, once, with everything needed to connect. The keys are throw-away ones,
/// and handing them over is what this line is for.
fn announce(args: &CloudArgs, cloud: &LocalCloud, ca_file: &Path) -> std::io::Result<()> {
    let ca_file = ca_file.display().to_string();
    let (hub, endpoint, scope) = (cloud.hub(), cloud.provisioning_endpoint(), cloud.id_scope());
    let (group_key, service) = (cloud.group_key().reveal(), cloud.service_connection_string());
    let kept = match cloud.data_dir() {
        Some(folder) => format!("kept in {}", folder.display()),
        None => "nothing is kept after its end".to_owned(),
    };
    let text = match (args.env, args.format) {
        (true, _) => {
            let lines = [
                ("IOTHUB_DEVICE_DPS_ENDPOINT", endpoint),
                ("IOTHUB_DEVICE_DPS_ID_SCOPE", scope.to_string()),
                ("ENVSIM_GROUP_KEY", group_key),
                ("IOTHUB_CONNECTION_STRING", service),
                ("ENVSIM_CA", ca_file.clone()),
                // What the official SDKs read: Python and C, Python's requests, Node.
                ("SSL_CERT_FILE", ca_file.clone()),
                ("REQUESTS_CA_BUNDLE", ca_file.clone()),
                ("NODE_EXTRA_CA_CERTS", ca_file),
            ];
            let export =
                |(name, value): &(&str, String)| format!("export {name}='{}'", value.replace('\'', r"'\''"));
            lines.iter().map(export).collect::<Vec<_>>().join("\n")
        }
        (false, OutputFormat::Json) => json!({
            "hub": hub, "mqttPort": cloud.mqtt_port(), "httpsPort": cloud.https_port(),
            "provisioningEndpoint": endpoint, "idScope": scope.to_string(), "groupKey": group_key,
            "caFile": ca_file, "serviceConnectionString": service, "dataDir": cloud.data_dir().map(|folder| folder.display().to_string()),
        })
        .to_string(),
        (false, OutputFormat::Text) => format!(
            "local cloud ready: hub {hub}, MQTT on {}, HTTPS on {}, ID scope {scope}, group key {group_key}, CA {ca_file}; \
             {kept}; Ctrl-C ends it",
            cloud.mqtt_port(),
            cloud.https_port()
        ),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
