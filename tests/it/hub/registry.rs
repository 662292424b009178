//! Devices and modules as `envsim hub` makes, shows, lists and deletes them.

use envsim::wire::SharedKey;
use serde_json::json;

use super::CloudProcess;

const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn cloud(devices: &[&str]) -> CloudProcess {
    CloudProcess::with(&[&["--mqtt-port", "0", "--https-port", "0"], devices].concat())
}

#[test]
fn a_device_is_made_shown_listed_and_deleted_and_its_keys_are_not_told() {
    let cloud = cloud(&[]);
    let file = cloud.sandbox.write("key", K1).display().to_string();
    let made = cloud.hub(&["device", "create", "d1", "--edge", "--primary-key-file", &file]).expect(0);
    assert!(made.out.starts_with("made d1\n") && made.out.contains("IoT Edge device"), "{}", made.all());
    assert!(made.out.contains("sas, key 630dcd29 or key "), "{}", made.all());

    let shown = cloud.hub(&["device", "show", "d1", "--format", "json"]).expect(0).json();
    assert_eq!((&shown["deviceId"], &shown["status"]), (&json!("d1"), &json!("enabled")));
    assert_eq!(shown["capabilities"], json!({"iotEdge": true}));
    let keys = shown["authentication"]["symmetricKey"].as_object().expect("fingerprints");
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["primaryKeyFingerprint", "secondaryKeyFingerprint"]);
    assert_eq!(keys["primaryKeyFingerprint"], "630dcd29");
    for args in [["device", "show", "d1"], ["device", "list", "--top=5"], ["module", "list", "d1"]] {
        let outcome = cloud.hub(&[&args[..], &["--format", "json"]].concat()).expect(0);
        for text in [&outcome.out, &outcome.err, &cloud.hub(&args).expect(0).out] {
            let is_key = |word: &str| SharedKey::from_base64(word).is_ok() && word.ends_with('=');
            assert!(!text.split('"').any(is_key) && !text.contains("AAECAw"), "{text}");
        }
    }
    assert_eq!(cloud.hub(&["module", "list", "d1", "--format", "json"]).expect(0).events().len(), 2);

    let stale = cloud.hub(&["device", "delete", "d1", "--etag", "other"]).expect(1);
    assert!(stale.err.contains("`d1` has changed"), "{}", stale.all());
    let etag = shown["etag"].as_str().expect("an etag");
    assert_eq!(cloud.hub(&["device", "delete", "d1", "--etag", etag]).expect(0).out, "deleted d1");
    for verb in ["show", "delete"] {
        let gone = cloud.hub(&["device", verb, "d1"]).expect(1);
        assert!(gone.err.contains("has no `d1`"), "{}", gone.all());
    }
    assert_eq!(cloud.hub(&["device", "list"]).expect(0).out, "no devices");
}

#[test]
fn a_device_that_is_there_already_is_an_error_unless_it_may_be() {
    let cloud = cloud(&["--device", "d1"]);
    let again = cloud.hub(&["device", "create", "d1"]).expect(1);
    assert!(again.err.contains("has `d1` already") && again.err.contains("--or-show"), "{}", again.all());
    let shown = cloud.hub(&["device", "create", "d1", "--or-show", "--format", "json"]).expect(0).json();
    assert_eq!((&shown["deviceId"], &shown["created"]), (&json!("d1"), &json!(false)));
    let made = cloud.hub(&["device", "create", "d2", "--or-show", "--format", "json"]).expect(0).json();
    assert_eq!(made["created"], true);

    cloud.hub(&["module", "create", "d1", "m"]).expect(0);
    let again = cloud.hub(&["module", "create", "d1", "m"]).expect(1);
    assert!(again.err.contains("has `d1/m` already"), "{}", again.all());
    cloud.hub(&["module", "create", "d1", "m", "--or-show"]).expect(0);
    let nowhere = cloud.hub(&["module", "create", "nobody", "m"]).expect(1);
    assert!(nowhere.err.contains("has no `nobody`; make the device first"), "{}", nowhere.all());
}

#[test]
fn a_device_and_a_module_connect_with_what_was_written_for_them() {
    let cloud = cloud(&[]);
    let file = cloud.sandbox.folder().join("d1.txt");
    let path = file.display().to_string();
    let save = ["--save-connection-string", &path];
    let made = cloud.hub(&[&["device", "create", "d1"][..], &save].concat()).expect(0);
    let text = std::fs::read_to_string(&file).expect("the file");
    let key = text.trim().rsplit_once("SharedAccessKey=").expect("a key").1;
    assert!(!made.all().contains(key), "the key was told");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().expect("the file").permissions().mode() & 0o777, 0o600);
    }

    // Whatever is there already stays, and nothing is made.
    let taken = cloud.hub(&[&["device", "create", "d2"][..], &save].concat()).expect(2);
    assert!(taken.err.contains("d1.txt is there already"), "{}", taken.all());
    cloud.hub(&["device", "show", "d2"]).expect(1);
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text);
    // One that comes to nothing leaves no file.
    let other = cloud.sandbox.folder().join("other.txt").display().to_string();
    cloud.hub(&["device", "create", "d1", "--save-connection-string", &other]).expect(1);
    assert!(!std::path::Path::new(&other).exists());

    let ca = cloud.text("caFile");
    let run = ["run", "--headless", "--count", "1", "--ca", ca, "--connection-string-file", &path];
    cloud.sandbox.run(&run).expect(0);
    let shown = cloud.hub(&[&["device", "show", "d1", "--force", "--format", "json"][..], &save].concat());
    assert_eq!(shown.expect(0).json()["connectionStringFile"], path.as_str());
    // Of another computer's cloud nothing is known but its name; of this one's the port of MQTT is.
    let service = ["--connection-string", cloud.text("serviceConnectionString"), "--ca", ca];
    cloud.hub(&[&["module", "create", "d1", "m", "--force"][..], &save, &service].concat()).expect(0);
    let text = std::fs::read_to_string(&file).expect("the file");
    let port = format!(":{};DeviceId=d1;ModuleId=m;SharedAccessKey=", cloud.ready["mqttPort"]);
    assert!(text.contains(&port));
}

