//! What the verbs of `envsim hub` tell, to people and to programs. One line for each thing told;
//! the caller writes it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::wait_for::{Progress, WaitFor};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::device::DeviceId;
use crate::device::time::Spoken;
use crate::operator::faults::words;
use crate::wire::service::{HubEvent, MethodResult, SentMessage};

/// A device's answer to a command. For people its status, its time and its words; for programs
/// what the service said.
pub fn answer(command: &str, result: &MethodResult, took: Duration, format: OutputFormat) -> String {
    match format {
        OutputFormat::Text => {
            format!(
                "{} answered {} after {}: {}",
                clean(command),
                result.status,
                Spoken(took),
                result.payload
            )
        }
        OutputFormat::Json => json!({"event": "answer", "command": command, "status": result.status,
            "payload": result.payload, "tookMs": millis(took)})
        .to_string(),
    }
}

/// A message that the hub has taken for a device.
pub fn sent(device: &DeviceId, sent: &SentMessage, zone: &TimeZone, format: OutputFormat) -> String {
    match format {
        OutputFormat::Text => {
            let until = match sent.expiry_time_utc.parse::<Timestamp>() {
                Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
                Err(_) => sent.expiry_time_utc.clone(),
            };
            clean(&format!("the hub has message {} for {device} and keeps it until {until}", sent.message_id))
        }
        OutputFormat::Json => {
            json!({"event": "sent", "deviceId": device.as_str(), "messageId": sent.message_id,
            "sequenceNumber": sent.sequence_number, "enqueuedTimeUtc": sent.enqueued_time_utc,
            "expiryTimeUtc": sent.expiry_time_utc})
            .to_string()
        }
    }
}

/// How the program ends after an answer: a device that refuses has not done what was asked.
pub fn exit_of(result: &MethodResult) -> Exit {
    if (200..300).contains(&result.status) { Exit::Done } else { Exit::Failed }
}

/// A step of waiting for an outcome, with its time.
pub fn step(
    wanted: &WaitFor,
    progress: &Progress,
    at: Timestamp,
    zone: &TimeZone,
    format: OutputFormat,
) -> String {
    match format {
        OutputFormat::Text => {
            let said = match progress {
                Progress::Missing => format!("waiting for {wanted}: not reported yet"),
                Progress::Other(value) => format!("waiting for {wanted}: now {value}"),
                Progress::Before(value) => {
                    format!("waiting for {wanted}: {value} from before the command, not reported again yet")
                }
                Progress::Met(value) => format!("{wanted}: reported {value}"),
            };
            format!("{}  {}", time_of_day(at, zone), clean(&said))
        }
        OutputFormat::Json => {
            let (state, value) = match progress {
                Progress::Missing => ("missing", None),
                Progress::Other(value) => ("other", Some(value)),
                Progress::Before(value) => ("before", Some(value)),
                Progress::Met(value) => ("met", Some(value)),
            };
            json!({"event": "wait", "time": at.to_string(), "for": wanted.to_string(), "state": state, "value": value})
                .to_string()
        }
    }
}

/// Why waiting ended without the outcome.
pub fn gave_up(wanted: &WaitFor, last: &Progress, after: Duration) -> String {
    let found = match last {
        Progress::Missing => "the device has not reported it".to_owned(),
        Progress::Other(value) | Progress::Met(value) => format!("the twin shows {value}"),
        Progress::Before(value) => {
            format!(
                "the twin showed {value} before the command already, and the device has not reported it again"
            )
        }
    };
    clean(&format!("{wanted} was not reported within {}: {found}; --timeout waits longer", Spoken(after)))
}

/// A twin. For people without the hub's notes on when each value was written.
pub fn twin(twin: &Value, format: OutputFormat) -> String {
    match format {
        OutputFormat::Json => twin.to_string(),
        OutputFormat::Text => {
            let mut twin = twin.clone();
            strip_metadata(&mut twin);
            serde_json::to_string_pretty(&twin).unwrap_or_default()
        }
    }
}

/// What goes wrong on request.
pub fn faults(faults: &Value, format: OutputFormat) -> String {
    match format {
        OutputFormat::Json => faults.to_string(),
        OutputFormat::Text => clean(&words(faults)),
    }
}

/// How many connections were dropped.
pub fn dropped(count: u64, format: OutputFormat) -> String {
    match format {
        OutputFormat::Json => json!({"event": "dropped", "connections": count}).to_string(),
        OutputFormat::Text if count == 1 => "dropped 1 connection".to_owned(),
        OutputFormat::Text => format!("dropped {count} connections"),
    }
}

