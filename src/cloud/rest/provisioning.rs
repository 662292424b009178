//! The provisioning service's device side. DPS REST, "Runtime registration".

use axum::body::Body;
use axum::http::{Response, header};

use super::Call;
use super::reply::{dps_error, json, set};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::provisioning::registration::RegistrationRequest;
use crate::cloud::core::provisioning::{Presenting, Registration};
use crate::cloud::dialect::bodies::{operation_body, registration_body};
use crate::device::RegistrationId;
use crate::wire::dps::operation_path;

/// DPS takes messages of up to 96 KB.
const BODY_LIMIT: usize = 96 * 1024;

pub(super) fn answer(call: &Call, scope: &str, id: &str, rest: &[&str]) -> Response<Body> {
    answered(call, scope, id, rest).unwrap_or_else(|fault| dps_error(&call.shared, &fault))
}

fn answered(call: &Call, scope: &str, id: &str, rest: &[&str]) -> Result<Response<Body>, Fault> {
    call.need_version()?;
    if call.body.len() > BODY_LIMIT {
        return Err(Fault::too_large(format!("the registration has more than {BODY_LIMIT} bytes")));
    }
    let id: RegistrationId = id.parse().map_err(|error| Fault::bad_request(format!("{error}")))?;
    // A TPM registers without credentials first, to be told what to sign with.
    if call.token().is_empty()
        && let Err(fault) = RegistrationRequest::parse(&call.body)
        && fault.status == 501
    {
        return Err(fault);
    }
    let presenting = Presenting { scope, id: &id, token: call.token(), peer: call.peer.as_deref() };
    let device =
        call.shared.look(|core, now| core.authorize_registration(now, presenting)).map_err(|refusal| {
            tracing::warn!(device = %id, "registration refused: {refusal}");
            Fault::unauthorized(format!("Unauthorized: {refusal}"))
        })?;
    call.shared.change(|core, _, _| core.dps_takes_one())?;
    match (call.method.as_str(), rest) {
        ("PUT", ["register"]) => {
            let registration =
                call.shared.change(|core, now, _| core.register(now, &device, &call.body).cloned())?;
            Ok(standing(call, scope, &registration))
        }
        ("GET", ["operations", operation]) => {
            let registration =
                call.shared.change(|core, now, out| core.operation(now, &id, operation, out))?;
            Ok(standing(call, scope, &registration))
        }
        ("POST", []) => {
            let body = call.shared.look(|core, _| {
                let settings = core.settings_for(id.as_str());
                core.registration(id.as_str()).map(|registration| registration_body(registration, &settings))
            })?;
            Ok(json(200, &body))
        }
        (method, _) => Err(Fault::unsupported(format!(
            "envsim's local cloud does not support {method} {}: this path of DPS",
            call.uri.path()
        ))),
    }
}

fn standing(call: &Call, scope: &str, registration: &Registration) -> Response<Body> {
    let (body, wait) = call.shared.look(|core, _| {
        let settings = core.settings_for(registration.id.as_str());
        (operation_body(registration, &settings), settings.retry_after)
    });
    if registration.status.is_final() {
        return json(200, &body);
    }
    let mut response = json(202, &body);
    set(&mut response, "retry-after", &wait.to_string());
    let host = call.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = operation_path(scope, registration.id.as_str(), &registration.operation);
    set(&mut response, "location", &format!("https://{host}{path}"));
    response
}
