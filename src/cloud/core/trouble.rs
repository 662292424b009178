//! Trouble on request: what goes wrong with a real cloud now and then, made to happen here.
//!
//! A developer who wants to know what a program does when the hub refuses, is slow, or drops the
//! connection cannot ask Azure for it. Everything here is off until it is asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::registry::Address;
use crate::device::{HubHost, Millis};

/// What shall go wrong. The JSON of `/envsim/faults`; times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Trouble {
    /// How much later than possible every answer comes.
    pub latency: u64,
    /// How often all connections are dropped; 0 for never.
    pub drop_every: u64,
    /// After which time a connection is ended as if its token had run out; 0 for its true end.
    pub token_life: u64,
    /// Connections that are refused.
    pub refuse: Option<Refuse>,
    /// Requests that the provisioning service answers with 429.
    pub dps_busy: Option<Busy>,
    /// Devices that this hub no longer has, because they were sent to another.
    pub elsewhere: Option<Elsewhere>,
}

/// Connections that are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refuse {
    /// MQTT's return code: 3 for an outage, 5 for credentials.
    #[serde(default = "Refuse::outage")]
    pub return_code: u8,
    /// How many more; all of them when it is absent.
    #[serde(default)]
    pub times: Option<u64>,
    /// Of which device; of all when it is absent.
    #[serde(default)]
    pub device: Option<String>,
}

impl Refuse {
    fn outage() -> u8 {
        3
    }
}

/// Requests that are answered with 429.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Busy {
    /// How many more; all of them when it is absent.
    #[serde(default)]
    pub times: Option<u64>,
    /// What clients are told to wait, in seconds.
    #[serde(default = "Busy::wait")]
    pub retry_after: u64,
}

impl Busy {
    fn wait() -> u64 {
        3
    }
}

/// Devices that were sent to another hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Elsewhere {
    /// Where to: what the provisioning service assigns from now on.
    pub hub: String,
    /// Which device; all of them when it is absent.
    #[serde(default)]
    pub device: Option<String>,
}

/// Uses one of so many times up. Answers whether there was one.
fn use_up(times: &mut Option<u64>) -> bool {
    match times {
        None => true,
        Some(0) => false,
        Some(left) => {
            *left -= 1;
            true
        }
    }
}

fn concerns(device: Option<&String>, address: &Address) -> bool {
    device.is_none_or(|device| device == address.device.as_str())
}

impl Trouble {
    /// The longest of all times, in milliseconds.
    pub const LONGEST: u64 = 24 * 3_600_000;
    /// The most that answers are late: clients give up much sooner.
    pub const LATEST: u64 = 60_000;
    /// The shortest time between two drops: a client needs some to come back.
    pub const SHORTEST_DROP: u64 = 100;
    /// The shortest life of a connection: tokens are good for whole seconds.
    pub const SHORTEST_LIFE: u64 = 1_000;

