//! Requests to a hub's service side, each with a token of its own.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::OperatorError;
use super::amqp::{self, Asker, Peer};
use crate::trust::{Fault, Trust};
use crate::wire::connection_string::Who;
use crate::wire::sas::Token;
use crate::wire::{ConnectionString, SharedKey, connect, service};

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
        let config = trust.config()?;
        let host = connection.hub.name.clone();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config.as_ref().clone())
            .user_agent(connect::CLIENT_TYPE)
            .connect_timeout(REQUEST)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none());
        // A proxy has no business between this machine and itself.
        if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().map_err(|error| OperatorError::Setup(error.to_string()))?,
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
            return Err(OperatorError::refused(&self.host, subject, status.as_u16(), &body, ahead));
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
