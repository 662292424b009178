//! A plain server of one image, that ends in the middle of it when it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// What it does.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    /// Sends the image, or what is asked for of it.
    Serve,
    /// Sends so many bytes of it, and ends.
    StopAfter(usize),
    /// Sends so many bytes of it, and then nothing until the device has gone.
    HangAfter(usize),
}

/// The server, and where each request wanted to go on.
pub struct ImageServer {
    port: u16,
    task: JoinHandle<Vec<Option<usize>>>,
}

impl ImageServer {
    /// On this port, or on any with 0.
    pub fn start(image: Vec<u8>, behaviour: Behaviour, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let task = std::thread::spawn(move || {
            let mut ranges = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                match serve(stream, &image, behaviour, port) {
                    Served::Image(range) => ranges.push(range),
                    Served::Redirect => {}
                    Served::End => break,
                }
                if !matches!(behaviour, Behaviour::Serve) {
                    break;
                }
            }
            ranges
        });
        Self { port, task }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/image.bin", self.port)
    }

    /// Ends it.
    pub fn end(self) -> Vec<Option<usize>> {
        // It may have ended already.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.write_all(b"END / HTTP/1.1\r\n\r\n");
        }
        self.task.join().expect("a server that works")
    }
}

enum Served {
    Image(Option<usize>),
    Redirect,
    End,
}

fn serve(mut stream: TcpStream, image: &[u8], behaviour: Behaviour, port: u16) -> Served {
    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default();
    if !request.starts_with("GET ") {
        return Served::End;
    }
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let to = match query {
        "circle" => Some("?back"),
        "back" => Some("?circle"),
        "elsewhere" => Some(""),
        _ => None,
    };
    if let Some(to) = to {
        let location = format!("http://127.0.0.1:{port}/image.bin{to}");
        let _ = write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        return Served::Redirect;
    }
    let value = |name: &str| {
        head.iter()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(|it| it.trim().to_owned()))
    };
    let range = value("range: bytes=").and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
    let range = range.filter(|_| value("if-range:").as_deref() == Some("\"one\""));
    let from = range.unwrap_or(0);
    let status = match range {
        Some(from) => {
            let (last, all) = (image.len() - 1, image.len());
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{last}/{all}")
        }
        None => "200 OK".to_owned(),
    };
    let length = image.len() - from;
    let sent = match behaviour {
        Behaviour::Serve => length,
        Behaviour::StopAfter(most) | Behaviour::HangAfter(most) => most.min(length),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"one\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // A device that has gone meanwhile shows in what the test waits for.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&image[from..from + sent]));
    if matches!(behaviour, Behaviour::HangAfter(_)) {
        let _ = stream.read(&mut [0]);
    }
    let _ = stream.shutdown(Shutdown::Write);
    Served::Image(range)
}
