//! The way over AMQP: one message, and what the hub says of it. IoT Hub, "Communicate with your IoT
//! hub by using the AMQP protocol", and the official service SDKs.
//!
//! It has been tried against this program's own local cloud, which the official SDKs send to in the
//! same way, and never against Azure itself.

use std::time::Duration;

use fe2o3_amqp::Sender;
use fe2o3_amqp::link::SendError;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::definitions::{AmqpError, Error, ErrorCondition};
use fe2o3_amqp::types::messaging::{
    ApplicationProperties, Data, Message, MessageId, Outcome, Properties, Rejected,
};
use fe2o3_amqp::types::primitives::{SimpleValue, Symbol, Timestamp as Milliseconds};
use jiff::Timestamp;
use rand::RngExt as _;
use tokio::time::timeout;

use super::{Outgoing, Sent};
use crate::device::DeviceId;
use crate::operator::amqp::{Asker, End, Peer, close, guid, open, words};
use crate::operator::{Client, OperatorError};
use crate::wire::amqp;

/// How long the hub may take to say whether it has the message.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a message, and waits until the hub has said that it has it.
pub(super) async fn send(
    client: &Client,
    device: &DeviceId,
    outgoing: &Outgoing,
    port: u16,
) -> Result<Sent, OperatorError> {
    let host = client.host();
    let task = format!("send the message for `{device}` to {host}");
    let peer = Peer { host: host.to_owned(), port, task };
    let config = client.trust().config()?;
    let attaching = async {
        let (connection, mut session) = open(&peer, &config, SaslProfile::Anonymous).await?;
        let mut cbs = Asker::attach(&mut session, amqp::CBS).await.map_err(|end| peer.ended(end))?;
        client.put_token(&mut cbs, &peer).await?;
        let link = Sender::builder()
            .name("envsim-device-bound")
            .target(amqp::device_bound_address(host))
            // Not every service says it again as it was written.
            .verify_incoming_target(false)
            .attach(&mut session)
            .await
            .map_err(|error| peer.ended(error.into()))?;
        Ok((connection, session, link))
    };
    let (connection, _session, mut link) = peer.in_time(attaching).await?;
    let id = outgoing.message_id.clone().unwrap_or_else(|| guid(rand::rng().random()));
    let expiry = outgoing.time_to_live.and_then(|life| expiry(Timestamp::now(), life));
    let message = message(device, outgoing, &id, expiry);
    let said = timeout(PATIENCE, link.send(message)).await.ok();
    close(connection).await;
    taken(&peer, device, said)?;
    let expiry = expiry.map(|expiry| expiry.to_string());
    Ok(Sent { message_id: id, sequence_number: None, enqueued: None, expiry })
}

/// When a message runs out, in the milliseconds that AMQP has.
fn expiry(now: Timestamp, life: Duration) -> Option<Timestamp> {
    Timestamp::from_millisecond(now.checked_add(life).ok()?.as_millisecond()).ok()
}

/// The message as it goes out: the body as bytes, each property in its place.
fn message(device: &DeviceId, outgoing: &Outgoing, id: &str, expiry: Option<Timestamp>) -> Message<Data> {
    let ack = outgoing.ack.as_ref().map(|ack| (amqp::ACK, ack));
    let mut own = ApplicationProperties::default();
    for (name, value) in outgoing.properties.iter().map(|(name, value)| (name.as_str(), value)).chain(ack) {
        own.0.insert(name.to_owned(), SimpleValue::String(value.clone()));
    }
    Message::builder()
        .properties(Properties {
            message_id: Some(MessageId::String(id.to_owned())),
            to: Some(amqp::device_bound(device.as_str())),
            content_type: outgoing.content_type.as_deref().map(Symbol::from),
            absolute_expiry_time: expiry
                .map(|expiry| Milliseconds::from_milliseconds(expiry.as_millisecond())),
            ..Properties::default()
        })
        .application_properties(Some(own).filter(|own| !own.0.is_empty()))
        .data(outgoing.body.as_bytes().to_vec())
        .build()
}

/// What the hub says of the message; nothing when it does not say it in time.
fn taken(
    peer: &Peer,
    device: &DeviceId,
    said: Option<Result<Outcome, SendError>>,
) -> Result<(), OperatorError> {
    let unclear = |why: String| {
        let (host, subject) = (peer.host.clone(), device.to_string());
        Err(OperatorError::NotSaid { host, subject, why })
    };
    match said {
        Some(Ok(Outcome::Accepted(_))) => Ok(()),
        Some(Ok(Outcome::Rejected(Rejected { error: Some(error) }))) => Err(refusal(peer, device, &error)),
        Some(Ok(Outcome::Rejected(Rejected { error: None }))) => {
            Err(peer.trouble("it was rejected, and no reason given"))
        }
        Some(Ok(Outcome::Released(_) | Outcome::Modified(_))) => {
            Err(peer.trouble("the hub gave it back without taking it; try again in a moment"))
        }
        // Found out on this side, so that nothing was sent.
        Some(Err(SendError::MessageSizeExceeded(sizes))) => {
            let (size, most) = (sizes.size, sizes.max_size);
            Err(peer
                .trouble(format!("it has {size} bytes with its properties, the hub takes {most} at most")))
        }
        Some(Err(error)) => match End::from(error) {
            End::Sent(error) => Err(refusal(peer, device, &error)),
            End::Other(why) => unclear(why),
        },
        None => unclear("it did not answer in time".to_owned()),
    }
}

