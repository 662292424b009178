//! The provisioning service's side for back ends: enrolments, groups, records of registrations.
//! DPS REST, service data plane, api-version 2021-10-01.

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json as object};

use super::Call;
use super::reply::{dps_error, json, no_content, set, with_etag};
use crate::cloud::core::Core;
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::provisioning::enrolment::Show;
use crate::cloud::core::provisioning::service::Expecting;
use crate::cloud::core::provisioning::{Enrolment, EnrolmentName, Kind, Registration};
use crate::cloud::core::reading;
use crate::cloud::core::registry::Precondition;
use crate::cloud::dialect::bodies::{registration_body, unassigned_body};
use crate::wire::enrolment::{
    BulkBody, BulkError, BulkOutcome, CONTINUATION, EnrolmentBody, ITEM_TYPE, PAGE_SIZE,
};

/// Items of a page when the request does not say, and the most it may say.
const PAGE: usize = 100;
/// DPS REST, "Run Bulk Operation": "with maximum of 10 enrollments".
const BULK: usize = 10;

/// What the first segment of a path is about. SDKs differ in its case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Enrolments(Kind),
    Registrations,
}

fn about(segment: &str) -> Option<About> {
    [
        ("enrollments", About::Enrolments(Kind::Individual)),
        ("enrollmentGroups", About::Enrolments(Kind::Group)),
        ("registrations", About::Registrations),
    ]
    .into_iter()
    .find_map(|(name, about)| name.eq_ignore_ascii_case(segment).then_some(about))
}

/// Whether a path is of this side.
pub(super) fn has(segments: &[&str]) -> bool {
    segments.first().is_some_and(|first| about(first).is_some())
}

pub(super) fn answer(call: &Call, segments: &[&str]) -> Response<Body> {
    answered(call, segments).unwrap_or_else(|fault| dps_error(&call.shared, &fault))
}

fn answered(call: &Call, segments: &[&str]) -> Result<Response<Body>, Fault> {
    call.authorize(Right::ProvisioningService)?;
    call.need_version()?;
    let Some((about, rest)) = segments.split_first().and_then(|(first, rest)| Some((about(first)?, rest)))
    else {
        return Err(unknown(call));
    };
    // Node's SDK puts a slash behind `enrollments`.
    let rest: Vec<_> = rest.iter().copied().filter(|segment| !segment.is_empty()).collect();
    match (call.method.as_str(), about, rest.as_slice()) {
        ("POST", About::Enrolments(kind), []) => bulk(call, kind),
        ("POST", About::Enrolments(kind), ["query"]) => query_enrolments(call, kind),
        ("GET", About::Enrolments(kind), [id]) => show(call, &EnrolmentName::of(kind, id)),
        ("PUT", About::Enrolments(kind), [id]) => put(call, kind, id),
        ("DELETE", About::Enrolments(kind), [id]) => delete(call, &EnrolmentName::of(kind, id)),
        ("POST", About::Enrolments(kind), [id, last])
            if last.eq_ignore_ascii_case("attestationmechanism") =>
        {
            attestation(call, &EnrolmentName::of(kind, id))
        }
        ("POST", About::Registrations, [group, "query"]) => {
            query_registrations(call, &EnrolmentName::group(group))
        }
        ("GET", About::Registrations, [id]) => call.shared.look(|core, _| {
            let registration = core.registration(id)?;
            let body = registration_body(registration, core.settings());
            Ok(with_etag(json(200, &body), &registration.etag()))
        }),
        ("DELETE", About::Registrations, [id]) => {
            let condition = call.precondition()?.unwrap_or(Precondition::Any);
            call.shared.change(|core, _, _| core.delete_registration(id, &condition))?;
            Ok(no_content())
        }
        _ => Err(unknown(call)),
    }
}

fn unknown(call: &Call) -> Fault {
    Fault::unsupported(format!(
        "envsim's local cloud does not support {} {}: this path of DPS",
        call.method,
        call.uri.path()
    ))
}

