//! A server of images that breaks off, is silent, or redirects when it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::trust::Trust;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Sends the image, or the part that is asked for if `If-Range` allows it.
    Image(Image),
    /// Sends a head, written out, and nothing else.
    Head(String),
}

#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) bytes: Arc<Vec<u8>>,
    /// By what it is known, a header written out.
    pub(super) known_by: &'static str,
    /// How much of it is sent before it is broken off.
    pub(super) cut: Option<usize>,
    /// Not broken off then, but silent.
    pub(super) hang: bool,
    /// Not silent then either, but one byte at a time.
    pub(super) drip: bool,
}

/// One request and what was sent for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) path: String,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) sent: usize,
}

pub(super) struct Server {
    pub(super) port: u16,
    served: Arc<Mutex<Vec<Served>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// A server that gives these replies, one a request, and the last one from then on.
    pub(super) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::begin(replies, None).await
    }

    /// The same over TLS, for `localhost`, and the trust that goes with it.
    pub(super) async fn secured(replies: impl IntoIterator<Item = Reply>) -> (Self, Trust) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let trust = Trust::only(&made.cert.pem(), "test").expect("trust");
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a configuration");
        (Self::begin(replies, Some(TlsAcceptor::from(Arc::new(config)))).await, trust)
    }

    async fn begin(replies: impl IntoIterator<Item = Reply>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut replies: VecDeque<_> = replies.into_iter().collect();
        let book = Arc::clone(&served);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut next =
                    || if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
                match &tls {
                    None => serve(stream, next().expect("a reply"), &book).await,
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { continue };
                        serve(stream, next().expect("a reply"), &book).await;
                    }
                }
            }
        });
        Self { port, served, task }
    }

    pub(super) fn uri(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(super) fn served(&self) -> Vec<Served> {
        self.served.lock().expect("not poisoned").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn bytes(length: usize) -> Arc<Vec<u8>> {
    let byte = |at: usize| u8::try_from((at * 31 + at / 251) % 256).expect("a byte");
    Arc::new((0..length).map(byte).collect())
}

pub(super) fn image(bytes: &Arc<Vec<u8>>) -> Image {
    Image { bytes: Arc::clone(bytes), known_by: "ETag: \"one\"", cut: None, hang: false, drip: false }
}

impl Image {
    pub(super) fn cut(self, at: usize) -> Self {
        Self { cut: Some(at), ..self }
    }

    pub(super) fn hang(self, at: usize) -> Self {
        Self { cut: Some(at), hang: true, ..self }
    }

    pub(super) fn drip(self, at: usize) -> Self {
        Self { cut: Some(at), drip: true, ..self }
    }

    pub(super) fn known_by(self, known_by: &'static str) -> Self {
        Self { known_by, ..self }
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, reply: Reply, book: &Mutex<Vec<Served>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("text");
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then(|| value.to_owned()))
    };
    let mut served = Served {
        path: head.split(' ').nth(1).unwrap_or_default().to_owned(),
        range: header("range"),
        if_range: header("if-range"),
        sent: 0,
    };
    let image = match reply {
        Reply::Head(head) => {
            book.lock().expect("not poisoned").push(served);
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.shutdown().await;
            return;
        }
        Reply::Image(image) => image,
    };
    let total = image.bytes.len();
    let validator = image.known_by.split_once(": ").map(|(_, value)| value);
    let start = served
        .range
        .as_ref()
        .filter(|_| served.if_range.as_deref() == validator)
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let answer = match start {
        Some(start) if start >= total => {
            format!("416 No\r\nContent-Range: bytes */{total}\r\nContent-Length: 0")
        }
        Some(start) => format!(
            "206 Part\r\nContent-Range: bytes {start}-{}/{total}\r\nContent-Length: {}",
            total - 1,
            total - start
        ),
        None => format!("200 OK\r\nContent-Length: {total}"),
    };
    let known_by = match image.known_by {
        "" => String::new(),
        known_by => format!("{known_by}\r\n"),
    };
    let head = format!(
        "HTTP/1.1 {answer}\r\n{known_by}Date: Sat, 21 Nov 2026 10:00:00 GMT\r\nConnection: close\r\n\r\n"
    );
    let from = start.unwrap_or(0).min(total);
    let to = image.cut.map_or(total, |cut| from.saturating_add(cut).min(total));
    served.sent = to - from;
    book.lock().expect("not poisoned").push(served);
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&image.bytes[from..to]).await;
    let _ = stream.flush().await;
    if image.drip {
        for byte in &image.bytes[to..] {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                break;
            }
        }
    }
    if image.hang {
        let _ = stream.read_u8().await;
    }
}
