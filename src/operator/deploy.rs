//! Setting the modules and routes of one IoT Edge device.

use reqwest::Method;
use serde_json::Value;

use super::{Client, OperatorError};
use crate::device::DeviceId;
use crate::wire::local::{self, EdgeStatus};
use crate::wire::service::{self, is_azure};

impl Client {
    /// Applies content, `{"modulesContent": {…}}`, to an IoT Edge device. What is wrong with it is
    /// the hub's to say.
    pub async fn apply_content(&self, device: &DeviceId, content: &Value) -> Result<(), OperatorError> {
        let request = self.request(Method::POST, &service::apply_path(device.as_str()))?.json(content);
        self.answer(request, device.as_str(), None).await.map(drop)
    }

    /// What became of the messages of each route, where the hub is a local cloud that routes them
    /// itself. In Azure the device's own Edge hub counts, and nobody can ask it by way of the hub.
    pub async fn edge_status(&self, device: &DeviceId) -> Result<Option<EdgeStatus>, OperatorError> {
        if is_azure(self.host()) {
            return Ok(None);
        }
        let request = self.request(Method::GET, &local::edge_path(device.as_str()))?;
        match self.json(request, device.as_str(), None).await {
            Ok(status) => Ok(serde_json::from_value(status).ok()),
            // It has no such path.
            Err(OperatorError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
