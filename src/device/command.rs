//! A command as it comes in and as it is answered.
//!
//! IoT Hub calls it a direct method on the wire, IoT Central a command; here it is a command.

use serde_json::{Value, json};

/// One invocation of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The hub's name for this invocation, echoed in the reply. Opaque.
    pub rid: String,
    /// The command's name.
    pub name: String,
    /// The request, `Null` when there is none; `Err` holds the text that is not JSON.
    pub payload: Result<Value, String>,
}

/// A device's own name for a call that it has not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What a kind of device says to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// This, at once.
    Now(Reply),
    /// Something, later: the operator waits for it, for half a minute if nothing else was agreed.
    Later,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Now(reply)
    }
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Like an HTTP status: 200 done, 202 accepted and going on, 4xx refused.
    pub status: i32,
    /// The response, `Null` for none.
    pub payload: Value,
}

impl Reply {
    /// Done, with a response.
    pub fn ok(payload: Value) -> Self {
        Self { status: 200, payload }
    }

    /// Done, with nothing to say.
    pub fn done() -> Self {
        Self::ok(Value::Null)
    }

    /// Accepted; the outcome will stand in a reported property.
    pub fn accepted() -> Self {
        Self { status: 202, payload: Value::Null }
    }

    /// Refused with a status and a reason: `{"error": reason}`.
    pub fn refused(status: i32, reason: impl Into<String>) -> Self {
        Self { status, payload: json!({ "error": reason.into() }) }
    }
}