/// An event of a hub.
pub fn event(event: &HubEvent, zone: &TimeZone, format: OutputFormat) -> String {
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

fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S.%3f").to_string()
}

fn strip_metadata(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|name, _| name != "$metadata");
        members.values_mut().for_each(strip_metadata);
    }
}

/// Keeps what others wrote from moving the cursor of this terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-21T13:03:07.12Z";

    fn at() -> Timestamp {
        AT.parse().expect("a timestamp")
    }

    #[test]
    fn an_answer_is_told_to_both() {
        let result = MethodResult { status: 200, payload: json!({"Response": "done"}) };
        let took = Duration::from_millis(350);
        assert_eq!(
            answer("blink", &result, took, OutputFormat::Text),
            r#"blink answered 200 after 350 ms: {"Response":"done"}"#
        );
        let told: Value =
            serde_json::from_str(&answer("blink", &result, took, OutputFormat::Json)).expect("JSON");
        assert_eq!(
            told,
            json!({"event": "answer", "command": "blink", "status": 200, "payload": {"Response": "done"}, "tookMs": 350})
        );
        assert_eq!(exit_of(&result), Exit::Done);
        assert_eq!(exit_of(&MethodResult { status: 404, payload: Value::Null }), Exit::Failed);
    }

    #[test]
    fn a_message_that_was_taken_is_told_to_both() {
        let device = "dev-1".parse().expect("an id");
        let message = SentMessage {
            message_id: "7c1f".to_owned(),
            sequence_number: 3,
            enqueued_time_utc: AT.to_owned(),
            expiry_time_utc: "2026-11-21T14:03:07Z".to_owned(),
        };
        assert_eq!(
            sent(&device, &message, &TimeZone::UTC, OutputFormat::Text),
            "the hub has message 7c1f for dev-1 and keeps it until 2026-11-21 14:03:07"
        );
        let told: Value =
            serde_json::from_str(&sent(&device, &message, &TimeZone::UTC, OutputFormat::Json)).expect("JSON");
        assert_eq!(
            told,
            json!({"event": "sent", "deviceId": "dev-1", "messageId": "7c1f", "sequenceNumber": 3,
                "enqueuedTimeUtc": AT, "expiryTimeUtc": "2026-11-21T14:03:07Z"})
        );
    }

    #[test]
    fn every_step_of_waiting_has_its_time() {
        let wanted: WaitFor = "status=done".parse().expect("a path");
        let text = |progress| step(&wanted, &progress, at(), &TimeZone::UTC, OutputFormat::Text);
        assert_eq!(text(Progress::Missing), "13:03:07.120  waiting for status=done: not reported yet");
        assert_eq!(
            text(Progress::Other(json!("busy"))),
            "13:03:07.120  waiting for status=done: now \"busy\""
        );
        assert_eq!(text(Progress::Met(json!("done"))), "13:03:07.120  status=done: reported \"done\"");
        let json = step(&wanted, &Progress::Other(json!(1)), at(), &TimeZone::UTC, OutputFormat::Json);
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            json,
            json!({"event": "wait", "time": "2026-11-21T13:03:07.12Z", "for": "status=done", "state": "other", "value": 1})
        );
        assert_eq!(
            gave_up(&wanted, &Progress::Missing, Duration::from_secs(60)),
            "status=done was not reported within 1 min 00 s: the device has not reported it; --timeout waits longer"
        );
    }

    #[test]
    fn a_twin_for_people_has_no_metadata() {
        let document =
            json!({"deviceId": "d", "properties": {"reported": {"x": 1, "$metadata": {}, "$version": 2}}});
        assert!(!twin(&document, OutputFormat::Text).contains("$metadata"));
        assert!(twin(&document, OutputFormat::Text).contains("\"$version\": 2"));
        assert_eq!(twin(&document, OutputFormat::Json), document.to_string());
    }

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
            event(&it, &TimeZone::UTC, OutputFormat::Text),
            r#"13:03:07.120  dev-1  telemetry  {"temp":21.5}  [alert=high]"#
        );
        it.device_id = "a\n\x1b[2Jb".to_owned();
        let line = event(&it, &TimeZone::UTC, OutputFormat::Text);
        assert!(!line.contains('\n') && !line.contains('\x1b'), "{line:?}");
        let json: HubEvent =
            serde_json::from_str(&event(&it, &TimeZone::UTC, OutputFormat::Json)).expect("JSON");
        assert_eq!(json, it);
    }
}
