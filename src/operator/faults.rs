//! Trouble on request: what the local cloud is told to do wrong. Azure has nothing of the kind.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

use super::{Client, OperatorError};
use crate::device::DeviceId;
use crate::device::time::Spoken;
use crate::wire::local::{self, FAULTS_PATH};
use crate::wire::service::is_azure;

/// What errors are about that name no device.
const TROUBLE: &str = "trouble on request";

impl Client {
    /// What goes wrong at present.
    pub async fn faults(&self) -> Result<Value, OperatorError> {
        self.ask_for_trouble(Method::GET, FAULTS_PATH, TROUBLE, |request| request).await
    }

    /// Replaces what goes wrong. Answers what goes wrong from now on.
    pub async fn set_faults(&self, faults: &Value) -> Result<Value, OperatorError> {
        self.ask_for_trouble(Method::PUT, FAULTS_PATH, TROUBLE, |request| request.json(faults)).await
    }

    /// Adds to what goes wrong: members that are there already are replaced.
    pub async fn add_faults(&self, faults: &Map<String, Value>) -> Result<Value, OperatorError> {
        let mut all = self.faults().await?;
        if let Value::Object(members) = &mut all {
            members.extend(faults.clone());
        }
        self.set_faults(&all).await
    }

    /// Ends everything that was asked for. Answers what is left.
    pub async fn clear_faults(&self) -> Result<Value, OperatorError> {
        self.ask_for_trouble(Method::DELETE, FAULTS_PATH, TROUBLE, |request| request).await
    }

    /// Drops the connections of a device and its modules, or all. Answers how many there were.
    pub async fn drop_connections(&self, device: Option<&DeviceId>) -> Result<u64, OperatorError> {
        let path = local::drop_path(device.map(DeviceId::as_str));
        let subject = device.map_or(TROUBLE, DeviceId::as_str);
        let answer = self.ask_for_trouble(Method::POST, &path, subject, |request| request).await?;
        answer["dropped"].as_u64().ok_or_else(|| OperatorError::NotAHub(self.host().to_owned()))
    }

    async fn ask_for_trouble(
        &self,
        method: Method,
        path: &str,
        subject: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Value, OperatorError> {
        let host = self.host().to_owned();
        if is_azure(&host) {
            return Err(OperatorError::NoFaults { host });
        }
        self.json(with(self.request(method, path)?), subject, None).await.map_err(|error| match error {
            // A hub that has no such path is none of ours, wherever it is.
            OperatorError::Refused { status: 404, .. } => OperatorError::NoFaults { host },
            error => error,
        })
    }
}

/// What was asked for, without the members that ask for nothing.
pub fn asked(faults: &Value) -> Map<String, Value> {
    let asks = |value: &Value| match value {
        Value::Null => false,
        Value::Object(members) => members.get("times") != Some(&json!(0)),
        value => value != &json!(0),
    };
    let members = faults.as_object().into_iter().flatten();
    members.filter(|(_, value)| asks(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What goes wrong, in words.
pub fn words(faults: &Value) -> String {
    let asked = asked(faults);
    let words: Vec<_> = asked.iter().map(|(name, value)| clause(name, value)).collect();
    if words.is_empty() { "nothing goes wrong on request".to_owned() } else { words.join(", ") }
}

fn clause(name: &str, value: &Value) -> String {
    let time = || Spoken(Duration::from_millis(value.as_u64().unwrap_or_default()));
    let text = |member: &str| value[member].as_str();
    let next = |one: &str, many: &str| match value["times"].as_u64() {
        None => format!("all {many} are"),
        Some(1) => format!("the next {one} is"),
        Some(times) => format!("the next {times} {many} are"),
    };
    match name {
        "latency" => format!("answers come {} late", time()),
        "dropEvery" => format!("links are dropped every {}", time()),
        "tokenLife" => format!("links end after {}", time()),
        "refuse" => {
            let whose = text("device").map(|device| format!(" of {device}")).unwrap_or_default();
            let whom = next(&format!("connection{whose}"), &format!("connections{whose}"));
            format!("{whom} refused with code {}", value["returnCode"])
        }
        "dpsBusy" => format!("{} answered with 429", next("request to DPS", "requests to DPS")),
        "elsewhere" => {
            let hub = text("hub").unwrap_or_default();
            text("device").map_or_else(
                || format!("devices are sent to {hub}"),
                |device| format!("{device} is sent to {hub}"),
            )
        }
        _ => format!("{name} is {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_in_words() {
        for (faults, said) in [
            (json!({}), "nothing goes wrong on request"),
            (
                json!({"latency": 0, "dropEvery": 0, "tokenLife": 0, "refuse": null, "dpsBusy": null}),
                "nothing goes wrong on request",
            ),
            (json!({"refuse": {"returnCode": 3, "times": 0}}), "nothing goes wrong on request"),
            (
                json!({"latency": 1000, "dropEvery": 15_000}),
                "answers come 1 s late, links are dropped every 15 s",
            ),
            (
                json!({"refuse": {"returnCode": 3, "times": 3}}),
                "the next 3 connections are refused with code 3",
            ),
            (
                json!({"refuse": {"returnCode": 5, "times": null, "device": "d"}}),
                "all connections of d are refused with code 5",
            ),
            (
                json!({"dpsBusy": {"times": 1, "retryAfter": 3}}),
                "the next request to DPS is answered with 429",
            ),
            (json!({"elsewhere": {"hub": "h", "device": null}}), "devices are sent to h"),
        ] {
            assert_eq!(words(&faults), said, "{faults}");
        }
    }
}
