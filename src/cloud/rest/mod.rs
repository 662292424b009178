//! HTTPS: the provisioning service's device side, and both sides of the hub.
//!
//! Never here: what a request does (`core`). What Azure has and this cloud has not is refused
//! by name; nothing is answered as if it had been done.
//!
//! In reading order: [`reply`], [`provisioning`], [`enrolments`], [`devices`], [`bulk`], [`twins`],
//! [`query`], [`events`], [`edge`], [`firmware`], [`jobs`], [`configurations`], [`authorities`],
//! [`message_headers`], [`messages`], [`device_side`],
//! [`trouble`], `own` (what there is below `/envsim`), then the table of routes below.

mod authorities;
mod bulk;
mod configurations;
mod device_side;
mod devices;
mod edge;
mod enrolments;
mod events;
mod firmware;
mod jobs;
mod message_headers;
mod messages;
mod own;
mod provisioning;
mod query;
mod reply;
mod trouble;
mod twins;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use self::reply::{hub_error, json};
use super::core::auth::Right;
use super::core::fault::Fault;
use super::core::message::Settle;
use super::core::reading;
use super::core::registry::{Address, Precondition};
use super::core::x509::PeerCertificate;
use super::shared::Shared;
use crate::device::DeviceId;
use crate::device::identity::NameError;
use crate::wire::{percent, service};

/// The largest body taken: a command's 128 KB and a twin's 32 KB with what JSON adds to them.
const BODY_LIMIT: usize = 256 * 1024;

/// How much more of a body that is too large is read, only to be thrown away.
const UNREAD_LIMIT: usize = 16 * 1024 * 1024;

/// A request, taken apart.
struct Call {
    shared: Arc<Shared>,
    /// The certificate that the client has proved to hold.
    peer: Option<Arc<PeerCertificate>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// Answers a request, whose body has to be there within `patience`.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    peer: Option<Arc<PeerCertificate>>,
    request: Request<Body>,
    patience: Duration,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let line = format!("{} {}", head.method, head.uri.path());
    let announced =
        head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let response = match timeout(patience, whole(body, announced.unwrap_or(0))).await {
        Ok(Ok(Some(body))) => {
            let (method, uri, headers) = (head.method, head.uri, head.headers);
            let shared = Arc::clone(shared);
            shared.be_late().await;
            route(Call { shared, peer, method, uri, headers, body }).await
        }
        Ok(Ok(None)) => {
            hub_error(shared, &Fault::too_large(format!("the request has more than {BODY_LIMIT} bytes")))
        }
        Ok(Err(error)) => {
            hub_error(shared, &Fault::bad_request(format!("the request's body cannot be read: {error}")))
        }
        Err(_) => {
            let mut response = Response::new(Body::from("the request's body did not come in time"));
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            response
        }
    };
    tracing::info!(status = response.status().as_u16(), "{line}");
    response
}

/// A body, or `None` when it has more than [`BODY_LIMIT`]. It is read to its end all the same, within
/// reason: the system takes an answer back when the connection is closed with something unread, and
/// the client would hear of a reset instead.
async fn whole(mut body: Body, announced: usize) -> Result<Option<Bytes>, axum::Error> {
    if announced > BODY_LIMIT + UNREAD_LIMIT {
        return Ok(None);
    }
    let (mut taken, mut unread) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if unread > 0 || taken.len() + data.len() > BODY_LIMIT {
            taken = BytesMut::new();
            unread += data.len();
        } else {
            taken.extend_from_slice(&data);
        }
        if unread > UNREAD_LIMIT {
            break;
        }
    }
    Ok((unread == 0).then(|| taken.freeze()))
}

