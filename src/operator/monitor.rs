//! Watching what devices send, and what happens to their twins and connections.

use reqwest::{Method, Response, StatusCode};

use super::client::now;
use super::event_hub::{Origin, Reader};
use super::{Client, OperatorError};
use crate::device::DeviceId;
use crate::trust::{Fault, Trust};
use crate::wire::amqp;
use crate::wire::local::{self, EVENTS_AFTER, EVENTS_STARTED, HubEvent};
use crate::wire::service::is_azure;

/// The longest line that is taken: a message of 256 KiB in base64 and its properties.
const MAX_LINE: usize = 1024 * 1024;

/// What is heard of a hub.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event.
    Event(Box<HubEvent>),
    /// The connection was lost, and why; it is made again by itself.
    Lost(String),
    /// The connection stands again, and nothing was missed that the hub still had.
    Back,
    /// The connection was lost, and why; [`Events::read_on`] makes it again.
    Ended(String),
}

/// A running stream of a hub's events.
#[derive(Debug)]
pub struct Events(Kind);

#[derive(Debug)]
enum Kind {
    /// The local cloud's own.
    Lines(Box<Lines>),
    /// Azure's.
    Amqp(Reader),
}

/// Events of the local cloud, one a line.
#[derive(Debug)]
struct Lines {
    host: String,
    device: Option<DeviceId>,
    /// When the hub was started that counts like this.
    started: Option<String>,
    /// Up to which event it has been read.
    after: Option<u64>,
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
        Ok(Events(Kind::Lines(Box::new(self.lines(device, None).await?))))
    }

    /// Opens the local cloud's stream, with what comes from now on or after a number.
    async fn lines(&self, device: Option<&DeviceId>, after: Option<u64>) -> Result<Lines, OperatorError> {
        let host = self.host().to_owned();
        // No time-out: a quiet hub has nothing to say.
        let path = local::events_path(device.map(DeviceId::as_str), after);
        let response =
            self.request(Method::GET, &path)?.send().await.map_err(|error| self.unreached(&error))?;
        match response.status() {
            StatusCode::OK => Ok(Lines::new(host, device.cloned(), response)),
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

    /// What is heard next; `None` when there is nothing to read on. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Heard>, OperatorError> {
        match &mut self.0 {
            Kind::Lines(lines) => lines.next().await.map(Some),
            Kind::Amqp(reader) => reader.next().await,
        }
    }

    /// Makes the connection of a stream that has ended again, and goes on where it was: with the first
    /// event of a hub that was started anew.
    pub async fn read_on(&mut self, client: &Client) -> Result<(), OperatorError> {
        let Kind::Lines(lines) = &mut self.0 else { return Ok(()) };
        let mut again = client.lines(lines.device.as_ref(), lines.after).await?;
        if again.started != lines.started {
            again = client.lines(lines.device.as_ref(), Some(0)).await?;
        }
        **lines = again;
        Ok(())
    }
}

impl Lines {
    fn new(host: String, device: Option<DeviceId>, response: Response) -> Self {
        let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (started, after) = (header(EVENTS_STARTED), header(EVENTS_AFTER));
        let after = after.and_then(|after| after.parse().ok());
        Self { host, device, started, after, response, buffer: Vec::new(), searched: 0 }
    }

    async fn next(&mut self) -> Result<Heard, OperatorError> {
        loop {
            if let Some(line) = self.line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let event: HubEvent = serde_json::from_slice(&line)
                    .map_err(|error| self.broken(format!("a line in it is not an event ({error})")))?;
                self.after = Some(event.sequence);
                return Ok(Heard::Event(Box::new(event)));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(self.broken(format!("a line in it is longer than {MAX_LINE} bytes")));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) => return Ok(self.ended("the hub has ended it")),
                Err(error) => return Ok(self.ended(&Fault::of(&error).reason(&self.host, 0))),
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

    fn ended(&self, why: &str) -> Heard {
        Heard::Ended(format!("the stream of events from {} ended: {why}", self.host))
    }

    fn broken(&self, why: String) -> OperatorError {
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
        let mut events = Lines::new("h".to_owned(), None, response);
        for _ in 0..2 {
            let heard = events.next().await.expect("an event");
            assert!(matches!(heard, Heard::Event(event) if event.device_id == "d"));
        }
        let end = "the stream of events from h ended: the hub has ended it";
        assert_eq!(events.next().await, Ok(Heard::Ended(end.to_owned())));
    }

    #[tokio::test]
    async fn a_stream_knows_up_to_where_it_was_read() {
        let line = r#"{"sequence":7,"enqueuedTime":"2030","source":"Telemetry","deviceId":"d","body":1}"#;
        let answer = axum::http::Response::builder()
            .header(EVENTS_STARTED, "2030-01-01T00:00:00Z")
            .header(EVENTS_AFTER, 4)
            .body(format!("\n{line}\n"));
        let mut events = Lines::new("h".to_owned(), None, Response::from(answer.expect("an answer")));
        assert_eq!((events.started.as_deref(), events.after), (Some("2030-01-01T00:00:00Z"), Some(4)));
        events.next().await.expect("an event");
        assert_eq!(events.after, Some(7));
    }
}
