//! Sending a message to a device.
//!
//! Azure takes these over AMQP only. The way here is the local cloud's own: the form with headers,
//! which Azure once had over HTTPS, loses capitals in names of properties and whatever else no
//! header can hold.

use reqwest::Method;

use super::{Client, OperatorError};
use crate::device::DeviceId;
use crate::wire::service::{self, CloudMessage, SentMessage, is_azure};

impl Client {
    /// Sends a message to a device. The hub keeps it until the device takes it or it expires. A hub
    /// in Azure is not asked: it has no such path, and says only that something is not there.
    pub async fn send(
        &self,
        device: &DeviceId,
        message: &CloudMessage,
    ) -> Result<SentMessage, OperatorError> {
        if is_azure(self.host()) {
            let (host, subject) = (self.host().to_owned(), device.to_string());
            return Err(OperatorError::NoSending { host, subject });
        }
        let path = service::messages_path(device.as_str());
        let request = self.request(Method::POST, &path)?.json(message);
        let answer = self.json(request, device.as_str(), None).await?;
        serde_json::from_value(answer).map_err(|_| OperatorError::NotAHub(self.host().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Trust;
    use crate::wire::ConnectionString;

    #[tokio::test]
    async fn a_hub_in_azure_is_refused_with_the_reason_and_another_way() {
        let connection = ConnectionString::parse(
            "HostName=contoso.azure-devices.net;SharedAccessKeyName=service;SharedAccessKey=c3VwZXJzZWNyZXRrZXkxMjM=",
        )
        .expect("a connection string");
        let client = Client::new(&connection, &Trust::system()).expect("a client");
        let device = "dev-01".parse().expect("an id");
        let error = client.send(&device, &CloudMessage::default()).await.expect_err("refused");
        let said = error.to_string();
        assert!(said.contains("contoso.azure-devices.net") && said.contains("AMQP only"), "{said}");
        assert!(error.advice().contains("az iot device c2d-message send"), "{}", error.advice());
    }
}
