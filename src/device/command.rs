//! A command as it comes in and as it is answered.
//!
//! IoT Hub calls it a direct method on the wire, IoT Central a command; here it is a command.

use std::fmt;

use serde_json::{Value, json};

use super::discreet::{discreet, discreet_value};

/// One invocation of a command. Its `Debug` hides what may be secret in an address.
#[derive(Clone, PartialEq)]
pub struct Call {
    /// The hub's name for this invocation, echoed in the reply. Opaque.
    pub rid: String,
    /// The command's name.
    pub name: String,
    /// The request, `Null` when there is none; `Err` holds the text that is not JSON.
    pub payload: Result<Value, String>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.payload.as_ref().map(discreet_value).map_err(|text| discreet(text));
        let Self { rid, name, .. } = self;
        f.debug_struct("Call").field("rid", rid).field("name", name).field("payload", &payload).finish()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_does_not_give_its_addresses_away() {
        for payload in [
            Ok(json!({"fwPackageUri": "http://u:SECRET@h/x?sig=SECRET"})),
            Err("http://u:SECRET@h/x?sig=SECRET".to_owned()),
        ] {
            let call = Call { rid: "1".to_owned(), name: "firmwareUpdate".to_owned(), payload };
            let said = format!("{call:?}");
            assert!(said.contains("http://…@h/x?…") && !said.contains("SECRET"), "{said}");
        }
    }
}
