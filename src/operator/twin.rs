//! Reading a twin, and changing its desired properties and tags.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::if_match;
use super::{Client, OperatorError};
use crate::device::{DeviceId, ModuleId};
use crate::wire::service;

/// A change to a twin, merged into it: `null` deletes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TwinPatch {
    /// Desired properties.
    pub desired: Map<String, Value>,
    /// Tags, which the device never sees.
    pub tags: Map<String, Value>,
    /// The etag that the change is meant for; `None` for any version.
    pub etag: Option<String>,
}

impl TwinPatch {
    /// A change of one desired property.
    pub fn desired(name: impl Into<String>, value: Value) -> Self {
        Self { desired: Map::from_iter([(name.into(), value)]), ..Self::default() }
    }

    fn body(&self) -> Value {
        let mut body = json!({});
        if !self.tags.is_empty() {
            body["tags"] = Value::Object(self.tags.clone());
        }
        if !self.desired.is_empty() {
            body["properties"] = json!({ "desired": self.desired });
        }
        body
    }
}

impl Client {
    /// The whole twin, as the service sees it.
    pub async fn twin(&self, device: &DeviceId, module: Option<&ModuleId>) -> Result<Value, OperatorError> {
        let path = service::twin_path(device.as_str(), module.map(ModuleId::as_str));
        self.json(self.request(Method::GET, &path)?, &subject(device, module), None).await
    }

    /// Changes a twin and returns the whole of it afterwards.
    pub async fn update_twin(
        &self,
        device: &DeviceId,
        module: Option<&ModuleId>,
        patch: &TwinPatch,
    ) -> Result<Value, OperatorError> {
        let at = service::twin_path(device.as_str(), module.map(ModuleId::as_str));
        let request = if_match(self.request(Method::PATCH, &at)?, patch.etag.as_deref()).json(&patch.body());
        self.json(request, &subject(device, module), None).await
    }

    /// Replaces all tags and all desired properties of a twin by those of `patch`, and returns the
    /// whole of it afterwards.
    pub async fn replace_twin(
        &self,
        device: &DeviceId,
        module: Option<&ModuleId>,
        patch: &TwinPatch,
    ) -> Result<Value, OperatorError> {
        let at = service::twin_path(device.as_str(), module.map(ModuleId::as_str));
        // Both sections are always there, so that nothing depends on what a hub makes of none.
        let body = json!({"tags": patch.tags, "properties": {"desired": patch.desired}});
        let request = if_match(self.request(Method::PUT, &at)?, patch.etag.as_deref()).json(&body);
        self.json(request, &subject(device, module), None).await
    }
}

/// What an error is about.
pub(super) fn subject(device: &DeviceId, module: Option<&ModuleId>) -> String {
    match module {
        Some(module) => format!("{device}/{module}"),
        None => device.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_sent() {
        assert_eq!(
            TwinPatch::desired("brightness", json!(7)).body(),
            json!({"properties": {"desired": {"brightness": 7}}})
        );
        let tags = Map::from_iter([("site".to_owned(), Value::Null)]);
        assert_eq!(TwinPatch { tags, ..TwinPatch::default() }.body(), json!({"tags": {"site": null}}));
    }
}
