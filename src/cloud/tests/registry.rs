//! Identities over HTTPS: devices, modules, many at once, and how many there are.

use super::*;

const VERSION: &str = "api-version=2021-04-12";

async fn told(cloud: &LocalCloud, line: &str, more: &str, body: &Value) -> (u16, Value) {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let line = format!("{method} {path}?{VERSION}");
    let (status, answer) = request(cloud, &line, &service(cloud), more, &body.to_string()).await;
    let body = answer.split_once("\n\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_service_creates_reads_lists_changes_and_deletes_modules() {
    let cloud = cloud().await;
    let body = json!({"moduleId": "m", "managedBy": "", "deviceId": "d",
        "authentication": {"symmetricKey": {"primaryKey": "", "secondaryKey": ""}, "type": "sas"}});
    let (status, made) = told(&cloud, "PUT /devices/d/modules/m", "", &body).await;
    assert_eq!((status, &made["moduleId"], &made["deviceId"]), (200, &json!("m"), &json!("d")));
    assert!(made["authentication"]["symmetricKey"]["primaryKey"].as_str().is_some_and(|key| key.len() == 44));
    assert!(made.get("status").is_none(), "a module has no switch of its own: {made}");
    let (status, again) = told(&cloud, "PUT /devices/d/modules/m", "", &body).await;
    assert_eq!(status, 409);
    assert!(
        again["Message"]
            .as_str()
            .is_some_and(|text| text.starts_with("ErrorCode:ModuleAlreadyExistsOnDevice;"))
    );
    let (_, list) = told(&cloud, "GET /devices/d/modules", "", &Value::Null).await;
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    let (status, twin) = told(&cloud, "GET /twins/d/modules/m", "", &Value::Null).await;
    assert_eq!(
        (status, &twin["moduleId"], &twin["properties"]["desired"]["$version"]),
        (200, &json!("m"), &json!(1))
    );
    let desired = json!({"properties": {"desired": {"telemetryInterval": 122}}});
    let (_, twin) = told(&cloud, "PATCH /twins/d/modules/m", "If-Match: \"*\"\r\n", &desired).await;
    assert_eq!(twin["properties"]["desired"]["telemetryInterval"], 122);
    let managed = json!({"moduleId": "m", "deviceId": "d", "managedBy": "me"});
    let (status, changed) = told(&cloud, "PUT /devices/d/modules/m", "If-Match: *\r\n", &managed).await;
    assert_eq!((status, &changed["managedBy"]), (200, &json!("me")));
    assert_eq!(changed["authentication"], made["authentication"], "the keys are kept");
    assert_eq!(told(&cloud, "DELETE /devices/d/modules/m", "", &Value::Null).await.0, 204);
    let (status, gone) = told(&cloud, "GET /twins/d/modules/m", "", &Value::Null).await;
    assert_eq!(status, 404);
    assert!(
        gone["Message"].as_str().is_some_and(|text| text.starts_with("ErrorCode:ModuleNotFound;")),
        "{gone}"
    );
    cloud.stop().await;
}

#[tokio::test]
async fn one_bad_identity_of_many_is_named_and_the_others_are_made() {
    let cloud = cloud().await;
    let many = json!([
        {"id": "a", "importMode": "create", "status": "enabled", "tags": {"site": 1}, "properties": {"desired": {"x": 2}}},
        {"id": "d", "importMode": "create", "status": "enabled"},
        {"id": "b", "importMode": "create", "status": "disabled"},
    ]);
    let (status, result) = told(&cloud, "POST /devices", "", &many).await;
    assert_eq!(status, 400);
    assert_eq!(result["isSuccessful"], false);
    let errors = result["errors"].as_array().expect("errors");
    assert_eq!(
        (errors.len(), &errors[0]["deviceId"], &errors[0]["errorCode"]),
        (1, &json!("d"), &json!("DeviceAlreadyExists"))
    );
    let (_, twin) = told(&cloud, "GET /twins/a", "", &Value::Null).await;
    assert_eq!((&twin["tags"]["site"], &twin["properties"]["desired"]["x"]), (&json!(1), &json!(2)));
    let (_, count) = told(&cloud, "GET /statistics/devices", "", &Value::Null).await;
    assert_eq!(count, json!({"totalDeviceCount": 3, "enabledDeviceCount": 2, "disabledDeviceCount": 1}));
    let more = json!([
        {"id": "b", "importMode": "update", "status": "enabled"},
        {"id": "a", "importMode": "updateTwinIfMatchETag", "twinETag": twin["etag"], "tags": {"site": null}},
        {"id": "d", "importMode": "deleteIfMatchETag", "eTag": "*"},
    ]);
    let (status, result) = told(&cloud, "POST /devices", "", &more).await;
    assert_eq!((status, &result), (200, &json!({"isSuccessful": true, "errors": [], "warnings": []})));
    let (_, count) = told(&cloud, "GET /statistics/devices", "", &Value::Null).await;
    assert_eq!(count, json!({"totalDeviceCount": 2, "enabledDeviceCount": 2, "disabledDeviceCount": 0}));
    let (_, connected) = told(&cloud, "GET /statistics/service", "", &Value::Null).await;
    assert_eq!(connected, json!({"connectedDeviceCount": 0}));
    let crowd: Vec<_> = (0..101).map(|n| json!({"id": format!("x{n}"), "importMode": "create"})).collect();
    assert_eq!(told(&cloud, "POST /devices", "", &json!(crowd)).await.0, 400);
    cloud.stop().await;
}

/// `azure-iothub` for Node: `Registry.list` asks for `/devices/`, `updateDevices` and `removeDevices`
/// send the enumeration of its `registry.js`, `addDevices` sends `create`.
#[tokio::test]
async fn identities_are_listed_and_changed_in_bulk_as_the_node_sdk_does_it() {
    let cloud = cloud().await;
    let (status, list) = told(&cloud, "GET /devices/", "", &Value::Null).await;
    assert_eq!((status, &list[0]["deviceId"]), (200, &json!("d")));
    for (mode, etag) in [
        ("Update", None),
        ("UpdateIfMatchETag", Some("*")),
        ("DeleteIfMatchETag", Some("*")),
        ("create", None),
        ("Delete", None),
    ] {
        let item = json!([{"id": "d", "importMode": mode, "eTag": etag, "status": "disabled"}]);
        let (status, result) = told(&cloud, "POST /devices", "", &item).await;
        assert_eq!((status, &result["isSuccessful"]), (200, &json!(true)), "{mode}: {result}");
    }
    assert_eq!(told(&cloud, "GET /devices/d", "", &Value::Null).await.0, 404);
    cloud.stop().await;
}

#[tokio::test]
async fn authentication_is_written_as_the_python_sdk_writes_it() {
    let cloud = cloud().await;
    let authority = json!({"deviceId": "d3", "status": "disabled",
        "authentication": {"type": "certificateAuthority"}, "capabilities": {"iotEdge": false}});
    let (status, made) = told(&cloud, "PUT /devices/d3", "", &authority).await;
    assert_eq!(
        (status, &made["authentication"]["type"], &made["status"]),
        (200, &json!("certificateAuthority"), &json!("disabled"))
    );
    let print = "00".repeat(20);
    let own = json!({"deviceId": "d4", "authentication": {"type": "selfSigned",
        "x509Thumbprint": {"primaryThumbprint": print, "secondaryThumbprint": print}}});
    let (_, made) = told(&cloud, "PUT /devices/d4", "", &own).await;
    assert_eq!(made["authentication"]["x509Thumbprint"]["primaryThumbprint"], json!(print));
    for bad in [
        json!({"authentication": {"type": "selfSigned"}}),
        json!({"authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "xyz"}}}),
        json!({"authentication": {"type": "magic"}}),
        json!({"authentication": {"type": "sas", "symmetricKey": {"primaryKey": "AAECAwQFBgcICQoLDA0ODw=="}}}),
        json!({"deviceId": "other"}),
        json!({"status": "sleepy"}),
    ] {
        assert_eq!(told(&cloud, "PUT /devices/d5", "", &bad).await.0, 400, "{bad}");
    }
    cloud.stop().await;
}