/// An enrolment with how its device's registration stands.
fn body(core: &Core, enrolment: &Enrolment, show: Show) -> Value {
    let mut body = enrolment.body(show);
    if enrolment.kind == Kind::Individual {
        let name = enrolment.name();
        let standing = core.registration(&enrolment.id).ok().filter(|one| one.enrolment == name);
        body.registration_state = Some(match standing {
            Some(registration) => registration_body(registration, core.settings()),
            None => unassigned_body(enrolment),
        });
    }
    serde_json::to_value(body).unwrap_or_default()
}

fn show(call: &Call, name: &EnrolmentName) -> Result<Response<Body>, Fault> {
    call.shared.look(|core, _| {
        let enrolment = core.enrolment(name)?;
        Ok(with_etag(json(200, &body(core, enrolment, Show::Public)), &enrolment.etag))
    })
}

fn put(call: &Call, kind: Kind, id: &str) -> Result<Response<Body>, Fault> {
    let written: EnrolmentBody = read(call, "an enrolment")?;
    let expecting = call.precondition()?.map_or(Expecting::Nothing, Expecting::Something);
    call.shared.change(|core, now, _| {
        let name = core.write_enrolment(now, kind, id, written, &expecting)?.name();
        let enrolment = core.enrolment(&name)?;
        // Who has just made the keys, or had them made, gets to see them.
        Ok(with_etag(json(200, &body(core, enrolment, Show::Everything)), &enrolment.etag))
    })
}

fn delete(call: &Call, name: &EnrolmentName) -> Result<Response<Body>, Fault> {
    let condition = call.precondition()?.unwrap_or(Precondition::Any);
    call.shared.change(|core, _, _| core.delete_enrolment(name, &condition))?;
    Ok(no_content())
}

/// The way to the keys, which a plain GET leaves out: `az iot dps enrollment show --show-keys`
/// comes here.
fn attestation(call: &Call, name: &EnrolmentName) -> Result<Response<Body>, Fault> {
    let body = call.shared.look(|core, _| {
        let enrolment = core.enrolment(name)?;
        Ok::<_, Fault>(enrolment.attestation.body(name.kind, Show::Everything))
    })?;
    Ok(json(200, &serde_json::to_value(body).unwrap_or_default()))
}

fn bulk(call: &Call, kind: Kind) -> Result<Response<Body>, Fault> {
    let BulkBody { mode, enrollments, enrollment_groups } = read(call, "a bulk operation")?;
    let (items, others) = match kind {
        Kind::Individual => (enrollments, enrollment_groups),
        Kind::Group => (enrollment_groups, enrollments),
    };
    if !others.is_empty() {
        return Err(Fault::bad_request("the bulk operation is for the other kind of enrolments"));
    }
    if items.is_empty() || items.len() > BULK {
        let are = items.len();
        return Err(Fault::bad_request(format!(
            "the bulk operation has {are} enrolments, it takes 1 to {BULK}"
        )));
    }
    if !["create", "update", "updateIfMatchETag", "delete"].contains(&mode.as_str()) {
        return Err(Fault::bad_request(format!(
            "the bulk operation's mode `{mode}` is not one of create, update, updateIfMatchETag, delete"
        )));
    }
    let mut errors = Vec::new();
    for item in items {
        let id = match kind {
            Kind::Individual => item.registration_id.clone(),
            Kind::Group => item.enrollment_group_id.clone(),
        };
        if let Err(fault) = one_of_many(call, kind, &mode, id.as_deref().unwrap_or_default(), item) {
            let (registration_id, enrollment_group_id) = match kind {
                Kind::Individual => (id, None),
                Kind::Group => (None, id),
            };
            let (error_code, error_status) = (fault.code, fault.message);
            errors.push(BulkError { registration_id, enrollment_group_id, error_code, error_status });
        }
    }
    let outcome = BulkOutcome { is_successful: errors.is_empty(), errors };
    Ok(json(200, &serde_json::to_value(outcome).unwrap_or_default()))
}