/// Why the hub does not take it, by the names that .NET's `AmqpErrorMapper` and Node's
/// `amqp_service_errors` know.
fn refusal(peer: &Peer, device: &DeviceId, error: &Error) -> OperatorError {
    let (host, subject) = (peer.host.clone(), device.to_string());
    match &error.condition {
        ErrorCondition::AmqpError(AmqpError::NotFound) => OperatorError::Unknown { host, subject },
        ErrorCondition::AmqpError(AmqpError::ResourceLimitExceeded) => OperatorError::QueueFull { subject },
        ErrorCondition::Custom(name) if name.as_str() == "com.microsoft:device-container-throttled" => {
            OperatorError::Throttled { host, said: words(error), wait: None }
        }
        _ => peer.sent(error),
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::link::{LinkStateError, MessageSizeExceeded};
    use fe2o3_amqp::types::definitions::LinkError;
    use fe2o3_amqp::types::messaging::message::__private::Serializable;
    use fe2o3_amqp::types::messaging::{Accepted, Released};

    use super::*;

    fn bytes(device: &str, outgoing: &Outgoing, expiry: Option<i64>) -> String {
        let device = device.parse().expect("an id");
        let expiry = expiry.map(|second| Timestamp::from_second(second).expect("a moment"));
        let message = message(&device, outgoing, "m1", expiry);
        let bytes = serde_amqp::to_vec(&Serializable(message)).expect("bytes");
        bytes.iter().fold(String::new(), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        })
    }

    #[test]
    fn a_message_is_to_the_byte_what_the_python_sdk_sends() {
        // Of uamqp 1.6.11, which azure-iot-hub 2.7.0 sends with: `Message.encode_message()`.
        let outgoing = Outgoing {
            body: r#"{"on": true}"#.to_owned(),
            content_type: Some("application/json".to_owned()),
            properties: [("level".to_owned(), "3".to_owned())].into(),
            ack: Some("full".to_owned()),
            ..Outgoing::default()
        };
        assert_eq!(
            bytes("dev-01", &outgoing, Some(1_893_456_000)),
            "005373c04b09a1026d3140a1242f646576696365732f6465762d30312f6d657373616765732f646576696365\
             626f756e64404040a3106170706c69636174696f6e2f6a736f6e4083000001b8dac5b400005374c11d04a105\
             6c6576656ca10133a10a696f746875622d61636ba10466756c6c005375a00c7b226f6e223a20747275657d"
        );
        let bare = Outgoing { body: "hi".to_owned(), ..Outgoing::default() };
        assert_eq!(
            bytes("dev-01", &bare, None),
            "005373c02c03a1026d3140a1242f646576696365732f6465762d30312f6d657373616765732f646576696365\
             626f756e64005375a0026869"
        );
    }

    #[test]
    fn what_the_hub_says_of_a_message_is_told_apart() {
        let task = "send the message for `d` to h".to_owned();
        let peer = Peer { host: "h".to_owned(), port: 5671, task };
        let device = "d".parse().expect("an id");
        let of = |said| taken(&peer, &device, said).expect_err("refused");
        let rejected = |condition: ErrorCondition, words: &str| {
            let error = Some(Error::new(condition, words.to_owned(), None));
            of(Some(Ok(Rejected { error }.into())))
        };
        let unclear = |why| format!("the hub h did not say whether it has the message for `d`: {why}");
        let custom = |name: &str| ErrorCondition::Custom(Symbol::from(name));
        assert_eq!(taken(&peer, &device, Some(Ok(Accepted {}.into()))), Ok(()));
        for (error, said) in [
            (rejected(AmqpError::NotFound.into(), "x"), "the hub h has no `d`"),
            (
                rejected(AmqpError::ResourceLimitExceeded.into(), "x"),
                "the hub has as many messages for `d` already as it keeps for a device (403004)",
            ),
            (
                rejected(custom("com.microsoft:device-container-throttled"), "Slower."),
                "the hub h is busy: Slower. (com.microsoft:device-container-throttled)",
            ),
            (
                rejected(AmqpError::UnauthorizedAccess.into(), "No."),
                "the hub h did not authorise the request: No. (amqp:unauthorized-access)",
            ),
            (
                rejected(custom("com.microsoft:argument-error"), "Expired."),
                "cannot send the message for `d` to h: Expired. (com.microsoft:argument-error)",
            ),
            (
                rejected(LinkError::MessageSizeExceeded.into(), ""),
                "cannot send the message for `d` to h: amqp:link:message-size-exceeded",
            ),
            (
                of(Some(Ok(Rejected { error: None }.into()))),
                "cannot send the message for `d` to h: it was rejected, and no reason given",
            ),
            (
                of(Some(Ok(Released {}.into()))),
                "cannot send the message for `d` to h: the hub gave it back without taking it; try again in a moment",
            ),
            (
                of(Some(Err(SendError::MessageSizeExceeded(MessageSizeExceeded { size: 9, max_size: 8 })))),
                "cannot send the message for `d` to h: it has 9 bytes with its properties, the hub takes 8 at most",
            ),
            // Whoever is cut off after sending does not know.
            (of(Some(Err(LinkStateError::RemoteClosed.into()))), &unclear("it closed the link")),
            (of(None), &unclear("it did not answer in time")),
        ] {
            assert_eq!(error.to_string(), said);
        }
    }
}
