//! Requests to a hub's service side, each with a token of its own.

use std::error::Error as _;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;

use super::OperatorError;
use super::amqp::{self, Asker, Peer};
use crate::trust::{Fault, Trust};
use crate::wire::connection_string::Who;
use crate::wire::sas::Token;
use crate::wire::{ConnectionString, SharedKey, service};

/// How long a request may take that waits for no device.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a token is good for. Signing costs a microsecond, so each request has a new one.
const TOKEN_LIFE: i64 = 600;
/// The most that is read of an answer: a page of a hundred of the largest twins, notes and all.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// A hub's service side, reached with a service connection string. Its `Debug` shows no key.
pub struct Client {
    http: reqwest::Client,
    connection: ConnectionString,
    trust: Trust,
    host: String,
    port: u16,
    resource: String,
    policy: String,
    key: SharedKey,
}

impl Client {
    /// A client for the hub of a service connection string. Connects nowhere yet.
    pub fn new(connection: &ConnectionString, trust: &Trust) -> Result<Self, OperatorError> {
        let Who::Service(policy) = &connection.who else { return Err(OperatorError::NotService) };
        let host = connection.hub.name.clone();
        let http = trust.http(&host)?.connect_timeout(REQUEST).https_only(true).build();
        Ok(Self {
            http: http.map_err(|error| OperatorError::Setup(error.to_string()))?,
            port: connection.hub.port.unwrap_or(443),
            // To the letter as in the connection string, port and all: the hub compares it.
            resource: connection.hub.to_string(),
            policy: policy.clone(),
            key: connection.key.clone(),
            connection: connection.clone(),
            trust: trust.clone(),
            host,
        })
    }

    /// The hub's host name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What leads to the hub, key and all.
    pub(super) fn connection(&self) -> &ConnectionString {
        &self.connection
    }

    /// Whose certificates are taken.
    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Puts a token for the hub, over AMQP.
    pub(super) async fn put_token(&self, cbs: &mut Asker, peer: &Peer) -> Result<(), OperatorError> {
        amqp::put_token(cbs, peer, &self.resource, &self.policy, &self.key).await
    }

    /// A signed request; `path` begins with a slash.
    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, OperatorError> {
        let url = format!("https://{}:{}{}", self.host, self.port, service::versioned(path));
        let cannot = |why: &str| OperatorError::Setup(format!("the path {path} {why}"));
        let url: Url = url.parse().map_err(|_| cannot("cannot stand in an address"))?;
        // A path that loses steps on its way into an address leads to another object, which may be
        // shown with its keys, or deleted.
        if Some(url.path()) != path.split('?').next() {
            return Err(cannot("does not lead where it should"));
        }
        let token = Token::sign(&self.key, &self.resource, now() + TOKEN_LIFE, Some(&self.policy));
        let mut authorization = HeaderValue::from_str(token.reveal())
            .map_err(|_| OperatorError::Setup("the policy's name cannot stand in a header".to_owned()))?;
        authorization.set_sensitive(true);
        Ok(self
            .http
            .request(method, url)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json"))
    }

    /// Sends a request and reads the JSON it answers. `subject` is the device or module in
    /// question, for errors.
    pub(super) async fn json(
        &self,
        request: RequestBuilder,
        subject: &str,
        wait: Option<Duration>,
    ) -> Result<Value, OperatorError> {
        let (_, body) = self.answer(request, subject, wait).await?;
        serde_json::from_slice(&body).map_err(|_| OperatorError::NotAHub(self.host.clone()))
    }

    /// Sends a request and reads what it answers, which is a success.
    pub(super) async fn answer(
        &self,
        request: RequestBuilder,
        subject: &str,
        wait: Option<Duration>,
    ) -> Result<(HeaderMap, Vec<u8>), OperatorError> {
        let request = request.timeout(wait.unwrap_or(REQUEST));
        let response = request.send().await.map_err(|error| self.unreached(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response).await?;
        if !status.is_success() {
            let ahead = OperatorError::clock_ahead(&headers, now());
            let refused = OperatorError::refused(&self.host, subject, status.as_u16(), &body, ahead);
            return Err(refused.after(&headers));
        }
        Ok((headers, body))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, OperatorError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreached(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(OperatorError::NotAHub(self.host.clone()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(super) fn unreached(&self, error: &reqwest::Error) -> OperatorError {
        // It was never sent: what is wrong is in it, and is the cause.
        if error.is_builder() {
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            return OperatorError::Setup(why);
        }
        OperatorError::Unreachable { host: self.host.clone(), port: self.port, fault: Fault::of(error) }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("hub", &self.resource)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// `If-Match`, quoted as the official SDKs do; `*` for any version.
pub(super) fn if_match(request: RequestBuilder, etag: Option<&str>) -> RequestBuilder {
    let etag = etag.unwrap_or("*").trim_matches('"');
    request.header(IF_MATCH, format!("\"{etag}\""))
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_asked_is_no_hub_out_of_reach() {
        let text = "HostName=h;SharedAccessKeyName=service;SharedAccessKey=c3VwZXJzZWNyZXRrZXkxMjM=";
        let connection = ConnectionString::parse(text).expect("a connection string");
        let client = Client::new(&connection, &Trust::system()).expect("a client");
        let request = client.request(Method::DELETE, "/devices/d").expect("a request");
        let refused = client.answer(if_match(request, Some("a\nb")), "d", None).await;
        let said = refused.expect_err("no header").to_string();
        assert!(said.starts_with("requests cannot be made: ") && said.contains("header"), "{said}");
    }

    #[test]
    fn a_request_goes_where_it_was_meant_to_go() {
        let text = "HostName=h;SharedAccessKeyName=service;SharedAccessKey=c3VwZXJzZWNyZXRrZXkxMjM=";
        let connection = ConnectionString::parse(text).expect("a connection string");
        let client = Client::new(&connection, &Trust::system()).expect("a client");
        let every = service::identity_path("Dev:1.a+b%c_d#e*f?g!h(i),j=k@l$m'n;o-9", Some("%2e%2E"));
        for path in [&every, "/devices/...", service::QUERY_PATH, "/envsim/events?device=a%2Fb"] {
            assert!(client.request(Method::GET, path).is_ok(), "{path}");
        }
        for path in ["/devices/.", "/devices/d/modules/..", "/devices/%2e", "/twins/../x?y=1"] {
            let refused = client.request(Method::DELETE, path).map(drop);
            assert!(matches!(refused, Err(OperatorError::Setup(_))), "{path}");
        }
    }
}
