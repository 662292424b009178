//! Invoking a command and waiting for its answer.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{Client, OperatorError};
use crate::device::{DeviceId, ModuleId};
use crate::wire::service::{self, MethodCall, MethodResult};

/// What the hub needs besides the device's time.
const MARGIN: Duration = Duration::from_secs(15);

/// A command to invoke.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// The command's name.
    pub name: String,
    /// The request; `None` sends nothing, which is not the same as `null`.
    pub payload: Option<Value>,
    /// How long the device may take. IoT Hub takes 5 to 300 s.
    pub response_timeout: Duration,
    /// How long to wait for a device that is not connected. IoT Hub takes 0 to 300 s.
    pub connect_timeout: Duration,
}

impl Invocation {
    /// A command with the hub's own time-outs: 30 s to answer, none to connect.
    pub fn new(name: impl Into<String>, payload: Option<Value>) -> Self {
        Self {
            name: name.into(),
            payload,
            response_timeout: Duration::from_secs(30),
            connect_timeout: Duration::ZERO,
        }
    }

    fn body(&self) -> MethodCall {
        MethodCall {
            method_name: self.name.clone(),
            payload: self.payload.clone(),
            response_timeout_in_seconds: Some(self.response_timeout.as_secs()),
            connect_timeout_in_seconds: Some(self.connect_timeout.as_secs()),
        }
    }
}

impl Client {
    /// Invokes a command. An answer with a status like 400 is an answer, not an error.
    pub async fn invoke(
        &self,
        device: &DeviceId,
        module: Option<&ModuleId>,
        invocation: &Invocation,
    ) -> Result<MethodResult, OperatorError> {
        let path = service::methods_path(device.as_str(), module.map(ModuleId::as_str));
        let request = self.request(Method::POST, &path)?.json(&invocation.body());
        let wait = invocation.response_timeout + invocation.connect_timeout + MARGIN;
        let answer = self.json(request, &super::twin::subject(device, module), Some(wait)).await?;
        serde_json::from_value(answer).map_err(|_| OperatorError::NotAHub(self.host().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_body_is_what_the_hub_reads() {
        let body = serde_json::to_value(Invocation::new("blink", Some(json!(5))).body()).expect("JSON");
        assert_eq!(
            body,
            json!({"methodName": "blink", "payload": 5, "responseTimeoutInSeconds": 30, "connectTimeoutInSeconds": 0})
        );
        let body = serde_json::to_value(Invocation::new("turnon", None).body()).expect("JSON");
        assert_eq!(body.get("payload"), None);
    }
}
