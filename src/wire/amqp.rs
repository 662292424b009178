//! What the services of a hub write in AMQP: where they put tokens and send messages, and as whom
//! they come. IoT Hub, "Communicate with your IoT hub by using the AMQP protocol".

use super::percent;

/// The port of AMQP over TLS.
pub const PORT: u16 = 5671;
/// Where tokens are put.
pub const CBS: &str = "$cbs";
/// The kind of a shared access signature, where tokens are put.
pub const SAS_TOKEN: &str = "servicebus.windows.net:sastoken";

/// The property that asks for feedback on a message.
pub const ACK: &str = "iothub-ack";

/// Where a hub takes messages for devices.
pub fn device_bound_address(host: &str) -> String {
    format!("amqps://{host}/messages/devicebound")
}

/// Which device a message is for: its `to`. The id is percent-encoded, as Node's and .NET's SDKs do.
pub fn device_bound(device: &str) -> String {
    format!("/devices/{}/messages/devicebound", percent::encode(device))
}

/// The user that a policy is at a hub, over SASL PLAIN.
pub fn hub_user(policy: &str, host: &str) -> String {
    let hub = host.split('.').next().unwrap_or_default();
    format!("{policy}@sas.root.{hub}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_sent_to_an_address_for_a_device() {
        let host = "contoso.azure-devices.net";
        assert_eq!(device_bound_address(host), "amqps://contoso.azure-devices.net/messages/devicebound");
        assert_eq!(device_bound("dev-01"), "/devices/dev-01/messages/devicebound");
        assert_eq!(device_bound("a#1%"), "/devices/a%231%25/messages/devicebound");
    }

    #[test]
    fn a_policy_is_a_user_of_the_hubs_short_name() {
        assert_eq!(hub_user("service", "contoso.azure-devices.net"), "service@sas.root.contoso");
    }
}
