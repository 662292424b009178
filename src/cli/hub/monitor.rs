//! `envsim hub monitor`: what devices send, and what happens to their twins and connections.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::HubArgs;
use super::examples::MONITOR;
use super::outage::Outage;
use super::tell::{clean, time_of_day};
use super::values::{self, InputError};
use super::which::{Hub, explained, say, trust};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::device::time::Spoken;
use crate::device::{DeviceId, ModuleId};
use crate::operator::{Events, Heard, Origin};
use crate::wire::event_hub::{DEFAULT_GROUP, EventHub};
use crate::wire::local::{EVENTS_MISSED, HubEvent};

/// The options of `envsim hub monitor`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = MONITOR)]
pub struct MonitorArgs {
    /// Only this device and its modules
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceId>,

    /// Only this module of the device
    #[arg(long, value_name = "MODULE", requires = "device")]
    pub module: Option<ModuleId>,

    /// Only events with this property, and this value of it; may be given more than once
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = values::wanted_property)]
    pub property: Vec<(String, Option<String>)>,

    /// Read the Event Hub-compatible endpoint of the connection string in this file (in the portal: the
    /// hub's built-in endpoints), and not the one that a hub in Azure names by itself
    #[arg(long, value_name = "FILE")]
    pub event_hub_connection_string_file: Option<PathBuf>,

    /// Read for this consumer group of the endpoint
    #[arg(long, value_name = "GROUP", default_value = DEFAULT_GROUP, value_parser = values::consumer_group)]
    pub consumer_group: String,

    /// End after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after this time; with --count it is a failure if not all of them have come
    #[arg(long = "for", value_name = "TIME", value_parser = values::positive)]
    pub span: Option<Duration>,
}

/// The pause before a stream that has ended is read on.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches, until there is enough of it or a signal comes.
pub async fn run(hub: &mut Hub, args: &MonitorArgs) -> anyhow::Result<Exit> {
    let events = explained(hub.client.monitor(args.device.as_ref(), &args.consumer_group).await)?;
    if let Some(device) = &args.device {
        // A stream about nobody would be silent for ever.
        explained(hub.client.twin(device, args.module.as_ref()).await)?;
    }
    let (zone, format) = (hub.zone.clone(), hub.format);
    say(&begun(hub.client.host(), args, format))?;
    watch(events, Some(hub), &zone, format, args).await
}

/// Watches an endpoint that is given by itself, in `file`: no hub is asked.
pub async fn run_endpoint(hub: &HubArgs, args: &MonitorArgs, file: &Path) -> anyhow::Result<Exit> {
    if hub.hub.is_some() || hub.names_connection() {
        return Err(InputError::HubAndEndpoint.into());
    }
    let endpoint = EventHub::parse(&values::text_of(file).await?)
        .map_err(|why| InputError::Content { path: values::name_of(file), why: why.to_string() })?;
    let trust = trust(hub)?;
    let host = endpoint.host.clone();
    let events = explained(Events::read(Origin::Endpoint(endpoint), &args.consumer_group, &trust).await)?;
    say(&begun(&host, args, hub.format))?;
    watch(events, None, &TimeZone::system(), hub.format, args).await
}

async fn watch(
    mut events: Events,
    mut hub: Option<&mut Hub>,
    zone: &TimeZone,
    format: OutputFormat,
    args: &MonitorArgs,
) -> anyhow::Result<Exit> {
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut outage = Outage::none(format, zone);
    let watch = async {
        while left > 0 {
            let event = match (explained(events.next().await)?, &mut hub) {
                (Some(Heard::Event(event)), _) => event,
                (Some(Heard::Lost(why)), _) => {
                    outage.lost(&why)?;
                    continue;
                }
                (Some(Heard::Back), _) => {
                    outage.over()?;
                    continue;
                }
                (Some(Heard::Ended(why)), Some(hub)) => {
                    outage.lost(&why)?;
                    read_on(&mut events, hub, &mut outage).await?;
                    continue;
                }
                (Some(Heard::Ended(why)), None) => anyhow::bail!("{why}"),
                (None, _) => anyhow::bail!("there are no more events to read"),
            };
            let missed = event.source == EVENTS_MISSED;
            if missed || is_wanted(&event, args) {
                say(&told(&event, zone, format))?;
                left -= u64::from(!missed);
            }
        }
        Ok(Exit::Done)
    };
    let Some(span) = args.span else { return watch.await };
    let Ok(ended) = tokio::time::timeout(span, watch).await else {
        return match args.count {
            None => Ok(Exit::Done),
            Some(count) => anyhow::bail!("{} of {count} events came within {}", count - left, Spoken(span)),
        };
    };
    ended
}

/// Reads a stream on that has ended, as soon as the hub is there again.
async fn read_on(events: &mut Events, hub: &mut Hub, outage: &mut Outage) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(PAUSE).await;
        match events.read_on(&hub.client).await {
            Ok(()) => return outage.over(),
            Err(why) => outage.failed(hub, why)?,
        }
    }
}

fn is_wanted(event: &HubEvent, args: &MonitorArgs) -> bool {
    let has = |(name, value): &(String, Option<String>)| {
        let found = event.properties.get(name);
        found.is_some_and(|found| value.as_ref().is_none_or(|value| text(found) == *value))
    };
    args.device.as_ref().is_none_or(|device| device.as_str() == event.device_id)
        && args.module.as_ref().is_none_or(|module| Some(module.as_str()) == event.module_id.as_deref())
        && args.property.iter().all(has)
}

