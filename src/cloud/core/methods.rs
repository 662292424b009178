//! Commands that have been invoked and not been answered yet.
//!
//! IoT Hub, "Understand and invoke direct methods": a call waits for the device to be connected,
//! then for its answer, and is gone when the caller is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fault::Fault;
use super::registry::Address;
use crate::device::Millis;
use crate::wire::service::{MethodCall, MethodResult};

/// The most calls under way at once.
const CAPACITY: usize = 10_000;
/// A request or an answer holds at most this many bytes.
pub const PAYLOAD_LIMIT: usize = 128 * 1024;
const NAME_LIMIT: usize = 100;
const RESPONSE_DEFAULT: u64 = 30;

/// Names a call; its text is the request id on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl CallId {
    /// Short lower-case hexadecimal, as Azure's hubs write it.
    pub fn rid(self) -> String {
        format!("{:x}", self.0)
    }

    /// Reads it back.
    pub fn parse(rid: &str) -> Option<Self> {
        u64::from_str_radix(rid, 16).ok().map(Self).filter(|call| call.rid() == rid)
    }
}

/// A call under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// For whom.
    pub address: Address,
    /// The command.
    pub name: String,
    /// The request as text; empty when there is none.
    pub payload: String,
    /// Whether it has been sent.
    pub sent: bool,
    /// When it is given up.
    due: Millis,
    connect_timeout: u64,
    response_timeout: u64,
}

/// The outcome of a call, for whoever invoked it.
pub type Outcome = Result<MethodResult, Fault>;

/// All calls under way.
#[derive(Debug, Default)]
pub struct Methods {
    calls: BTreeMap<CallId, Call>,
    /// When each is given up, soonest first.
    due: BTreeSet<(Millis, CallId)>,
    last: u64,
}

impl Methods {
    /// Checks what can be said about a request without a device. Answers its payload as text and
    /// how long to wait for the device and for its answer.
    pub fn check(request: &MethodCall) -> Result<(String, u64, u64), Fault> {
        let name = &request.method_name;
        let length = name.chars().count();
        if !(1..=NAME_LIMIT).contains(&length) {
            return Err(Fault::bad_request(format!(
                "`methodName` has {length} characters, it has to have 1 to {NAME_LIMIT}"
            )));
        }
        let response_timeout = request.response_timeout_in_seconds.unwrap_or(RESPONSE_DEFAULT);
        if !(5..=300).contains(&response_timeout) {
            return Err(Fault::bad_request(format!(
                "`responseTimeoutInSeconds` is {response_timeout}, it has to be 5 to 300"
            )));
        }
        let connect_timeout = request.connect_timeout_in_seconds.unwrap_or(0);
        if connect_timeout > 300 {
            return Err(Fault::bad_request(format!(
                "`connectTimeoutInSeconds` is {connect_timeout}, it has to be 0 to 300"
            )));
        }
        let payload = request.payload.as_ref().map(Value::to_string).unwrap_or_default();
        if payload.len() > PAYLOAD_LIMIT {
            return Err(Fault::too_large(format!(
                "the request of the command `{name}` has {} bytes, the most is {PAYLOAD_LIMIT}",
                payload.len()
            )));
        }
        Ok((payload, connect_timeout, response_timeout))
    }

    /// Takes a call. `online` says whether the device can be sent it at once.
    pub fn begin(
        &mut self,
        address: Address,
        request: &MethodCall,
        online: bool,
        now: Millis,
    ) -> Result<CallId, Fault> {
        let (payload, connect_timeout, response_timeout) = Self::check(request)?;
        if self.calls.len() >= CAPACITY {
            return Err(Fault::throttled(format!("{CAPACITY} commands are under way already")));
        }
        if !online && connect_timeout == 0 {
            return Err(Fault::not_online(0));
        }
        self.last += 1;
        let call = CallId(self.last);
        let due = now + std::time::Duration::from_secs(connect_timeout);
        self.due.insert((due, call));
        self.calls.insert(
            call,
            Call {
                address,
                name: request.method_name.clone(),
                payload,
                sent: false,
                due,
                connect_timeout,
                response_timeout,
            },
        );
        Ok(call)
    }

    /// Marks a call as sent: from now on the device's time runs.
    pub fn sent(&mut self, id: CallId, now: Millis) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.sent = true;
            self.due.remove(&(call.due, id));
            call.due = now + std::time::Duration::from_secs(call.response_timeout);
            self.due.insert((call.due, id));
        }
    }

    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.due.remove(&(call.due, id));
        Some(call)
    }

    /// When the next call is given up.
    pub fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A call under way.
    pub fn get(&self, call: CallId) -> Option<&Call> {
        self.calls.get(&call)
    }

    /// Calls that wait for `address` to connect, oldest first.
    pub fn waiting(&self, address: &Address) -> Vec<CallId> {
        let waits = |call: &Call| !call.sent && call.address == *address;
        self.calls.iter().filter(|(_, call)| waits(call)).map(|(id, _)| *id).collect()
    }

    /// Ends a call with the device's answer. `None` when there is no such call of this device:
    /// the answer came late, or twice.
    pub fn answer(
        &mut self,
        address: &Address,
        rid: &str,
        status: &str,
        body: &[u8],
    ) -> Option<(CallId, Outcome)> {
        let id = CallId::parse(rid)?;
        if !self.calls.get(&id).is_some_and(|call| call.sent && call.address == *address) {
            return None;
        }
        let call = self.remove(id)?;
        Some((id, outcome(&call.name, status, body)))
    }

    /// Ends calls whose time is over.
    pub fn expire(&mut self, now: Millis) -> Vec<(CallId, Fault)> {
        let mut over = Vec::new();
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, id));
            let Some(call) = self.calls.remove(&id) else { continue };
            let fault = if call.sent {
                Fault::no_answer(call.response_timeout)
            } else {
                Fault::not_online(call.connect_timeout)
            };
            over.push((id, fault));
        }
        over
    }

    /// Forgets a call whose caller has gone.
    pub fn cancel(&mut self, call: CallId) {
        self.remove(call);
    }

    /// Ends the calls of an identity that has been deleted.
    pub fn forget(&mut self, address: &Address) -> Vec<(CallId, Fault)> {
        let gone: Vec<_> =
            self.calls.iter().filter(|(_, call)| call.address == *address).map(|(id, _)| *id).collect();
        for id in &gone {
            self.remove(*id);
        }
        gone.into_iter().map(|id| (id, Fault::unknown_device(address.device.as_str()))).collect()
    }
}

