//! Messages that wait behind the routes of IoT Edge devices, a document for each: one that comes or
//! goes must not write the thousand others of its queue.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::forms;
use super::table::{Key, Table};
use crate::cloud::core::Core;
use crate::cloud::core::registry::Address;
use crate::cloud::core::routes::kept::Kept;
use crate::cloud::core::routes::message::Routed;
use crate::cloud::core::routes::{Origin, Place};
use crate::device::{DeviceId, Now};

pub(super) const TABLE: Table = Table { name: "routed", read, restore };

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    /// The module that it is for; the hub when there is none.
    to: Option<String>,
    input: String,
    route: String,
    expiry: String,
    /// The module that sent it, on the same device.
    from: String,
    at: String,
    /// Whether it tells that the module has changed its reported properties.
    twin_change: bool,
    bag: String,
    model_id: Option<String>,
    /// In base64.
    body: String,
}

impl Document {
    fn of(kept: &Kept) -> Option<Self> {
        let Routed { from, origin, bag, properties: _, body, model_id, at } = &*kept.message;
        Some(Self {
            to: kept.target.as_ref().map(ToString::to_string),
            input: kept.input.to_string(),
            route: kept.route.to_string(),
            expiry: kept.expiry.to_string(),
            from: from.module.as_ref()?.to_string(),
            at: at.to_string(),
            twin_change: matches!(origin, Origin::TwinChange { .. }),
            bag: bag.clone(),
            model_id: model_id.clone(),
            body: STANDARD.encode(body),
        })
    }

    fn into_kept(self, device: DeviceId) -> Result<Kept, String> {
        let module = |name: &str| name.parse().map_err(|error| format!("a module's name: {error}"));
        let time = |text: &str| text.parse().map_err(|error| format!("a message's time: {error}"));
        let at = time(&self.at)?;
        let from = Address::module(device, module(&self.from)?);
        let body = STANDARD.decode(self.body).map_err(|error| format!("a message's body: {error}"))?.into();
        let message = if self.twin_change {
            Routed::twin_change(&from, body, at)
        } else {
            Routed::message(&from, self.bag, body, self.model_id, at)
        };
        Ok(Kept {
            target: self.to.as_deref().map(module).transpose()?,
            input: self.input.into(),
            route: self.route.into(),
            expiry: time(&self.expiry)?,
            message: Arc::new(message.ok_or("a message that no module has sent")?),
        })
    }
}

/// The device, and where on it the message waits.
fn place(key: &Key) -> Result<(DeviceId, Place), String> {
    let device = key.name.parse().map_err(|error| format!("its device's name: {error}"))?;
    let place = key.part.parse().map_err(|error| format!("its place: {error}"))?;
    Ok((device, place))
}

fn read(core: &Core, key: &Key) -> Option<String> {
    let (device, place) = place(key).ok()?;
    serde_json::to_string(&Document::of(&core.routed(&device, place)?)?).ok()
}

fn restore(core: &mut Core, now: Now, key: &Key, body: Option<&str>) -> Result<(), String> {
    let (device, place) = place(key)?;
    let Some(body) = body else {
        core.forget_routed(&device, place);
        return Ok(());
    };
    let kept = forms::read::<Document>(body)?.into_kept(device.clone())?;
    core.restore_routed(now, &device, place, kept);
    Ok(())
}