fn one_of_many(call: &Call, kind: Kind, mode: &str, id: &str, item: EnrolmentBody) -> Result<(), Fault> {
    let etag = item.etag.as_deref().map(|etag| Precondition::Etag(etag.trim_matches('"').to_owned()));
    let expecting = match mode {
        "delete" => {
            return call.shared.change(|core, _, _| {
                core.delete_enrolment(&EnrolmentName::of(kind, id), &Precondition::Any)
            });
        }
        "update" => Expecting::Something(Precondition::Any),
        "updateIfMatchETag" => Expecting::Something(
            etag.ok_or_else(|| Fault::bad_request(format!("the enrolment `{id}` has no `etag`")))?,
        ),
        _ => Expecting::Nothing,
    };
    call.shared.change(|core, now, _| core.write_enrolment(now, kind, id, item, &expecting).map(|_| ()))
}

fn query_enrolments(call: &Call, kind: Kind) -> Result<Response<Body>, Fault> {
    let (from, item_type) = match kind {
        Kind::Individual => ("enrollments", "enrollment"),
        Kind::Group => ("enrollmentGroups", "enrollmentGroup"),
    };
    let page = Page::read(call, from)?;
    let (items, last) = call.shared.look(|core, _| {
        let found = core.enrolments(kind, &page.after, page.most + 1);
        let last = (found.len() > page.most).then(|| found[page.most - 1].name().key);
        let items: Vec<_> =
            found.into_iter().take(page.most).map(|one| body(core, one, Show::Public)).collect();
        (items, last)
    });
    Ok(paged(&items, item_type, last))
}

fn query_registrations(call: &Call, group: &EnrolmentName) -> Result<Response<Body>, Fault> {
    let page = Page::read(call, "registrations")?;
    let (items, last) = call.shared.look(|core, _| {
        let found = core.registrations_of(group, &page.after, page.most + 1)?;
        let last = (found.len() > page.most).then(|| Registration::key(found[page.most - 1]));
        let settings = core.settings();
        let items = found.into_iter().take(page.most).map(|one| registration_body(one, settings)).collect();
        Ok::<(Vec<_>, _), Fault>((items, last))
    })?;
    Ok(paged(&items, "deviceRegistration", last))
}

/// Which page of a list is wanted.
struct Page {
    after: String,
    most: usize,
}

impl Page {
    /// Reads a query. DPS, "Query language": a `WHERE` this cloud refuses by name.
    fn read(call: &Call, from: &str) -> Result<Self, Fault> {
        let query = call.object()?;
        let text = query.get("query").and_then(Value::as_str).unwrap_or_default();
        let words: Vec<_> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let is_right = match words.as_slice() {
            // The first as Node's samples ask.
            ["*"] | ["select", "*"] => true,
            ["select", "*", "from", source] => *source == from.to_ascii_lowercase(),
            _ => false,
        };
        if !is_right {
            return Err(Fault::unsupported(format!(
                "this local cloud takes the query `SELECT * FROM {from}` here, without WHERE or other \
                 clauses, and the query is `{text}`"
            )));
        }
        let header = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
        let most = match header(PAGE_SIZE).map(str::parse::<usize>) {
            None => PAGE,
            Some(Ok(most)) if most > 0 => most.min(PAGE),
            Some(_) => {
                return Err(Fault::bad_request(format!("the header {PAGE_SIZE} is no number above 0")));
            }
        };
        let after = match header(CONTINUATION).filter(|token| !token.is_empty()) {
            None => String::new(),
            Some(token) => URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| {
                    Fault::bad_request(format!("the header {CONTINUATION} is not of this service"))
                })?,
        };
        Ok(Self { after, most })
    }
}

fn paged(items: &[Value], item_type: &str, last: Option<String>) -> Response<Body> {
    let mut response = json(200, &object!(items));
    set(&mut response, ITEM_TYPE, item_type);
    if let Some(last) = last {
        set(&mut response, CONTINUATION, &URL_SAFE_NO_PAD.encode(last));
    }
    response
}

fn read<T: serde::de::DeserializeOwned>(call: &Call, what: &str) -> Result<T, Fault> {
    reading::from_slice(&call.body)
        .map_err(|error| Fault::undeserializable(format!("the body is not {what}: {error}")))
}
