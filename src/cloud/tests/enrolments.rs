//! The enrolment side of the provisioning service, over HTTPS.

use super::*;

fn owner(cloud: &LocalCloud) -> String {
    let text = cloud.provisioning_service_connection_string();
    let own = crate::wire::ConnectionString::parse(&text).expect("its own connection string");
    Token::sign(&own.key, "localhost", FAR, Some("provisioningserviceowner")).reveal().to_owned()
}

async fn told(cloud: &LocalCloud, line: &str, more: &str, body: &Value) -> (u16, String) {
    request(cloud, &format!("{line}?api-version=2021-10-01"), &owner(cloud), more, &body.to_string()).await
}

#[tokio::test]
async fn an_enrolment_is_made_read_changed_and_deleted_as_sdks_do_it() {
    let cloud = cloud().await;
    let body = json!({"registrationId": "s", "attestation": {"type": "symmetricKey"}});
    let (status, answer) = told(&cloud, "PUT /enrollments/s", "", &body).await;
    assert_eq!(status, 200, "{answer}");
    let made = json_of(&answer);
    let key = made["attestation"]["symmetricKey"]["primaryKey"].as_str().expect("a key").to_owned();
    assert_eq!(made["registrationState"]["status"], "unassigned");

    let (status, answer) = told(&cloud, "GET /enrollments/s", "", &Value::Null).await;
    assert!(status == 200 && !answer.contains(&key), "a GET shows no key: {answer}");
    let (_, answer) = told(&cloud, "POST /enrollments/s/attestationmechanism", "", &Value::Null).await;
    assert_eq!(json_of(&answer)["symmetricKey"]["primaryKey"], json!(key));

    let (status, answer) = told(&cloud, "PUT /enrollments/s", "", &body).await;
    assert!(status == 409 && answer.contains("x-ms-error-code: 409201"), "{answer}");
    let (status, _) = told(&cloud, "PUT /enrollments/s", "If-Match: \"old\"\r\n", &body).await;
    assert_eq!(status, 412);
    let bare = format!("If-Match: {}\r\n", made["etag"].as_str().expect("an etag"));
    let (status, answer) = told(&cloud, "PUT /enrollments/s", &bare, &body).await;
    assert_eq!((status, &json_of(&answer)["attestation"]), (200, &made["attestation"]));

    let (status, _) = told(&cloud, "DELETE /enrollments/s", "If-Match: *\r\n", &Value::Null).await;
    assert_eq!(status, 204);
    let (status, answer) = told(&cloud, "GET /enrollments/s", "", &Value::Null).await;
    assert_eq!((status, &json_of(&answer)["errorCode"]), (404, &json!(404_201)));
    cloud.stop().await;
}

#[tokio::test]
async fn enrolments_come_in_pages_and_many_change_at_once() {
    let cloud = cloud().await;
    let item = |id: &str| json!({"registrationId": id, "attestation": {"type": "symmetricKey"}});
    let many = json!({"mode": "create", "enrollments": [item("a"), item("b"), item("b")]});
    let (status, answer) = told(&cloud, "POST /enrollments/", "", &many).await;
    let errors = &json_of(&answer)["errors"];
    assert_eq!((status, &json_of(&answer)["isSuccessful"]), (200, &json!(false)));
    assert_eq!((&errors[0]["registrationId"], &errors[0]["errorCode"]), (&json!("b"), &json!(409_201)));

    let query = json!({"query": "SELECT * FROM enrollments"});
    let one = "x-ms-max-item-count: 1\r\n";
    let (status, answer) = told(&cloud, "POST /enrollments/query", one, &query).await;
    assert!(status == 200 && answer.contains("\r\nx-ms-item-type: enrollment\r\n"), "{answer}");
    assert_eq!(json_of(&answer)[0]["registrationId"], "a");
    let token = answer.lines().find_map(|line| line.strip_prefix("x-ms-continuation: ")).expect("more");
    let next = format!("{one}x-ms-continuation: {token}\r\n");
    let (_, answer) = told(&cloud, "POST /enrollments/query", &next, &query).await;
    assert_eq!(json_of(&answer)[0]["registrationId"], "b");
    assert!(!answer.contains("x-ms-continuation"), "{answer}");

    // The last is what the samples of Node's SDK ask for.
    for all in ["SELECT *", "*"] {
        let groups = json!({"query": all});
        let (_, answer) = told(&cloud, "POST /enrollmentgroups/query", "", &groups).await;
        assert_eq!(json_of(&answer)[0]["enrollmentGroupId"], "envsim");
    }
    let filtered = json!({"query": "SELECT * FROM enrollments WHERE deviceId = 'x'"});
    let (status, answer) = told(&cloud, "POST /enrollments/query", "", &filtered).await;
    assert!(status == 501 && answer.contains("WHERE"), "{answer}");
    cloud.stop().await;
}

#[tokio::test]
async fn nobody_reads_enrolments_without_the_provisioning_service_s_key() {
    let cloud = cloud().await;
    for token in [String::new(), service(&cloud)] {
        let line = "GET /enrollmentGroups/envsim?api-version=2021-10-01";
        let (status, answer) = request(&cloud, line, &token, "", "").await;
        assert_eq!((status, &json_of(&answer)["errorCode"]), (401, &json!(401_002)), "{answer}");
    }
    let line = "GET /devices/d?api-version=2021-04-12";
    let (status, _) = request(&cloud, line, &owner(&cloud), "", "").await;
    assert_eq!(status, 401, "and it opens nothing of the hub");
    cloud.stop().await;
}

#[tokio::test]
async fn enrolments_and_that_there_is_none_are_kept_between_runs() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let start = async || {
        let options = CloudOptions {
            mqtt_port: PortChoice::Exactly(0),
            https_port: PortChoice::Exactly(0),
            data_dir: Some(folder.path().to_owned()),
            ..CloudOptions::default()
        };
        LocalCloud::start(options).await.expect("a cloud")
    };
    let groups = async |cloud: &LocalCloud| {
        let query = json!({"query": "SELECT * FROM enrollmentGroups"});
        json_of(&told(cloud, "POST /enrollmentGroups/query", "", &query).await.1)
    };
    let cloud = start().await;
    let first = groups(&cloud).await;
    assert_eq!((first.as_array().map(Vec::len), &first[0]["enrollmentGroupId"]), (Some(1), &json!("envsim")));
    let body = json!({"registrationId": "s", "attestation": {"type": "symmetricKey"}});
    let made = json_of(&told(&cloud, "PUT /enrollments/s", "", &body).await.1);
    cloud.stop().await;

    let cloud = start().await;
    assert_eq!(groups(&cloud).await, first, "the group from the beginning is the same one");
    let mechanism = told(&cloud, "POST /enrollments/s/attestationmechanism", "", &Value::Null).await.1;
    assert_eq!(json_of(&mechanism)["symmetricKey"], made["attestation"]["symmetricKey"]);
    assert_eq!(told(&cloud, "DELETE /enrollmentGroups/envsim", "If-Match: *\r\n", &Value::Null).await.0, 204);
    cloud.stop().await;

    let cloud = start().await;
    assert_eq!(groups(&cloud).await, json!([]), "deleted is deleted");
    cloud.stop().await;
}
