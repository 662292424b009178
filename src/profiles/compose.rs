//! Profiles put together: what goes with what, and as whom the whole connects.

use std::collections::HashMap;

use super::{CATALOG, Entry, Seat, find};

/// As whom profiles connect when they are put together; or why they cannot be, in words.
pub fn compose(names: &[&str]) -> Result<Seat, String> {
    let entries: Vec<_> = names.iter().filter_map(|name| find(name)).collect();
    match entries.as_slice() {
        [] => Err(format!("no profile; there is {}", all())),
        [one] => Ok(one.seat),
        several => compose_all(several),
    }
}

fn compose_all(entries: &[&Entry]) -> Result<Seat, String> {
    if let Some(alone) = entries.iter().find(|entry| matches!(entry.seat, Seat::Edge { .. })) {
        return Err(format!(
            "`{}` goes with no other profile: it is made of the modules of an IoT Edge device of its own",
            alone.name
        ));
    }
    let mut modules = entries.iter().filter(|entry| matches!(entry.seat, Seat::Module { .. }));
    let module = modules.next();
    if let (Some(one), Some(other)) = (module, modules.next()) {
        return Err(format!("`{}` and `{}` are two modules; run each by itself", one.name, other.name));
    }
    let mut owners: HashMap<(&str, &str), &str> = HashMap::new();
    for entry in entries {
        for (kind, name) in offered(entry) {
            if let Some(owner) = owners.insert((kind, name), entry.name)
                && owner != entry.name
            {
                return Err(format!(
                    "`{owner}` and `{}` both have the {kind} `{name}`; leave one out",
                    entry.name
                ));
            }
        }
    }
    Ok(module.map_or(Seat::Device, |entry| entry.seat))
}

/// Everything that has a name of its own on a device, with the kind of name that it is.
fn offered(entry: &Entry) -> impl Iterator<Item = (&'static str, &'static str)> {
    entry.parts.iter().flat_map(|part| {
        let model = part.model;
        let fields = model.telemetry.iter().map(|field| ("telemetry field", field.name));
        let commands = model.commands.iter().map(|spec| ("command", spec.name));
        // What is set, what is reported, and the outcomes of lasting commands share one section of
        // the twin.
        let lasting = model.commands.iter().filter(|spec| spec.lasting).map(|spec| spec.name);
        let properties = model.properties.iter().map(|spec| spec.name);
        let reported = properties.chain(model.reports.iter().copied()).chain(lasting);
        fields.chain(commands).chain(reported.map(|name| ("property", name)))
    })
}

fn all() -> String {
    CATALOG.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Answer, CallId, CommandSpec, Context, Model, Profile, PropertySpec, Schema};
    use crate::profiles::Part;
    use serde_json::Value;
    use std::time::Duration;

    struct Nothing;

    impl Profile for Nothing {
        fn model(&self) -> &'static Model {
            &EMPTY
        }

        fn command(&mut self, _: &mut Context<'_>, _: CallId, _: &str, _: &Value) -> Answer {
            crate::device::Reply::done().into()
        }
    }

    const EMPTY: Model = Model {
        name: "empty",
        title: "",
        model_id: "dtmi:envsim:Empty;1",
        telemetry: &[],
        output: None,
        knobs: &[],
        commands: &[],
        properties: &[],
        reports: &[],
    };

    const CLEANS: CommandSpec =
        CommandSpec { name: "clean", title: "", request: None, example: "", lasting: true };
    const CLEAN: PropertySpec =
        PropertySpec { name: "clean", title: "", schema: Schema::Any, takes: Duration::ZERO };

    const fn part(model: &'static Model) -> Part {
        Part { module: None, model, dtdl: "", build: |_| Box::new(Nothing) }
    }

    const fn entry(name: &'static str, parts: &'static [Part]) -> Entry {
        Entry { name, title: "", seat: Seat::Device, options: &[], parts }
    }

    #[test]
    fn what_two_profiles_both_have_is_named() {
        static COMMAND: Model = Model { commands: &[CLEANS], ..EMPTY };
        static PROPERTY: Model = Model { properties: &[CLEAN], ..EMPTY };
        static REPORT: Model = Model { reports: &["clean"], ..EMPTY };
        static PARTS: [[Part; 1]; 4] = [[part(&COMMAND)], [part(&PROPERTY)], [part(&REPORT)], [part(&EMPTY)]];
        let [commands, sets, reports, nothing] =
            [entry("a", &PARTS[0]), entry("b", &PARTS[1]), entry("c", &PARTS[2]), entry("d", &PARTS[3])];
        let said = |entries: &[&Entry]| compose_all(entries).expect_err("a conflict");
        assert_eq!(said(&[&sets, &reports]), "`b` and `c` both have the property `clean`; leave one out");
        assert_eq!(said(&[&commands, &sets]), "`a` and `b` both have the property `clean`; leave one out");
        let again = entry("e", &PARTS[0]);
        assert_eq!(said(&[&commands, &again]), "`a` and `e` both have the command `clean`; leave one out");
        assert_eq!(compose_all(&[&commands, &nothing]), Ok(Seat::Device));
    }

    #[test]
    fn a_module_takes_devices_profiles_in_and_an_edge_filter_takes_none() {
        let module = find("module").expect("the profile").seat;
        assert_eq!(compose(&["environment", "module"]), Ok(module));
        assert_eq!(compose(&["environment"]), Ok(Seat::Device));
        let said = compose(&["edge-filter", "module"]).expect_err("refused");
        assert!(said.starts_with("`edge-filter` goes with no other profile"), "{said}");
    }

    #[test]
    fn all_profiles_of_devices_go_together() {
        let devices: Vec<_> =
            CATALOG.iter().filter(|entry| entry.seat == Seat::Device).map(|entry| entry.name).collect();
        assert_eq!(compose(&devices), Ok(Seat::Device));
    }
}
