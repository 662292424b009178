//! Configurations over HTTPS.

use super::*;

const VERSION: &str = "api-version=2021-04-12";
const CONFIGURATION: &str = r#"{"id":"c","schemaVersion":"1.0","content":{"deviceContent":{"properties.desired.k":1}},"targetCondition":"deviceId = 'd'","priority":3,"labels":{"x":"y"}}"#;

fn etag(answer: &str) -> String {
    json_of(answer)["etag"].as_str().expect("an etag").to_owned()
}

#[tokio::test]
async fn a_service_makes_changes_lists_and_deletes_configurations() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let mut wire = online(&cloud).await;
    wire.say(&subscribe(1, "$iothub/twin/PATCH/properties/desired/#", 0)).await;
    assert_eq!(wire.hear().await, (0x90, vec![0, 1, 0]));
    let line = |method: &str| format!("{method} /configurations/c?{VERSION}");

    let (status, answer) = request(&cloud, &line("PUT"), &token, "", CONFIGURATION).await;
    assert_eq!(status, 200, "{answer}");
    let first = etag(&answer);
    assert!(answer.contains(&format!("etag: \"{first}\"")), "{answer}");
    let (topic, body) = wire.hear_publish().await;
    assert_eq!(topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    assert_eq!(body, json!({"k": 1, "$version": 2}));
    let (_, answer) = request(&cloud, &format!("GET /twins/d?{VERSION}"), &token, "", "").await;
    assert_eq!(json_of(&answer)["configurations"], json!({"c": {"status": "Applied"}}));

    let (status, answer) = request(&cloud, &line("PUT"), &token, "", CONFIGURATION).await;
    assert!(status == 409 && answer.contains("ErrorCode:ConfigurationAlreadyExists;"), "{answer}");
    let changed = CONFIGURATION.replace("\"priority\":3", "\"priority\":4");
    let (status, _) = request(&cloud, &line("PUT"), &token, "If-Match: \"other\"\r\n", &changed).await;
    assert_eq!(status, 412);
    let matching = format!("If-Match: \"{first}\"\r\n");
    let (status, answer) = request(&cloud, &line("PUT"), &token, &matching, &changed).await;
    assert_eq!((status, &json_of(&answer)["priority"]), (200, &json!(4)));

    let (_, answer) = request(&cloud, &format!("GET /configurations?top=5&{VERSION}"), &token, "", "").await;
    assert_eq!(json_of(&answer)[0]["id"], "c");
    let (status, _) = request(&cloud, &format!("GET /configurations?top=0&{VERSION}"), &token, "", "").await;
    assert_eq!(status, 400);
    let (status, _) = request(&cloud, &line("DELETE"), &token, &matching, "").await;
    assert_eq!(status, 412);
    let (status, _) = request(&cloud, &line("DELETE"), &token, "If-Match: \"*\"\r\n", "").await;
    assert_eq!(status, 204);
    assert_eq!(wire.hear_publish().await.1, json!({"k": null, "$version": 3}));
    let (status, answer) = request(&cloud, &line("GET"), &token, "", "").await;
    assert!(status == 404 && answer.contains("ErrorCode:ConfigurationNotFound;"), "{answer}");
    cloud.stop().await;
}

#[tokio::test]
async fn a_service_tests_queries_and_sets_content_on_an_edge_device() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let line = format!("POST /configurations/testQueries?{VERSION}");
    let body = r#"{"targetCondition":"tags.x = 1","customMetricQueries":{"bad":"SELECT"}}"#;
    let (status, answer) = request(&cloud, &line, &token, "", body).await;
    let told = json_of(&answer);
    assert_eq!((status, &told["targetConditionError"]), (200, &json!("")));
    assert!(told["customMetricQueryErrors"]["bad"].is_string(), "{answer}");

    let edge = r#"{"deviceId":"edge","capabilities":{"iotEdge":true}}"#;
    let (status, _) = request(&cloud, &format!("PUT /devices/edge?{VERSION}"), &token, "", edge).await;
    assert_eq!(status, 200);
    let apply = |device: &str| format!("POST /devices/{device}/applyConfigurationContent?{VERSION}");
    let content = r#"{"modulesContent":{"m":{"properties.desired":{"k":1}}}}"#;
    let (status, answer) = request(&cloud, &apply("edge"), &token, "", content).await;
    assert_eq!(status, 204, "{answer}");
    let (_, answer) = request(&cloud, &format!("GET /twins/edge/modules/m?{VERSION}"), &token, "", "").await;
    assert_eq!(json_of(&answer)["properties"]["desired"]["k"], 1);
    let (status, answer) = request(&cloud, &apply("d"), &token, "", content).await;
    assert!(status == 400 && answer.contains("not an IoT Edge device"), "{answer}");
    assert_eq!(request(&cloud, &apply("nobody"), &token, "", content).await.0, 404);
    cloud.stop().await;
}
