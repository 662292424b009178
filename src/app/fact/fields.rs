//! What facts hold, for machine-readable output.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Fact;

impl Fact {
    /// What it holds, for machine-readable output. Durations are in milliseconds. Stable.
    pub fn fields(&self) -> Map<String, Value> {
        let fields = match self {
            Self::Started { device, profiles, place, seed } => {
                json!({"device": device, "profiles": profiles, "place": place, "seed": seed})
            }
            Self::CloudReady { hub, id_scope, mqtt_port, https_port, other_scopes, note } => {
                json!({
                    "hub": hub, "idScope": id_scope, "mqttPort": mqtt_port, "httpsPort": https_port,
                    "otherScopes": other_scopes, "note": note
                })
            }
            Self::Registering { host, id_scope } => json!({"host": host, "idScope": id_scope}),
            Self::Assigning { operation_id, again_in } => {
                json!({"operationId": operation_id, "againInMs": millis(*again_in)})
            }
            Self::Assigned { hub, device } => json!({"hub": hub, "deviceId": device}),
            Self::Reached { address } => json!({ "address": address }),
            Self::Secured { protocol } => json!({ "protocol": protocol }),
            Self::Connected { hub, session_present, token_life } => {
                json!({"hub": hub, "sessionPresent": session_present, "tokenLifeMs": millis(*token_life)})
            }
            Self::TwinFetched { desired_version, reported_version } => {
                json!({"desiredVersion": desired_version, "reportedVersion": reported_version})
            }
            Self::Sent { message, body } => {
                json!({"message": message, "body": json_or_text(body)})
            }
            Self::Acknowledged { message, took } => json!({"message": message, "tookMs": millis(*took)}),
            Self::Received { input, body, properties } => {
                let properties: Map<_, _> = properties
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                    .collect();
                json!({"input": input, "body": json_or_text(body), "properties": properties})
            }
            Self::Called { command, request } => json!({"command": command, "request": request}),
            Self::Answered { command, status, response, took } => {
                json!({"command": command, "status": status, "response": response, "tookMs": millis(*took)})
            }
            Self::Desired { version, patch } => json!({"version": version, "patch": patch}),
            Self::Reporting { patch } => json!({ "patch": patch }),
            Self::Reported { version } => json!({ "version": version }),
            Self::Failed { failure, again_in, attempt } => json!({
                "kind": failure.kind.name(), "reason": failure.what, "advice": failure.advice,
                "againInMs": again_in.map(millis), "attempt": attempt,
            }),
            Self::Restarting { back_in } => json!({ "backInMs": millis(*back_in) }),
            Self::Restarted { took } => json!({ "tookMs": millis(*took) }),
            Self::Turned { field, unit, value } => json!({"field": field, "unit": unit, "value": value}),
            Self::Paused(paused) => json!({ "paused": paused }),
            Self::Period(period) => json!({ "periodMs": millis(*period) }),
            Self::Asked { request } => json!({ "request": request }),
            Self::AskAnswered { request, ok, answer, took } => {
                json!({"request": request, "ok": ok, "answer": answer, "tookMs": millis(*took)})
            }
            Self::Note { text, .. } => json!({ "text": text }),
            Self::Summary { counters, lasted } => json!({
                "made": counters.made, "sent": counters.sent, "acknowledged": counters.acknowledged,
                "waiting": counters.waiting, "unacknowledged": counters.unacknowledged, "dropped": counters.dropped, "repeated": counters.repeated,
                "lastedMs": millis(*lasted),
            }),
            Self::Renewing | Self::Disconnected | Self::Automatic => json!({}),
        };
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

fn json_or_text(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
