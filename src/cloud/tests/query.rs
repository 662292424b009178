//! Queries over HTTPS, page by page.

use super::*;

async fn ask(cloud: &LocalCloud, query: &str, most: &str, after: &str) -> (u16, String, Value) {
    let line = "POST /devices/query?api-version=2021-04-12";
    let more = format!("x-ms-max-item-count: {most}\r\nx-ms-continuation: {after}\r\n");
    let body = json!({"query": query}).to_string();
    let (status, answer) = request(cloud, line, &service(cloud), &more, &body).await;
    let (head, body) = answer.split_once("\n\n").expect("a head and a body");
    (status, head.to_owned(), serde_json::from_str(body).expect("JSON"))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn a_result_comes_in_pages_and_ends() {
    let cloud = cloud().await;
    let many: Vec<_> =
        (0..5).map(|n| json!({"id": format!("x{n}"), "importMode": "create", "tags": {"n": n}})).collect();
    let bulk = "POST /devices?api-version=2021-04-12";
    assert_eq!(request(&cloud, bulk, &service(&cloud), "", &json!(many).to_string()).await.0, 200);
    let query = "SELECT * FROM devices WHERE tags.n >= 1";
    let (status, head, first) = ask(&cloud, query, "3", "").await;
    assert_eq!((status, header(&head, "x-ms-item-type")), (200, Some("Twin")));
    let ids = |page: &Value| -> Vec<String> {
        page.as_array()
            .expect("items")
            .iter()
            .map(|twin| twin["deviceId"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(ids(&first), ["x1", "x2", "x3"]);
    let next = header(&head, "x-ms-continuation").expect("more").to_owned();
    let (_, head, second) = ask(&cloud, query, "3", &next).await;
    assert_eq!((ids(&second), header(&head, "x-ms-continuation")), (vec!["x4".to_owned()], None));
    let (status, _, _) = ask(&cloud, "SELECT * FROM devices", "3", &next).await;
    assert_eq!(status, 400, "a continuation is for its query");
    assert_eq!(ask(&cloud, query, "none", "").await.0, 400);
    assert_eq!(ask(&cloud, query, "3", "!!").await.0, 400);
    cloud.stop().await;
}

#[tokio::test]
async fn counting_projecting_and_modules_are_raw_and_twins() {
    let cloud = cloud().await;
    let made =
        request(&cloud, "PUT /devices/d/modules/m?api-version=2021-04-12", &service(&cloud), "", "{}").await;
    assert_eq!(made.0, 200);
    let (_, head, count) = ask(&cloud, "SELECT COUNT() AS n FROM devices", "10", "").await;
    assert_eq!((header(&head, "x-ms-item-type"), count), (Some("Raw"), json!([{"n": 1}])));
    let (_, _, named) = ask(&cloud, "SELECT deviceId, status FROM devices", "10", "").await;
    assert_eq!(named, json!([{"deviceId": "d", "status": "enabled"}]));
    let (_, head, modules) =
        ask(&cloud, "SELECT * FROM devices.modules WHERE moduleId = 'm'", "10", "").await;
    assert_eq!((header(&head, "x-ms-item-type"), &modules[0]["moduleId"]), (Some("Twin"), &json!("m")));
    let (status, _, said) = ask(&cloud, "SELECT * FORM devices", "10", "").await;
    assert_eq!(status, 400);
    assert!(said["Message"].as_str().is_some_and(|text| text.contains("column 10")), "{said}");
    cloud.stop().await;
}
