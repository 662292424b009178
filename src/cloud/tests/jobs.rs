//! Scheduled jobs over HTTPS.

use super::*;

const VERSION: &str = "api-version=2021-04-12";

async fn until_it_is(cloud: &LocalCloud, token: &str, id: &str, wanted: &str) -> Value {
    let asked = async {
        loop {
            let line = format!("GET /jobs/v2/{id}?{VERSION}");
            let (status, answer) = request(cloud, &line, token, "", "").await;
            assert_eq!(status, 200, "{answer}");
            let told = json_of(&answer);
            if told["status"] == wanted {
                return told;
            }
        }
    };
    timeout(PATIENCE, asked).await.expect("the status in time")
}

#[tokio::test]
async fn a_service_schedules_jobs_reads_lists_and_cancels_them() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let mut wire = online(&cloud).await;
    wire.say(&subscribe(1, "$iothub/methods/POST/#", 0)).await;
    assert_eq!(wire.hear().await, (0x90, vec![0, 1, 0]));

    let put = |id: &str| format!("PUT /jobs/v2/{id}?{VERSION}");
    let method = r#"{"jobId":"m","type":"scheduleDeviceMethod","queryCondition":"*","startTime":"2020-01-01T00:00:00.000Z","cloudToDeviceMethod":{"methodName":"go","payload":1},"maxExecutionTimeInSeconds":60}"#;
    let (status, answer) = request(&cloud, &put("m"), &token, "", method).await;
    assert_eq!((status, &json_of(&answer)["status"]), (200, &json!("queued")), "{answer}");
    let (topic, body) = wire.hear_publish().await;
    assert_eq!((topic.as_str(), body), ("$iothub/methods/POST/go/?$rid=1", json!(1)));
    wire.say(&publish(3, "$iothub/methods/res/200/?$rid=1", b"{}")).await;
    let told = until_it_is(&cloud, &token, "m", "completed").await;
    assert_eq!(told["deviceJobStatistics"]["succeededCount"], 1);
    let line = format!("POST /devices/query?{VERSION}");
    let query = r#"{"query":"SELECT * FROM devices.jobs WHERE devices.jobs.deviceId = 'd'"}"#;
    let (_, answer) = request(&cloud, &line, &token, "", query).await;
    assert!(answer.contains("x-ms-item-type: DeviceJob\r\n"), "{answer}");
    assert_eq!(
        json_of(&answer)[0]["outcome"],
        json!({"deviceMethodResponse": {"status": 200, "payload": {}}})
    );
    let (status, answer) = request(&cloud, &put("m"), &token, "", method).await;
    assert!(status == 409 && answer.contains("ErrorCode:JobAlreadyExists;"), "{answer}");

    let twin = r#"{"type":"scheduleUpdateTwin","queryCondition":"deviceId = 'd'","startTime":"2999-01-01T00:00:00Z","updateTwin":{"etag":"*","tags":{"x":1}}}"#;
    for id in ["t1", "t2", "t3"] {
        let (status, answer) = request(&cloud, &put(id), &token, "", twin).await;
        assert_eq!((status, &json_of(&answer)["status"]), (200, &json!("scheduled")));
    }
    let cancel = format!("POST /jobs/v2/t1/cancel?{VERSION}");
    let (status, answer) = request(&cloud, &cancel, &token, "", "").await;
    assert_eq!((status, &json_of(&answer)["status"]), (200, &json!("cancelled")));

    let line = format!("GET /jobs/v2/query?{VERSION}&jobType=scheduleUpdateTwin");
    let (_, answer) = request(&cloud, &line, &token, "x-ms-max-item-count: 2\r\n", "").await;
    assert!(answer.contains("x-ms-continuation: t2\r\n"), "{answer}");
    assert_eq!(json_of(&answer).as_array().map(Vec::len), Some(2));
    let more = "x-ms-max-item-count: 2\r\nx-ms-continuation: t2\r\n";
    let (_, answer) = request(&cloud, &line, &token, more, "").await;
    assert!(!answer.contains("x-ms-continuation"), "{answer}");
    assert_eq!(json_of(&answer)[0]["jobId"], "t3");
    let line = format!("GET /jobs/v2/query?{VERSION}&jobStatus=completed");
    let (_, answer) = request(&cloud, &line, &token, "", "").await;
    assert_eq!(json_of(&answer)[0]["jobId"], "m");
    cloud.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_jobs_is_told_apart() {
    let cloud = cloud().await;
    let token = service(&cloud);
    for (line, more, status, words) in [
        ("GET /jobs/v2/none", "", 404, "ErrorCode:JobNotFound;"),
        ("POST /jobs/v2/none/cancel", "", 404, "ErrorCode:JobNotFound;"),
        ("GET /jobs/v2/query", "x-ms-max-item-count: 0\r\n", 400, "x-ms-max-item-count"),
        ("DELETE /jobs/v2/none", "", 501, "this method on this path"),
        ("GET /jobs", "", 501, "blob containers"),
        ("GET /jobs/some", "", 501, "blob containers"),
        ("POST /jobs/create", "", 501, "blob containers"),
    ] {
        let (got, answer) = request(&cloud, &format!("{line}?{VERSION}"), &token, more, "").await;
        assert!(got == status && answer.contains(words), "{line}: {answer}");
    }
    let line = format!("GET /jobs/v2/query?{VERSION}&jobStatus=gone");
    assert_eq!(request(&cloud, &line, &token, "", "").await.0, 400);
    let line = format!("GET /jobs/v2/query?{VERSION}");
    assert_eq!(request(&cloud, &line, "none", "", "").await.0, 401);
    cloud.stop().await;
}
