//! Provisioning over HTTPS: register, then ask until the service has decided.
//!
//! DPS, "Device registration", api-version 2021-06-01.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};
use tokio::time::{Instant, sleep};

use super::attempt::{Ended, now};
use super::error::{self, DpsRefusal};
use super::link::ProvisioningOptions;
use super::sink::Sink;
use crate::device::time::Spoken;
use crate::device::{Assignment, Failure, FailureKind, Input, ProvisioningStep};
use crate::trust::{Fault, Trust};
use crate::wire::dps as wire;
use crate::wire::sas::{Token, registration_resource};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a registration may take; a service needs seconds.
const OVERALL: Duration = Duration::from_secs(180);
/// When to ask again if the service does not say.
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// `Retry-After: 0` means "soon", not "spin".
const SOON: Duration = Duration::from_millis(100);
/// How long the token is good for: longer than a registration may take.
const TOKEN_LIFE: i64 = 3600;
/// The most that is read of an answer; real ones have some hundred bytes.
const MAX_BODY: usize = 256 * 1024;

/// Registers a device and returns where it is assigned.
pub(super) async fn provision(
    options: &ProvisioningOptions,
    model_id: Option<&str>,
    trust: &Trust,
    sink: &Sink,
) -> Result<Assignment, Ended> {
    let service = Service::new(options, trust)?;
    let began = Instant::now();
    let (host, scope) = (service.host.clone(), options.scope.clone());
    sink.tell(Input::Provisioning(ProvisioningStep::Registering { host, scope })).await?;

    let registration = options.registration.as_str();
    let body = wire::register_body(registration, model_id);
    let path = wire::register_path(options.scope.as_str(), registration);
    let mut answer = service.ask(Method::PUT, &path, Some(body)).await?;
    loop {
        let (status, again_in) = answer;
        let state = status.registration_state.as_ref();
        match status.status.as_str() {
            "assigned" => return Ok(assignment(&service.host, state)?),
            "assigning" | "unassigned" if !status.operation_id.is_empty() => {}
            ended => return Err(error::dps_ended(&service.host, registration, ended, state).into()),
        }
        if began.elapsed() + again_in > OVERALL {
            let what = format!(
                "{} has not assigned `{registration}` to a hub within {}",
                service.host,
                Spoken(OVERALL)
            );
            return Err(Failure::new(FailureKind::TimedOut, what).into());
        }
        let operation_id = status.operation_id;
        let path = wire::operation_path(options.scope.as_str(), registration, &operation_id);
        let step = ProvisioningStep::Assigning { operation_id, again_in };
        sink.tell(Input::Provisioning(step)).await?;
        sleep(again_in).await;
        answer = service.ask(Method::GET, &path, None).await?;
    }
}

fn assignment(host: &str, state: Option<&wire::RegistrationState>) -> Result<Assignment, Failure> {
    let wrong = |why: String| {
        Failure::new(
            FailureKind::Protocol,
            format!("{host} assigned the device to a hub that cannot be used: {why}"),
        )
    };
    let hub = state.and_then(|state| state.assigned_hub.as_deref());
    let device = state.and_then(|state| state.device_id.as_deref());
    let (Some(hub), Some(device)) = (hub, device) else {
        return Err(wrong("it named no hub or no device".to_owned()));
    };
    Ok(Assignment {
        hub: hub.parse().map_err(|error| wrong(format!("{error}")))?,
        device_id: device.parse().map_err(|error| wrong(format!("{error}")))?,
    })
}

struct Service<'a> {
    options: &'a ProvisioningOptions,
    client: Client,
    host: String,
    port: u16,
    base: String,
    authorization: HeaderValue,
}

impl<'a> Service<'a> {
    fn new(options: &'a ProvisioningOptions, trust: &Trust) -> Result<Self, Failure> {
        let (host, port) = endpoint(&options.host)?;
        let unusable = |why: String| Failure::new(FailureKind::Rejected, format!("cannot ask {host}: {why}"));
        let builder = trust.http(&host).map_err(|error| unusable(error.to_string()))?;
        let client = builder.timeout(REQUEST).https_only(true).build();
        let client = client.map_err(|error| unusable(error.to_string()))?;
        let resource = registration_resource(options.scope.as_str(), options.registration.as_str());
        let token = Token::sign(&options.key, &resource, now() + TOKEN_LIFE, Some(wire::POLICY));
        let mut authorization = HeaderValue::from_str(token.reveal())
            .map_err(|_| unusable("the token is no header".to_owned()))?;
        authorization.set_sensitive(true);
        let base = format!("https://{host}:{port}");
        Ok(Self { options, client, host, port, base, authorization })
    }

    /// One request: the status that the service gives, and when it wants to be asked again.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> Result<(wire::OperationStatus, Duration), Failure> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|error| self.unreached(&error))?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let ahead = ahead(response.headers(), now());
        let body = read(response).await.map_err(|error| self.unreached(&error))?;
        if status != StatusCode::OK && status != StatusCode::ACCEPTED {
            return Err(error::dps_refused(DpsRefusal {
                host: &self.host,
                scope: self.options.scope.as_str(),
                registration: self.options.registration.as_str(),
                status: status.as_u16(),
                body: &body,
                retry_after,
                ahead,
            }));
        }
        let answer = serde_json::from_slice(&body).map_err(|_| {
            Failure::new(
                FailureKind::Protocol,
                format!("{} answered something that no provisioning service does", self.host),
            )
            .advise("check the provisioning host")
        })?;
        Ok((answer, retry_after.unwrap_or(ASK_AGAIN).max(SOON)))
    }

    fn unreached(&self, error: &reqwest::Error) -> Failure {
        let attempt = format!("cannot reach the provisioning service {}", self.host);
        error::unreached(&attempt, &self.host, self.port, &Fault::of(error))
    }
}

/// Reads a body, as far as it may be long.
async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_BODY {
            break;
        }
    }
    Ok(body)
}

/// Host and port of `H`, `H:port` or `https://H:port`.
fn endpoint(text: &str) -> Result<(String, u16), Failure> {
    let wrong = |why: &str| {
        Failure::new(FailureKind::Rejected, format!("the provisioning host `{text}` cannot be used: {why}"))
            .advise("give a host name, or https://host:port")
    };
    let bare = match text.split_once("://") {
        Some(("https", rest)) => rest,
        Some(_) => return Err(wrong("only https is spoken there")),
        None => text,
    };
    let host: crate::device::HubHost =
        bare.trim_end_matches('/').parse().map_err(|_| wrong("it is no host name"))?;
    Ok((host.name, host.port.unwrap_or(443)))
}

/// Whether a proxy has no business with this host.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// By how many seconds our clock is ahead of the one that wrote the `Date` header.
fn ahead(headers: &HeaderMap, now: i64) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let theirs: Timestamp = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(now - theirs.as_second())
}

#[cfg(test)]
#[path = "dps_tests.rs"]
mod tests;