/// Every path this cloud knows. Segments are percent-decoded after the path is taken apart,
/// because ids hold whatever characters they like.
async fn route(call: Call) -> Response<Body> {
    let raw = call.uri.path().to_owned();
    let Some(decoded) = decoded(&raw) else {
        return hub_error(&call.shared, &Fault::bad_request(format!("the path `{raw}` is not UTF-8")));
    };
    let mut segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
    // Node's `azure-iothub` asks for `/devices/` to list them. No id is empty, so none is meant.
    if segments.len() > 1 {
        segments.pop_if(|last| last.is_empty());
    }
    if let Err(fault) = own::check(call.method.as_str(), &call.uri, &segments) {
        return hub_error(&call.shared, &fault);
    }
    let outcome = match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["health"]) => Ok(json(200, &serde_json::json!({"status": "ok"}))),
        ("GET", ["envsim", "firmware"]) => Ok(firmware::list()),
        ("GET", ["envsim", "firmware", name]) => firmware::show(&call, name),
        ("HEAD", ["envsim", "firmware", name]) => firmware::head(&call, name),
        ("GET", ["envsim", "events"]) => events::stream(&call),
        ("GET", ["envsim", "edge", id]) => edge::show(&call, id),
        ("GET", ["envsim", "faults"]) => trouble::show(&call),
        ("PUT", ["envsim", "faults"]) => trouble::replace(&call),
        ("DELETE", ["envsim", "faults"]) => trouble::end(&call),
        ("POST", ["envsim", "connections", "drop"]) => trouble::drop_connections(&call),
        ("GET", ["envsim", "quota"]) => trouble::quota(&call),
        ("GET", ["envsim", "certificates"]) => authorities::list(&call),
        ("GET", ["envsim", "certificates", name]) => authorities::show(&call, name),
        ("PUT", ["envsim", "certificates", name]) => authorities::put(&call, name),
        ("DELETE", ["envsim", "certificates", name]) => authorities::delete(&call, name),
        (_, segments) if enrolments::has(segments) => return enrolments::answer(&call, segments),
        (_, [scope, "registrations", id, rest @ ..]) => {
            return provisioning::answer(&call, scope, id, rest);
        }
        ("GET", ["devices"]) => devices::list(&call),
        ("POST", ["devices"]) => bulk::change(&call),
        ("POST", ["devices", "query"]) => query::run(&call),
        ("GET", ["statistics", "devices"]) => bulk::device_statistics(&call),
        ("GET", ["statistics", "service"]) => bulk::service_statistics(&call),
        ("GET", ["devices", id, "modules"]) => devices::modules(&call, id),
        ("GET", ["devices", rest @ ..]) if let Some(id) = whose(rest) => devices::show(&call, id),
        ("PUT", ["devices", rest @ ..]) if let Some(id) = whose(rest) => devices::put(&call, id),
        ("DELETE", ["devices", rest @ ..]) if let Some(id) = whose(rest) => devices::delete(&call, id),
        ("GET", ["twins", rest @ ..]) if let Some(id) = whose(rest) => twins::show(&call, id),
        ("PATCH", ["twins", rest @ ..]) if let Some(id) = whose(rest) => twins::patch(&call, id),
        ("PUT", ["twins", rest @ ..]) if let Some(id) = whose(rest) => twins::replace(&call, id),
        ("POST", ["twins", rest @ .., "methods"]) if let Some(id) = whose(rest) => {
            twins::invoke(&call, id).await
        }
        ("GET", ["jobs", "v2", "query"]) => jobs::query(&call),
        ("GET", ["jobs", "v2", id]) => jobs::show(&call, id),
        ("PUT", ["jobs", "v2", id]) => jobs::create(&call, id),
        ("POST", ["jobs", "v2", id, "cancel"]) => jobs::cancel(&call, id),
        ("GET", ["configurations"]) => configurations::list(&call),
        ("POST", ["configurations", "testQueries"]) => configurations::test(&call),
        ("GET", ["configurations", id]) => configurations::show(&call, id),
        ("PUT", ["configurations", id]) => configurations::put(&call, id),
        ("DELETE", ["configurations", id]) => configurations::delete(&call, id),
        ("POST", ["devices", id, "applyConfigurationContent"]) => configurations::apply(&call, id),
        ("DELETE", ["devices", id, "commands"]) => messages::purge(&call, id),
        ("POST", ["messages", "deviceBound" | "devicebound"]) => messages::send(&call),
        ("POST", ["envsim", "devices", id, "messages"]) => messages::send_json(&call, id),
        (method, ["messages", "serviceBound" | "servicebound", "feedback", rest @ ..])
            if let Some(outcome) = feedback(&call, method, rest) =>
        {
            outcome
        }
        ("POST", ["devices", rest @ .., "messages", "events"]) if let Some(id) = whose(rest) => {
            device_side::send(&call, id)
        }
        (method, ["devices", id, "messages", "deviceBound" | "devicebound", rest @ ..])
            if let Some(outcome) = device_bound(&call, method, id, rest) =>
        {
            outcome
        }
        (method, segments) => Err(unknown(method, &raw, segments)),
    };
    outcome.unwrap_or_else(|fault| hub_error(&call.shared, &fault))
}

/// A path's segments; `None` when one is not UTF-8.
fn decoded(path: &str) -> Option<Vec<Cow<'_, str>>> {
    path.trim_start_matches('/').split('/').map(percent::decode).collect()
}

fn feedback(call: &Call, method: &str, rest: &[&str]) -> Option<Result<Response<Body>, Fault>> {
    Some(match (method, rest) {
        ("GET", []) => messages::feedback(call),
        ("DELETE", [lock]) => messages::settle_feedback(call, lock, Settle::Complete),
        ("POST", [lock, "abandon"]) => messages::settle_feedback(call, lock, Settle::Abandon),
        _ => return None,
    })
}

fn device_bound(call: &Call, method: &str, id: &str, rest: &[&str]) -> Option<Result<Response<Body>, Fault>> {
    Some(match (method, rest) {
        ("GET", []) => device_side::receive(call, id),
        ("DELETE", [lock]) => device_side::finish(call, id, lock),
        ("POST", [lock, "abandon"]) => device_side::settle(call, id, lock, Settle::Abandon),
        _ => return None,
    })
}