#[test]
fn what_no_connection_string_can_hold_is_not_written() {
    let cloud = cloud(&["--device", "a;b"]);
    for verb in [
        &["device", "create", "c;d"][..],
        &["device", "show", "a;b"],
        &["module", "create", "a;b", "m"],
        &["module", "create", "e", "m;n"],
    ] {
        let refused = cloud.hub(&[verb, &["--save-connection-string", "file"]].concat()).expect(2);
        assert!(refused.err.contains("has `;`, at which connection strings are cut"), "{}", refused.all());
        assert!(!cloud.sandbox.folder().join("file").exists());
    }
    cloud.hub(&["device", "show", "c;d"]).expect(1);
    cloud.hub(&["device", "create", "c;d"]).expect(0);
}

#[test]
fn a_device_shows_a_certificate_where_it_has_no_key() {
    let cloud = cloud(&[]);
    let print = "AB:".repeat(19) + "ab";
    let made = cloud.hub(&["device", "create", "x1", "--x509-thumbprint", &print, "--format", "json"]);
    let made = made.expect(0).json();
    assert_eq!(made["authentication"]["type"], "selfSigned");
    assert_eq!(made["authentication"]["x509Thumbprint"]["primaryThumbprint"], "AB".repeat(20));
    let made = cloud.hub(&["device", "create", "x2", "--x509-ca", "--disabled"]).expect(0);
    assert!(made.out.contains("signed by an authority") && made.out.contains("disabled"), "{}", made.all());
    let refused =
        cloud.hub(&["device", "create", "x3", "--x509-ca", "--save-connection-string", "x"]).expect(2);
    assert!(refused.err.contains("needs a key"), "{}", refused.all());
    cloud.hub(&["device", "show", "x3"]).expect(1);
    for bad in [
        &["--x509-thumbprint", "abc"][..],
        &["--x509-ca", "--x509-thumbprint", &print],
        &["--primary-key-file", "nowhere"],
        &["--secondary-key-file", "nowhere"],
        &["--force"],
    ] {
        cloud.hub(&[&["device", "create", "x3"][..], bad].concat()).expect(2);
    }
    let short = cloud.sandbox.write("short", "AAEC").display().to_string();
    let refused = cloud.hub(&["device", "create", "x3", "--primary-key-file", &short]).expect(2);
    assert!(refused.err.contains("--primary-key-file: holds 3 bytes"), "{}", refused.all());
    cloud.hub(&["device", "create", "a/b"]).expect(2);
    cloud.hub(&["module", "create", "a"]).expect(2);
}

#[test]
fn no_id_leads_to_another_object() {
    let cloud = cloud(&["--device", "victim"]);
    cloud.hub(&["module", "create", "victim", "m"]).expect(0);
    for verb in [
        &["device", "show", "."][..],
        &["device", "create", ".."],
        &["module", "show", "victim", "."],
        &["module", "delete", "victim", ".."],
        &["twin", "update", "victim", "--module", "..", "--tags", r#"{"x": 1}"#],
    ] {
        let refused = cloud.hub(verb).expect(2);
        assert!(refused.err.contains("is a step in a path"), "{}", refused.all());
        assert_eq!(refused.out, "");
    }
    let left = cloud.hub(&["device", "list", "--format", "json"]).expect(0).json();
    assert_eq!(left["deviceId"], "victim");
    cloud.sandbox.run(&["run", "--headless", "--device-id", ".."]).expect(2);
    // Nor does a hub have any.
    cloud.sandbox.run(&["cloud", "--device", ".."]).expect(2);
}

#[test]
fn every_device_is_listed_however_many_there_are() {
    let cloud = cloud(&["--devices", "250"]);
    let all = cloud.hub(&["device", "list", "--format", "json"]).expect(0).events();
    let names: std::collections::BTreeSet<_> = all.iter().map(|device| device["deviceId"].as_str()).collect();
    assert_eq!((all.len(), names.len()), (250, 250));
    let some = cloud.hub(&["device", "list", "--top", "120"]).expect(0).out;
    assert_eq!(some.lines().count(), 121);
    cloud.hub(&["device", "list", "--top", "0"]).expect(2);
}

#[test]
fn what_is_there_and_not_as_asked_for_is_told() {
    let cloud = CloudProcess::start();
    cloud.hub(&["device", "create", "d"]).expect(0);
    let again = ["device", "create", "d", "--or-show", "--format", "json"];
    let same = cloud.hub(&again).expect(0);
    assert_eq!((&same.json()["differs"], same.err.as_str()), (&json!([]), ""));
    let other = cloud.hub(&[&again[..], &["--disabled", "--edge"]].concat()).expect(0);
    assert_eq!(other.json()["differs"], json!(["status", "capabilities"]));
    assert!(other.err.contains("stays as it is; not as asked for: status, capabilities"), "{}", other.all());
}

#[test]
fn a_connection_string_is_not_written_to_the_screen() {
    let cloud = CloudProcess::start();
    let refused = cloud.hub(&["device", "create", "d", "--save-connection-string", "-"]).expect(2);
    assert!(refused.err.contains("never written to standard output"), "{}", refused.all());
    assert!(!cloud.sandbox.folder().join("-").exists());
    cloud.hub(&["device", "show", "d"]).expect(1);
}
