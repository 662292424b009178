//! One request for an image, over HTTP or HTTPS, to where redirects lead.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::time::timeout;

use super::address::Way;
use super::answer::{self, Answer, Part};
use crate::device::discreet::Shown;
use crate::device::time::Spoken;
use crate::trust::{Fault, Trust};

/// What this program calls itself to servers.
const USER_AGENT: &str = concat!("envsim/", env!("CARGO_PKG_VERSION"));

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// It may have one the next time.
    Lost(String),
    /// Nobody was there at all.
    NobodyThere(String),
    /// It will have none.
    Failed(String),
}

/// How servers are asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Web<'a> {
    pub(super) trust: &'a Trust,
    /// How long one may be silent.
    pub(super) stall: Duration,
}

impl Web<'_> {
    /// Asks for an image, or for what is behind a part of it, if it is still the one that the server knows
    /// by the part's validator.
    pub(super) async fn ask(
        &self,
        start: &Url,
        part: Option<Part<'_>>,
    ) -> Result<(Response, Answer), Unanswered> {
        let (mut way, mut url) = (Way::new(start.clone()), start.clone());
        loop {
            let mut request = self.client(&url)?.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            if let Some(Part { received, validator, .. }) = part {
                request = request.header(RANGE, format!("bytes={received}-")).header(IF_RANGE, validator);
            }
            let response = match timeout(self.stall, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(unanswered(&url, &error)),
                Err(_) => {
                    let (host, stall) = (Shown(&url), Spoken(self.stall));
                    return Err(Unanswered::Lost(format!("{host} has not answered for {stall}")));
                }
            };
            match answer::read(response.status(), response.headers(), part) {
                Answer::Moved(location) => url = way.follow(&location).map_err(Unanswered::Failed)?,
                answer => return Ok((response, answer)),
            }
        }
    }

    fn client(&self, url: &Url) -> Result<Client, Unanswered> {
        let failed = |why: String| Unanswered::Failed(why);
        let config = self.trust.config().map_err(|error| failed(error.to_string()))?;
        // Redirects are followed above, where each can be judged and named.
        let mut builder = Client::builder()
            .tls_backend_preconfigured(config.as_ref().clone())
            .user_agent(USER_AGENT)
            .connect_timeout(self.stall)
            .redirect(Policy::none());
        // A proxy has no business between this machine and itself.
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| failed(error.without_url().to_string()))
    }
}

/// Why the connection to the server of `url` was lost, in words.
pub(super) fn lost(url: &Url, error: &reqwest::Error) -> String {
    let (host, port) = place(url);
    Fault::of(error).reason(host, port)
}

fn unanswered(url: &Url, error: &reqwest::Error) -> Unanswered {
    let (host, port) = place(url);
    // What is no fault of the connection has the address in its words, and perhaps a secret with it.
    if error.is_builder() || error.is_request() && error.source().is_none() {
        return Unanswered::Failed(format!("no request can be made for {}", Shown(url)));
    }
    if let Some(said) = malformed(error) {
        let from = Shown(url);
        let why = format!("{from} does not answer as HTTP wants it ({said}); check the address and the port");
        return Unanswered::Failed(why);
    }
    let fault = Fault::of(error);
    let reason = fault.reason(host, port);
    let whole = || match fault.advice(port) {
        advice if advice.is_empty() => reason.clone(),
        advice => format!("{reason}; {advice}"),
    };
    match fault {
        Fault::Unresolved | Fault::Refused => Unanswered::NobodyThere(whole()),
        Fault::Unreachable(_) | Fault::TimedOut | Fault::Broken(_) => Unanswered::Lost(reason),
        Fault::Untrusted
        | Fault::WrongName(_)
        | Fault::NotValidNow
        | Fault::BadCertificate(_)
        | Fault::NotTls(_) => Unanswered::Failed(whole()),
    }
}

/// What is wrong with an answer that is none: asked again, the server would give the same.
fn malformed(error: &reqwest::Error) -> Option<String> {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(http) = error.downcast_ref::<hyper::Error>().filter(|error| error.is_parse()) {
            return Some(http.to_string());
        }
        at = error.source();
    }
    None
}

fn place(url: &Url) -> (&str, u16) {
    (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}
