//! `envsim hub monitor`: what devices send, and what happens to their twins and connections.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::tell::{clean, time_of_day};
use super::which::{Hub, explained};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::device::DeviceId;
use crate::wire::service::HubEvent;

/// The options of `envsim hub monitor`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct MonitorArgs {
    /// Only this device
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceId>,

    /// End after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// Watches, until there is enough of it or a signal comes.
pub async fn run(hub: &Hub, args: &MonitorArgs) -> anyhow::Result<Exit> {
    let mut events = explained(hub.client.monitor(args.device.as_ref()).await)?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(event) = explained(events.next().await)? else {
            anyhow::bail!("the hub {} has ended the stream of events; it was stopped", hub.client.host());
        };
        if args.device.as_ref().is_none_or(|device| device.as_str() == event.device_id) {
            hub.say(&told(&event, &hub.zone, hub.format))?;
            left -= 1;
        }
    }
    Ok(Exit::Done)
}

/// An event of a hub.
fn told(event: &HubEvent, zone: &TimeZone, format: OutputFormat) -> String {
    if format == OutputFormat::Json {
        return serde_json::to_string(event).unwrap_or_default();
    }
    let time = match event.enqueued_time.parse::<Timestamp>() {
        Ok(at) => time_of_day(at, zone),
        Err(_) => event.enqueued_time.clone(),
    };
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
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect();
    let properties =
        if properties.is_empty() { String::new() } else { format!("  [{}]", properties.join(", ")) };
    clean(&format!("{time}  {who}  {what}  {}{properties}", event.body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let json: HubEvent =
            serde_json::from_str(&told(&it, &TimeZone::UTC, OutputFormat::Json)).expect("JSON");
        assert_eq!(json, it);
    }
}
