//! `envsim cloud`: only the local cloud, for devices in any language.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::cloud_args::{CloudArgs, OutputFormat};
use super::difficult_args::DifficultArgs;
use super::exit::Exit;
use super::overdue;
use super::runtime_file::{self, Running, RuntimeFile};
use crate::app::Ending;
use crate::cloud::{AMQP_PORT, CloudOptions, LocalCloud, PortChoice};
use crate::operator::faults;
use crate::runtime::signals::Signals;
use crate::system::user;
use crate::wire::ConnectionString;

/// What whoever has just started it does next.
const NEXT: &str = "next: `envsim hub monitor` in another terminal shows what devices send; `envsim cloud --env` instead \
                    of this prints the variables that SDKs read; `envsim cloud --help` has examples";

/// How long it may take to end after a signal: more than its connections are given.
const GRACE: Duration = Duration::from_secs(4);

/// Serves until a signal comes.
pub async fn run(args: CloudArgs) -> anyhow::Result<Exit> {
    // Heard before anything stands, so that a signal at any moment ends it cleanly.
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    overdue::end_after(GRACE, |_| Exit::Done).context("cannot listen for signals")?;
    let mut devices: Vec<String> = args.device.iter().map(ToString::to_string).collect();
    let many = u64::from(args.devices.unwrap_or(0));
    devices.extend((0..many).map(|number| args.id_pattern.name(number)));
    let options = CloudOptions {
        bind: args.bind,
        mqtt_port: PortChoice::Exactly(args.mqtt_port),
        https_port: PortChoice::Exactly(args.https_port),
        amqp_port: Some(args.amqp_port.map_or(PortChoice::Preferred(AMQP_PORT), PortChoice::Exactly)),
        hostname: args.hostname.clone(),
        devices,
        assigning_for: args.assigning_for.unwrap_or_default(),
        quota: args.difficult.quota()?,
        trouble: args.difficult.trouble(),
        authorities: args.authorities(&|path| std::fs::read(path))?,
        data_dir: args.data_dir.clone(),
        more_scopes: args.more_scopes,
        ..CloudOptions::default()
    };
    if let Some(folder) = &args.data_dir {
        super::note_if_open(folder);
    }
    let cloud = LocalCloud::start(options).await.context("the local cloud cannot start")?;
    let service = ConnectionString::parse(&cloud.service_connection_string())
        .context("the local cloud's own connection string")?;
    let running = Running::this_process(cloud.hub(), &service, cloud.ca_pem());
    let found = RuntimeFile::leave(&running.with_mqtt_port(cloud.mqtt_port())).with_context(|| {
        let folder = user::runtime_folder().map(|path| path.display().to_string()).unwrap_or_default();
        format!("cannot write to the runtime directory {folder}; set XDG_RUNTIME_DIR to a folder of yours")
    })?;
    // The one in the data folder stays where it is from run to run.
    let throw_away = match cloud.ca_file() {
        Some(_) => None,
        None => Some(AuthorityFile::write(&found, cloud.ca_pem())?),
    };
    let ca_file = cloud.ca_file().or(throw_away.as_ref().map(|file| file.0.as_path()));
    if let Some(note) = renamed(&cloud) {
        // It goes on without the note when that cannot be written.
        let _ = writeln!(std::io::stderr(), "envsim: {note}");
    }
    announce(&args, &cloud, ca_file.unwrap_or(Path::new(""))).context("cannot write the ready line")?;
    let ending = signals.next().await;
    debug_assert!(matches!(ending, Ending::Interrupted | Ending::Terminated));
    cloud.stop().await;
    Ok(Exit::Done)
}

/// What a new name means for those who were told the old one.
fn renamed(cloud: &LocalCloud) -> Option<String> {
    let (before, now) = (cloud.name_before()?, cloud.hub());
    Some(format!(
        "the cloud in {} went by `{before}` before and goes by `{now}` now: whoever was told the old name, in \
         a connection string for example, has to be told the new one; or start it with --hostname {before}",
        cloud.data_dir().unwrap_or(Path::new("")).display()
    ))
}

/// The authority's certificate as a file, for programs that take a path. Goes with the process.
struct AuthorityFile(PathBuf);

