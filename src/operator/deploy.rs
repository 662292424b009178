//! Setting the modules and routes of one IoT Edge device.

use reqwest::Method;
use serde_json::Value;

use super::{Client, OperatorError};
use crate::device::DeviceId;
use crate::wire::service;

impl Client {
    /// Applies content, `{"modulesContent": {…}}`, to an IoT Edge device. What is wrong with it is
    /// the hub's to say.
    pub async fn apply_content(&self, device: &DeviceId, content: &Value) -> Result<(), OperatorError> {
        let request = self.request(Method::POST, &service::apply_path(device.as_str()))?.json(content);
        self.answer(request, device.as_str(), None).await.map(drop)
    }
}
