//! The identity registry. IoT Hub REST, "Devices".

use axum::body::Body;
use axum::http::Response;
use serde_json::{Map, Value, json};

use super::reply::{extend, json as respond, no_content, with_etag};
use super::{Call, Named, address, device_id};
use crate::cloud::core::auth::Right;
use crate::cloud::core::fault::Fault;
use crate::cloud::core::identities::{Proof, Spec};
use crate::cloud::core::registry::{Address, Authentication, Identity, Keys, Precondition, Thumbprints};
use crate::cloud::core::rows::{connection, status, thumbprints, time};
use crate::device::ModuleId;
use crate::wire::SharedKey;

fn authentication(identity: &Identity) -> Value {
    let key = |key: fn(&Keys) -> &SharedKey| identity.authentication.keys().map(|keys| key(keys).reveal());
    json!({
        // Whoever has the right to read the registry has the right to the keys.
        "symmetricKey": {"primaryKey": key(|keys| &keys.primary), "secondaryKey": key(|keys| &keys.secondary)},
        "x509Thumbprint": thumbprints(identity),
        "type": identity.authentication.name(),
    })
}

/// An identity as the registry tells it: a module has no switch of its own, but a manager.
pub(super) fn told(identity: &Identity) -> Value {
    let mut body = json!({"deviceId": identity.address.device.as_str()});
    if let Some(module) = &identity.address.module {
        body["moduleId"] = json!(module.as_str());
        body["managedBy"] = json!(identity.managed_by);
    } else {
        body["status"] = json!(status(identity));
        body["statusReason"] = json!(identity.status_reason);
        body["statusUpdatedTime"] = json!(time(identity.status_updated));
        body["capabilities"] = json!({"iotEdge": identity.edge});
    }
    let rest = json!({
        "generationId": identity.generation,
        "etag": identity.etag,
        "connectionState": connection(identity),
        "connectionStateUpdatedTime": time(identity.connection_updated),
        "lastActivityTime": time(identity.last_activity),
        "cloudToDeviceMessageCount": identity.messages,
        "authentication": authentication(identity),
    });
    extend(&mut body, rest);
    if let Some(scope) = &identity.scope {
        body["deviceScope"] = json!(scope);
    }
    body
}

fn respond_with(identity: &Identity) -> Response<Body> {
    with_etag(respond(200, &told(identity)), &identity.etag)
}

pub(super) fn show(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    call.need_version()?;
    let address = address(id)?;
    call.shared.look(|core, _| core.identity(&address).map(respond_with))
}

pub(super) fn modules(call: &Call, id: &str) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    call.need_version()?;
    let device = device_id(id)?;
    call.shared.look(|core, _| {
        let modules = core.modules(&device)?.into_iter().map(told).collect();
        Ok(respond(200, &Value::Array(modules)))
    })
}

pub(super) fn list(call: &Call) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryRead)?;
    call.need_version()?;
    let most = match call.query("top") {
        None => 1000,
        Some(text) => match text.parse() {
            Ok(number @ 1..=1000) => number,
            _ => return Err(Fault::bad_request(format!("`top` is `{text}`, it has to be 1 to 1000"))),
        },
    };
    let devices: Vec<_> = call.shared.look(|core, _| core.devices(most).into_iter().map(told).collect());
    Ok(respond(200, &Value::Array(devices)))
}

pub(super) fn put(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryWrite)?;
    call.need_version()?;
    let spec = spec(address(id)?, &call.object()?)?;
    match call.precondition()? {
        None => call.shared.change(|core, now, _| core.create(now, spec).map(respond_with)),
        Some(condition) => {
            call.shared.change(|core, now, out| core.change(now, spec, &condition, out).map(respond_with))
        }
    }
}

pub(super) fn delete(call: &Call, id: Named<'_>) -> Result<Response<Body>, Fault> {
    call.authorize(Right::RegistryWrite)?;
    call.need_version()?;
    let address = address(id)?;
    let condition = call.precondition()?.unwrap_or(Precondition::Any);
    call.shared.change(|core, _, out| core.delete(&address, &condition, out))?;
    Ok(no_content())
}

