//! Clients of a cloud that may be gone at any moment: every answer is waited for, until it is.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bytes::BytesMut;
use envsim::trust::Trust;
use envsim::wire::sas::Token;
use envsim::wire::{ConnectionString, SharedKey};
use rumqttc::mqttbytes::v4::{Connect, Login, Packet, PubAck, Publish, Subscribe};
use rumqttc::mqttbytes::{Error as MqttError, QoS};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use super::super::support::{CloudProcess, DEADLINE};

const FAR: i64 = 4_000_000_000;
const LARGEST: usize = 1024 * 1024;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection on which every answer is waited for, until the cloud is gone.
fn connect(cloud: &CloudProcess, port: &str) -> Option<Tls> {
    let ca = std::fs::read_to_string(cloud.text("caFile")).expect("a certificate");
    let config = Trust::only(&ca, "the local cloud").and_then(|trust| trust.config()).expect("trust");
    let port = cloud.ready[port].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    let socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
    let name = ServerName::try_from("localhost").expect("a name");
    Some(StreamOwned::new(ClientConnection::new(config, name).expect("TLS"), socket))
}

/// The service side over one connection.
pub struct Service {
    stream: Tls,
    token: String,
}

impl Service {
    pub fn open(cloud: &CloudProcess) -> Option<Self> {
        let string = ConnectionString::parse(cloud.text("serviceConnectionString")).expect("a string");
        let resource = format!("localhost:{}", cloud.ready["httpsPort"]);
        let token = Token::sign(&string.key, &resource, FAR, Some("iothubowner")).reveal().to_owned();
        Some(Self { stream: connect(cloud, "httpsPort")?, token })
    }

    /// Status and body; nothing when the cloud has gone before it answered.
    pub fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let body = body.to_string();
        let head = format!(
            "{method} {path}?api-version=2021-04-12 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\
             Content-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        self.stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
        self.stream.flush().ok()?;
        let mut answer = Vec::new();
        let end = loop {
            if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            read_more(&mut self.stream, &mut answer)?;
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
        while answer.len() < end + length {
            read_more(&mut self.stream, &mut answer)?;
        }
        Some((status, serde_json::from_slice(&answer[end..]).unwrap_or(Value::Null)))
    }

    pub fn twin(&mut self, device: &str) -> Value {
        let (status, twin) = self.ask("GET", &format!("/twins/{device}"), &Value::Null).expect("an answer");
        assert_eq!(status, 200, "{twin}");
        twin
    }
}

fn read_more(stream: &mut Tls, into: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
    into.extend_from_slice(&chunk[..count]);
    Some(())
}

/// A device or module over MQTT.
pub struct Device {
    stream: Tls,
    unread: BytesMut,
}

impl Device {
    /// The device `d`, which keeps its session. Answers also whether it was present.
    pub fn open(cloud: &CloudProcess) -> Option<(Self, bool)> {
        let group = SharedKey::from_base64(cloud.text("groupKey")).expect("a key");
        Self::enter(cloud, "d", "devices/d", &group.derive("d"))
    }

    /// A module, which keeps its session.
    pub fn open_module(cloud: &CloudProcess, device: &str, module: &str) -> Self {
        let path = format!("devices/{device}/modules/{module}");
        let mut service = Service::open(cloud).expect("a connection");
        let (_, identity) = service.ask("GET", &format!("/{path}"), &Value::Null).expect("an answer");
        let key = identity["authentication"]["symmetricKey"]["primaryKey"].as_str().expect("a key");
        let key = SharedKey::from_base64(key).expect("a key");
        Self::enter(cloud, &format!("{device}/{module}"), &path, &key).expect("a connection").0
    }

    fn enter(cloud: &CloudProcess, id: &str, path: &str, key: &SharedKey) -> Option<(Self, bool)> {
        let token = Token::sign(key, &format!("localhost/{path}"), FAR, None);
        let mut connect_packet = Connect::new(id);
        connect_packet.clean_session = false;
        connect_packet.login = Some(Login {
            username: format!("localhost/{id}/?api-version=2021-04-12"),
            password: token.reveal().to_owned(),
        });
        let mut device = Self { stream: connect(cloud, "mqttPort")?, unread: BytesMut::new() };
        device.say(Packet::Connect(connect_packet))?;
        match device.hear()? {
            Packet::ConnAck(ack) => Some((device, ack.session_present)),
            other => panic!("not CONNACK: {other:?}"),
        }
    }

    fn say(&mut self, packet: Packet) -> Option<()> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, LARGEST).expect("a packet");
        self.stream.write_all(&bytes).ok()?;
        self.stream.flush().ok()
    }

    fn hear(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.unread, LARGEST) {
                Ok(packet) => return Some(packet),
                Err(MqttError::InsufficientBytes(_)) => {}
                Err(error) => panic!("not MQTT: {error}"),
            }
            let mut more = Vec::new();
            read_more(&mut self.stream, &mut more)?;
            self.unread.extend_from_slice(&more);
        }
    }

    pub fn subscribe(&mut self, filter: &str, quality: QoS) -> Option<()> {
        let mut subscribe = Subscribe::new(filter, quality);
        subscribe.pkid = 1;
        self.say(Packet::Subscribe(subscribe))?;
        matches!(self.hear()?, Packet::SubAck(_)).then_some(())
    }

    /// Sends a message and waits for the hub's word that it has it.
    pub fn send(&mut self, topic: &str, body: &str) -> Option<()> {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
        publish.pkid = 7;
        self.say(Packet::Publish(publish))?;
        matches!(self.hear()?, Packet::PubAck(ack) if ack.pkid == 7).then_some(())
    }

    /// The next message that it is handed: its packet id and its body.
    pub fn next(&mut self) -> (u16, String) {
        match self.hear() {
            Some(Packet::Publish(publish)) => {
                (publish.pkid, String::from_utf8_lossy(&publish.payload).into_owned())
            }
            other => panic!("no message: {other:?}"),
        }
    }

    /// Acknowledges a message, and waits until that has been heard.
    pub fn acknowledge(&mut self, packet: u16) -> Option<()> {
        self.say(Packet::PubAck(PubAck::new(packet)))?;
        self.say(Packet::PingReq)?;
        matches!(self.hear()?, Packet::PingResp).then_some(())
    }

    /// Reports a property and waits for the hub's word that it has it.
    pub fn report(&mut self, patch: &Value) -> Option<()> {
        let topic = "$iothub/twin/PATCH/properties/reported/?$rid=1";
        self.say(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, patch.to_string())))?;
        match self.hear()? {
            Packet::Publish(answer) if answer.topic.starts_with("$iothub/twin/res/204/") => Some(()),
            other => panic!("not taken: {other:?}"),
        }
    }
}
