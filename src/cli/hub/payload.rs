//! What a person typed as JSON, read, with words for what is wrong.

use serde_json::{Map, Value};

use crate::cli::hub_args::{InvokeArgs, SendArgs, TwinUpdateArgs};
use crate::operator::{Invocation, TwinPatch};
use crate::wire::service::CloudMessage;

/// Why a request cannot be made of what was typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON.
    #[error("--{option} is not JSON: {why}; text needs quotes of its own, as in --{option} '\"text\"'")]
    NotJson {
        /// Which option.
        option: &'static str,
        /// What the parser says.
        why: String,
    },
    /// JSON, but not an object.
    #[error("--{option} is not a JSON object, such as '{{\"brightness\": 80}}'")]
    NotObject {
        /// Which option.
        option: &'static str,
    },
    /// Faults that are not a JSON object.
    #[error("the faults are not a JSON object: {why}; give them as in '{{\"latency\": 500}}'")]
    Faults {
        /// What the parser says.
        why: String,
    },
    /// A name that only the hub itself writes.
    #[error("--{option} has the name `{name}`: names beginning with `$` are the hub's own")]
    Reserved {
        /// Which option.
        option: &'static str,
        /// The name.
        name: String,
    },
}

/// What invokes a command. No payload stays none, which is not the same as null.
pub fn invocation(args: &InvokeArgs) -> Result<Invocation, PayloadError> {
    Ok(Invocation {
        name: args.command.clone(),
        payload: args.payload.as_deref().map(|text| json_of("payload", text)).transpose()?,
        response_timeout: args.response_timeout,
        connect_timeout: args.connect_timeout,
    })
}

/// A message to a device. Its body is not looked into: what it means is between the two sides.
pub fn message(args: &SendArgs) -> CloudMessage {
    CloudMessage {
        body: Some(Value::String(args.body.clone())),
        content_type: args.content_type.clone(),
        properties: args.property.iter().cloned().collect(),
        message_id: args.message_id.clone(),
        ack: args.ack.clone(),
        ttl_seconds: args.ttl.map(|ttl| ttl.as_secs()),
        ..CloudMessage::default()
    }
}

/// What is merged into a twin.
pub fn twin_patch(args: &TwinUpdateArgs) -> Result<TwinPatch, PayloadError> {
    let object =
        |option, text: &Option<String>| text.as_deref().map(|text| object_of(option, text)).transpose();
    Ok(TwinPatch {
        desired: object("desired", &args.desired)?.unwrap_or_default(),
        tags: object("tags", &args.tags)?.unwrap_or_default(),
        etag: None,
    })
}

/// What shall go wrong. What it means is the cloud's to judge.
pub fn faults(text: &str) -> Result<Value, PayloadError> {
    serde_json::from_str::<Map<String, Value>>(text)
        .map(Value::Object)
        .map_err(|error| PayloadError::Faults { why: error.to_string() })
}

fn json_of(option: &'static str, text: &str) -> Result<Value, PayloadError> {
    serde_json::from_str(text).map_err(|error| PayloadError::NotJson { option, why: error.to_string() })
}

fn object_of(option: &'static str, text: &str) -> Result<Map<String, Value>, PayloadError> {
    let Value::Object(members) = json_of(option, text)? else {
        return Err(PayloadError::NotObject { option });
    };
    match members.keys().find(|name| name.starts_with('$')) {
        Some(name) => Err(PayloadError::Reserved { option, name: name.clone() }),
        None => Ok(members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn invoke(payload: Option<&str>) -> Result<Option<Value>, String> {
        let args = InvokeArgs {
            device: "d".parse().expect("an id"),
            command: "blink".to_owned(),
            payload: payload.map(str::to_owned),
            response_timeout: Duration::from_secs(30),
            connect_timeout: Duration::ZERO,
            wait_for: None,
            timeout: Duration::from_secs(60),
        };
        let invocation = invocation(&args).map_err(|error| error.to_string())?;
        assert_eq!((invocation.name.as_str(), invocation.response_timeout.as_secs()), ("blink", 30));
        Ok(invocation.payload)
    }

    fn update(desired: Option<&str>, tags: Option<&str>) -> Result<(Value, Value), String> {
        let args = TwinUpdateArgs {
            device: "d".parse().expect("an id"),
            desired: desired.map(str::to_owned),
            tags: tags.map(str::to_owned),
        };
        let patch = twin_patch(&args).map_err(|error| error.to_string())?;
        Ok((Value::Object(patch.desired), Value::Object(patch.tags)))
    }

    #[test]
    fn a_command_carries_what_was_typed_and_nothing_else() {
        assert_eq!(invoke(Some("5")), Ok(Some(json!(5))));
        assert_eq!(invoke(Some("null")), Ok(Some(Value::Null)));
        assert_eq!(invoke(Some(r#"{"a": [1]}"#)), Ok(Some(json!({"a": [1]}))));
        assert_eq!(invoke(None), Ok(None));
        let error = invoke(Some("hello")).expect_err("no JSON");
        assert!(error.starts_with("--payload is not JSON: ") && error.contains(r#"'"text"'"#), "{error}");
        assert!(invoke(Some("")).is_err());
    }

    #[test]
    fn faults_are_an_object() {
        assert_eq!(faults(r#"{"latency": 5}"#), Ok(json!({"latency": 5})));
        for bad in ["", "5", "latency", "[]"] {
            let error = faults(bad).expect_err(bad).to_string();
            assert!(error.starts_with("the faults are not a JSON object"), "{error}");
        }
    }

    #[test]
    fn a_patch_merges_desired_properties_and_tags() {
        assert_eq!(
            update(Some(r#"{"brightness": 80, "name": null}"#), Some(r#"{"floor": 2}"#)),
            Ok((json!({"brightness": 80, "name": null}), json!({"floor": 2})))
        );
        assert!(update(Some("80"), None).expect_err("an error").contains("not a JSON object"));
        assert!(update(None, Some("{\"$x\": 1}")).expect_err("an error").contains("`$x`"));
    }
}
