//! Twins as `envsim hub` changes, replaces and watches them.

use serde_json::{Value, json};

use super::{CloudProcess, Program, Sandbox};

fn cloud() -> CloudProcess {
    CloudProcess::with(&["--mqtt-port", "0", "--https-port", "0", "--device", "d"])
}

#[test]
fn a_twin_is_changed_only_in_the_version_that_was_meant() {
    let cloud = cloud();
    let etag = |twin: &Value| twin["etag"].as_str().expect("an etag").to_owned();
    let first = etag(&cloud.hub(&["twin", "show", "d", "--format", "json"]).expect(0).json());
    let update = ["twin", "update", "d", "--desired", r#"{"a": 1}"#, "--format", "json", "--etag"];
    let second = cloud.hub(&[&update[..], &[&first]].concat()).expect(0).json();
    let stale = cloud.hub(&[&update[..], &[&first]].concat()).expect(1);
    assert!(stale.err.contains("has changed since it was read"), "{}", stale.all());
    let replace = ["twin", "replace", "d", "--tags", "{}", "--etag"];
    cloud.hub(&[&replace[..], &[&first]].concat()).expect(1);
    cloud.hub(&[&replace[..], &[&etag(&second)]].concat()).expect(0);
    cloud.hub(&["twin", "update", "d", "--desired", "{}", "--etag", ""]).expect(2);
}

#[test]
fn what_is_replaced_is_gone_and_what_is_not_named_stays() {
    let cloud = cloud();
    let section = |twin: &Value| {
        let mut desired = twin["properties"]["desired"].clone();
        desired.as_object_mut().expect("desired").retain(|name, _| !name.starts_with('$'));
        (desired, twin["tags"].clone())
    };
    let both = ["twin", "update", "d", "--desired", r#"{"a": 1, "b": 2}"#, "--tags", r#"{"floor": 2}"#];
    let file = cloud.hub(&[&both[..], &["--format", "json"]].concat()).expect(0).out;
    let replace = |args: &[&str]| {
        let args = [&["twin", "replace", "d", "--format", "json"], args].concat();
        section(&cloud.hub(&args).expect(0).json())
    };
    assert_eq!(replace(&["--desired", r#"{"c": 3}"#]), (json!({"c": 3}), json!({"floor": 2})));
    assert_eq!(replace(&["--tags", "{}"]), (json!({"c": 3}), json!({})));
    let file = cloud.sandbox.write("twin.json", &file).display().to_string();
    assert_eq!(replace(&[&file]), (json!({"a": 1, "b": 2}), json!({"floor": 2})));
    assert_eq!(replace(&["--desired", "{}", "--tags", "{}"]), (json!({}), json!({})));

    for bad in [
        &[][..],
        &["--desired", "5"],
        &["--desired", r#"{"$version": 1}"#],
        &["nowhere.json"],
        &[&file, "--tags", "{}"],
    ] {
        cloud.hub(&[&["twin", "replace", "d"], bad].concat()).expect(2);
    }
    let module = cloud.hub(&["twin", "replace", "d", "--module", "none", "--tags", "{}"]).expect(1);
    assert!(module.err.contains("has no `d/none`"), "{}", module.all());
}

#[test]
fn what_is_merged_comes_from_a_file_or_from_standard_input_as_well() {
    let cloud = cloud();
    cloud.hub(&["twin", "update", "d", "--tags", r#"{"floor": 2, "room": 5}"#]).expect(0);
    let file = r#"{"tags": {"floor": null}, "properties": {"desired": {"a": 1}}}"#;
    let file = cloud.sandbox.write("changes.json", file).display().to_string();
    let twin = cloud.hub(&["twin", "update", "d", &file, "--format", "json"]).expect(0).json();
    assert_eq!((&twin["tags"], &twin["properties"]["desired"]["a"]), (&json!({"room": 5}), &json!(1)));
    let mut command = cloud.sandbox.command(&["hub", "twin", "update", "d", "-", "--format", "json"]);
    command.stdin(
        std::fs::File::open(cloud.sandbox.write("in.json", r#"{"tags": {"room": 6}}"#)).expect("a file"),
    );
    assert_eq!(Program::start(command).end().expect(0).json()["tags"], json!({"room": 6}));
    for bad in [&[][..], &[&file, "--tags", "{}"], &["nowhere.json"]] {
        let refused = cloud.hub(&[&["twin", "update", "d"], bad].concat()).expect(2);
        assert!(!bad.is_empty() || refused.err.contains("--tags <JSON>"), "{}", refused.all());
    }
}

#[test]
fn a_module_s_twin_is_its_own() {
    let cloud = cloud();
    cloud.hub(&["module", "create", "d", "m"]).expect(0);
    cloud.hub(&["twin", "update", "d", "--module", "m", "--desired", r#"{"a": 1}"#]).expect(0);
    let of = |args: &[&str]| {
        cloud.hub(&[&["twin", "show", "d", "--format", "json"], args].concat()).expect(0).json()
    };
    assert_eq!(of(&["--module", "m"])["properties"]["desired"]["a"], 1);
    assert_eq!(of(&[])["properties"]["desired"].get("a"), None);
}

#[test]
fn every_change_of_a_twin_is_told_with_its_path_and_what_it_was() {
    let cloud = cloud();
    let mut watch =
        cloud.hub_start(&["twin", "watch", "d", "--interval", "100ms", "--count", "4", "--format", "json"]);
    assert_eq!(watch.event("watching")["deviceId"], "d");
    cloud
        .hub(&["twin", "update", "d", "--desired", r#"{"a": {"b": 1}}"#, "--tags", r#"{"floor": 2}"#])
        .expect(0);
    let tag = watch.event("changed");
    assert_eq!((&tag["path"], &tag["old"], &tag["new"]), (&json!("tags.floor"), &Value::Null, &json!(2)));
    let value = watch.event("changed");
    assert_eq!((&value["path"], &value["new"]), (&json!("properties.desired.a.b"), &json!(1)));
    assert_eq!(value["version"], 2);
    assert!(value["time"].as_str().is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()), "{value}");
    // A device comes, and what it reports is seen.
    let _device = cloud.run("d", &[]);
    let state = watch.event_where("changed", |event| event["path"] == "connectionState");
    assert_eq!((&state["old"], &state["new"]), (&json!("Disconnected"), &json!("Connected")));
    let reported = watch.event("changed");
    assert!(
        reported["path"].as_str().is_some_and(|path| path.starts_with("properties.reported.")),
        "{reported}"
    );
    watch.end().expect(0);

    let mut people = cloud.hub_start(&["twin", "watch", "d", "--interval", "100ms", "--count", "1"]);
    people.line("beginning", |line| line.starts_with("watching the twin of d, version ").then_some(()));
    cloud.hub(&["twin", "update", "d", "--tags", r#"{"floor": null}"#]).expect(0);
    let told = people.end().expect(0);
    assert!(told.out.contains("  tags.floor: 2 → nothing  (version "), "{}", told.all());
}

#[test]
fn a_watch_says_when_the_twin_is_deleted_and_when_nothing_comes() {
    let cloud = cloud();
    let mut watch = cloud.hub_start(&["twin", "watch", "d", "--interval", "100ms", "--format", "json"]);
    watch.event("watching");
    cloud.hub(&["device", "delete", "d"]).expect(0);
    assert_eq!(watch.event("deleted")["deviceId"], "d");
    let outcome = watch.end().expect(1);
    assert!(outcome.err.contains("the twin of d is not there any more"), "{}", outcome.all());
    let unknown = cloud.hub(&["twin", "watch", "d"]).expect(1);
    assert!(unknown.err.contains("has no `d`"), "{}", unknown.all());

    cloud.hub(&["device", "create", "d"]).expect(0);
    cloud.hub(&["twin", "watch", "d", "--for", "200ms"]).expect(0);
    let none = cloud.hub(&["twin", "watch", "d", "--for", "200ms", "--count", "1"]).expect(1);
    assert!(none.err.contains("0 of 1 changes came"), "{}", none.all());
    for bad in [["--interval", "1ms"], ["--count", "0"], ["--for", "0s"]] {
        cloud.hub(&[&["twin", "watch", "d"][..], &bad].concat()).expect(2);
    }
}

#[test]
fn a_watch_survives_the_cloud_s_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().display().to_string();
    let start = |mqtt: &str, https: &str| {
        CloudProcess::with(&[
            "--mqtt-port",
            mqtt,
            "--https-port",
            https,
            "--data-dir",
            &folder,
            "--device",
            "d",
        ])
    };
    let cloud = start("0", "0");
    let (mqtt, https) = (cloud.ready["mqttPort"].to_string(), cloud.ready["httpsPort"].to_string());
    let here = Sandbox::new();
    let service =
        ["--connection-string", cloud.text("serviceConnectionString"), "--ca", cloud.text("caFile")];
    let watch = ["hub", "twin", "watch", "d", "--interval", "100ms", "--format", "json"];
    let mut watch = here.start(&[&watch[..], &service].concat());
    watch.event("watching");
    cloud.stop("TERM").expect(0);
    let lost = watch.event("lost");
    assert!(lost["why"].as_str().is_some_and(|why| why.contains("cannot reach the hub")), "{lost}");
    let cloud = start(&mqtt, &https);
    watch.event("back");
    cloud.hub(&["twin", "update", "d", "--tags", r#"{"floor": 2}"#]).expect(0);
    assert_eq!(watch.event("changed")["new"], 2);
    watch.signal("INT");
    watch.end().expect(130);
}