fn outcome(name: &str, status: &str, body: &[u8]) -> Outcome {
    let Ok(status) = status.parse::<i32>() else {
        return Err(Fault::bad_answer(format!("the device answered `{name}` with the status `{status}`")));
    };
    if body.len() > PAYLOAD_LIMIT {
        return Err(Fault::bad_answer(format!(
            "the device answered `{name}` with {} bytes, the most is {PAYLOAD_LIMIT}",
            body.len()
        )));
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(MethodResult { status, payload: Value::Null });
    }
    match serde_json::from_slice(body) {
        Ok(payload) => Ok(MethodResult { status, payload }),
        Err(error) => {
            Err(Fault::bad_answer(format!("the device answered `{name}` with something not JSON: {error}")))
        }
    }
}

// Azure's words, with which its documentation can be found; the seconds behind them are ours.
#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn address(device: &str) -> Address {
        Address::device(device.parse().expect("an id"))
    }

    fn request(connect: Option<u64>, response: Option<u64>) -> MethodCall {
        MethodCall {
            method_name: "blink".to_owned(),
            payload: Some(json!(5)),
            response_timeout_in_seconds: response,
            connect_timeout_in_seconds: connect,
        }
    }

    #[test]
    fn a_call_to_a_device_that_is_offline_is_404103_at_once() {
        let began = Methods::default().begin(address("d"), &request(None, None), false, Millis(0));
        assert_eq!(began.map_err(|fault| (fault.status, fault.code)), Err((404, 404_103)));
    }

    #[test]
    fn a_call_waits_for_the_device_and_then_for_its_answer() {
        let mut methods = Methods::default();
        let call = methods.begin(address("d"), &request(Some(10), Some(5)), false, Millis(0)).expect("taken");
        assert_eq!(methods.waiting(&address("d")), [call]);
        assert_eq!(methods.expire(Millis(9_999)), []);
        methods.sent(call, Millis(9_999));
        assert_eq!(methods.expire(Millis(14_998)), []);
        let over = methods.expire(Millis(14_999));
        assert_eq!(over.iter().map(|(id, fault)| (*id, fault.code)).collect::<Vec<_>>(), [(call, 504_101)]);
    }

    #[test]
    fn a_call_that_never_finds_its_device_is_404103() {
        let mut methods = Methods::default();
        let call = methods.begin(address("d"), &request(Some(10), None), false, Millis(0)).expect("taken");
        let over = methods.expire(Millis(10_000));
        assert_eq!(over.iter().map(|(id, fault)| (*id, fault.code)).collect::<Vec<_>>(), [(call, 404_103)]);
    }

    #[test]
    fn only_the_device_itself_answers_and_only_once() {
        let mut methods = Methods::default();
        let call = methods.begin(address("d"), &request(None, None), true, Millis(0)).expect("taken");
        assert_eq!(methods.answer(&address("d"), &call.rid(), "200", b"1"), None, "not sent yet");
        methods.sent(call, Millis(0));
        assert_eq!(methods.answer(&address("other"), &call.rid(), "200", b"1"), None);
        let (_, outcome) = methods.answer(&address("d"), &call.rid(), "-7", b"").expect("its answer");
        assert_eq!(outcome, Ok(MethodResult { status: -7, payload: Value::Null }));
        assert_eq!(methods.answer(&address("d"), &call.rid(), "200", b"1"), None);
    }

    #[test]
    fn answers_that_cannot_be_passed_on_say_so() {
        let large = vec![b' '; PAYLOAD_LIMIT + 1];
        for (status, body) in [("ok", b"1".as_slice()), ("200", b"{"), ("200", &large)] {
            let mut methods = Methods::default();
            let call = methods.begin(address("d"), &request(None, None), true, Millis(0)).expect("taken");
            methods.sent(call, Millis(0));
            let (_, outcome) = methods.answer(&address("d"), &call.rid(), status, body).expect("its answer");
            assert_eq!(outcome.map_err(|fault| fault.status), Err(502));
        }
    }

    #[test]
    fn time_outs_outside_of_the_documented_range_are_refused() {
        for (connect, response) in [(None, Some(4)), (None, Some(301)), (Some(301), None)] {
            let began = Methods::default().begin(address("d"), &request(connect, response), true, Millis(0));
            assert_eq!(began.map_err(|fault| fault.status), Err(400));
        }
    }

    #[test]
    fn a_request_id_is_short_hexadecimal() {
        assert_eq!(CallId(42).rid(), "2a");
        assert_eq!(CallId::parse("2a"), Some(CallId(42)));
        for other in ["", "2A", "02a", "+1", "x"] {
            assert_eq!(CallId::parse(other), None, "{other}");
        }
    }
}