/// A property's value. Of their kinds in JSON people know nothing.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// From now on nothing is missed.
fn begun(host: &str, args: &MonitorArgs, format: OutputFormat) -> String {
    let (device, module) = (args.device.as_ref(), args.module.as_ref());
    match format {
        OutputFormat::Json => json!({"event": "listening", "time": Timestamp::now().to_string(),
            "deviceId": device.map(DeviceId::as_str), "moduleId": module.map(ModuleId::as_str)})
        .to_string(),
        OutputFormat::Text => {
            let who = match (device, module) {
                (None, _) => "devices send".to_owned(),
                (Some(device), None) => format!("{device} sends"),
                (Some(device), Some(module)) => format!("{device}/{module} sends"),
            };
            format!("listening to what {who} to {host}; Ctrl-C ends it")
        }
    }
}

fn for_programs(event: &HubEvent) -> Value {
    if event.source == EVENTS_MISSED {
        return json!({"event": "missed", "time": event.enqueued_time, "count": event.body["missed"]});
    }
    json!({"event": "heard", "time": event.enqueued_time, "sequence": event.sequence,
        "enqueuedTime": event.enqueued_time, "source": event.source, "deviceId": event.device_id,
        "moduleId": event.module_id, "properties": event.properties, "body": event.body})
}

/// An event of a hub.
fn told(event: &HubEvent, zone: &TimeZone, format: OutputFormat) -> String {
    if format == OutputFormat::Json {
        return for_programs(event).to_string();
    }
    let time = match event.enqueued_time.parse::<Timestamp>() {
        Ok(at) => time_of_day(at, zone),
        Err(_) => event.enqueued_time.clone(),
    };
    if event.source == EVENTS_MISSED {
        return format!("{time}  {} events were missed: this is read too slowly", event.body["missed"]);
    }
    let who = match &event.module_id {
        Some(module) => format!("{}/{module}", event.device_id),
        None => event.device_id.clone(),
    };
    let what = match event.source.as_str() {
        "Telemetry" => "telemetry",
        "twinChangeEvents" => "twin changed",
        "deviceConnectionStateEvents" => "connection",
        other => other,
    };
    // Names of the system's own properties begin with `$`, and say nothing to a person here.
    let properties: Vec<_> = event
        .properties
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    let properties =
        if properties.is_empty() { String::new() } else { format!("  [{}]", properties.join(", ")) };
    clean(&format!("{time}  {who}  {what}  {}{properties}", event.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-21T13:03:07.12Z";

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let mut it = HubEvent {
            sequence: 1,
            enqueued_time: AT.to_owned(),
            source: "Telemetry".to_owned(),
            device_id: "dev-1".to_owned(),
            module_id: None,
            properties: json!({"$.ct": "application/json", "alert": "high"})
                .as_object()
                .cloned()
                .unwrap_or_default(),
            body: json!({"temp": 21.5}),
        };
        assert_eq!(
            told(&it, &TimeZone::UTC, OutputFormat::Text),
            r#"13:03:07.120  dev-1  telemetry  {"temp":21.5}  [alert=high]"#
        );
        it.device_id = "a\n\x1b[2Jb".to_owned();
        let line = told(&it, &TimeZone::UTC, OutputFormat::Text);
        assert!(!line.contains('\n') && !line.contains('\x1b'), "{line:?}");
        it.device_id = "dev-1".to_owned();
        let told: Value = serde_json::from_str(&told(&it, &TimeZone::UTC, OutputFormat::Json)).expect("JSON");
        assert_eq!(
            told,
            json!({"event": "heard", "time": AT, "sequence": 1, "enqueuedTime": AT, "source": "Telemetry",
                "deviceId": "dev-1", "moduleId": null, "body": {"temp": 21.5},
                "properties": {"$.ct": "application/json", "alert": "high"}})
        );
    }

    #[test]
    fn events_are_chosen_by_module_and_property() {
        let event = HubEvent {
            sequence: 1,
            enqueued_time: AT.to_owned(),
            source: "Telemetry".to_owned(),
            device_id: "d".to_owned(),
            module_id: Some("m".to_owned()),
            properties: json!({"MessageType": "Alert", "level": 3}).as_object().cloned().unwrap_or_default(),
            body: Value::Null,
        };
        let wanted = |module: Option<&str>, properties: &[&str]| {
            let args = MonitorArgs {
                device: "d".parse().ok(),
                module: module.map(|module| module.parse().expect("an id")),
                property: properties.iter().map(|text| values::wanted_property(text).expect(text)).collect(),
                event_hub_connection_string_file: None,
                consumer_group: DEFAULT_GROUP.to_owned(),
                count: None,
                span: None,
            };
            is_wanted(&event, &args)
        };
        assert!(wanted(None, &[]) && wanted(Some("m"), &["MessageType=Alert", "level=3"]));
        assert!(wanted(None, &["level"]));
        assert!(
            !wanted(Some("other"), &[]) && !wanted(None, &["MessageType=alert"]) && !wanted(None, &["x"])
        );
    }

    #[test]
    fn events_that_were_missed_are_told() {
        let event = HubEvent {
            sequence: 9,
            enqueued_time: AT.to_owned(),
            source: EVENTS_MISSED.to_owned(),
            device_id: String::new(),
            module_id: None,
            properties: serde_json::Map::new(),
            body: json!({"missed": 5}),
        };
        assert_eq!(
            told(&event, &TimeZone::UTC, OutputFormat::Text),
            "13:03:07.120  5 events were missed: this is read too slowly"
        );
        let told: Value =
            serde_json::from_str(&told(&event, &TimeZone::UTC, OutputFormat::Json)).expect("JSON");
        assert_eq!(told, json!({"event": "missed", "time": AT, "count": 5}));
    }
}
