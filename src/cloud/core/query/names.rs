//! Names that the hub gives, in the hub's spelling.

use super::ast::{Path, Step};

/// Members of twins and of what jobs did with a device.
///
/// Microsoft's own examples ask for `LastActivityTime`, which is `lastActivityTime` in every twin.
const ROOTS: &[&str] = &[
    "authenticationType",
    "capabilities",
    "cloudToDeviceMessageCount",
    "configurations",
    "connectionState",
    "connectionStateUpdatedTime",
    "createdDateTimeUtc",
    "deviceEtag",
    "deviceId",
    "deviceScope",
    "endTimeUtc",
    "error",
    "etag",
    "generationId",
    "jobId",
    "jobType",
    "lastActivityTime",
    "lastUpdatedDateTimeUtc",
    "managedBy",
    "modelId",
    "moduleId",
    "outcome",
    "parentScopes",
    "properties",
    "startTimeUtc",
    "status",
    "statusReason",
    "statusUpdateTime",
    "tags",
    "version",
    "x509Thumbprint",
];

/// Members of members.
const MEMBERS: &[(&str, &[&str])] = &[
    ("properties", &["desired", "reported"]),
    ("capabilities", &["iotEdge"]),
    ("x509Thumbprint", &["primaryThumbprint", "secondaryThumbprint"]),
];

/// Names that Microsoft's examples and samples use for others: `createdTimeUtc` in "Queries for IoT
/// Hub jobs", `id` in the registry manager sample of the .NET SDK.
const ALIASES: &[(&str, &str)] = &[("createdTimeUtc", "createdDateTimeUtc"), ("id", "deviceId")];

/// Drops the collection in front (`devices.jobs.jobId`, `devices.deviceId`) and puts the hub's own
/// names in its spelling.
pub(super) fn canonical(path: &mut Path) {
    let steps = &mut path.0;
    while is_name(steps, 0, "devices") && has_name(steps, 1) {
        let is_longer = (is_name(steps, 1, "modules") || is_name(steps, 1, "jobs")) && has_name(steps, 2);
        steps.drain(..if is_longer { 2 } else { 1 });
    }
    if let Some(Step::Name(name)) = steps.first_mut() {
        if let Some((_, own)) = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)) {
            (*own).clone_into(name);
        }
        respell(name, ROOTS);
    }
    if let [Step::Name(root), Step::Name(member), ..] = steps.as_mut_slice()
        && let Some((_, members)) = MEMBERS.iter().find(|(own, _)| own == root)
    {
        respell(member, members);
    }
}

fn is_name(steps: &[Step], at: usize, name: &str) -> bool {
    steps.get(at).and_then(Step::name).is_some_and(|own| own.eq_ignore_ascii_case(name))
}

fn has_name(steps: &[Step], at: usize) -> bool {
    steps.get(at).and_then(Step::name).is_some()
}

fn respell(name: &mut String, known: &[&str]) {
    if let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        (*known).clone_into(name);
    }
}
