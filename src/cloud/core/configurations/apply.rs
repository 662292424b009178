//! Setting content on one IoT Edge device, without a configuration. IoT Hub REST, "Apply on Edge
//! Device".

use serde_json::{Map, Value};

use super::content::{Content, EDGE_AGENT, Setting};
use super::layers::{difference, set};
use crate::cloud::core::fault::Fault;
use crate::cloud::core::registry::{Address, MODULES, Precondition};
use crate::cloud::core::service::Write;
use crate::cloud::core::twins::{Twin, TwinUpdate};
use crate::cloud::core::{Core, Output};
use crate::device::{DeviceId, Now};

impl Core {
    /// Sets desired properties of a device and of its modules; modules that are not there are
    /// created. All of it or nothing.
    pub fn apply_content(
        &mut self,
        now: Now,
        device: &DeviceId,
        body: &Map<String, Value>,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let body = &of_today(body);
        if body.contains_key("content") {
            return Err(Fault::bad_request(
                "the body is a whole configuration: send what stands in its `content`, such as modulesContent",
            ));
        }
        let content = Content::read(body, now.wall)?;
        let of_device = Address::device(device.clone());
        let identity = self.registry.need(&of_device)?;
        if body.get("moduleContent").is_some_and(|part| !part.is_null()) {
            return Err(Fault::bad_request(
                "moduleContent cannot be applied to a device, only modulesContent",
            ));
        }
        if !content.modules.is_empty() && !identity.edge {
            return Err(Fault::bad_request(format!(
                "modulesContent cannot be applied to `{device}`: it is not an IoT Edge device"
            )));
        }
        let named = content.named_modules()?;
        let new = named.iter().filter(|module| {
            let address = Address::module(device.clone(), (*module).clone());
            self.registry.get(&address).is_none()
        });
        if self.registry.modules(device).count() + new.count() > MODULES {
            return Err(Fault::too_many_modules(device.as_str(), MODULES));
        }
        let targets = || {
            let modules = content.modules.iter();
            let modules =
                modules.map(|(id, settings)| (Address::module(device.clone(), id.clone()), settings));
            std::iter::once((of_device.clone(), &content.device)).chain(modules)
        };
        // First on copies, to see whether every twin takes it.
        for (address, settings) in targets() {
            let mut twin = match self.registry.get(&address) {
                Some(identity) => identity.twin.clone(),
                None => Twin::new(now.wall),
            };
            let update = change(&twin.desired.value, settings);
            twin.update(&update, now.wall)?;
        }
        self.create_modules(now, &of_device, named);
        for (address, settings) in targets() {
            if !settings.is_empty() {
                let update = change(&self.registry.need(&address)?.twin.desired.value, settings);
                self.write_twin(now, &address, &update, Write::Merge, &Precondition::Any, out)?;
            }
        }
        Ok(())
    }
}

/// Deployments of the time of Azure's first IoT Edge tutorials have their modules in
/// `moduleContent`, which today is the content for a single module.
fn of_today(body: &Map<String, Value>) -> Map<String, Value> {
    let has_agent = |part: &Value| part.get(EDGE_AGENT).is_some();
    let rename = |name: &String, part: &Value| match name.as_str() {
        "moduleContent" if has_agent(part) => "modulesContent".to_owned(),
        _ => name.clone(),
    };
    body.iter().map(|(name, part)| (rename(name, part), part.clone())).collect()
}

fn change(desired: &Map<String, Value>, settings: &[Setting]) -> TwinUpdate {
    let mut target = desired.clone();
    for setting in settings {
        match &setting.value {
            Value::Object(members) if setting.path.is_empty() => target.clone_from(members),
            value => set(&mut target, &setting.path, value.clone()),
        }
    }
    TwinUpdate { tags: None, desired: Some(difference(desired, &target)) }
}
