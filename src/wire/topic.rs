//! Every topic of a hub, both directions, and of a provisioning service.
//!
//! Identifiers stand raw in topics; request ids are opaque text that the other side chose.

use super::percent;

/// What a device publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromDevice<'a> {
    /// A message, with its property bag as it stands.
    Event {
        /// The device in the topic.
        device: &'a str,
        /// The module in the topic.
        module: Option<&'a str>,
        /// The property bag, still encoded.
        bag: &'a str,
    },
    /// An answer to a command.
    MethodAnswer {
        /// The status, as written.
        status: &'a str,
        /// Which call.
        rid: &'a str,
    },
    /// A request for the whole twin.
    TwinGet {
        /// To be echoed.
        rid: &'a str,
    },
    /// A change of reported properties.
    TwinPatch {
        /// To be echoed.
        rid: &'a str,
        /// The version that the change is meant for, when the device insists.
        version: Option<&'a str>,
    },
    /// A registration at a provisioning service.
    DpsRegister {
        /// To be echoed.
        rid: &'a str,
    },
    /// A question after a registration.
    DpsStatus {
        /// To be echoed.
        rid: &'a str,
        /// Which registration.
        operation_id: &'a str,
    },
}

/// What a device receives from a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToDevice<'a> {
    /// A command.
    Method {
        /// The command's name, still encoded.
        name: &'a str,
        /// To be echoed.
        rid: &'a str,
    },
    /// An answer to a twin request.
    TwinAnswer {
        /// Like an HTTP status.
        status: u16,
        /// Which request.
        rid: &'a str,
        /// The new version, after a change.
        version: Option<u64>,
    },
    /// The operator changed desired properties.
    Desired {
        /// The version after the change.
        version: Option<u64>,
    },
    /// A cloud-to-device message.
    DeviceBound {
        /// The property bag, still encoded.
        bag: &'a str,
    },
    /// A message that was routed to an input of a module.
    Input {
        /// The module in the topic.
        module: &'a str,
        /// Which input, still encoded.
        input: &'a str,
        /// The property bag, still encoded.
        bag: &'a str,
    },
}

const METHODS_POST: &str = "$iothub/methods/POST/";
const METHODS_RES: &str = "$iothub/methods/res/";
const TWIN_RES: &str = "$iothub/twin/res/";
const TWIN_GET: &str = "$iothub/twin/GET/";
const TWIN_REPORTED: &str = "$iothub/twin/PATCH/properties/reported/";
const TWIN_DESIRED: &str = "$iothub/twin/PATCH/properties/desired/";
const DPS_REGISTER: &str = "$dps/registrations/PUT/iotdps-register/";
const DPS_STATUS: &str = "$dps/registrations/GET/iotdps-get-operationstatus/";

/// Subscription filters that have a meaning at a hub or a provisioning service.
pub mod filter {
    /// Commands.
    pub const METHODS: &str = "$iothub/methods/POST/#";
    /// Answers to twin requests.
    pub const TWIN_ANSWERS: &str = "$iothub/twin/res/#";
    /// Changes of desired properties.
    pub const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";
    /// Answers of a provisioning service.
    pub const DPS: &str = "$dps/registrations/res/#";

    /// Cloud-to-device messages of a device.
    pub fn device_bound(device: &str) -> String {
        format!("devices/{device}/messages/devicebound/#")
    }

    /// Messages to the inputs of a module, in the two ways that SDKs ask for them.
    pub fn inputs(device: &str, module: &str) -> [String; 2] {
        [
            format!("devices/{device}/modules/{module}/inputs/#"),
            format!("devices/{device}/modules/{module}/#"),
        ]
    }
}

/// A query member's value: `?$rid=…&$version=…`, with or without the `?`.
fn query<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    text.strip_prefix('?').unwrap_or(text).split('&').find_map(|member| {
        let (name, value) = member.split_once('=')?;
        (name == wanted).then_some(value)
    })
}

impl<'a> FromDevice<'a> {
    /// Reads the topic of a PUBLISH that a device sent.
    pub fn parse(topic: &'a str) -> Option<Self> {
        if let Some(rest) = topic.strip_prefix("devices/") {
            let (device, rest) = rest.split_once('/')?;
            let (module, rest) = match rest.strip_prefix("modules/") {
                Some(rest) => {
                    let (module, rest) = rest.split_once('/')?;
                    (Some(module), rest)
                }
                None => (None, rest),
            };
            let bag = match rest.strip_prefix("messages/events")? {
                "" => "",
                rest => rest.strip_prefix('/')?,
            };
            return Some(Self::Event { device, module, bag });
        }
        if let Some(rest) = topic.strip_prefix(METHODS_RES) {
            let (status, rest) = rest.split_once('/')?;
            return Some(Self::MethodAnswer { status, rid: query(rest, "$rid")? });
        }
        if let Some(rest) = topic.strip_prefix(TWIN_GET) {
            return Some(Self::TwinGet { rid: query(rest, "$rid")? });
        }
        if let Some(rest) = topic.strip_prefix(TWIN_REPORTED) {
            return Some(Self::TwinPatch { rid: query(rest, "$rid")?, version: query(rest, "$version") });
        }
        if let Some(rest) = topic.strip_prefix(DPS_REGISTER) {
            return Some(Self::DpsRegister { rid: query(rest, "$rid")? });
        }
        let rest = topic.strip_prefix(DPS_STATUS)?;
        Some(Self::DpsStatus { rid: query(rest, "$rid")?, operation_id: query(rest, "operationId")? })
    }
}

