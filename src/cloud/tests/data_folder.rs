//! A cloud that is kept: from one start to the next, and on a disk that is full.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::cloud::store::StoreError;

const VERSION: &str = "api-version=2021-04-12";
const TWIN_ANSWERS: &str = "$iothub/twin/res/#";
const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";
const REPORT: &str = "$iothub/twin/PATCH/properties/reported/?$rid=1";

async fn start(folder: &Path) -> Result<LocalCloud, CloudError> {
    let options = CloudOptions {
        mqtt_port: PortChoice::Exactly(0),
        https_port: PortChoice::Exactly(0),
        devices: vec!["d".to_owned()],
        data_dir: Some(folder.to_owned()),
        ..CloudOptions::default()
    };
    LocalCloud::start(options).await
}

async fn kept(folder: &Path) -> LocalCloud {
    start(folder).await.expect("a cloud")
}

async fn told(cloud: &LocalCloud, line: &str, body: &Value) -> (u16, Value) {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let line = format!("{method} {path}?{VERSION}");
    let (status, answer) = request(cloud, &line, &service(cloud), "", &body.to_string()).await;
    let body = answer.split_once("\n\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn everything_is_there_after_the_next_start() {
    let folder = TempDir::new().expect("a folder");
    let cloud = kept(folder.path()).await;
    let (scope, key, string) = (cloud.id_scope(), cloud.group_key(), cloud.service_connection_string());
    let (ca, ca_file) = (cloud.ca_pem().to_owned(), cloud.ca_file().expect("a file").to_owned());
    assert_eq!(std::fs::read_to_string(&ca_file).expect("readable"), ca);
    assert_eq!(ca_file.parent(), cloud.data_dir());
    let (_, device) = told(&cloud, "PUT /devices/by-hand", &json!({"deviceId": "by-hand"})).await;
    told(&cloud, "PUT /devices/by-hand/modules/m", &json!({"deviceId": "by-hand", "moduleId": "m"})).await;
    told(&cloud, "DELETE /devices/d", &Value::Null).await;
    let body = json!({"tags": {"room": 7}, "properties": {"desired": {"sum": 0.1 + 0.2}}});
    let (_, twin) = told(&cloud, "PATCH /twins/by-hand", &body).await;
    cloud.stop().await;

    let cloud = kept(folder.path()).await;
    assert_eq!((cloud.id_scope(), cloud.group_key(), cloud.ca_pem()), (scope, key, ca.as_str()));
    // Ports differ, the rest does not.
    let policy = |string: &str| string.split_once(';').map(|(_, rest)| rest.to_owned());
    assert_eq!(policy(&cloud.service_connection_string()), policy(&string));
    assert_eq!(told(&cloud, "GET /devices/by-hand", &Value::Null).await, (200, device));
    assert_eq!(told(&cloud, "GET /twins/by-hand", &Value::Null).await, (200, twin));
    assert_eq!(told(&cloud, "GET /twins/by-hand/modules/m", &Value::Null).await.0, 200);
    assert_eq!(told(&cloud, "GET /devices/d", &Value::Null).await.0, 200, "the command line makes it again");
    cloud.stop().await;
}

#[tokio::test]
async fn a_client_finds_its_session_after_the_next_start() {
    let folder = TempDir::new().expect("a folder");
    let cloud = kept(folder.path()).await;
    let mut device = online(&cloud).await;
    for filter in [TWIN_ANSWERS, DESIRED, "$iothub/methods/POST/#"] {
        device.say(&subscribe(1, filter, 1)).await;
        assert_eq!(device.hear().await, (0x90, vec![0, 1, 1]));
    }
    device.say(&packet(0xa2, &[vec![0, 1], text("$iothub/methods/POST/#")].concat())).await;
    assert_eq!(device.hear().await.0, 0xb0);
    cloud.stop().await;

    let cloud = kept(folder.path()).await;
    let mut device = Wire::mqtt(&cloud).await;
    device.say(&as_d(&cloud, false)).await;
    assert_eq!(device.hear().await, (0x20, vec![1, 0]), "the session is present");
    device.say(&publish(1, REPORT, br#"{"state":1}"#)).await;
    assert_eq!(device.hear().await.0, 0x40);
    assert_eq!(device.hear_publish().await.0, "$iothub/twin/res/204/?$rid=1&$version=2");
    told(&cloud, "PATCH /twins/d", &json!({"properties": {"desired": {"a": 1}}})).await;
    assert_eq!(device.hear_publish().await.1, json!({"a": 1, "$version": 2}));
    let invoke = json!({"methodName": "blink", "responseTimeoutInSeconds": 5});
    let (status, _) = told(&cloud, "POST /twins/d/methods", &invoke).await;
    assert_eq!(status, 404, "what was taken back is not there");
    cloud.stop().await;

    let cloud = kept(folder.path()).await;
    let mut device = Wire::mqtt(&cloud).await;
    device.say(&as_d(&cloud, true)).await;
    assert_eq!(device.hear().await, (0x20, vec![0, 0]), "a clean session ends the one before");
    cloud.stop().await;
    let cloud = kept(folder.path()).await;
    let mut device = Wire::mqtt(&cloud).await;
    device.say(&as_d(&cloud, false)).await;
    assert_eq!(device.hear().await, (0x20, vec![0, 0]), "for good");
    cloud.stop().await;
}

#[tokio::test]
async fn a_folder_is_for_one_cloud_at_a_time() {
    let folder = TempDir::new().expect("a folder");
    let cloud = kept(folder.path()).await;
    let error = start(folder.path()).await.expect_err("in use");
    assert!(
        matches!(&error, CloudError::Store(why) if matches!(**why, StoreError::InUse { pid: Some(_), .. })),
        "{error}"
    );
    assert!(!error.is_usage());
    cloud.stop().await;
    kept(folder.path()).await.stop().await;
}

#[tokio::test]
async fn a_new_name_has_a_new_certificate_of_the_same_authority() {
    let folder = TempDir::new().expect("a folder");
    let first = kept(folder.path()).await;
    let ca = first.ca_pem().to_owned();
    first.stop().await;
    let second = LocalCloud::start(CloudOptions {
        mqtt_port: PortChoice::Exactly(0),
        https_port: PortChoice::Exactly(0),
        hostname: Some("hub.test".to_owned()),
        data_dir: Some(folder.path().to_owned()),
        ..CloudOptions::default()
    })
    .await
    .expect("a cloud");
    assert_eq!((second.hub(), second.ca_pem()), ("hub.test", ca.as_str()));
    // Checked by the client: the authority of old, and the name of now.
    Wire::open_as(&second, second.mqtt_port(), "hub.test").await;
    second.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_changes_and_nothing_else() {
    let folder = TempDir::new().expect("a folder");
    let cloud = kept(folder.path()).await;
    let mut device = online(&cloud).await;
    device.say(&subscribe(1, TWIN_ANSWERS, 1)).await;
    assert_eq!(device.hear().await.0, 0x90);
    device.say(&subscribe(1, DESIRED, 1)).await;
    assert_eq!(device.hear().await.0, 0x90);
    cloud.shared.store(|store| store.limit_pages(store.pages()));

    let text: Value = (0..7).map(|n| (n.to_string(), json!("x".repeat(4000)))).collect();
    let desired = json!({"properties": {"desired": text}});
    let (status, body) = told(&cloud, "PATCH /twins/d", &desired).await;
    assert_eq!(status, 503, "{body}");
    assert!(body["Message"].as_str().is_some_and(|text| text.contains("cannot be written")), "{body}");
    let (status, twin) = told(&cloud, "GET /twins/d", &Value::Null).await;
    assert_eq!((status, &twin["properties"]["desired"]["$version"]), (200, &json!(1)));

    // Telemetry needs no room; the first that the device hears is its acknowledgement, so that no
    // patch of desired properties was pushed before it.
    device.say(&publish(1, "devices/d/messages/events/", b"{}")).await;
    assert_eq!(device.hear().await, (0x40, vec![0, 1]));
    device.say(&publish(2, REPORT, text.to_string().as_bytes())).await;
    device.hear_end().await;

    let mut device = Wire::mqtt(&cloud).await;
    device.say(&as_d(&cloud, false)).await;
    assert_eq!(device.hear().await, (0x20, vec![1, 0]), "coming back changes nothing");
    cloud.shared.store(|store| store.limit_pages(store.pages() + 1000));
    device.say(&publish(1, REPORT, text.to_string().as_bytes())).await;
    assert_eq!(device.hear().await, (0x40, vec![0, 1]));
    assert_eq!(device.hear_publish().await.0, "$iothub/twin/res/204/?$rid=1&$version=2");
    assert_eq!(told(&cloud, "PATCH /twins/d", &desired).await.0, 200);
    cloud.stop().await;
}

#[tokio::test]
async fn routes_are_there_after_the_next_start_and_those_that_cannot_be_stored_are_not_in_force() {
    let folder = TempDir::new().expect("a folder");
    let cloud = kept(folder.path()).await;
    let edge = json!({"deviceId": "edge", "capabilities": {"iotEdge": true}});
    told(&cloud, "PUT /devices/edge", &edge).await;
    let hub = "PATCH /twins/edge/modules/%24edgeHub";
    let up = "FROM /messages/* INTO $upstream";
    let deploy =
        |routes: Value| json!({"properties": {"desired": {"schemaVersion": "1.1", "routes": routes}}});
    assert_eq!(told(&cloud, hub, &deploy(json!({"up": up}))).await.0, 200);
    let (_, before) = told(&cloud, "GET /envsim/edge/edge", &Value::Null).await;
    assert_eq!(before["routes"][0]["route"], up);
    cloud.stop().await;

    let cloud = kept(folder.path()).await;
    assert_eq!(told(&cloud, "GET /envsim/edge/edge", &Value::Null).await.1, before);
    cloud.shared.store(|store| store.limit_pages(store.pages()));
    let many: Value = (0..10)
        .map(|n| {
            (
                format!("r{n}"),
                json!(format!("FROM /messages/* WHERE a = '{}' INTO $upstream", "x".repeat(2900))),
            )
        })
        .collect();
    assert_eq!(told(&cloud, hub, &deploy(many)).await.0, 503);
    assert_eq!(told(&cloud, "GET /envsim/edge/edge", &Value::Null).await.1, before);
    cloud.stop().await;
}

#[tokio::test]
async fn a_file_that_was_emptied_is_not_taken_for_a_new_one() {
    let folder = TempDir::new().expect("a folder");
    kept(folder.path()).await.stop().await;
    for name in ["cloud.db", "cloud.db-wal"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    std::fs::write(folder.path().join("cloud.db"), []).expect("written");
    let error = start(folder.path()).await.expect_err("refused").to_string();
    assert!(error.contains("ca.pem") && error.contains("damaged"), "{error}");
}
