//! The real listeners, spoken to in bytes: what a hostile or a strange client may send, and whole
//! exchanges packet by packet.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{CloudError, CloudOptions, LocalCloud, PortChoice};
use crate::wire::SharedKey;
use crate::wire::sas::Token;

const FAR: i64 = 4_000_000_000;
const PATIENCE: Duration = Duration::from_secs(5);

async fn cloud() -> LocalCloud {
    let options = CloudOptions {
        mqtt_port: PortChoice::Exactly(0),
        https_port: PortChoice::Exactly(0),
        devices: vec!["d".to_owned()],
        ..CloudOptions::default()
    };
    LocalCloud::start(options).await.expect("a cloud")
}

struct Wire(TlsStream<TcpStream>);

impl Wire {
    async fn open(cloud: &LocalCloud, port: u16) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(cloud.ca_pem().as_bytes()).expect("PEM"))
            .expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a socket");
        let name = ServerName::try_from("localhost").expect("a name");
        Self(TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("TLS"))
    }

    async fn mqtt(cloud: &LocalCloud) -> Self {
        Self::open(cloud, cloud.mqtt_port()).await
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("written");
        self.0.flush().await.expect("flushed");
    }

    /// The next packet whole: head and body.
    async fn hear(&mut self) -> (u8, Vec<u8>) {
        let packet = async {
            let head = self.0.read_u8().await.expect("a head");
            let (mut length, mut shift) = (0_usize, 0);
            loop {
                let byte = self.0.read_u8().await.expect("a length");
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.expect("a body");
            (head, body)
        };
        timeout(PATIENCE, packet).await.expect("a packet in time")
    }

    /// The next packet as a PUBLISH of either quality: topic and body.
    async fn hear_publish(&mut self) -> (String, Value) {
        let (head, body) = self.hear().await;
        assert_eq!(head & 0xf0, 0x30, "a PUBLISH");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).expect("a topic");
        let rest = &body[2 + length + if head & 0x06 == 0 { 0 } else { 2 }..];
        (topic, if rest.is_empty() { Value::Null } else { serde_json::from_slice(rest).expect("JSON") })
    }

    async fn hear_end(&mut self) {
        let mut rest = Vec::new();
        // Cut off without a close of TLS is an end too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("an end in time");
        assert_eq!(rest, b"", "nothing but the end");
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    let mut length = body.len();
    loop {
        let more = length > 127;
        bytes.push(u8::try_from(length & 0x7f).expect("seven bits") | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    [bytes, body.to_vec()].concat()
}

fn connect(client: &str, user: &str, password: &str, clean: bool) -> Vec<u8> {
    let flags = 0xc0 | if clean { 2 } else { 0 };
    let head = [text("MQTT"), vec![4, flags, 0, 60]].concat();
    packet(0x10, &[head, text(client), text(user), text(password)].concat())
}

fn subscribe(id: u8, filter: &str, quality: u8) -> Vec<u8> {
    packet(0x82, &[vec![0, id], text(filter), vec![quality]].concat())
}

fn publish(id: u8, topic: &str, body: &[u8]) -> Vec<u8> {
    packet(0x32, &[text(topic), vec![0, id], body.to_vec()].concat())
}

fn as_d(cloud: &LocalCloud, clean: bool) -> Vec<u8> {
    let token = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", FAR, None);
    connect("d", "localhost/d/?api-version=2021-04-12", token.reveal(), clean)
}

async fn online(cloud: &LocalCloud) -> Wire {
    let mut wire = Wire::mqtt(cloud).await;
    wire.say(&as_d(cloud, false)).await;
    assert_eq!(wire.hear().await.0, 0x20);
    wire
}

#[tokio::test]
async fn what_is_not_mqtt_is_closed_and_the_cloud_stays_up() {
    let cloud = cloud().await;
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0xff; 64],
        &[0x10, 0xff, 0xff, 0xff, 0x7f],
        &publish(1, "devices/d/messages/events/", b"{}"),
        b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01d",
        b"\xc0\x00",
    ] {
        let mut wire = Wire::mqtt(&cloud).await;
        wire.say(bytes).await;
        wire.hear_end().await;
    }
    online(&cloud).await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_refused_connect_has_its_return_code() {
    let cloud = cloud().await;
    let good = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", FAR, None);
    let group = Token::sign(&cloud.group_key(), "localhost/devices/d", FAR, None);
    let old = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", 1_000_000, None);
    let user = "localhost/d/?api-version=2021-04-12";
    for (code, bytes) in [
        (1, b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x01d".to_vec()),
        (2, connect("other", user, good.reveal(), true)),
        (4, connect("d", "nonsense", good.reveal(), true)),
        (5, connect("d", user, group.reveal(), true)),
        (5, connect("d", user, old.reveal(), true)),
        (5, connect("d", "elsewhere/d/?api-version=2021-04-12", good.reveal(), true)),
        (5, connect("e", "localhost/e/?api-version=2021-04-12", good.reveal(), true)),
    ] {
        let mut wire = Wire::mqtt(&cloud).await;
        wire.say(&bytes).await;
        assert_eq!(wire.hear().await, (0x20, vec![0, code]));
        wire.hear_end().await;
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_connected_device_that_breaks_the_rules_is_closed() {
    let cloud = cloud().await;
    for bytes in [
        as_d(&cloud, false),
        publish(1, "devices/other/messages/events/", b"{}"),
        publish(1, "anything", b"{}"),
        publish(1, "devices/d/messages/events/a=%FF", b"{}"),
        packet(0x34, &[text("devices/d/messages/events/"), vec![0, 1]].concat()),
        publish(1, "devices/d/messages/events/", &vec![b'x'; 300_000]),
        vec![0x20, 2, 0, 0],
        vec![0x82, 0],
    ] {
        let mut wire = online(&cloud).await;
        // An oversize packet may be refused before it is written to its end.
        let _ = wire.0.write_all(&bytes).await;
        let _ = wire.0.flush().await;
        wire.hear_end().await;
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_device_provisions_over_mqtt_and_uses_its_twin_packet_by_packet() {
    let cloud = cloud().await;
    let scope = cloud.id_scope();
    let key: SharedKey = cloud.group_key().derive("sensor-01");
    let token = Token::sign(&key, &format!("{scope}/registrations/sensor-01"), FAR, Some("registration"));
    let user = format!("{scope}/registrations/sensor-01/api-version=2019-03-31&ClientVersion=x");
    let mut dps = Wire::mqtt(&cloud).await;
    dps.say(&connect("sensor-01", &user, token.reveal(), false)).await;
    assert_eq!(dps.hear().await, (0x20, vec![0, 0]), "DPS keeps no session");
    dps.say(&subscribe(1, "$dps/registrations/res/#", 2)).await;
    assert_eq!(dps.hear().await, (0x90, vec![0, 1, 1]), "QoS 2 is granted 1");
    dps.say(&publish(2, "$dps/registrations/PUT/iotdps-register/?$rid=6a1b", b"{\"payload\": null}")).await;
    assert_eq!(dps.hear().await, (0x40, vec![0, 2]), "PUBACK comes before the answer");
    let (topic, body) = dps.hear_publish().await;
    assert_eq!(topic, "$dps/registrations/res/202/?$rid=6a1b&retry-after=0");
    assert_eq!(body["status"], "assigning");
    let operation = body["operationId"].as_str().expect("a name");
    let ask = format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=7&operationId={operation}");
    dps.say(&publish(3, &ask, b" ")).await;
    assert_eq!(dps.hear().await, (0x40, vec![0, 3]));
    let (topic, body) = dps.hear_publish().await;
    assert_eq!(topic, "$dps/registrations/res/200/?$rid=7");
    assert_eq!(body["registrationState"]["assignedHub"], format!("localhost:{}", cloud.mqtt_port()));

    let host = "localhost";
    let token = Token::sign(&key, &format!("{host}/devices/sensor-01"), FAR, None);
    let user = format!("{host}/sensor-01/?api-version=2021-04-12");
    let mut hub = Wire::mqtt(&cloud).await;
    hub.say(&connect("sensor-01", &user, token.reveal(), false)).await;
    assert_eq!(hub.hear().await, (0x20, vec![0, 0]));
    // All at once, as a device in a hurry sends: the answers come in order.
    let burst = [
        subscribe(1, "$iothub/twin/res/#", 0),
        publish(2, "$iothub/twin/GET/?$rid=a", b""),
        publish(3, "$iothub/twin/PATCH/properties/reported/?$rid=b", b"{\"state\":\"true\"}"),
        publish(4, "devices/sensor-01/messages/events/%24.ct=application%2Fjson", b"{\"temp\":1}"),
        vec![0xc0, 0],
    ];
    hub.say(&burst.concat()).await;
    assert_eq!(hub.hear().await, (0x90, vec![0, 1, 0]));
    assert_eq!(hub.hear().await, (0x40, vec![0, 2]));
    assert_eq!(
        hub.hear_publish().await,
        (
            "$iothub/twin/res/200/?$rid=a".to_owned(),
            json!({"desired": {"$version": 1}, "reported": {"$version": 1}})
        )
    );
    assert_eq!(hub.hear().await, (0x40, vec![0, 3]));
    assert_eq!(hub.hear_publish().await, ("$iothub/twin/res/204/?$rid=b&$version=2".to_owned(), Value::Null));
    assert_eq!(hub.hear().await, (0x40, vec![0, 4]));
    assert_eq!(hub.hear().await, (0xd0, vec![]));
    cloud.stop().await;
}

/// One request on its own connection: status and body.
async fn request(cloud: &LocalCloud, line: &str, token: &str, more: &str, body: &str) -> (u16, String) {
    let mut wire = Wire::open(cloud, cloud.https_port()).await;
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {token}\r\n\
         Content-Length: {length}\r\n{more}\r\n"
    );
    wire.say(format!("{head}{body}").as_bytes()).await;
    let mut answer = String::new();
    let _ = timeout(PATIENCE, wire.0.read_to_string(&mut answer)).await.expect("an answer in time");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    (status, format!("{head}\n\n{body}"))
}

fn service(cloud: &LocalCloud) -> String {
    let string = crate::wire::ConnectionString::parse(&cloud.service_connection_string()).expect("a string");
    let resource = format!("localhost:{}", cloud.https_port());
    Token::sign(&string.key, &resource, FAR, Some("iothubowner")).reveal().to_owned()
}

fn json_of(answer: &str) -> Value {
    serde_json::from_str(answer.rsplit("\n\n").next().unwrap_or_default()).expect("JSON")
}

#[tokio::test]
async fn a_device_provisions_over_https() {
    let cloud = cloud().await;
    let scope = cloud.id_scope();
    let resource = format!("{scope}/registrations/s");
    let token = Token::sign(&cloud.group_key().derive("s"), &resource, FAR, Some("registration"));
    let base = format!("/{scope}/registrations/s");
    let put = format!("PUT {base}/register?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &put, token.reveal(), "", "{\"registrationId\":\"s\"}").await;
    assert_eq!(status, 202, "{answer}");
    assert!(
        answer.contains("\r\nretry-after: 0\r\n") && answer.contains("\r\nlocation: https://"),
        "{answer}"
    );
    let operation = json_of(&answer)["operationId"].as_str().expect("a name").to_owned();
    let get = format!("GET {base}/operations/{operation}?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &get, token.reveal(), "", "").await;
    assert_eq!((status, json_of(&answer)["status"].as_str()), (200, Some("assigned")));
    let post = format!("POST {base}?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &post, token.reveal(), "", "{}").await;
    assert_eq!((status, json_of(&answer)["deviceId"].as_str()), (200, Some("s")));

    let (status, answer) = request(&cloud, &put, token.reveal(), "", "{\"modelId\":\"dtmi:x;1\"}").await;
    assert!(status == 400 && answer.contains("x-ms-error-code: 400012"), "{answer}");
    let group = Token::sign(&cloud.group_key(), &resource, FAR, Some("registration"));
    let (status, answer) = request(&cloud, &put, group.reveal(), "", "{}").await;
    assert_eq!((status, json_of(&answer)["errorCode"].as_u64()), (401, Some(401_002)));
    assert!(answer.contains("signed with the enrolment group's key itself"), "{answer}");
    cloud.stop().await;
}

#[tokio::test]
async fn a_service_calls_a_command_and_changes_a_property_of_a_connected_device() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let methods = "POST /twins/d/methods?api-version=2021-04-12";
    let call = "{\"methodName\":\"blink\",\"payload\":5}";
    let (status, answer) = request(&cloud, methods, &token, "", call).await;
    assert!(status == 404 && answer.contains("404103"), "{answer}");
    let (status, answer) =
        request(&cloud, methods, &token, "", "{\"methodName\":\"x\",\"responseTimeoutInSeconds\":4}").await;
    assert!(status == 400 && answer.contains("ErrorCode:ArgumentInvalid;"), "{answer}");

    let mut wire = online(&cloud).await;
    let filters = [
        subscribe(1, "$iothub/methods/POST/#", 0),
        subscribe(2, "$iothub/twin/PATCH/properties/desired/#", 1),
    ];
    wire.say(&filters.concat()).await;
    assert_eq!(wire.hear().await, (0x90, vec![0, 1, 0]));
    assert_eq!(wire.hear().await, (0x90, vec![0, 2, 1]));
    let device = async {
        let (topic, body) = wire.hear_publish().await;
        assert_eq!((topic.as_str(), body), ("$iothub/methods/POST/blink/?$rid=1", json!(5)));
        wire.say(&publish(3, "$iothub/methods/res/200/?$rid=1", b"{\"ok\":true}")).await;
        assert_eq!(wire.hear().await, (0x40, vec![0, 3]));
    };
    let ((status, answer), ()) = tokio::join!(request(&cloud, methods, &token, "", call), device);
    assert_eq!((status, json_of(&answer)), (200, json!({"status": 200, "payload": {"ok": true}})));

    // The session outlives the connection: nothing is subscribed again.
    wire.say(&[0xe0, 0]).await;
    wire.hear_end().await;
    let mut wire = Wire::mqtt(&cloud).await;
    wire.say(&as_d(&cloud, false)).await;
    assert_eq!(wire.hear().await, (0x20, vec![1, 0]), "the session is present");
    let patch = "{\"properties\":{\"desired\":{\"name\":{\"value\":\"x\"}}}}";
    let line = "PATCH /twins/d?api-version=2021-04-12";
    let (status, answer) = request(&cloud, line, &token, "If-Match: \"*\"\r\n", patch).await;
    assert_eq!((status, &json_of(&answer)["properties"]["desired"]["$version"]), (200, &json!(2)));
    assert_eq!(
        wire.hear_publish().await,
        (
            "$iothub/twin/PATCH/properties/desired/?$version=2".to_owned(),
            json!({"name": {"value": "x"}, "$version": 2})
        )
    );
    let (status, _) = request(&cloud, line, &token, "If-Match: \"AAAA\"\r\n", patch).await;
    assert_eq!(status, 412);
    cloud.stop().await;
}

#[tokio::test]
async fn a_second_connection_replaces_the_first_and_deleting_ends_it() {
    let cloud = cloud().await;
    let mut first = online(&cloud).await;
    let mut second = online(&cloud).await;
    first.hear_end().await;
    let token = service(&cloud);
    let (status, _) = request(&cloud, "DELETE /devices/d?api-version=2021-04-12", &token, "", "").await;
    assert_eq!(status, 204);
    second.hear_end().await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_service_creates_reads_and_lists_devices() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let body = "{\"deviceId\":\"e:1#x?\",\"status\":\"enabled\",\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"\",\"secondaryKey\":\"\"},\"type\":\"sas\"},\"capabilities\":{\"iotEdge\":false}}";
    let line = "/devices/e%3A1%23x%3F?api-version=2021-04-12";
    let (status, answer) = request(&cloud, &format!("PUT {line}"), &token, "", body).await;
    assert_eq!(status, 200, "{answer}");
    let key = json_of(&answer)["authentication"]["symmetricKey"]["primaryKey"].clone();
    assert!(SharedKey::from_base64(key.as_str().expect("a key")).is_ok());
    let (status, _) = request(&cloud, &format!("PUT {line}"), &token, "", body).await;
    assert_eq!(status, 409);
    let (status, answer) = request(&cloud, &format!("GET {line}"), &token, "", "").await;
    assert_eq!((status, json_of(&answer)["deviceId"].as_str()), (200, Some("e:1#x?")));
    let (_, answer) = request(&cloud, "GET /devices?top=10&api-version=2021-04-12", &token, "", "").await;
    assert_eq!(json_of(&answer).as_array().map(Vec::len), Some(2));
    cloud.stop().await;
}

#[tokio::test]
async fn what_this_cloud_has_not_is_refused_by_name() {
    let cloud = cloud().await;
    for (line, words) in [
        ("POST /devices/d/files?api-version=2021-04-12", "file upload"),
        ("GET /digitaltwins/d?api-version=2021-04-12", "digital twins"),
        ("GET /nowhere", "GET /nowhere"),
    ] {
        let (status, answer) = request(&cloud, line, "x", "", "{}").await;
        assert_eq!(status, 501, "{answer}");
        assert!(answer.contains("ErrorCode:NotSupported;") && answer.contains(words), "{answer}");
    }
    let (status, answer) = request(&cloud, "GET /twins/d?api-version=2021-04-12", "x", "", "").await;
    assert!(status == 401 && answer.contains("ErrorCode:IotHubUnauthorizedAccess;"), "{answer}");
    let (status, _) = request(&cloud, "GET /health", "", "", "").await;
    assert_eq!(status, 200);
    cloud.stop().await;
}

#[tokio::test]
async fn events_stream_as_they_happen() {
    let cloud = cloud().await;
    let mut device = online(&cloud).await;
    let mut stream = Wire::open(&cloud, cloud.https_port()).await;
    let token = service(&cloud);
    let request =
        format!("GET /envsim/events?device=d HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n\r\n");
    stream.say(request.as_bytes()).await;
    let mut heard = String::new();
    let mut hear_until = async |wanted: &str| {
        while !heard.contains(wanted) {
            let mut buffer = [0; 4096];
            let read = timeout(PATIENCE, stream.0.read(&mut buffer)).await.expect("in time").expect("bytes");
            assert_ne!(read, 0, "the stream ended after {heard}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    // The first, empty line says that the stream has begun.
    hear_until("\r\n\r\n1\r\n\n").await;
    device.say(&publish(1, "devices/d/messages/events/a=1", b"{\"temp\":7}")).await;
    hear_until("\"properties\":{\"a\":\"1\"},\"body\":{\"temp\":7}}").await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_or_another_port() {
    let cloud = cloud().await;
    let taken = cloud.mqtt_port();
    let start = |mqtt_port| {
        LocalCloud::start(CloudOptions {
            mqtt_port,
            https_port: PortChoice::Exactly(0),
            ..CloudOptions::default()
        })
    };
    let error = start(PortChoice::Exactly(taken)).await.expect_err("taken");
    assert!(matches!(error, CloudError::Bind { .. }));
    assert!(error.to_string().contains("--mqtt-port"), "{error}");
    let other = start(PortChoice::Preferred(taken)).await.expect("another port");
    assert_ne!(other.mqtt_port(), taken);
    other.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn stopping_ends_open_connections_in_time() {
    let cloud = cloud().await;
    let mut device = online(&cloud).await;
    let bound = cloud.mqtt_port();
    timeout(Duration::from_secs(3), cloud.stop()).await.expect("stopped in time");
    device.hear_end().await;
    assert!(std::net::TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), bound)).is_ok());
}
