//! Who is connected, and what each identity has subscribed to, also while it is away.
//!
//! IoT Hub, "Communicate with your IoT hub by using the MQTT protocol". The official Python SDK
//! never subscribes again after a reconnect, so that subscriptions outlive a connection that asked
//! for it (`CleanSession` 0) is what it depends on.

use std::collections::HashMap;

use super::registry::Address;
use crate::wire::topic::filter;

/// Names one connection of a client. Never used twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Quality of service of a granted subscription: 0 or 1.
pub type Granted = u8;

/// What a client has subscribed to, each with the quality granted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// Commands.
    pub methods: Option<Granted>,
    /// Answers to twin requests.
    pub twin_answers: Option<Granted>,
    /// Changes of desired properties.
    pub desired: Option<Granted>,
    /// Cloud-to-device messages.
    pub device_bound: Option<Granted>,
    /// Messages routed to a module's inputs.
    pub inputs: Option<Granted>,
}

impl Subscriptions {
    fn place(&mut self, address: &Address, text: &str) -> Option<&mut Option<Granted>> {
        match text {
            filter::METHODS => Some(&mut self.methods),
            filter::TWIN_ANSWERS => Some(&mut self.twin_answers),
            filter::DESIRED => Some(&mut self.desired),
            text => match &address.module {
                None => {
                    (text == filter::device_bound(address.device.as_str())).then_some(&mut self.device_bound)
                }
                Some(module) => filter::inputs(address.device.as_str(), module.as_str())
                    .contains(&text.to_owned())
                    .then_some(&mut self.inputs),
            },
        }
    }
}

/// A connection that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Who it is.
    pub address: Address,
    /// What it receives.
    pub subscriptions: Subscriptions,
    clean: bool,
}

/// All connections, and the sessions of clients that are away.
#[derive(Debug, Default)]
pub struct Clients {
    connected: HashMap<ConnectionId, Client>,
    current: HashMap<Address, ConnectionId>,
    sessions: HashMap<Address, Subscriptions>,
    last: u64,
}

/// What became of a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The new connection.
    pub connection: ConnectionId,
    /// Whether the session before was still known.
    pub session_present: bool,
    /// The connection that has to go: one identity, one connection.
    pub replaced: Option<ConnectionId>,
}

impl Clients {
    /// Takes a new connection of `address`.
    pub fn connect(&mut self, address: &Address, clean: bool) -> Welcome {
        self.last += 1;
        let connection = ConnectionId(self.last);
        let replaced = self.current.insert(address.clone(), connection);
        if let Some(old) = replaced {
            self.keep(old);
        }
        let session = if clean {
            self.sessions.remove(address);
            None
        } else {
            self.sessions.get(address).copied()
        };
        if !clean {
            self.sessions.entry(address.clone()).or_default();
        }
        let subscriptions = session.unwrap_or_default();
        self.connected.insert(connection, Client { address: address.clone(), subscriptions, clean });
        Welcome { connection, session_present: session.is_some(), replaced }
    }

    /// Ends a connection's life here, keeping its session when that was wanted.
    fn keep(&mut self, connection: ConnectionId) -> Option<Client> {
        let client = self.connected.remove(&connection)?;
        if !client.clean {
            self.sessions.insert(client.address.clone(), client.subscriptions);
        }
        Some(client)
    }

    /// A connection has ended. Answers who has gone offline by it: nobody, when the connection had
    /// been replaced before.
    pub fn disconnect(&mut self, connection: ConnectionId) -> Option<Address> {
        let client = self.keep(connection)?;
        self.current.remove(&client.address);
        Some(client.address)
    }

    /// Forgets an identity and its session. Answers the connection that has to go.
    pub fn forget(&mut self, address: &Address) -> Option<ConnectionId> {
        let connection = self.current.remove(address);
        if let Some(connection) = connection {
            self.connected.remove(&connection);
        }
        self.sessions.remove(address);
        connection
    }

    /// What is kept for `address` when its connection ends: nothing after a clean session.
    pub fn session(&self, address: &Address) -> Option<&Subscriptions> {
        match self.online(address) {
            Some((_, client)) => (!client.clean).then_some(&client.subscriptions),
            None => self.sessions.get(address),
        }
    }

    /// Puts the session of `address` back as it was, also under a connection that stands.
    pub fn restore(&mut self, address: &Address, session: Option<Subscriptions>) {
        let connected = self.current.get(address).and_then(|connection| self.connected.get_mut(connection));
        if let Some(client) = connected {
            client.subscriptions = session.unwrap_or_default();
        }
        match session {
            Some(session) => self.sessions.insert(address.clone(), session),
            None => self.sessions.remove(address),
        };
    }