/// Reads an identity as a service writes it.
pub(super) fn spec(address: Address, body: &Map<String, Value>) -> Result<Spec, Fault> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    // A name that is not a text is another one too; null is none.
    let same = |name: &str, own: Option<&str>| match body.get(name) {
        Some(named) if !named.is_null() && named.as_str() != own => {
            Err(Fault::bad_request(format!("the body has `{name}` {named}, the path is about `{address}`")))
        }
        _ => Ok(()),
    };
    same("deviceId", Some(address.device.as_str()))?;
    same("moduleId", address.module.as_ref().map(ModuleId::as_str))?;
    let enabled = match text("status") {
        None | Some("enabled") => true,
        Some("disabled") => false,
        Some(other) => {
            let message = format!("`status` is `{other}`, it has to be enabled or disabled");
            return Err(Fault::bad_request(message));
        }
    };
    let edge = body.get("capabilities").and_then(|c| c.get("iotEdge")) == Some(&Value::Bool(true));
    Ok(Spec {
        proof: proof(body.get("authentication"))?,
        enabled,
        status_reason: text("statusReason").map(str::to_owned),
        edge: edge && address.module.is_none(),
        scope: text("deviceScope").map(str::to_owned),
        managed_by: text("managedBy").filter(|text| !text.is_empty()).map(str::to_owned),
        address,
    })
}

/// Reads how an identity is to prove who it is. Empty keys mean the same as none: generate them.
fn proof(authentication: Option<&Value>) -> Result<Proof, Fault> {
    let text = |group: &str, name: &str| {
        let text = authentication.and_then(|a| a.get(group)?.get(name)?.as_str());
        text.filter(|text| !text.is_empty())
    };
    let key = |name: &str| -> Result<Option<SharedKey>, Fault> {
        let bad = |why| Fault::bad_request(format!("`{name}` {why}"));
        text("symmetricKey", name).map(|text| SharedKey::from_base64(text).map_err(bad)).transpose()
    };
    let thumbprint = |name: &str| -> Result<Option<String>, Fault> {
        let Some(text) = text("x509Thumbprint", name) else { return Ok(None) };
        let hex = text.chars().all(|c| c.is_ascii_hexdigit()) && [40, 64].contains(&text.len());
        if hex {
            Ok(Some(text.to_ascii_uppercase()))
        } else {
            Err(Fault::bad_request(format!(
                "`{name}` is not the 40 or 64 hexadecimal digits of a thumbprint"
            )))
        }
    };
    let thumbprints = Thumbprints {
        primary: thumbprint("primaryThumbprint")?,
        secondary: thumbprint("secondaryThumbprint")?,
    };
    let kind = authentication.and_then(|a| a.get("type")).and_then(Value::as_str);
    match kind {
        // Older SDKs name no type and send what they mean.
        Some("selfSigned") | None if thumbprints != Thumbprints::default() => {
            Ok(Proof::Given(Authentication::SelfSigned(thumbprints)))
        }
        Some("selfSigned") => {
            Err(Fault::bad_request("authentication by a self-signed certificate needs its thumbprint"))
        }
        Some("certificateAuthority") => Ok(Proof::Given(Authentication::CertificateAuthority)),
        Some("none") => Ok(Proof::Given(Authentication::None)),
        Some("sas") | None => match (key("primaryKey")?, key("secondaryKey")?) {
            (Some(primary), Some(secondary)) => {
                Ok(Proof::Given(Authentication::Sas(Keys { primary, secondary })))
            }
            (None, None) => Ok(Proof::AnyKeys),
            _ => Err(Fault::bad_request("give both keys, or none to have both generated")),
        },
        Some(other) => Err(Fault::bad_request(format!(
            "the authentication type is `{other}`, it has to be one of sas, selfSigned, certificateAuthority, none"
        ))),
    }
}
