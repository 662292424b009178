//! Many connections on one thread: the cheapest generator that rustls allows, so that the server
//! is what is measured. Nothing of its own is allocated per message.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConnection;

use super::server::{PATIENCE, Server, packet};
use super::table::count;

/// Handshakes at once.
const AT_ONCE: usize = 64;
/// About what a device of this program sends.
const BODY: &[u8] = br#"{"temperature":23.456,"humidity":45.678,"pressure":1013.25,"light":312.5,"sequence":123456,"battery":98.7,"rssi":-61}"#;

/// What a run has shown.
pub(crate) struct Run {
    pub(crate) rate: f64,
    pub(crate) cpu_per_million: f64,
}

struct Connection {
    socket: TcpStream,
    tls: ClientConnection,
    /// As many messages as are sent at once, each with a place for its packet id.
    messages: Vec<u8>,
    /// The length of one of them.
    length: usize,
    next: u16,
    up: bool,
    /// The beginning of an answer whose end has not come.
    part: ([u8; 4], usize),
}

/// Connections of identities 0, 1, 2 and so on.
pub(crate) struct Fleet<'a> {
    server: &'a Server,
    poll: Poll,
    connections: Vec<Connection>,
    chunk: Vec<u8>,
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        let poll = Poll::new().expect("a poll");
        Self { server, poll, connections: Vec::new(), chunk: vec![0; 16_384] }
    }

    /// Brings more connections up, to their CONNACKs.
    pub(crate) fn connect(&mut self, more: usize) {
        let wanted = self.connections.len() + more;
        let mut up = self.connections.len();
        // Signed beforehand: tokens are not what is measured.
        let packets: Vec<_> = (up..wanted).map(|number| self.server.connect_packet(number)).collect();
        let mut packets = packets.into_iter();
        let mut events = Events::with_capacity(1_024);
        let began = Instant::now();
        while up < wanted {
            assert!(began.elapsed() < PATIENCE, "only {up} of {wanted} connections came up");
            while self.connections.len() < wanted && self.connections.len() - up < AT_ONCE {
                let Some(packet) = packets.next() else { break };
                self.open(&packet);
            }
            self.poll.poll(&mut events, Some(Duration::from_millis(100))).expect("a poll");
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                let was_up = connection.up;
                connection.exchange(&mut self.chunk);
                up += usize::from(connection.up && !was_up);
            }
        }
    }

    fn open(&mut self, connect: &[u8]) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.server.port));
        let mut socket = TcpStream::connect(address).expect("a socket");
        let token = Token(self.connections.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, token, interest).expect("registered");
        let mut tls = self.server.session();
        tls.writer().write_all(connect).expect("buffered until the handshake is done");
        self.connections.push(Connection {
            socket,
            tls,
            messages: Vec::new(),
            length: 0,
            next: 1,
            up: false,
            part: ([0; 4], 0),
        });
    }

    /// Sends as fast as is acknowledged, with so many messages under way on each connection.
    pub(crate) fn ingest(&mut self, under_way: usize, span: Duration) -> Run {
        for (number, connection) in self.connections.iter_mut().enumerate() {
            let _ = connection.socket.set_nodelay(true);
            connection.prepare(&Server::device(number), under_way);
            connection.send(under_way);
            connection.exchange(&mut self.chunk);
        }
        let mut events = Events::with_capacity(1_024);
        let mut acknowledged = 0;
        let warm = Instant::now() + span / 5;
        let mut mark = None;
        let (seconds, cpu, done) = loop {
            self.poll.poll(&mut events, Some(Duration::from_secs(5))).expect("a poll");
            assert!(!events.is_empty(), "the server stopped answering");
            let now = Instant::now();
            match mark {
                None if now >= warm => mark = Some((now, self.server.cpu(), acknowledged)),
                Some((began, cpu, first)) if now >= began + span => {
                    let seconds = (now - began).as_secs_f64();
                    break (seconds, self.server.cpu() - cpu, count(acknowledged - first));
                }
                _ => {}
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                let answers = connection.exchange(&mut self.chunk);
                if answers > 0 {
                    acknowledged += answers;
                    connection.send(answers);
                    connection.flush();
                }
            }
        };
        Run { rate: done / seconds, cpu_per_million: cpu / done * 1e6 }
    }
}

impl Connection {
    fn prepare(&mut self, device: &str, most: usize) {
        let topic = format!("devices/{device}/messages/events/");
        let mut body = u16::try_from(topic.len()).expect("a short topic").to_be_bytes().to_vec();
        body.extend(topic.as_bytes());
        body.extend([0, 0]);
        body.extend(BODY);
        let message = packet(0x32, &body);
        self.length = message.len();
        self.messages = message.repeat(most);
        self.tls.set_buffer_limit(None);
    }

    /// Puts so many messages into TLS, in as few records as they fit in.
    fn send(&mut self, how_many: usize) {
        let mut left = how_many;
        while left > 0 {
            let length = self.length;
            let together = left.min(self.messages.len() / length);
            let id_at = length - BODY.len() - 2;
            for message in self.messages[..together * length].chunks_exact_mut(length) {
                message[id_at..id_at + 2].copy_from_slice(&self.next.to_be_bytes());
                self.next = self.next.checked_add(1).unwrap_or(1);
            }
            self.tls.writer().write_all(&self.messages[..together * length]).expect("buffered");
            left -= together;
        }
    }

    fn flush(&mut self) {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) => panic!("cannot write: {error}"),
            }
        }
    }

    /// Reads and writes what can be. Answers how many acknowledgements came.
    fn exchange(&mut self, chunk: &mut [u8]) -> usize {
        let mut answers = 0;
        loop {
            let read = match self.tls.read_tls(&mut self.socket) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) => panic!("cannot read: {error}"),
            };
            self.tls.process_new_packets().expect("TLS");
            while let Ok(length) = self.tls.reader().read(chunk) {
                answers += self.take(&chunk[..length]);
            }
            // Less than rustls asks for at once: there was no more.
            if read < 4_096 && !self.tls.is_handshaking() {
                break;
            }
        }
        self.flush();
        answers
    }

    /// Counts answers, all of which have four bytes.
    fn take(&mut self, mut bytes: &[u8]) -> usize {
        let mut answers = 0;
        while !bytes.is_empty() {
            let (part, filled) = &mut self.part;
            let length = bytes.len().min(4 - *filled);
            part[*filled..*filled + length].copy_from_slice(&bytes[..length]);
            *filled += length;
            bytes = &bytes[length..];
            if *filled == 4 {
                *filled = 0;
                if self.up {
                    assert_eq!(part[..2], [0x40, 2], "an acknowledgement");
                    answers += 1;
                } else {
                    assert_eq!(*part, [0x20, 2, 0, 0], "the server refuses a connection");
                    self.up = true;
                }
            }
        }
        answers
    }
}