    /// Why this cannot be asked for.
    pub fn check(&self) -> Result<(), Fault> {
        for (name, value, least) in [
            ("latency", self.latency, 0),
            ("dropEvery", self.drop_every, Self::SHORTEST_DROP),
            ("tokenLife", self.token_life, Self::SHORTEST_LIFE),
        ] {
            if value != 0 && !(least..=Self::LONGEST).contains(&value) {
                return Err(Fault::bad_request(format!(
                    "`{name}` is {value}, it has to be {least} to {} milliseconds, or 0 for none",
                    Self::LONGEST
                )));
            }
        }
        if self.latency > Self::LATEST {
            let most = Self::LATEST;
            return Err(Fault::bad_request(format!("`latency` is more than {most} milliseconds")));
        }
        if let Some(refuse) = &self.refuse
            && !(1..=5).contains(&refuse.return_code)
        {
            return Err(Fault::bad_request(format!(
                "`refuse.returnCode` is {}, MQTT has 1 to 5",
                refuse.return_code
            )));
        }
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere
                .hub
                .parse::<HubHost>()
                .map_err(|error| Fault::bad_request(format!("`elsewhere.hub`: {error}")))?;
        }
        Ok(())
    }

    /// Whether anything goes wrong from now on: what was for so many times is over when those are.
    pub fn is_on(&self) -> bool {
        let left = |times: Option<u64>| times != Some(0);
        self.latency > 0
            || self.drop_every > 0
            || self.token_life > 0
            || self.refuse.as_ref().is_some_and(|refuse| left(refuse.times))
            || self.dps_busy.as_ref().is_some_and(|busy| left(busy.times))
            || self.elsewhere.is_some()
    }

    /// Whether a client that connects is refused, and with which return code.
    pub fn refuses(&mut self, address: &Address) -> Option<u8> {
        let refuse = self.refuse.as_mut()?;
        (concerns(refuse.device.as_ref(), address) && use_up(&mut refuse.times)).then_some(refuse.return_code)
    }

    /// Whether a device has been sent to another hub, and to which.
    pub fn sent_elsewhere(&self, device: &str) -> Option<&str> {
        let elsewhere = self.elsewhere.as_ref()?;
        let meant = elsewhere.device.as_ref().is_none_or(|meant| meant == device);
        meant.then_some(elsewhere.hub.as_str())
    }

    /// Whether the provisioning service is busy for the next request, and for how many seconds.
    pub fn dps_is_busy(&mut self) -> Option<u64> {
        let busy = self.dps_busy.as_mut()?;
        use_up(&mut busy.times).then_some(busy.retry_after)
    }

    /// How much later every answer comes.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.latency)
    }

    /// How long a connection lasts at most.
    pub fn longest_connection(&self) -> Option<Duration> {
        (self.token_life > 0).then(|| Duration::from_millis(self.token_life))
    }

    /// When all connections are dropped the next time, seen from `now`.
    pub fn next_drop(&self, now: Millis) -> Option<Millis> {
        (self.drop_every > 0).then(|| now + Duration::from_millis(self.drop_every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(device: &str) -> Address {
        Address::device(device.parse().expect("an id"))
    }

    fn trouble(json: &str) -> Result<Trouble, String> {
        let trouble: Trouble = serde_json::from_str(json).map_err(|error| error.to_string())?;
        trouble.check().map_err(|fault| fault.to_string())?;
        Ok(trouble)
    }

    #[test]
    fn nothing_goes_wrong_unless_it_is_asked_for() {
        let mut none = trouble("{}").expect("none");
        assert_eq!(none, Trouble::default());
        assert_eq!(
            (none.refuses(&address("d")), none.dps_is_busy(), none.sent_elsewhere("d")),
            (None, None, None)
        );
        assert_eq!(
            (none.delay(), none.longest_connection(), none.next_drop(Millis(5))),
            (Duration::ZERO, None, None)
        );
    }

    #[test]
    fn refusals_are_counted_and_may_be_for_one_device() {
        let mut some =
            trouble(r#"{"refuse":{"returnCode":5,"times":2,"device":"d"}}"#).expect("some trouble");
        assert_eq!(some.refuses(&address("other")), None);
        let refused = [some.refuses(&address("d")), some.refuses(&address("d")), some.refuses(&address("d"))];
        assert_eq!(refused, [Some(5), Some(5), None]);
        let mut all = trouble(r#"{"refuse":{}}"#).expect("some trouble");
        assert_eq!([all.refuses(&address("a")), all.refuses(&address("b"))], [Some(3), Some(3)]);
    }

    #[test]
    fn trouble_is_on_until_its_times_are_used_up() {
        assert!(!Trouble::default().is_on());
        let on = [
            r#"{"latency":5}"#,
            r#"{"dropEvery":500}"#,
            r#"{"tokenLife":5000}"#,
            r#"{"refuse":{}}"#,
            r#"{"elsewhere":{"hub":"h"}}"#,
        ];
        for json in on {
            assert!(trouble(json).expect("trouble").is_on(), "{json}");
        }
        let mut busy = trouble(r#"{"dpsBusy":{"times":1}}"#).expect("trouble");
        assert_eq!((busy.is_on(), busy.dps_is_busy().is_some(), busy.is_on()), (true, true, false));
    }

    #[test]
    fn a_busy_service_says_how_long_to_wait() {
        let mut busy = trouble(r#"{"dpsBusy":{"times":1,"retryAfter":7}}"#).expect("some trouble");
        assert_eq!((busy.dps_is_busy(), busy.dps_is_busy()), (Some(7), None));
    }

    #[test]
    fn a_device_is_sent_to_a_hub_that_has_a_name() {
        let sent = trouble(r#"{"elsewhere":{"hub":"other.example:8884","device":"d"}}"#).expect("trouble");
        assert_eq!((sent.sent_elsewhere("d"), sent.sent_elsewhere("e")), (Some("other.example:8884"), None));
        assert!(trouble(r#"{"elsewhere":{"hub":"no spaces"}}"#).is_err());
    }

    #[test]
    fn what_cannot_be_asked_for_is_said() {
        for bad in [
            r#"{"latncy":5}"#,
            r#"{"latency":-1}"#,
            r#"{"latency":60001}"#,
            r#"{"dropEvery":1}"#,
            r#"{"tokenLife":10}"#,
            r#"{"refuse":{"returnCode":9}}"#,
        ] {
            assert!(trouble(bad).is_err(), "{bad}");
        }
    }
}
