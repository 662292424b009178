//! Tokens put by clients: AMQP Claims-based Security 1.0, as Azure has it.

use fe2o3_amqp::types::primitives::Value;

use super::access::Access;
use super::request::{Answer, Question};

/// Takes a token. What it is for stands in the token itself; the name of it is not looked at.
pub(super) fn answer(access: &Access, question: &Question) -> Answer {
    match question.property("operation") {
        Some("put-token") => {}
        other => {
            let other = other.unwrap_or_default();
            return Answer::refusal(400, format!("the operation `{other}` is not put-token"));
        }
    }
    let kind = question.property("type").unwrap_or_default();
    if !kind.ends_with(":sastoken") {
        let why = format!(
            "envsim's local cloud does not support tokens of type `{kind}`: \
             use a shared access signature, servicebus.windows.net:sastoken"
        );
        return Answer::refusal(501, why);
    }
    match access.show(question.text.as_deref().unwrap_or_default()) {
        // Not 202, which Event Hubs gives: Node's service SDK takes no other.
        Ok(_) => Answer { status: 200, words: "OK".to_owned(), body: Value::Null },
        Err(why) => {
            tracing::warn!("AMQP: a token is refused: {why}");
            Answer::refusal(401, why)
        }
    }
}