impl<'a> ToDevice<'a> {
    /// Reads the topic of a PUBLISH that a hub sent to `device`.
    pub fn parse(topic: &'a str, device: &str) -> Option<Self> {
        if let Some(rest) = topic.strip_prefix(METHODS_POST) {
            let (name, rest) = rest.split_once('/')?;
            return Some(Self::Method { name, rid: query(rest, "$rid")? });
        }
        if let Some(rest) = topic.strip_prefix(TWIN_RES) {
            let (status, rest) = rest.split_once('/')?;
            let version = query(rest, "$version").and_then(|version| version.parse().ok());
            return Some(Self::TwinAnswer {
                status: status.parse().ok()?,
                rid: query(rest, "$rid")?,
                version,
            });
        }
        if let Some(rest) = topic.strip_prefix(TWIN_DESIRED) {
            return Some(Self::Desired {
                version: query(rest, "$version").and_then(|text| text.parse().ok()),
            });
        }
        let rest = topic.strip_prefix("devices/")?.strip_prefix(device)?;
        if let Some(rest) = rest.strip_prefix("/modules/") {
            let (module, rest) = rest.split_once("/inputs/")?;
            let (input, bag) = rest.split_once('/').unwrap_or((rest, ""));
            return Some(Self::Input { module, input, bag });
        }
        let bag = match rest.strip_prefix("/messages/devicebound")? {
            "" => "",
            rest => rest.strip_prefix('/')?,
        };
        Some(Self::DeviceBound { bag })
    }
}

/// Where a device or module publishes its messages; `bag` is encoded.
pub fn events(device: &str, module: Option<&str>, bag: &str) -> String {
    match module {
        Some(module) => format!("devices/{device}/modules/{module}/messages/events/{bag}"),
        None => format!("devices/{device}/messages/events/{bag}"),
    }
}

/// Where a device answers a command.
pub fn method_answer(status: i32, rid: &str) -> String {
    format!("{METHODS_RES}{status}/?$rid={rid}")
}

/// Where a device asks for its twin.
pub fn twin_get(rid: &str) -> String {
    format!("{TWIN_GET}?$rid={rid}")
}

/// Where a device changes its reported properties.
pub fn twin_report(rid: &str) -> String {
    format!("{TWIN_REPORTED}?$rid={rid}")
}

/// Where a hub calls a command.
pub fn method_call(name: &str, rid: &str) -> String {
    format!("{METHODS_POST}{}/?$rid={rid}", percent::encode(name))
}

/// Where a hub answers a twin request.
pub fn twin_answer(status: u16, rid: &str, version: Option<u64>) -> String {
    match version {
        Some(version) => format!("{TWIN_RES}{status}/?$rid={rid}&$version={version}"),
        None => format!("{TWIN_RES}{status}/?$rid={rid}"),
    }
}

/// Where a hub tells a device of changed desired properties.
pub fn desired(version: u64) -> String {
    format!("{TWIN_DESIRED}?$version={version}")
}

/// Where a hub sends a device a message; `bag` is encoded. The slash before it stands also when the
/// bag is empty: Node's SDK looks for it.
pub fn device_bound(device: &str, bag: &str) -> String {
    format!("devices/{device}/messages/devicebound/{bag}")
}

/// Where a message goes to a module's input; `bag` is encoded. The slash before it always stands, as
/// with [`device_bound`]: SDKs find the input's name between two.
pub fn input(device: &str, module: &str, input: &str, bag: &str) -> String {
    format!("devices/{device}/modules/{module}/inputs/{input}/{bag}")
}

