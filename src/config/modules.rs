//! Where modules go: to the hub of their own connection string, or to one in whose registry they
//! are made.

use super::run::Levels;
use super::setting::{self, RUN, Setting};
use super::target::{ELSEWHERE, ONLY_WITH_DPS, Target, conflict, direct, invalid, name};
use super::{ConfigError, Given, hub};
use crate::device::{DeviceId, ModuleId};
use crate::wire::ConnectionString;
use crate::wire::connection_string::Who;
use crate::wire::service::is_azure;

/// A module whose connection string is given.
pub(super) fn connected(
    levels: &Levels<'_>,
    level: usize,
    found: &[(Setting, &Given)],
) -> Result<Target, ConfigError> {
    let strings: Vec<_> = found.iter().filter(|(setting, _)| *setting != Setting::IdScope).collect();
    let [(setting, given)] = strings.as_slice() else {
        let why = "both are the module's connection string; give one of them";
        return Err(conflict(strings[0].1, strings[1].1, why));
    };
    let target = direct(levels, level, *setting, given)?;
    let Target::Direct(ConnectionString { who: Who::Device(_, Some(own)), .. }) = &target else {
        return Err(invalid(
            given,
            "is a device's connection string, but the profile connects as a module: a module's has ModuleId \
             too; or leave it out, and the module is made in the hub's registry",
        ));
    };
    match levels.get(Setting::ModuleId) {
        Some((_, id)) if id.text != own.as_str() => {
            Err(conflict(given, id, "the connection string is another module's; leave one out"))
        }
        _ => Ok(target),
    }
}

/// The modules of an IoT Edge device. The messages between them are the Edge hub's to carry.
pub(super) fn edge(levels: &Levels<'_>) -> Result<Target, ConfigError> {
    let target = made(levels)?;
    match (&target, levels.get(Setting::Service)) {
        (Target::Registry { hub: Some(hub), .. }, Some((_, given))) if is_azure(&hub.name) => Err(invalid(
            given,
            "is a hub's in Azure, which does not route between modules: there an IoT Edge runtime on the device \
             does, and envsim's modules would wait for messages for ever; leave it out for the local cloud, which \
             routes them, or set it to that of another `envsim cloud`",
        )),
        _ => Ok(target),
    }
}

/// Modules that are made in the registry of a hub.
pub(super) fn made(levels: &Levels<'_>) -> Result<Target, ConfigError> {
    let service = levels.get(Setting::Service).map(|(_, given)| given);
    // What a local cloud's variables set for devices is no mistake beside its service's connection
    // string; what is given as an option was meant to be used.
    let stray = ELSEWHERE
        .iter()
        .chain(ONLY_WITH_DPS)
        .find_map(|setting| levels.get(*setting).filter(|(level, _)| *level == 0 || service.is_none()));
    if let Some((_, stray)) = stray {
        let ways = setting::ways(RUN, Setting::Service);
        return Err(invalid(
            stray,
            &format!(
                "is for devices, but the profile's modules are made in their hub's registry: leave it out for \
                 the local cloud, or set {ways} to a service's connection string for another hub"
            ),
        ));
    }
    let hub = service.map(hub::service).transpose()?.map(|string| string.hub);
    let one = |given: &Given| -> Result<DeviceId, ConfigError> {
        if given.text.contains(',') {
            return Err(invalid(given, "names several devices, but modules are made on one; give one name"));
        }
        name(given)
    };
    Ok(Target::Registry {
        hub,
        device: levels.get(Setting::DeviceId).map(|(_, given)| one(given)).transpose()?,
        module: levels.get(Setting::ModuleId).map(|(_, given)| own_module(given)).transpose()?,
    })
}

fn own_module(given: &Given) -> Result<ModuleId, ConfigError> {
    if given.text.starts_with('$') {
        return Err(invalid(
            given,
            "begins with `$`: such ids are reserved for what an IoT Edge runtime brings, and messages between modules \
             stop while something else is connected as it; give another name",
        ));
    }
    name(given)
}
