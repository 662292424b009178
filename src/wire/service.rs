//! Paths and bodies of a hub's service side, as back ends use it.
//!
//! IoT Hub REST, service data plane, api-version 2021-04-12.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::percent;

/// The api-version of our requests.
pub const API_VERSION: &str = "2021-04-12";

/// The query parameter that every request carries.
pub const API_VERSION_PARAMETER: &str = "api-version";

/// The first segments of the path on which a hub takes MQTT over WebSocket.
pub const WEBSOCKET_PATH: [&str; 2] = ["$iothub", "websocket"];

/// A path, with or without a query, with the version of our requests.
pub fn versioned(path: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{API_VERSION_PARAMETER}={API_VERSION}")
}

/// The path of a device or module in the identity registry.
pub fn identity_path(device: &str, module: Option<&str>) -> String {
    let path = format!("/devices/{}", percent::encode(device));
    module.map_or_else(|| path.clone(), |module| format!("{path}/modules/{}", percent::encode(module)))
}

/// The path of a device's modules in the identity registry.
pub fn modules_path(device: &str) -> String {
    format!("/devices/{}/modules", percent::encode(device))
}

/// The path that sets modules and routes on an IoT Edge device. IoT Hub REST, "Configuration -
/// Apply On Edge Device".
pub fn apply_path(device: &str) -> String {
    format!("/devices/{}/applyConfigurationContent", percent::encode(device))
}

/// Where queries are asked. IoT Hub REST, "Query - Get Twins".
pub const QUERY_PATH: &str = "/devices/query";

/// The header with the most items that a page of an answer may have.
pub const MAX_ITEMS: &str = "x-ms-max-item-count";

/// The header that leads from one page of an answer to the next.
pub const CONTINUATION: &str = "x-ms-continuation";

/// The header that says what the items of an answer are, such as `Twin` or `Raw`.
pub const ITEM_TYPE: &str = "x-ms-item-type";

/// With a command that a module sends: `{device}/{module}`, who sends it.
pub const EDGE_MODULE_ID: &str = "x-ms-edge-moduleid";

/// The modules that every IoT Edge device has: the one that runs the others, and the one that
/// routes messages between them.
pub const EDGE_AGENT: &str = "$edgeAgent";

/// See [`EDGE_AGENT`].
pub const EDGE_HUB: &str = "$edgeHub";

/// The path of a twin.
pub fn twin_path(device: &str, module: Option<&str>) -> String {
    match module {
        Some(module) => format!("/twins/{}/modules/{}", percent::encode(device), percent::encode(module)),
        None => format!("/twins/{}", percent::encode(device)),
    }
}

/// The path that invokes a command.
pub fn methods_path(device: &str, module: Option<&str>) -> String {
    format!("{}/methods", twin_path(device, module))
}

/// The body that invokes a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodCall {
    /// The command.
    pub method_name: String,
    /// The request. Absent and null are different to the device: nothing at all, or `null`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub payload: Option<Value>,
    /// How long the device may take: 5 to 300 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_timeout_in_seconds: Option<u64>,
    /// How long to wait for the device to be connected: 0 to 300 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout_in_seconds: Option<u64>,
}

pub(super) fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// What a command's invocation answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodResult {
    /// The device's status.
    pub status: i32,
    /// The device's response. Azure writes null where there is none; a hub that leaves it out means
    /// the same.
    #[serde(default)]
    pub payload: Value,
}

/// What a batch of feedback on cloud-to-device messages says that it is.
pub const FEEDBACK_TYPE: &str = "application/vnd.microsoft.iothub.feedback.json";

/// A failed request: `{"Message": "ErrorCode:Name;text", "ExceptionMessage": "Tracking ID:…"}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ErrorBody {
    /// The code's name and words, or for commands a JSON text of [`MethodError`].
    pub message: String,
    /// For the service's support.
    pub exception_message: String,
}

/// The inner error of a failed command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MethodError {
    /// 404103 the device is not connected, 504101 it did not answer.
    pub error_code: u32,
    /// For the service's support.
    pub tracking_id: String,
    /// In words.
    pub message: String,
    /// What it waited for.
    pub info: Value,
    /// RFC 3339.
    pub timestamp_utc: String,
}

/// The device is not connected, or does not take commands.
pub const DEVICE_NOT_ONLINE: u32 = 404_103;

/// The device's connection has ended while it was waited for.
pub const DEVICE_CUT_OFF: u32 = 404_104;

/// There is no such device.
pub const DEVICE_NOT_FOUND: u32 = 404_001;

/// There is no such module.
pub const MODULE_NOT_FOUND: u32 = 404_010;

/// The device did not answer in time.
pub const GATEWAY_TIMEOUT: u32 = 504_101;

/// A device of this name is in the registry already.
pub const DEVICE_ALREADY_EXISTS: u32 = 409_001;

/// A module of this name is on the device already.
pub const MODULE_ALREADY_EXISTS: u32 = 409_301;

/// Hubs in Azure's clouds: public, China, US government.
pub fn is_azure(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    [".azure-devices.net", ".azure-devices.cn", ".azure-devices.us"].iter().any(|end| host.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_to_a_command_may_leave_its_response_out() {
        for text in [r#"{"status":200}"#, r#"{"status":200,"payload":null}"#] {
            let result: MethodResult = serde_json::from_str(text).expect("an answer");
            assert_eq!(result, MethodResult { status: 200, payload: Value::Null });
        }
        assert!(serde_json::from_str::<MethodResult>(r#"{"payload":1}"#).is_err());
    }

    #[test]
    fn paths_encode_identifiers() {
        assert_eq!(twin_path("d:1#x?", None), "/twins/d%3A1%23x%3F");
        assert_eq!(versioned("/twins/d"), "/twins/d?api-version=2021-04-12");
        assert_eq!(identity_path("d:1", None), "/devices/d%3A1");
        assert_eq!(identity_path("d:1", Some("$edgeHub")), "/devices/d%3A1/modules/%24edgeHub");
        assert_eq!(modules_path("d#"), "/devices/d%23/modules");
        assert_eq!(apply_path("d#"), "/devices/d%23/applyConfigurationContent");
        assert_eq!(methods_path("d", Some("$edgeHub")), "/twins/d/modules/%24edgeHub/methods");
    }

    #[test]
    fn an_absent_payload_and_null_are_different() {
        let call: MethodCall = serde_json::from_value(json!({"methodName": "x"})).expect("a call");
        assert_eq!(call.payload, None);
        let call: MethodCall =
            serde_json::from_value(json!({"methodName": "x", "payload": null})).expect("a call");
        assert_eq!(call.payload, Some(Value::Null));
        assert_eq!(
            serde_json::to_value(MethodCall {
                method_name: "blink".to_owned(),
                payload: Some(json!(5)),
                response_timeout_in_seconds: Some(30),
                connect_timeout_in_seconds: None,
            })
            .expect("JSON"),
            json!({"methodName": "blink", "payload": 5, "responseTimeoutInSeconds": 30})
        );
    }

    #[test]
    fn azure_is_recognised_by_its_names() {
        assert!(is_azure("Contoso-Hub.azure-devices.net"));
        assert!(!is_azure("localhost"));
    }
}
