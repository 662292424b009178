//! What the services of a hub write in AMQP: where they put tokens, and as whom they come. IoT Hub,
//! "Communicate with your IoT hub by using the AMQP protocol".

/// The port of AMQP over TLS.
pub const PORT: u16 = 5671;
/// Where tokens are put.
pub const CBS: &str = "$cbs";
/// The kind of a shared access signature, where tokens are put.
pub const SAS_TOKEN: &str = "servicebus.windows.net:sastoken";

/// The user that a policy is at a hub, over SASL PLAIN.
pub fn hub_user(policy: &str, host: &str) -> String {
    let hub = host.split('.').next().unwrap_or_default();
    format!("{policy}@sas.root.{hub}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_user_of_the_hubs_short_name() {
        assert_eq!(hub_user("service", "contoso.azure-devices.net"), "service@sas.root.contoso");
    }
}