impl AuthorityFile {
    fn write(beside: &RuntimeFile, pem: &str) -> anyhow::Result<Self> {
        let path = beside.authority();
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
    let others: Vec<_> = cloud.other_scopes().iter().map(ToString::to_string).collect();
    let (group_key, service) = (cloud.group_key().reveal(), cloud.service_connection_string());
    let provisioning_service = cloud.provisioning_service_connection_string();
    let event_hub = cloud.event_hub_connection_string();
    let (difficult, clause) = difficult(&args.difficult);
    let kept = match cloud.data_dir() {
        Some(folder) => format!("kept in {}", folder.display()),
        None => "nothing is kept after its end".to_owned(),
    };
    let amqp = cloud.amqp_port().map(|port| format!("AMQP on {port}, ")).unwrap_or_default();
    let text = match (args.env, args.format) {
        (true, _) => {
            let mut lines = vec![
                ("IOTHUB_DEVICE_DPS_ENDPOINT", endpoint),
                ("IOTHUB_DEVICE_DPS_ID_SCOPE", scope.to_string()),
                // Where a device may be told to move; the first of them is enough to try it.
                ("ENVSIM_OTHER_ID_SCOPE", others.first().cloned().unwrap_or_default()),
                // The bare name: what MQTT clients of DPS and of the hub take.
                ("ENVSIM_HUB", hub.to_owned()),
                // For what goes straight to the hub: DPS says the port with the name.
                ("ENVSIM_MQTT_PORT", cloud.mqtt_port().to_string()),
                ("ENVSIM_GROUP_KEY", group_key),
                ("IOTHUB_CONNECTION_STRING", service),
                // What Microsoft's samples of the provisioning service's SDKs read.
                ("PROVISIONING_SERVICE_CONNECTION_STRING", provisioning_service),
                ("ENVSIM_CA", ca_file.clone()),
                // What the official SDKs read: Python and C, Python's requests, Node.
                ("SSL_CERT_FILE", ca_file.clone()),
                ("REQUESTS_CA_BUNDLE", ca_file.clone()),
                ("NODE_EXTRA_CA_CERTS", ca_file),
            ];
            // What Microsoft's samples and tests of the Event Hubs SDKs read.
            lines.extend(event_hub.map(|text| ("EVENTHUB_CONNECTION_STRING", text)));
            let export =
                |(name, value): &(&str, String)| format!("export {name}='{}'", value.replace('\'', r"'\''"));
            let given = lines.iter().filter(|(_, value)| !value.is_empty());
            given.map(export).collect::<Vec<_>>().join("\n")
        }
        (false, OutputFormat::Json) => {
            let mut ready = json!({
            "hub": hub, "mqttPort": cloud.mqtt_port(), "httpsPort": cloud.https_port(),
            "amqpPort": cloud.amqp_port(), "eventHubConnectionString": event_hub,
            "provisioningEndpoint": endpoint, "idScope": scope.to_string(), "otherScopes": others, "groupKey": group_key,
            "caFile": ca_file, "serviceConnectionString": service,
            "provisioningServiceConnectionString": provisioning_service, "dataDir": cloud.data_dir().map(|folder| folder.display().to_string()),
            });
            if !difficult.is_empty() {
                ready["faults"] = Value::Object(difficult);
            }
            ready.to_string()
        }
        (false, OutputFormat::Text) => format!(
            "local cloud ready: hub {hub}, MQTT on {}, HTTPS on {}, {amqp}ID scope {}, group key {group_key}, CA {ca_file}; \
             {clause}{kept}; Ctrl-C ends it\n{NEXT}",
            cloud.mqtt_port(),
            cloud.https_port(),
            [&[scope.to_string()], &others[..]].concat().join(" or "),
        ),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// What was made difficult, for programs and as a clause for people.
fn difficult(args: &DifficultArgs) -> (Map<String, Value>, String) {
    let trouble = serde_json::to_value(args.trouble()).unwrap_or_default();
    let mut asked = faults::asked(&trouble);
    let mut words: Vec<_> = (!asked.is_empty()).then(|| faults::words(&trouble)).into_iter().collect();
    if let Some(sku) = args.sku {
        let units = args.units.unwrap_or(1);
        asked.insert("sku".to_owned(), json!(sku.name()));
        asked.insert("units".to_owned(), json!(units));
        words.insert(0, format!("the limits of {units} unit(s) {} hold", sku.name()));
    }
    let clause = if words.is_empty() { String::new() } else { format!("on request {}; ", words.join(", ")) };
    (asked, clause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::core::quota::Sku;

    #[test]
    fn the_ready_line_tells_what_was_made_difficult() {
        assert_eq!(difficult(&DifficultArgs::default()), (Map::new(), String::new()));
        let args = DifficultArgs {
            sku: Some(Sku::S1),
            latency: Some(std::time::Duration::from_secs(1)),
            ..DifficultArgs::default()
        };
        let (asked, clause) = difficult(&args);
        assert_eq!(Value::Object(asked), json!({"latency": 1000, "sku": "S1", "units": 1}));
        assert_eq!(clause, "on request the limits of 1 unit(s) S1 hold, answers come 1 s late; ");
    }
}
