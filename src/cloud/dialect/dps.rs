//! The provisioning service's topics: register, and ask how it stands.

use super::bodies::{error_body, operation_body};
use super::{Message, Unacceptable};
use crate::cloud::core::provisioning::Attested;
use crate::cloud::core::{Core, Output};
use crate::device::Now;
use crate::wire::topic::{self, FromDevice};

/// Takes a publish of the provisioning service's client. Answers what goes back to it.
pub fn dps_publish(
    core: &mut Core,
    now: Now,
    device: &Attested,
    topic: &str,
    body: &[u8],
    out: &mut Vec<Output>,
) -> Result<Message, Unacceptable> {
    let (rid, answer) = match FromDevice::parse(topic) {
        Some(FromDevice::DpsRegister { rid } | FromDevice::DpsStatus { rid, .. })
            if let Err(busy) = core.dps_takes_one() =>
        {
            (rid, Err(busy))
        }
        Some(FromDevice::DpsRegister { rid }) => (rid, core.register(now, device, body).cloned()),
        Some(FromDevice::DpsStatus { rid, operation_id }) => {
            (rid, core.operation(now, &device.id, operation_id, out))
        }
        _ => return Err(Unacceptable::Topic(topic.to_owned())),
    };
    Ok(match answer {
        Ok(registration) => {
            let settings = core.settings_for(registration.id.as_str());
            let (status, wait) =
                if registration.status.is_final() { (200, None) } else { (202, Some(settings.retry_after)) };
            let body = operation_body(&registration, &settings).to_string();
            Message::new(topic::dps_answer(status, rid, wait), body, 1)
        }
        Err(fault) => {
            let body = error_body(&fault, &core.random_name(), now.wall).to_string();
            let wait = (fault.status == 429)
                .then(|| fault.retry_after.unwrap_or(core.settings().retry_after.max(1)));
            Message::new(topic::dps_answer(fault.status, rid, wait), body, 1)
        }
    })
}
