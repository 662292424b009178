//! What became of messages, for services that listen. IoT Hub, "Send cloud-to-device messages from
//! an IoT hub", message feedback.

use std::time::Duration;

use fe2o3_amqp::Sender;
use fe2o3_amqp::types::messaging::{Data, Message, Outcome, Properties};
use fe2o3_amqp::types::primitives::{Binary, Symbol, Timestamp};

use super::access::Access;
use super::address::Node;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::feedback::Held;
use crate::cloud::core::message::Settle;
use crate::wire::service::FEEDBACK_TYPE;

/// How often is looked for batches that came back to the queue by time alone.
const LOOK: Duration = Duration::from_secs(5);

/// Gives batches of feedback, one after the other, until the link ends.
pub(super) async fn serve(mut link: Sender, access: &Access) {
    let shared = &access.shared;
    let mut closed = shared.watch_feedback();
    let resource = Node::Feedback.resource().unwrap_or_default();
    loop {
        closed.borrow_and_update();
        if let Err(error) = access.check(&resource) {
            let _ = link.close_with_error(error).await;
            return;
        }
        let taken = shared.change(|core, now, _| {
            Ok::<_, Fault>((core.receive_feedback(now), core.settings().names.own.clone()))
        });
        let Ok((Some(held), hub)) = taken else {
            tokio::select! {
                _ = closed.changed() => continue,
                () = tokio::time::sleep(LOOK) => continue,
                _ = link.on_detach() => break,
            }
        };
        let sent = link.send(message(&held, &hub)).await;
        let has_gone = sent.is_err();
        let settle = match sent {
            Ok(Outcome::Accepted(_)) => Settle::Complete,
            Ok(Outcome::Rejected(_)) => Settle::Reject,
            _ => Settle::Abandon,
        };
        // When its lock was lost, the batch has gone back to the queue already.
        let _ = shared.change(|core, now, _| core.settle_feedback(now, held.lock, settle));
        if has_gone {
            break;
        }
    }
    let _ = link.close().await;
}

fn message(held: &Held, hub: &str) -> Message<Data> {
    let records = serde_json::to_vec(&*held.records).unwrap_or_default();
    let properties = Properties {
        message_id: Some(held.lock.to_string().into()),
        user_id: Some(Binary::from(hub.as_bytes().to_vec())),
        content_type: Some(Symbol::from(FEEDBACK_TYPE)),
        content_encoding: Some(Symbol::from("utf-8")),
        creation_time: Some(Timestamp::from_milliseconds(held.enqueued.as_millisecond())),
        ..Properties::default()
    };
    Message::builder().properties(properties).data(Binary::from(records)).build()
}
