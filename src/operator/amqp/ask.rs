//! Questions and answers: a link each way. AMQP Management 1.0, working draft, section 3.

use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{
    AmqpValue, ApplicationProperties, Body, Message, MessageId, Properties, Target,
};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use fe2o3_amqp::{Receiver, Sender};

use super::said::{End, Peer};
use crate::operator::OperatorError;
use crate::operator::client::now;
use crate::wire::SharedKey;
use crate::wire::amqp::SAS_TOKEN;
use crate::wire::sas::Token;

/// Answers that may be under way.
const CREDIT: u32 = 8;
/// How long a token is good for, in seconds.
const TOKEN_LIFE: i64 = 3600;

/// Somebody to ask.
pub(crate) struct Asker {
    questions: Sender,
    answers: Receiver,
    reply_to: String,
    asked: u64,
}

/// An answer, whatever it is.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: i64,
    pub(crate) words: String,
    pub(crate) body: Value,
}

impl Answer {
    /// As HTTP has it. Event Hubs says 202 to a token, and the local cloud 200.
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Asker {
    /// Attaches the two links to a node.
    pub(crate) async fn attach(session: &mut SessionHandle<()>, node: &str) -> Result<Self, End> {
        let reply_to = format!("envsim-{}", node.trim_start_matches('$'));
        let answers = Receiver::builder()
            .name(format!("{reply_to}-answers"))
            .source(node)
            .target(Target::builder().address(reply_to.clone()).build())
            .credit_mode(CreditMode::Auto(CREDIT))
            .auto_accept(true)
            .attach(session)
            .await?;
        let questions =
            Sender::builder().name(format!("{reply_to}-questions")).target(node).attach(session).await?;
        Ok(Self { questions, answers, reply_to, asked: 0 })
    }

    /// Asks, and waits for the answer to just that.
    pub(crate) async fn ask(&mut self, properties: &[(&str, &str)], body: &str) -> Result<Answer, End> {
        self.asked += 1;
        // As text: whatever kind of id comes back, its text is the same.
        let id = format!("{}-{}", self.reply_to, self.asked);
        let mut own = ApplicationProperties::default();
        for (name, value) in properties {
            own.0.insert((*name).to_owned(), SimpleValue::String((*value).to_owned()));
        }
        let message = Message::builder()
            .properties(Properties {
                message_id: Some(MessageId::String(id.clone())),
                reply_to: Some(self.reply_to.clone()),
                ..Properties::default()
            })
            .application_properties(own)
            .value(Value::String(body.to_owned()))
            .build();
        self.questions.send(message).await?;
        loop {
            let message = self.answers.recv::<Body<Value>>().await?.into_message();
            let of = message.properties.and_then(|properties| properties.correlation_id);
            if of == Some(MessageId::String(id.clone())) {
                return Ok(answer(message.application_properties.unwrap_or_default(), message.body));
            }
        }
    }
}

/// A policy's token for a resource.
pub(crate) fn token(resource: &str, policy: &str, key: &SharedKey) -> Token {
    Token::sign(key, resource, now() + TOKEN_LIFE, Some(policy))
}

/// Puts a policy's token for a resource. AMQP Claims-based Security 1.0, as Azure has it. What the
/// token is put for is what it is signed for, as in Node's SDK.
pub(crate) async fn put_token(
    cbs: &mut Asker,
    peer: &Peer,
    resource: &str,
    policy: &str,
    key: &SharedKey,
) -> Result<(), OperatorError> {
    let token = token(resource, policy, key);
    let properties = [("operation", "put-token"), ("type", SAS_TOKEN), ("name", resource)];
    let answer = cbs.ask(&properties, token.reveal()).await.map_err(|end| peer.ended(end))?;
    match answer.status {
        _ if answer.is_good() => Ok(()),
        401 | 403 => Err(peer.unauthorized(answer.words)),
        404 => Err(peer.trouble(format!("it has no `{resource}`: {}", answer.words))),
        status => Err(peer.trouble(format!("it did not take the token: {} ({status})", answer.words))),
    }
}

fn answer(properties: ApplicationProperties, body: Body<Value>) -> Answer {
    let find = |names: [&str; 2]| names.into_iter().find_map(|name| properties.0.get(name));
    let status = match find(["status-code", "statusCode"]) {
        Some(SimpleValue::Int(status)) => i64::from(*status),
        Some(SimpleValue::Uint(status)) => i64::from(*status),
        Some(SimpleValue::Long(status)) => *status,
        _ => 0,
    };
    let words = match find(["status-description", "statusDescription"]) {
        Some(SimpleValue::String(words)) => words.clone(),
        _ => format!("status {status}"),
    };
    let body = match body {
        Body::Value(AmqpValue(value)) => value,
        _ => Value::Null,
    };
    Answer { status, words, body }
}
