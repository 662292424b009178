//! Questions and answers: a link each way, tied by names. AMQP Management 1.0, working draft,
//! section 3.

use std::sync::{Arc, Mutex, PoisonError};

use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, MessageId, Properties};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use fe2o3_amqp::{Receiver, Sendable, Sender};
use tokio::sync::mpsc;

/// Answers that wait for a link. Who leaves more of them unread is not reading.
const QUEUE: usize = 16;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Cbs,
    Management,
}

/// A question.
#[derive(Debug, Default)]
pub(super) struct Question {
    id: Option<MessageId>,
    reply_to: Option<String>,
    properties: ApplicationProperties,
    /// The body, when it is text or bytes.
    pub(super) text: Option<String>,
}

impl Question {
    fn new(message: Message<Body<Value>>) -> Self {
        let properties = message.properties.unwrap_or_default();
        let bytes = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let text = match message.body {
            Body::Value(AmqpValue(Value::String(text))) => Some(text),
            Body::Value(AmqpValue(Value::Binary(body))) => bytes(body.into_vec()),
            Body::Data(parts) => bytes(parts.into_iter().flat_map(|part| part.0.into_vec()).collect()),
            _ => None,
        };
        Self {
            id: properties.message_id,
            reply_to: properties.reply_to,
            properties: message.application_properties.unwrap_or_default(),
            text,
        }
    }

    /// A property as text, whatever kind of text the client made of it.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        match self.properties.0.get(name)? {
            SimpleValue::String(text) => Some(text),
            SimpleValue::Symbol(symbol) => Some(symbol.as_str()),
            SimpleValue::Binary(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    #[cfg(test)]
    pub(super) fn test(properties: &[(&str, &str)], text: &str) -> Self {
        let mut question = Self { text: Some(text.to_owned()), ..Self::default() };
        for (name, value) in properties {
            let value = SimpleValue::String((*value).to_owned());
            question.properties.0.insert((*name).to_owned(), value);
        }
        question
    }
}

/// An answer: a status as HTTP has it, and a body.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) words: String,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn refusal(status: u16, words: impl Into<String>) -> Self {
        Self { status, words: words.into(), body: Value::Null }
    }

    fn message(self, question: &Question) -> Message<AmqpValue<Value>> {
        let mut properties = ApplicationProperties::default();
        let status = SimpleValue::Int(i32::from(self.status));
        let words = SimpleValue::String(self.words);
        // Clients look for either name.
        for (name, value) in [
            ("status-code", &status),
            ("statusCode", &status),
            ("status-description", &words),
            ("statusDescription", &words),
        ] {
            properties.0.insert(name.to_owned(), value.clone());
        }
        Message {
            header: None,
            delivery_annotations: None,
            message_annotations: None,
            properties: Some(Properties { correlation_id: question.id.clone(), ..Properties::default() }),
            application_properties: Some(properties),
            body: AmqpValue(self.body),
            footer: None,
        }
    }
}

/// Answers for one link.
pub(super) type Answers = mpsc::Receiver<Message<AmqpValue<Value>>>;

#[derive(Debug)]
struct Route {
    asked: Asked,
    address: Option<String>,
    queue: mpsc::Sender<Message<AmqpValue<Value>>>,
}

/// The ways back of one connection. They are not more than its links.
#[derive(Debug, Clone, Default)]
pub(super) struct Replies(Arc<Mutex<Vec<Route>>>);

impl Replies {
    /// Opens a way back to a client's address.
    pub(super) fn open(&self, asked: Asked, address: Option<String>) -> Answers {
        let (queue, answers) = mpsc::channel(QUEUE);
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|route| !route.queue.is_closed());
        routes.push(Route { asked, address, queue });
        answers
    }

    /// To the link with the address that the question names, or else to the latest.
    fn send(&self, asked: Asked, question: &Question, answer: Answer) {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fitting = routes.iter().rev().filter(|route| route.asked == asked);
        let named =
            fitting.clone().find(|route| question.reply_to.is_some() && route.address == question.reply_to);
        let sent = named.or_else(|| fitting.next()).is_some_and(|route| {
            let message = answer.message(question);
            route.queue.try_send(message).is_ok()
        });
        if !sent {
            tracing::warn!("AMQP: an answer has no link to go by, or its client does not read");
        }
    }
}

/// Takes questions until the link ends.
pub(super) async fn questions(
    mut link: Receiver,
    asked: Asked,
    replies: &Replies,
    answer: impl Fn(&Question) -> Answer,
) {
    // An error is the link's end, from here or from the other side.
    while let Ok(delivery) = link.recv::<Body<Value>>().await {
        if link.accept(&delivery).await.is_err() {
            break;
        }
        let question = Question::new(delivery.into_message());
        replies.send(asked, &question, answer(&question));
    }
    let _ = link.close().await;
}

/// Gives answers until the link ends.
pub(super) async fn answers(mut link: Sender, mut queue: Answers) {
    loop {
        let message = tokio::select! {
            message = queue.recv() => message,
            _ = link.on_detach() => None,
        };
        let Some(message) = message else { break };
        // Settled: nobody would do anything with the outcome.
        let sendable = Sendable { settled: Some(true), ..Sendable::from(message) };
        if let Err(error) = link.send_batchable(sendable).await {
            tracing::info!("AMQP: an answer could not be sent: {error}");
            break;
        }
    }
    let _ = link.close().await;
}