/// Where a provisioning service answers; `retry_after` in seconds.
///
/// The request id stands first and the hint second, both unencoded: the official SDKs look for
/// them by position.
pub fn dps_answer(status: u16, rid: &str, retry_after: Option<u64>) -> String {
    match retry_after {
        Some(seconds) => format!("$dps/registrations/res/{status}/?$rid={rid}&retry-after={seconds}"),
        None => format!("$dps/registrations/res/{status}/?$rid={rid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_from_devices_are_read() {
        use FromDevice::*;
        for (topic, expected) in [
            ("devices/d/messages/events/", Event { device: "d", module: None, bag: "" }),
            ("devices/d/messages/events", Event { device: "d", module: None, bag: "" }),
            ("devices/a+b#c/messages/events/x=1", Event { device: "a+b#c", module: None, bag: "x=1" }),
            (
                "devices/d/modules/m/messages/events/%24.on=o/",
                Event { device: "d", module: Some("m"), bag: "%24.on=o/" },
            ),
            ("$iothub/methods/res/200/?$rid=1f", MethodAnswer { status: "200", rid: "1f" }),
            ("$iothub/methods/res/-1/?$rid=1", MethodAnswer { status: "-1", rid: "1" }),
            ("$iothub/twin/GET/?$rid=8f1c", TwinGet { rid: "8f1c" }),
            (
                "$iothub/twin/PATCH/properties/reported/?$rid=a&$version=3",
                TwinPatch { rid: "a", version: Some("3") },
            ),
            ("$iothub/twin/PATCH/properties/reported/?$rid=a", TwinPatch { rid: "a", version: None }),
            ("$dps/registrations/PUT/iotdps-register/?$rid=6a1b", DpsRegister { rid: "6a1b" }),
            (
                "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=77c0&operationId=4.x.y",
                DpsStatus { rid: "77c0", operation_id: "4.x.y" },
            ),
        ] {
            assert_eq!(FromDevice::parse(topic), Some(expected), "{topic}");
        }
    }

    #[test]
    fn topics_that_no_hub_knows_are_refused() {
        for topic in [
            "",
            "x",
            "devices/d",
            "devices/d/messages/eventsx",
            "devices/d/messages/devicebound/",
            "$iothub/twin/GET/",
            "$iothub/twin/GET/sub?$rid2=1",
            "$iothub/methods/res/200",
            "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=1",
        ] {
            assert_eq!(FromDevice::parse(topic), None, "{topic}");
        }
    }

    #[test]
    fn topics_to_devices_are_read() {
        use ToDevice::*;
        for (topic, expected) in [
            ("$iothub/methods/POST/reboot/?$rid=1f", Method { name: "reboot", rid: "1f" }),
            ("$iothub/twin/res/200/?$rid=a", TwinAnswer { status: 200, rid: "a", version: None }),
            (
                "$iothub/twin/res/204/?$rid=a&$version=6",
                TwinAnswer { status: 204, rid: "a", version: Some(6) },
            ),
            ("$iothub/twin/PATCH/properties/desired/?$version=7", Desired { version: Some(7) }),
            ("devices/d/messages/devicebound/%24.mid=7", DeviceBound { bag: "%24.mid=7" }),
            ("devices/d/messages/devicebound/", DeviceBound { bag: "" }),
            ("devices/d/messages/devicebound", DeviceBound { bag: "" }),
            (
                "devices/d/messages/devicebound/%24.to=%2Fdevices%2Fd%2Fmessages%2FdeviceBound&iothub-ack=full&a%2Fb=c",
                DeviceBound { bag: "%24.to=%2Fdevices%2Fd%2Fmessages%2FdeviceBound&iothub-ack=full&a%2Fb=c" },
            ),
            (
                "devices/d/modules/m/inputs/input1/%24.cdid=d&a=b",
                Input { module: "m", input: "input1", bag: "%24.cdid=d&a=b" },
            ),
            ("devices/d/modules/m/inputs/input1/", Input { module: "m", input: "input1", bag: "" }),
        ] {
            assert_eq!(ToDevice::parse(topic, "d"), Some(expected), "{topic}");
        }
        assert_eq!(ToDevice::parse("devices/d2/messages/devicebound/", "d"), None);
        assert_eq!(ToDevice::parse("devices/d/messages/deviceboundx", "d"), None);
        assert_eq!(ToDevice::parse("$iothub/twin/res/ok/?$rid=a", "d"), None);
    }

    #[test]
    fn topics_are_written_to_the_letter() {
        assert_eq!(events("d", None, "%24.ct=x"), "devices/d/messages/events/%24.ct=x");
        assert_eq!(events("d", Some("m"), ""), "devices/d/modules/m/messages/events/");
        assert_eq!(method_answer(202, "1f"), "$iothub/methods/res/202/?$rid=1f");
        assert_eq!(twin_get("5"), "$iothub/twin/GET/?$rid=5");
        assert_eq!(twin_report("6"), "$iothub/twin/PATCH/properties/reported/?$rid=6");
        assert_eq!(method_call("a b", "2a"), "$iothub/methods/POST/a%20b/?$rid=2a");
        assert_eq!(twin_answer(204, "6", Some(9)), "$iothub/twin/res/204/?$rid=6&$version=9");
        assert_eq!(twin_answer(400, "6", None), "$iothub/twin/res/400/?$rid=6");
        assert_eq!(device_bound("d", ""), "devices/d/messages/devicebound/");
        assert_eq!(input("d", "m", "in1", ""), "devices/d/modules/m/inputs/in1/");
        assert_eq!(desired(4), "$iothub/twin/PATCH/properties/desired/?$version=4");
        assert_eq!(dps_answer(202, "6a1b", Some(3)), "$dps/registrations/res/202/?$rid=6a1b&retry-after=3");
        assert_eq!(dps_answer(200, "77c0", None), "$dps/registrations/res/200/?$rid=77c0");
        assert_eq!(filter::device_bound("d"), "devices/d/messages/devicebound/#");
    }
}
