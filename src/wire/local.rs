//! Paths and bodies of what only our own local cloud has, all below `/envsim`.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::percent;
use super::service::present;

/// Where our own local cloud streams device-to-cloud messages and twin changes, one JSON object a
/// line. Azure has AMQP for this instead.
pub const EVENTS_PATH: &str = "/envsim/events";

/// The same, of one device, and of what comes after this number.
pub fn events_path(device: Option<&str>, after: Option<u64>) -> String {
    let device = device.map(|device| format!("device={}", percent::encode(device)));
    let after = after.map(|after| format!("after={after}"));
    let parameters: Vec<_> = device.into_iter().chain(after).collect();
    if parameters.is_empty() {
        EVENTS_PATH.to_owned()
    } else {
        format!("{EVENTS_PATH}?{}", parameters.join("&"))
    }
}

/// The header of its answer that says when the cloud was started: numbers of events are of one run.
pub const EVENTS_STARTED: &str = "envsim-started";

/// The header of its answer that says after which number the stream begins.
pub const EVENTS_AFTER: &str = "envsim-after";

/// Where our own local cloud is told what shall go wrong.
pub const FAULTS_PATH: &str = "/envsim/faults";

/// Where our own local cloud drops the connections of one device, or of all.
pub fn drop_path(device: Option<&str>) -> String {
    let path = "/envsim/connections/drop";
    device.map_or_else(|| path.to_owned(), |device| format!("{path}?device={}", percent::encode(device)))
}

/// Where our own local cloud tells what the routes of an IoT Edge device do, as [`EdgeStatus`]. In
/// Azure the device's Edge hub has metrics of its own for this.
pub fn edge_path(device: &str) -> String {
    format!("/envsim/edge/{}", percent::encode(device))
}

/// What the routes of an IoT Edge device do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeStatus {
    /// Which device.
    pub device_id: String,
    /// The version of the Edge hub's desired properties read last; none when nothing is deployed,
    /// and messages go to the hub as those of any device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_version: Option<u64>,
    /// Why they could not be taken; the routes are those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The routes by name.
    pub routes: Vec<EdgeRoute>,
    /// Messages that no route took.
    pub unrouted: u64,
}

/// A route of an IoT Edge device, and what became of its messages since the local cloud started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeRoute {
    /// Its name.
    pub name: String,
    /// As the deployment has it.
    pub route: String,
    /// 0 goes first, 9 last; none is behind all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How long a message waits.
    pub time_to_live_secs: u64,
    /// Delivered to its sink.
    pub passed: u64,
    /// Waiting, or delivered and not acknowledged.
    pub queued: usize,
    /// Waited too long.
    pub expired: u64,
    /// Not taken, because the queue was full or no topic could carry it.
    pub dropped: u64,
}

/// Where our own local cloud takes a cloud-to-device message as [`CloudMessage`]. Azure has AMQP
/// for this instead.
pub fn messages_path(device: &str) -> String {
    format!("/envsim/devices/{}/messages", percent::encode(device))
}

/// A cloud-to-device message to be sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CloudMessage {
    /// The body: a text as it is, anything else as JSON.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub body: Option<Value>,
    /// The body when it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// What the body is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How the body is encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// The application's own properties.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// Its id; the hub makes one up when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// What it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Who sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Which outcomes are to be told: `none`, `positive`, `negative` or `full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<String>,
    /// Until when it is worth delivering, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    /// The same as seconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// What the hub says of a cloud-to-device message that it has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage {
    /// Its id.
    pub message_id: String,
    /// Its number in the device's queue.
    pub sequence_number: u64,
    /// When the hub took it, RFC 3339.
    pub enqueued_time_utc: String,
    /// Until when it waits, RFC 3339.
    pub expiry_time_utc: String,
}

/// The source of the event that says how many others were lost to whoever reads too slowly.
pub const EVENTS_MISSED: &str = "envsimEventsMissed";

/// Where the local cloud lists its firmware images, and below it each of them.
pub const FIRMWARE_PATH: &str = "/envsim/firmware";

/// An event of [`EVENTS_PATH`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubEvent {
    /// Counts up from 1 within a run of the hub; in Azure, within a partition.
    pub sequence: u64,
    /// When the hub took it, RFC 3339.
    pub enqueued_time: String,
    /// `Telemetry`, `twinChangeEvents` or `deviceConnectionStateEvents`, as in Azure's messages.
    pub source: String,
    /// Which device.
    pub device_id: String,
    /// Which module on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// System and application properties, by their names in a property bag.
    #[serde(default)]
    pub properties: serde_json::Map<String, Value>,
    /// The body: JSON when it is, else text, else base64 under `{"base64": …}`.
    pub body: Value,
}

/// A message's body as [`HubEvent`] has it.
pub fn readable(body: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(body) {
        return value;
    }
    match std::str::from_utf8(body) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => serde_json::json!({"base64": base64::engine::general_purpose::STANDARD.encode(body)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::service::versioned;
    use serde_json::json;

    #[test]
    fn paths_encode_identifiers() {
        assert_eq!(
            versioned(&drop_path(Some("a&b"))),
            "/envsim/connections/drop?device=a%26b&api-version=2021-04-12"
        );
        assert_eq!(
            versioned(&events_path(Some("a&b"), Some(4))),
            "/envsim/events?device=a%26b&after=4&api-version=2021-04-12"
        );
        assert_eq!(events_path(None, None), "/envsim/events");
    }

    #[test]
    fn bodies_are_json_or_text_or_base64() {
        assert_eq!(readable(b"[1]"), json!([1]));
        assert_eq!(readable(b"hello"), json!("hello"));
        assert_eq!(readable(&[0xff, 0]), json!({"base64": "/wA="}));
    }

    #[test]
    fn a_message_to_a_device_is_written_and_read() {
        assert_eq!(messages_path("d#1"), "/envsim/devices/d%231/messages");
        let text = json!({"body": {"a": 1}, "properties": {"Level": "3"}, "messageId": "m", "ack": "full", "ttlSeconds": 60});
        let message: CloudMessage = serde_json::from_value(text.clone()).expect("a message");
        assert_eq!(serde_json::to_value(message).expect("JSON"), text);
        let misspelt = serde_json::from_value::<CloudMessage>(json!({"boddy": 1}));
        assert!(misspelt.is_err_and(|error| error.to_string().contains("boddy")));
    }

    #[test]
    fn what_routes_do_is_written_and_read() {
        assert_eq!(edge_path("e#1"), "/envsim/edge/e%231");
        let text = json!({"deviceId": "e", "desiredVersion": 4, "refused": "why", "unrouted": 2, "routes": [{
            "name": "up", "route": "FROM /* INTO $upstream", "priority": 3, "timeToLiveSecs": 60,
            "passed": 1, "queued": 0, "expired": 0, "dropped": 5,
        }]});
        let status: EdgeStatus = serde_json::from_value(text.clone()).expect("a status");
        assert_eq!((status.routes[0].priority, status.routes[0].dropped), (Some(3), 5));
        assert_eq!(serde_json::to_value(status).expect("JSON"), text);
        let bare = json!({"deviceId": "e", "routes": [], "unrouted": 0});
        let status: EdgeStatus = serde_json::from_value(bare.clone()).expect("a status");
        assert_eq!(serde_json::to_value(status).expect("JSON"), bare);
    }
}
