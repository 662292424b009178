//! The Event Hubs compatible endpoint of a hub: its connection string, and the texts that its
//! readers write. IoT Hub, "Read device-to-cloud messages from the built-in endpoint".

use super::SharedKey;
use super::amqp::PORT;
use super::key::KeyError;

/// The consumer group that every endpoint has.
pub const DEFAULT_GROUP: &str = "$Default";
/// Where facts are asked for.
pub const MANAGEMENT: &str = "$management";
/// What facts about the endpoint, and about one of its partitions, are asked for by.
pub const ENDPOINT_TYPE: &str = "com.microsoft:eventhub";
/// The same for a partition.
pub const PARTITION_TYPE: &str = "com.microsoft:partition";
/// The filter for the place to begin at.
pub const SELECTOR: &str = "apache.org:selector-filter:string";

/// An Event Hubs compatible endpoint, and who reads it. Its `Debug` shows no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHub {
    /// The host's name.
    pub host: String,
    /// The port, 5671 in Azure.
    pub port: u16,
    /// What Event Hubs calls the hub, `EntityPath`.
    pub name: String,
    /// The shared access policy.
    pub policy: String,
    /// Its key, as portals show it.
    pub key: SharedKey,
}

/// Why a text is no connection string of an endpoint. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventHubError {
    /// A part without `=`.
    #[error("has a part without `=`: it is `Name=value` pairs with `;` between them")]
    Form,
    /// A hub's connection string, or a device's.
    #[error(
        "has a HostName: it is a hub's or a device's, and this needs the Event Hub-compatible endpoint's (in \
         the portal: the hub's built-in endpoints)"
    )]
    NotEventHub,
    /// A member that must be there.
    #[error("has no `{0}`")]
    Missing(&'static str),
    /// The endpoint is not `sb://host/`.
    #[error("has the Endpoint `{0}`: it has to be as in `sb://example.servicebus.windows.net/`")]
    Endpoint(String),
    /// The key is not one.
    #[error("has a SharedAccessKey that {0}")]
    Key(KeyError),
}

impl EventHub {
    /// Reads `Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`.
    pub fn parse(text: &str) -> Result<Self, EventHubError> {
        use EventHubError as Error;
        let [mut endpoint, mut policy, mut key, mut name] = [None; 4];
        for part in text.trim().split(';').filter(|part| !part.trim().is_empty()) {
            let (member, value) = part.split_once('=').ok_or(Error::Form)?;
            match member.trim() {
                "Endpoint" => endpoint = Some(value),
                "SharedAccessKeyName" => policy = Some(value),
                "SharedAccessKey" => key = Some(value),
                "EntityPath" => name = Some(value),
                "HostName" => return Err(Error::NotEventHub),
                // The portal's have others, of transports, that change nothing here.
                _ => {}
            }
        }
        let given = |value: Option<&str>, what| {
            value
                .map(str::trim)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
                .ok_or(Error::Missing(what))
        };
        let endpoint = given(endpoint, "Endpoint")?;
        let (host, port) = authority(&endpoint).ok_or_else(|| Error::Endpoint(endpoint.clone()))?;
        let key = SharedKey::from_base64(&given(key, "SharedAccessKey")?).map_err(Error::Key)?;
        Ok(Self {
            host,
            port,
            name: given(name, "EntityPath")?,
            policy: given(policy, "SharedAccessKeyName")?,
            key,
        })
    }

    /// What a token for all of it is signed for, as the Azure CLI has it.
    pub fn audience(&self) -> String {
        format!("sb://{}/{}", self.host, self.name)
    }

    /// Where a partition is read from.
    pub fn partition_address(&self, group: &str, partition: &str) -> String {
        format!("amqps://{}/{}/ConsumerGroups/{group}/Partitions/{partition}", self.host, self.name)
    }
}

/// The host and port of `sb://host:port/` or `amqps://host:port/path`.
fn authority(url: &str) -> Option<(String, u16)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, PORT),
    };
    let is_host =
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
    is_host.then(|| (host.to_owned(), port))
}

/// Where a hub sends its readers: the host, the port and the name of the endpoint, from the
/// `address` of an `amqp:link:redirect`, `amqps://{host}:{port}/{name}/…`.
pub fn redirected(address: &str) -> Option<(String, u16, String)> {
    let (host, port) = authority(address)?;
    let (_, rest) = address.split_once("://")?;
    let name = rest.split('/').nth(1).filter(|name| !name.is_empty())?;
    Some((host, port, name.to_owned()))
}

/// The address at a hub itself, from which it sends its readers on.
pub fn built_in_address(host: &str) -> String {
    format!("amqps://{host}/messages/events/{MANAGEMENT}")
}

/// Begins after the event with this number; after -1, with the first.
pub fn after(sequence_number: i64) -> String {
    format!("amqp.annotation.x-opt-sequence-number > '{sequence_number}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn the_portals_and_the_local_clouds_strings_are_read() {
        let text = format!(
            "Endpoint=sb://iothub-ns-h.servicebus.windows.net/;SharedAccessKeyName=service;SharedAccessKey={KEY};EntityPath=contoso"
        );
        let hub = EventHub::parse(&text).expect("an endpoint");
        assert_eq!((hub.host.as_str(), hub.port), ("iothub-ns-h.servicebus.windows.net", 5671));
        assert_eq!((hub.name.as_str(), hub.policy.as_str()), ("contoso", "service"));
        assert_eq!(hub.audience(), "sb://iothub-ns-h.servicebus.windows.net/contoso");
        assert_eq!(
            hub.partition_address("$Default", "3"),
            "amqps://iothub-ns-h.servicebus.windows.net/contoso/ConsumerGroups/$Default/Partitions/3"
        );
        let local = text.replace("iothub-ns-h.servicebus.windows.net", "localhost:7007");
        let local = EventHub::parse(&format!("{local};TransportType=Amqp\n")).expect("an endpoint");
        assert_eq!((local.host.as_str(), local.port), ("localhost", 7007));
    }

    #[test]
    fn other_strings_say_what_is_wrong_without_the_key() {
        for (text, why) in [
            (format!("HostName=h;SharedAccessKeyName=service;SharedAccessKey={KEY}"), "built-in endpoints"),
            (format!("Endpoint=sb://h/;SharedAccessKeyName=s;SharedAccessKey={KEY}"), "has no `EntityPath`"),
            (format!("Endpoint=h;SharedAccessKeyName=s;SharedAccessKey={KEY};EntityPath=e"), "`sb://"),
            (
                format!("Endpoint=sb://h:x/;SharedAccessKeyName=s;SharedAccessKey={KEY};EntityPath=e"),
                "`sb://",
            ),
            ("Endpoint=sb://h/;SharedAccessKeyName=s;SharedAccessKey=no;EntityPath=e".to_owned(), "base64"),
            ("nonsense".to_owned(), "without `=`"),
        ] {
            let said = EventHub::parse(&text).expect_err(&text).to_string();
            assert!(said.contains(why) && !said.contains(KEY), "{said}");
        }
    }

    #[test]
    fn redirects_are_read_in_both_documented_forms() {
        let ns = "iothub-ns-h.servicebus.windows.net";
        for rest in ["$management", "ConsumerGroups/$Default/Partitions/0"] {
            let found = redirected(&format!("amqps://{ns}:5671/contoso/{rest}"));
            assert_eq!(found, Some((ns.to_owned(), 5671, "contoso".to_owned())));
        }
        assert_eq!(redirected("amqps://h/"), None);
        assert_eq!(redirected("h/x"), None);
    }
}
