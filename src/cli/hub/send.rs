//! `envsim hub send`: a message from the cloud to a device.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::examples::SEND;
use super::tell::clean;
use super::values;
use super::which::{Hub, explained};
use crate::cli::Exit;
use crate::cli::cloud_args::OutputFormat;
use crate::device::DeviceId;
use crate::operator::{Outgoing, Sent};

/// The options of `envsim hub send`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = SEND)]
pub struct SendArgs {
    /// The device
    pub device: DeviceId,

    /// The message, as it is
    #[arg(required_unless_present = "body_file")]
    pub body: Option<String>,

    /// The message from a file, which is text; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub body_file: Option<PathBuf>,

    /// A property of the message; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::property)]
    pub property: Vec<(String, String)>,

    /// The message's id; one is made up unless it is given
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub message_id: Option<String>,

    /// Which outcomes the hub is to keep feedback of
    #[arg(long, value_name = "WHICH", value_parser = ["none", "positive", "negative", "full"])]
    pub ack: Option<String>,

    /// What the message is, such as application/json
    #[arg(long, value_name = "TYPE", value_parser = values::content_type)]
    pub content_type: Option<String>,

    /// How long it waits for the device, 1s to 2d; an hour unless given
    #[arg(long, value_name = "TIME", value_parser = values::life)]
    pub ttl: Option<Duration>,

    /// Send over AMQP, as to a hub in Azure, and to this port (Azure has 5671; a local cloud says its
    /// own when it is ready); without it a local cloud is sent to over HTTPS
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub amqp_port: Option<u16>,
}

/// Sends it.
pub async fn run(hub: &Hub, args: &SendArgs) -> anyhow::Result<Exit> {
    let body = match (&args.body_file, &args.body) {
        (Some(file), _) => values::text_of(file).await?,
        (None, body) => body.clone().unwrap_or_default(),
    };
    let answer = explained(hub.client.send(&args.device, &message(args, body), args.amqp_port).await)?;
    hub.say(&told(&args.device, &answer, &hub.zone, hub.format))
}

/// A message to a device. Its body is not looked into: what it means is between the two sides.
fn message(args: &SendArgs, body: String) -> Outgoing {
    Outgoing {
        body,
        content_type: args.content_type.clone(),
        properties: args.property.iter().cloned().collect(),
        message_id: args.message_id.clone(),
        ack: args.ack.clone(),
        time_to_live: args.ttl,
    }
}

/// A message that the hub has taken for a device.
fn told(device: &DeviceId, sent: &Sent, zone: &TimeZone, format: OutputFormat) -> String {
    match format {
        OutputFormat::Text => {
            let until = sent.expiry.as_deref().map(|expiry| match expiry.parse::<Timestamp>() {
                Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
                Err(_) => expiry.to_owned(),
            });
            let until = until
                .map_or_else(|| "for as long as its settings say".to_owned(), |at| format!("until {at}"));
            clean(&format!("the hub has message {} for {device} and keeps it {until}", sent.message_id))
        }
        OutputFormat::Json => {
            json!({"event": "sent", "deviceId": device.as_str(), "messageId": sent.message_id,
            "sequenceNumber": sent.sequence_number, "enqueuedTimeUtc": sent.enqueued,
            "expiryTimeUtc": sent.expiry})
            .to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const AT: &str = "2026-11-21T13:03:07.12Z";

    #[test]
    fn a_message_that_was_taken_is_told_to_both() {
        let device = "dev-1".parse().expect("an id");
        let mut message = Sent {
            message_id: "7c1f".to_owned(),
            sequence_number: Some(3),
            enqueued: Some(AT.to_owned()),
            expiry: Some("2026-11-21T14:03:07Z".to_owned()),
        };
        let text = |message: &Sent| told(&device, message, &TimeZone::UTC, OutputFormat::Text);
        let json = |message: &Sent| {
            serde_json::from_str::<Value>(&told(&device, message, &TimeZone::UTC, OutputFormat::Json))
                .expect("JSON")
        };
        assert_eq!(
            text(&message),
            "the hub has message 7c1f for dev-1 and keeps it until 2026-11-21 14:03:07"
        );
        assert_eq!(
            json(&message),
            json!({"event": "sent", "deviceId": "dev-1", "messageId": "7c1f", "sequenceNumber": 3,
                "enqueuedTimeUtc": AT, "expiryTimeUtc": "2026-11-21T14:03:07Z"})
        );

        // What nobody says over AMQP.
        (message.sequence_number, message.enqueued, message.expiry) = (None, None, None);
        assert_eq!(
            text(&message),
            "the hub has message 7c1f for dev-1 and keeps it for as long as its settings say"
        );
        assert_eq!(
            json(&message),
            json!({"event": "sent", "deviceId": "dev-1", "messageId": "7c1f", "sequenceNumber": null,
                "enqueuedTimeUtc": null, "expiryTimeUtc": null})
        );
    }
}