    /// A connection that stands.
    pub fn get(&self, connection: ConnectionId) -> Option<&Client> {
        self.connected.get(&connection)
    }

    /// The connection of `address` with what it is subscribed to.
    pub fn online(&self, address: &Address) -> Option<(ConnectionId, &Client)> {
        let connection = *self.current.get(address)?;
        Some((connection, self.connected.get(&connection)?))
    }

    /// All connections that stand.
    pub fn connected(&self) -> impl Iterator<Item = (ConnectionId, &Address)> {
        self.current.iter().map(|(address, connection)| (*connection, address))
    }

    /// How many devices, not counting modules, are connected.
    pub fn online_devices(&self) -> usize {
        self.current.keys().filter(|address| address.module.is_none()).count()
    }

    /// Grants a subscription: at most quality 1, and quietly nothing for a filter without a
    /// meaning, as Edge hub does. Answers the quality and whether the filter has a meaning.
    pub fn subscribe(&mut self, connection: ConnectionId, text: &str, quality: u8) -> (Granted, bool) {
        let granted = quality.min(1);
        let Some(client) = self.connected.get_mut(&connection) else { return (granted, false) };
        let Some(place) = client.subscriptions.place(&client.address, text) else { return (granted, false) };
        *place = Some(granted);
        (granted, true)
    }

    /// Takes a subscription back.
    pub fn unsubscribe(&mut self, connection: ConnectionId, text: &str) {
        if let Some(client) = self.connected.get_mut(&connection)
            && let Some(place) = client.subscriptions.place(&client.address, text)
        {
            *place = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address::device("d".parse().expect("an id"))
    }

    #[test]
    fn a_session_that_is_kept_keeps_its_subscriptions() {
        let mut clients = Clients::default();
        let first = clients.connect(&address(), false);
        assert!(!first.session_present);
        assert_eq!(clients.subscribe(first.connection, filter::METHODS, 2), (1, true));
        assert_eq!(clients.subscribe(first.connection, filter::DESIRED, 0), (0, true));
        assert_eq!(clients.disconnect(first.connection), Some(address()));
        let second = clients.connect(&address(), false);
        assert!(second.session_present);
        let (_, client) = clients.online(&address()).expect("online");
        assert_eq!((client.subscriptions.methods, client.subscriptions.desired), (Some(1), Some(0)));
    }

    #[test]
    fn a_clean_session_begins_empty_and_leaves_nothing() {
        let mut clients = Clients::default();
        let first = clients.connect(&address(), false);
        clients.subscribe(first.connection, filter::METHODS, 1);
        clients.disconnect(first.connection);
        let second = clients.connect(&address(), true);
        assert!(!second.session_present);
        clients.subscribe(second.connection, filter::METHODS, 1);
        clients.disconnect(second.connection);
        assert!(!clients.connect(&address(), false).session_present);
    }

    #[test]
    fn a_second_connection_replaces_the_first_and_takes_its_session() {
        let mut clients = Clients::default();
        let first = clients.connect(&address(), false);
        clients.subscribe(first.connection, filter::METHODS, 1);
        let second = clients.connect(&address(), false);
        assert_eq!((second.replaced, second.session_present), (Some(first.connection), true));
        assert_eq!(clients.disconnect(first.connection), None, "the device is online still");
        assert_eq!(clients.online(&address()).map(|(connection, _)| connection), Some(second.connection));
    }

    #[test]
    fn a_filter_without_a_meaning_is_granted_and_ignored() {
        let mut clients = Clients::default();
        let connection = clients.connect(&address(), true).connection;
        assert_eq!(clients.subscribe(connection, "anything/#", 1), (1, false));
        assert_eq!(clients.subscribe(connection, "devices/other/messages/devicebound/#", 1), (1, false));
        assert_eq!(clients.subscribe(connection, "devices/d/messages/devicebound/#", 1), (1, true));
        clients.unsubscribe(connection, "devices/d/messages/devicebound/#");
        assert_eq!(clients.get(connection).and_then(|client| client.subscriptions.device_bound), None);
    }

    #[test]
    fn inputs_of_a_module_are_granted_and_kept() {
        let mut clients = Clients::default();
        let module = Address { module: Some("m".parse().expect("a name")), ..address() };
        let connection = clients.connect(&module, false).connection;
        // As Python and Node ask for them, and as C and C# do.
        for text in ["devices/d/modules/m/inputs/#", "devices/d/modules/m/#"] {
            assert_eq!(clients.subscribe(connection, text, 1), (1, true));
        }
        assert_eq!(clients.get(connection).and_then(|client| client.subscriptions.inputs), Some(1));
    }
}
