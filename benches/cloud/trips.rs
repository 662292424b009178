//! One request after the other: what a device or a service waits for.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use envsim::wire::ConnectionString;
use envsim::wire::sas::Token;
use rustls::{ClientConnection, StreamOwned};

use super::server::{PATIENCE, Server, packet};
use super::table::count;

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// What a kind of round trip has shown.
pub(crate) struct Trip {
    pub(crate) name: &'static str,
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Each kind, so many times.
pub(crate) fn all(server: &Server, times: u32) -> Vec<Trip> {
    let mut device = Device::connect(server);
    let mut service = Service::connect(server);
    let mut rid = 0;
    let get = timed("twin get over MQTT", times, || {
        rid += 1;
        device.publish(&format!("$iothub/twin/GET/?$rid={rid}"), b"");
        device.answer("$iothub/twin/res/200/");
    });
    let patch = timed("reported patch over MQTT", times, || {
        rid += 1;
        let body = format!(r#"{{"counter":{rid}}}"#);
        device.publish(&format!("$iothub/twin/PATCH/properties/reported/?$rid={rid}"), body.as_bytes());
        device.answer("$iothub/twin/res/204/");
    });
    let id = Server::device(0);
    let target = format!("/twins/{id}/methods?api-version=2021-04-12");
    let body = r#"{"methodName":"reboot","responseTimeoutInSeconds":30,"payload":{"delay":1}}"#;
    let method = timed("direct method, HTTPS to MQTT and back", times, || {
        service.send("POST", &target, body);
        let topic = device.answer("$iothub/methods/POST/reboot/");
        let rid = topic.split_once("$rid=").map(|(_, rid)| rid).expect("a request id");
        device.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), b"{}");
        service.answer();
    });
    vec![get, patch, method]
}

fn timed(name: &'static str, times: u32, mut act: impl FnMut()) -> Trip {
    for _ in 0..times / 10 {
        act();
    }
    let began = Instant::now();
    let mut taken: Vec<f64> = (0..times)
        .map(|_| {
            let began = Instant::now();
            act();
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let rate = count(taken.len()) / began.elapsed().as_secs_f64();
    taken.sort_by(f64::total_cmp);
    let (p50, p99) = (taken[taken.len() / 2], taken[taken.len() * 99 / 100]);
    Trip { name, rate, p50, p99 }
}

fn stream(server: &Server, port: u16) -> Stream {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    socket.set_nodelay(true).expect("no delay");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    StreamOwned::new(server.session(), socket)
}

/// A device that waits.
struct Device(Stream);

impl Device {
    fn connect(server: &Server) -> Self {
        let mut device = Self(stream(server, server.port));
        device.write(&server.connect_packet(0));
        assert_eq!(device.packet(), (0x20, vec![0, 0]), "CONNACK");
        let mut body = vec![0, 1];
        for filter in ["$iothub/twin/res/#", "$iothub/methods/POST/#"] {
            body.extend(u16::try_from(filter.len()).expect("short").to_be_bytes());
            body.extend(filter.as_bytes());
            body.push(0);
        }
        device.write(&packet(0x82, &body));
        assert_eq!(device.packet(), (0x90, vec![0, 1, 0, 0]), "SUBACK");
        device
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("written");
        self.0.flush().expect("written");
    }

    fn publish(&mut self, topic: &str, payload: &[u8]) {
        let mut body = u16::try_from(topic.len()).expect("short").to_be_bytes().to_vec();
        body.extend(topic.as_bytes());
        body.extend(payload);
        self.write(&packet(0x30, &body));
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.0.read_exact(&mut byte).expect("a byte");
        byte[0]
    }

    fn packet(&mut self) -> (u8, Vec<u8>) {
        let kind = self.byte();
        let (mut length, mut shift) = (0, 0);
        loop {
            let digit = self.byte();
            length |= usize::from(digit & 0x7f) << shift;
            shift += 7;
            if digit < 0x80 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a packet");
        (kind, body)
    }

    /// The topic of the next publish, which has to begin so.
    fn answer(&mut self, start: &str) -> String {
        let (kind, body) = self.packet();
        assert_eq!(kind & 0xf0, 0x30, "a publish");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8_lossy(&body[2..2 + length]).into_owned();
        assert!(topic.starts_with(start), "{topic}");
        topic
    }
}

/// A service on one connection that is kept alive.
struct Service {
    stream: Stream,
    token: Token,
}

impl Service {
    fn connect(server: &Server) -> Self {
        let text = server.ready["serviceConnectionString"].as_str().expect("a connection string");
        let parsed = ConnectionString::parse(text).expect("a connection string");
        let expiry = jiff::Timestamp::now().as_second() + 3_600;
        let token = Token::sign(&parsed.key, &parsed.hub.name, expiry, Some("iothubowner"));
        let port = server.ready["httpsPort"].as_u64().and_then(|port| port.try_into().ok());
        Self { stream: stream(server, port.expect("a port")), token }
    }

    fn send(&mut self, method: &str, path: &str, body: &str) {
        let token = self.token.reveal();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).expect("written");
        self.stream.flush().expect("written");
    }

    fn answer(&mut self) {
        let (mut seen, mut chunk) = (Vec::new(), [0; 4_096]);
        loop {
            let text = String::from_utf8_lossy(&seen).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                assert!(head.starts_with("http/1.1 200"), "{text}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length: usize = length.and_then(|text| text.trim().parse().ok()).expect("a length");
                if body.len() >= length {
                    return;
                }
            }
            let count = self.stream.read(&mut chunk).expect("an answer");
            assert!(count > 0, "the cloud closed the connection: {text}");
            seen.extend_from_slice(&chunk[..count]);
        }
    }
}
