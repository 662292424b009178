//! Every route that the cloud has, read from the source of its tables: a route that is added there
//! is tried here without anybody having to think of it.

use std::path::Path;

/// The device in every path.
pub const DEVICE: &str = "bad";

/// The functions that hold tables of routes, and where their paths begin.
const TABLES: &[(&str, &str, &[&str])] = &[
    ("mod.rs", "route", &[""]),
    ("mod.rs", "feedback", &["/messages/serviceBound/feedback"]),
    ("mod.rs", "device_bound", &["/devices/bad/messages/deviceBound"]),
    ("provisioning.rs", "answered", &["/0ne00000000/registrations/bad"]),
    // Where these begin stands in each of their rows.
    ("enrolments.rs", "answered", &[""]),
];
/// Functions with rows that are no routes: what a request counts as.
const NO_TABLES: &[(&str, &str)] = &[("trouble.rs", "operation")];
const METHODS: &[&str] = &["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"];

/// Whose token a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nobody's.
    Open,
    /// A policy's of the hub.
    Hub,
    /// A policy's of the provisioning service.
    Provisioning,
    /// A device's own.
    Device,
    /// A device's own, for its registration.
    Registration,
}

/// A method, a path, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    pub path: String,
    pub door: Door,
}

/// Every route, once for each of its spellings.
pub fn all() -> Vec<Route> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cloud/rest");
    let mut routes = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a source file");
        let mut function = "";
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in text.lines() {
            if let Some((_, rest)) = line.split_once("fn ")
                && !line.trim_start().starts_with("//")
            {
                function = rest.split(['(', '<']).next().unwrap_or_default();
            }
            let Some((method, row)) = row(line) else { continue };
            if NO_TABLES.contains(&(name.as_str(), function)) {
                continue;
            }
            let table = TABLES.iter().find(|(file, of, _)| (*file, *of) == (name.as_str(), function));
            let (.., prefixes) = table.unwrap_or_else(|| {
                panic!("{name}: `{function}` has routes: say in `TABLES` where they begin\n{line}")
            });
            for prefix in *prefixes {
                for path in paths(row) {
                    let path = format!("{prefix}{path}");
                    routes.push(Route { method, door: door(&path), path });
                }
            }
        }
    }
    routes
}

/// The method of a row, `("GET", …, ["devices", id]) …`, and what stands behind it.
fn row(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim_start().strip_prefix("(\"")?;
    METHODS.iter().find_map(|method| Some((*method, line.strip_prefix(method)?.strip_prefix("\", ")?)))
}

/// The paths of a row's pattern.
fn paths(row: &str) -> Vec<String> {
    let (before, rest) = row.split_once('[').unwrap_or_else(|| panic!("no segments in {row}"));
    let (segments, _) = rest.split_once(']').unwrap_or_else(|| panic!("no end of segments in {row}"));
    let mut paths = match before {
        "About::Enrolments(kind), " => vec!["/enrollments".to_owned(), "/enrollmentGroups".to_owned()],
        "About::Registrations, " => vec!["/registrations".to_owned()],
        _ => vec![String::new()],
    };
    for segment in segments.split(", ").filter(|segment| !segment.is_empty()) {
        let choices: Vec<_> = if segment.starts_with('"') {
            segment.split(" | ").map(|text| text.trim_matches('"').to_owned()).collect()
        } else if segment.contains("..") {
            vec![DEVICE.to_owned(), format!("{DEVICE}/modules/m")]
        } else if segment == "last" {
            vec!["attestationmechanism".to_owned()]
        } else {
            vec![DEVICE.to_owned()]
        };
        let longer =
            |path: &String| choices.iter().map(|choice| format!("{path}/{choice}")).collect::<Vec<_>>();
        paths = paths.iter().flat_map(longer).collect();
    }
    paths
}

fn door(path: &str) -> Door {
    let segments: Vec<_> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        // Firmware is for devices, which download it with no credential of the hub's, and holds no secret.
        ["health"] | ["envsim", "firmware", ..] => Door::Open,
        ["enrollments" | "enrollmentGroups" | "registrations", ..] => Door::Provisioning,
        [_, "registrations", ..] => Door::Registration,
        ["devices", _, "messages", ..] | ["devices", _, "modules", _, "messages", ..] => Door::Device,
        _ => Door::Hub,
    }
}

#[test]
fn every_table_of_routes_is_read() {
    let all = all();
    let has = |method: &str, path: &str, door: Door| {
        assert!(
            all.contains(&Route {
                method: METHODS.iter().find(|name| **name == method).expect("one"),
                path: path.to_owned(),
                door
            }),
            "{method} {path}: {all:#?}"
        );
    };
    has("GET", "/health", Door::Open);
    has("GET", "/devices", Door::Hub);
    has("PATCH", "/twins/bad/modules/m", Door::Hub);
    has("POST", "/twins/bad/methods", Door::Hub);
    has("DELETE", "/messages/serviceBound/feedback/bad", Door::Hub);
    has("POST", "/enrollmentGroups/bad/attestationmechanism", Door::Provisioning);
    has("GET", "/registrations/bad", Door::Provisioning);
    has("PUT", "/0ne00000000/registrations/bad/register", Door::Registration);
    has("POST", "/devices/bad/messages/events", Door::Device);
    has("POST", "/devices/bad/messages/deviceBound/bad/abandon", Door::Device);
    let open: Vec<_> = all.iter().filter(|route| route.door == Door::Open).collect();
    let open: Vec<_> = open.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let expected =
        ["GET /health", "GET /envsim/firmware", "GET /envsim/firmware/bad", "HEAD /envsim/firmware/bad"];
    assert_eq!(open, expected, "whatever is open to everybody stands here");
}
