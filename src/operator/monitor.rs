//! Watching what devices send, and what happens to their twins and connections.

use reqwest::{Method, Response, StatusCode};

use super::client::now;
use super::event_hub::{Origin, Reader};
use super::{Client, OperatorError};
use crate::device::DeviceId;
use crate::trust::Trust;
use crate::wire::amqp;
use crate::wire::service::is_azure;
use crate::wire::service::{self, HubEvent};

/// The longest line that is taken: a message of 256 KiB in base64 and its properties.
const MAX_LINE: usize = 1024 * 1024;

/// What is heard of a hub.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event.
    Event(Box<HubEvent>),
    /// The connection was lost, and why; it is made again.
    Lost(String),
    /// The connection stands again, and nothing was missed that the hub still had.
    Back,
}

/// A running stream of a hub's events.
#[derive(Debug)]
pub struct Events(Kind);

#[derive(Debug)]
enum Kind {
    /// The local cloud's own.
    Lines(Lines),
    /// Azure's.
    Amqp(Reader),
}

/// Events of the local cloud, one a line.
#[derive(Debug)]
struct Lines {
    host: String,
    response: Response,
    buffer: Vec<u8>,
    /// How much of the buffer has no line end, so that it is not searched again.
    searched: usize,
}

impl Client {
    /// Begins to watch one device and its modules, or all. Of a hub in Azure it watches all, for a
    /// consumer `group`, by way of the endpoint that the hub names.
    pub async fn monitor(&self, device: Option<&DeviceId>, group: &str) -> Result<Events, OperatorError> {
        let host = self.host().to_owned();
        if is_azure(&host) {
            let origin = Origin::Hub(self.connection().clone(), amqp::PORT);
            return Events::read(origin, group, self.trust()).await;
        }
        // No time-out: a quiet hub has nothing to say.
        let path = service::events_path(device.map(DeviceId::as_str));
        let response =
            self.request(Method::GET, &path)?.send().await.map_err(|error| self.unreached(&error))?;
        match response.status() {
            StatusCode::OK => Ok(Events(Kind::Lines(Lines::new(host, response)))),
            StatusCode::NOT_FOUND => Err(OperatorError::NoStream { host }),
            status => {
                let ahead = OperatorError::clock_ahead(response.headers(), now());
                let body = response.bytes().await.unwrap_or_default();
                Err(OperatorError::refused(&host, "events", status.as_u16(), &body, ahead))
            }
        }
    }
}

impl Events {
    /// Begins to read over AMQP for a consumer `group`, with what comes from now on.
    pub async fn read(origin: Origin, group: &str, trust: &Trust) -> Result<Self, OperatorError> {
        Ok(Self(Kind::Amqp(Reader::open(origin, group, trust).await?)))
    }

    /// What is heard next; `None` when the hub has ended the stream. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Heard>, OperatorError> {
        match &mut self.0 {
            Kind::Lines(lines) => Ok(lines.next().await?.map(|event| Heard::Event(Box::new(event)))),
            Kind::Amqp(reader) => reader.next().await,
        }
    }
}

impl Lines {
    fn new(host: String, response: Response) -> Self {
        Self { host, response, buffer: Vec::new(), searched: 0 }
    }

    async fn next(&mut self) -> Result<Option<HubEvent>, OperatorError> {
        loop {
            if let Some(line) = self.line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| self.ended(format!("a line in it is not an event ({error})")));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(self.ended(format!("a line in it is longer than {MAX_LINE} bytes")));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) => return Ok(None),
                Err(error) => {
                    let why = crate::trust::Fault::of(&error).reason(&self.host, 0);
                    return Err(self.ended(why));
                }
            }
        }
    }

    /// Takes the first whole line off the buffer.
    fn line(&mut self) -> Option<Vec<u8>> {
        let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = found.map(|at| at + self.searched) else {
            self.searched = self.buffer.len();
            return None;
        };
        self.searched = 0;
        Some(self.buffer.drain(..=end).collect())
    }

    fn ended(&self, why: String) -> OperatorError {
        OperatorError::StreamEnded { host: self.host.clone(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_are_read_line_by_line_however_they_are_cut() {
        let line =
            r#"{"sequence":1,"enqueuedTime":"2030","source":"Telemetry","deviceId":"d","body":{"temp":20}}"#;
        let body = format!("{line}\n\n{line}\n");
        let response = Response::from(axum::http::Response::new(body));
        let mut events = Lines::new("h".to_owned(), response);
        for _ in 0..2 {
            assert_eq!(events.next().await.expect("an event").expect("not the end").device_id, "d");
        }
        assert_eq!(events.next().await, Ok(None));
    }
}