/// What nobody answers: what Azure has by its feature's name, the rest as unknown.
fn unknown(method: &str, path: &str, segments: &[&str]) -> Fault {
    let feature = match segments {
        ["devices", _, "modules", _, "messages", "deviceBound" | "devicebound", ..] => {
            "cloud-to-device messages for modules, which Azure has not either"
        }
        ["messages", "serviceBound" | "servicebound", "filenotifications", ..] => "file upload notifications",
        ["messages", "events", ..] => {
            "events over HTTPS, which Azure has not either; GET /envsim/events has them"
        }
        ["devices", _, "files", ..] => "file upload",
        ["devices", _, "commands"] | ["devices", _, "messages", ..] | ["messages", ..] => {
            "this method on this path of cloud-to-device messages"
        }
        ["devices" | "twins" | "configurations", _]
        | ["twins", _, "methods"]
        | ["devices", _, "applyConfigurationContent"]
        | ["configurations"]
        | ["jobs", "v2", ..] => "this method on this path",
        ["jobs", ..] => "jobs that import or export identities through blob containers",
        ["statistics", ..] => "statistics",
        ["devices" | "twins", _, "streams", ..] => "device streams",
        ["digitaltwins", ..] => "digital twins over REST",
        ["api", ..] => "the IoT Central REST API",
        _ => "this path",
    };
    Fault::unsupported(format!("envsim's local cloud does not support {method} {path}: {feature}"))
}

impl Call {
    /// Checks the token of a service.
    fn authorize(&self, right: Right) -> Result<(), Fault> {
        let token = self.token();
        let path = self.uri.path();
        self.shared
            .look(|core, now| core.authorize_service(now, token, path, right))
            .map_err(|refusal| Fault::unauthorized(refusal.to_string()))?;
        self.count()
    }

    /// Counts the request where a hub's size limits it: only those of who may make it, or a stranger
    /// could use up what is the others'.
    fn count(&self) -> Result<(), Fault> {
        let segments = decoded(self.uri.path()).unwrap_or_default();
        let segments: Vec<_> = segments.iter().map(AsRef::as_ref).collect();
        match trouble::operation(self.method.as_str(), &segments, self.body.len()) {
            Some(operation) => self.shared.change(|core, now, _| core.allow(now, operation)),
            None => Ok(()),
        }
    }

    fn token(&self) -> &str {
        self.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn query(&self, wanted: &str) -> Option<String> {
        self.uri.query()?.split('&').find_map(|member| {
            let (name, value) = member.split_once('=').unwrap_or((member, ""));
            (name == wanted).then(|| percent::decode(value).map(Cow::into_owned))?
        })
    }

    /// Any version is taken, none is not: so do the official gateways.
    fn need_version(&self) -> Result<(), Fault> {
        match self.query(service::API_VERSION_PARAMETER) {
            Some(version) if !version.is_empty() => Ok(()),
            _ => Err(Fault::bad_request(format!(
                "the request has no `{}` in its query",
                service::API_VERSION_PARAMETER
            ))),
        }
    }

    /// What `If-Match` expects. SDKs send the etag in quotes, and the wildcard both ways.
    fn precondition(&self) -> Result<Option<Precondition>, Fault> {
        let Some(value) = self.headers.get(header::IF_MATCH) else { return Ok(None) };
        let text =
            value.to_str().map_err(|_| Fault::bad_request("the header If-Match is not plain text"))?.trim();
        let text = text.strip_prefix("W/").unwrap_or(text);
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        Ok(Some(match bare {
            "*" => Precondition::Any,
            etag => Precondition::Etag(etag.to_owned()),
        }))
    }

    fn object(&self) -> Result<serde_json::Map<String, serde_json::Value>, Fault> {
        reading::from_slice(&self.body)
            .map_err(|error| Fault::bad_request(format!("the body is not a JSON object: {error}")))
    }
}

/// A device, or a module on it, as paths name them: `{d}` and `{d}/modules/{m}`.
type Named<'a> = (&'a str, Option<&'a str>);

fn whose<'a>(segments: &[&'a str]) -> Option<Named<'a>> {
    match segments {
        [device] => Some((device, None)),
        [device, "modules", module] => Some((device, Some(module))),
        _ => None,
    }
}

fn address((device, module): Named<'_>) -> Result<Address, Fault> {
    let bad = |error: NameError| Fault::bad_request(error.to_string());
    let module = module.map(|module| module.parse().map_err(bad)).transpose()?;
    Ok(Address { device: device.parse().map_err(bad)?, module })
}

fn device_id(text: &str) -> Result<DeviceId, Fault> {
    text.parse().map_err(|error| Fault::bad_request(format!("{error}")))
}
