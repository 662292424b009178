//! Cloud-to-device messages that wait, one document for each device's queue: there are 50 at most.
//! Who holds one is not kept: after a start nobody does, and it is delivered again.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::cloud::core::mailbox::Kept;
use crate::cloud::core::message::{Message, Outgoing};
use crate::device::Now;

pub(super) const TABLE: Table = Table { name: "mailboxes", read, restore };

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    id: String,
    sequence: u64,
    enqueued: String,
    expiry: String,
    deliveries: u32,
    message_id: Option<String>,
    correlation_id: Option<String>,
    user_id: Option<String>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    ack: String,
    /// The one that the sender gave, if any.
    #[serde(with = "forms::time")]
    asked_expiry: Option<Timestamp>,
    properties: Vec<(String, String)>,
    /// In base64.
    body: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    generation: String,
    last_sequence: u64,
    messages: Vec<Waiting>,
}

impl Waiting {
    fn of(message: &Message, deliveries: u32) -> Self {
        let sent = message.sent.clone();
        Self {
            id: message.id.clone(),
            sequence: message.sequence,
            enqueued: message.enqueued.to_string(),
            expiry: message.expiry.to_string(),
            deliveries,
            message_id: sent.message_id,
            correlation_id: sent.correlation_id,
            user_id: sent.user_id,
            content_type: sent.content_type,
            content_encoding: sent.content_encoding,
            ack: sent.ack.name().to_owned(),
            asked_expiry: sent.expiry,
            properties: sent.properties,
            body: STANDARD.encode(sent.body),
        }
    }

    fn into_message(self) -> Result<(Arc<Message>, u32), String> {
        let time = |text: &str| text.parse().map_err(|error| format!("a message's time: {error}"));
        let body = STANDARD.decode(self.body).map_err(|error| format!("a message's body: {error}"))?;
        let message = Message {
            sequence: self.sequence,
            enqueued: time(&self.enqueued)?,
            expiry: time(&self.expiry)?,
            sent: Outgoing {
                message_id: self.message_id,
                correlation_id: self.correlation_id,
                user_id: self.user_id,
                content_type: self.content_type,
                content_encoding: self.content_encoding,
                ack: self.ack.parse().map_err(|error| format!("a message: {error}"))?,
                expiry: self.asked_expiry,
                properties: self.properties,
                body: body.into(),
            },
            id: self.id,
        };
        Ok((Arc::new(message), self.deliveries))
    }
}

fn read(core: &Core, key: &Key) -> Option<String> {
    let kept = core.mailbox(&key.to_address().ok()?.device)?;
    let messages =
        kept.messages.iter().map(|(message, deliveries)| Waiting::of(message, *deliveries)).collect();
    let Kept { generation, last_sequence, .. } = kept;
    serde_json::to_string(&Document { generation, last_sequence, messages }).ok()
}

fn restore(core: &mut Core, now: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let device = key.to_address()?.device;
    let Some(body) = body else {
        core.forget_mailbox(&device);
        return Ok(());
    };
    let Document { generation, last_sequence, messages } = forms::read(body)?;
    let messages = messages.into_iter().map(Waiting::into_message).collect::<Result<_, _>>()?;
    // A queue of an earlier device of this name is not taken, and goes with the next change.
    core.restore_mailbox(now, &device, Kept { generation, last_sequence, messages });
    Ok(())
}
