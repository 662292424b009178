//! Sending a message to a device.
//!
//! Azure takes these over AMQP only, and so does the local cloud. Besides, the local cloud has a way
//! of its own, which needs no other port: the form with headers, which Azure once had over HTTPS,
//! loses capitals in names of properties and whatever else no header can hold.

mod device_bound;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{Client, OperatorError};
use crate::device::DeviceId;
use crate::wire::amqp;
use crate::wire::local::{self, CloudMessage, SentMessage};
use crate::wire::service::is_azure;

/// A message to a device, as its sender has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The body.
    pub body: String,
    /// What the body is, in ASCII.
    pub content_type: Option<String>,
    /// The application's own properties.
    pub properties: BTreeMap<String, String>,
    /// Its id; one is made up when there is none.
    pub message_id: Option<String>,
    /// Which outcomes are to be told: `none`, `positive`, `negative` or `full`.
    pub ack: Option<String>,
    /// How long it is worth delivering; for as long as the hub's settings say if not given.
    pub time_to_live: Option<Duration>,
}

/// A message that the hub has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub message_id: String,
    /// Its number in the device's queue. Nobody says it over AMQP.
    pub sequence_number: Option<u64>,
    /// When the hub took it, RFC 3339. Nobody says it over AMQP.
    pub enqueued: Option<String>,
    /// Until when it waits, RFC 3339. Over AMQP it is known only of a message that says it itself.
    pub expiry: Option<String>,
}

impl Client {
    /// Sends a message to a device. The hub keeps it until the device takes it or it expires.
    ///
    /// To a hub in Azure it goes over AMQP, and to any other when `amqp_port` says where.
    pub async fn send(
        &self,
        device: &DeviceId,
        message: &Outgoing,
        amqp_port: Option<u16>,
    ) -> Result<Sent, OperatorError> {
        let azure = is_azure(self.host()).then_some(amqp::PORT);
        match amqp_port.or(azure) {
            Some(port) => device_bound::send(self, device, message, port).await,
            None => self.post(device, message).await,
        }
    }

    async fn post(&self, device: &DeviceId, message: &Outgoing) -> Result<Sent, OperatorError> {
        let message = CloudMessage {
            body: Some(Value::String(message.body.clone())),
            content_type: message.content_type.clone(),
            properties: message.properties.clone(),
            message_id: message.message_id.clone(),
            ack: message.ack.clone(),
            ttl_seconds: message.time_to_live.map(|life| life.as_secs()),
            ..CloudMessage::default()
        };
        let path = local::messages_path(device.as_str());
        let request = self.request(Method::POST, &path)?.json(&message);
        let answer = self.json(request, device.as_str(), None).await?;
        let sent: SentMessage =
            serde_json::from_value(answer).map_err(|_| OperatorError::NotAHub(self.host().to_owned()))?;
        Ok(Sent {
            message_id: sent.message_id,
            sequence_number: Some(sent.sequence_number),
            enqueued: Some(sent.enqueued_time_utc),
            expiry: Some(sent.expiry_time_utc),
        })
    }
}
