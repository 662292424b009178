//! The service side over HTTPS.

use super::*;

#[tokio::test]
async fn a_service_calls_a_command_and_changes_a_property_of_a_connected_device() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let methods = "POST /twins/d/methods?api-version=2021-04-12";
    let call = "{\"methodName\":\"blink\",\"payload\":5}";
    let (status, answer) = request(&cloud, methods, &token, "", call).await;
    assert!(status == 404 && answer.contains("404103"), "{answer}");
    let (status, answer) =
        request(&cloud, methods, &token, "", "{\"methodName\":\"x\",\"responseTimeoutInSeconds\":4}").await;
    assert!(status == 400 && answer.contains("ErrorCode:ArgumentInvalid;"), "{answer}");

    let mut wire = online(&cloud).await;
    let filters = [
        subscribe(1, "$iothub/methods/POST/#", 0),
        subscribe(2, "$iothub/twin/PATCH/properties/desired/#", 1),
    ];
    wire.say(&filters.concat()).await;
    assert_eq!(wire.hear().await, (0x90, vec![0, 1, 0]));
    assert_eq!(wire.hear().await, (0x90, vec![0, 2, 1]));
    let device = async {
        let (topic, body) = wire.hear_publish().await;
        assert_eq!((topic.as_str(), body), ("$iothub/methods/POST/blink/?$rid=1", json!(5)));
        wire.say(&publish(3, "$iothub/methods/res/200/?$rid=1", b"{\"ok\":true}")).await;
        assert_eq!(wire.hear().await, (0x40, vec![0, 3]));
    };
    let ((status, answer), ()) = tokio::join!(request(&cloud, methods, &token, "", call), device);
    assert_eq!((status, json_of(&answer)), (200, json!({"status": 200, "payload": {"ok": true}})));

    // The session outlives the connection: nothing is subscribed again.
    wire.say(&[0xe0, 0]).await;
    wire.hear_end().await;
    let mut wire = Wire::mqtt(&cloud).await;
    wire.say(&as_d(&cloud, false)).await;
    assert_eq!(wire.hear().await, (0x20, vec![1, 0]), "the session is present");
    let patch = "{\"properties\":{\"desired\":{\"name\":{\"value\":\"x\"}}}}";
    let line = "PATCH /twins/d?api-version=2021-04-12";
    let (status, answer) = request(&cloud, line, &token, "If-Match: \"*\"\r\n", patch).await;
    assert_eq!((status, &json_of(&answer)["properties"]["desired"]["$version"]), (200, &json!(2)));
    assert_eq!(
        wire.hear_publish().await,
        (
            "$iothub/twin/PATCH/properties/desired/?$version=2".to_owned(),
            json!({"name": {"value": "x"}, "$version": 2})
        )
    );
    let (status, _) = request(&cloud, line, &token, "If-Match: \"AAAA\"\r\n", patch).await;
    assert_eq!(status, 412);
    cloud.stop().await;
}

#[tokio::test]
async fn a_service_creates_reads_and_lists_devices() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let body = "{\"deviceId\":\"e:1#x?\",\"status\":\"enabled\",\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"\",\"secondaryKey\":\"\"},\"type\":\"sas\"},\"capabilities\":{\"iotEdge\":false}}";
    let line = "/devices/e%3A1%23x%3F?api-version=2021-04-12";
    let (status, answer) = request(&cloud, &format!("PUT {line}"), &token, "", body).await;
    assert_eq!(status, 200, "{answer}");
    let key = json_of(&answer)["authentication"]["symmetricKey"]["primaryKey"].clone();
    assert!(SharedKey::from_base64(key.as_str().expect("a key")).is_ok());
    let (status, _) = request(&cloud, &format!("PUT {line}"), &token, "", body).await;
    assert_eq!(status, 409);
    let (status, answer) = request(&cloud, &format!("GET {line}"), &token, "", "").await;
    assert_eq!((status, json_of(&answer)["deviceId"].as_str()), (200, Some("e:1#x?")));
    let (_, answer) = request(&cloud, "GET /devices?top=10&api-version=2021-04-12", &token, "", "").await;
    assert_eq!(json_of(&answer).as_array().map(Vec::len), Some(2));
    cloud.stop().await;
}

#[tokio::test]
async fn what_this_cloud_has_not_is_refused_by_name() {
    let cloud = cloud().await;
    for (line, words) in [
        ("POST /devices/d/files?api-version=2021-04-12", "file upload"),
        ("POST /devices/d/files/notifications?api-version=2021-04-12", "file upload"),
        ("GET /messages/serviceBound/filenotifications?api-version=2021-04-12", "file upload notifications"),
        ("GET /digitaltwins/d?api-version=2021-04-12", "digital twins"),
        ("POST /digitaltwins/d/commands/blink?api-version=2021-04-12", "digital twins"),
        ("POST /twins/d/streams/shell?api-version=2021-04-12", "device streams"),
        ("POST /jobs/create?api-version=2021-04-12", "import or export identities"),
        ("GET /jobs?api-version=2021-04-12", "import or export identities"),
        ("GET /api/devices?api-version=2022-07-31", "the IoT Central REST API"),
        ("GET /messages/events/ConsumerGroups/x", "GET /envsim/events has them"),
        ("POST /devices/d/modules/m/messages/deviceBound", "messages for modules"),
        ("GET /nowhere", "GET /nowhere"),
    ] {
        let (status, answer) = request(&cloud, line, "x", "", "{}").await;
        assert_eq!(status, 501, "{answer}");
        assert!(answer.contains("ErrorCode:NotSupported;") && answer.contains(words), "{answer}");
    }
    let (status, answer) = request(&cloud, "GET /twins/d?api-version=2021-04-12", "x", "", "").await;
    assert!(status == 401 && answer.contains("ErrorCode:IotHubUnauthorizedAccess;"), "{answer}");
    let (status, answer) =
        request(&cloud, "GET /twins/d?api-version=2021-04-12", "Bearer eyJ0.eyJh.c2ln", "", "").await;
    assert!(status == 401 && answer.contains("Microsoft Entra ID, which is not supported"), "{answer}");
    // What is this cloud's own is no feature of Azure's that is missing.
    for (line, wanted) in
        [("GET /envsim/nothing", 404), ("POST /envsim/quota", 405), ("GET /envsim/events?devices=d", 400)]
    {
        let (status, answer) = request(&cloud, line, "x", "", "").await;
        assert_eq!(status, wanted, "{line}: {answer}");
    }
    let (status, _) = request(&cloud, "GET /health", "", "", "").await;
    assert_eq!(status, 200);
    cloud.stop().await;
}

#[tokio::test]
async fn what_the_provisioning_service_has_not_is_refused_by_name() {
    let cloud = cloud().await;
    let scope = cloud.id_scope();
    // As a TPM begins: without credentials.
    let line = format!("PUT /{scope}/registrations/t/register?api-version=2021-06-01");
    let body = "{\"registrationId\":\"t\",\"tpm\":{\"endorsementKey\":\"QQ==\",\"storageRootKey\":\"QQ==\"}}";
    let (status, answer) = request(&cloud, &line, "", "", body).await;
    assert!(status == 501 && answer.contains("attestation by TPM"), "{answer}");

    let string = crate::wire::ConnectionString::parse(&cloud.provisioning_service_connection_string());
    let key = string.expect("a string").key;
    let resource = format!("localhost:{}", cloud.https_port());
    let token = Token::sign(&key, &resource, FAR, Some(crate::wire::enrolment::OWNER_POLICY));
    for (line, body, words) in [
        (
            "PUT /enrollments/t",
            "{\"registrationId\":\"t\",\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"QQ==\"}}}",
            "attestation by TPM",
        ),
        (
            "PUT /enrollments/t",
            "{\"registrationId\":\"t\",\"allocationPolicy\":\"custom\",\"attestation\":{\"type\":\"symmetricKey\"}}",
            "the allocation policy `custom`",
        ),
        ("POST /enrollments/query", "{\"query\":\"SELECT * FROM enrollments WHERE a = 1\"}", "without WHERE"),
        ("GET /enrollments/t/elsewhere", "", "this path of DPS"),
    ] {
        let line = format!("{line}?api-version=2021-10-01");
        let (status, answer) = request(&cloud, &line, token.reveal(), "", body).await;
        assert!(status == 501 && answer.contains(words), "{line}: {answer}");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn events_stream_as_they_happen() {
    let cloud = cloud().await;
    let mut device = online(&cloud).await;
    let mut stream = Wire::open(&cloud, cloud.https_port()).await;
    let token = service(&cloud);
    let request =
        format!("GET /envsim/events?device=d HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n\r\n");
    stream.say(request.as_bytes()).await;
    let mut heard = String::new();
    let mut hear_until = async |wanted: &str| {
        while !heard.contains(wanted) {
            let mut buffer = [0; 4096];
            let read = timeout(PATIENCE, stream.0.read(&mut buffer)).await.expect("in time").expect("bytes");
            assert_ne!(read, 0, "the stream ended after {heard}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    // The first, empty line says that the stream has begun.
    hear_until("\r\n\r\n1\r\n\n").await;
    // Of which run the numbers are, and after which it begins.
    hear_until("envsim-after: ").await;
    hear_until("envsim-started: 20").await;
    device.say(&publish(1, "devices/d/messages/events/a=1", b"{\"temp\":7}")).await;
    hear_until("\"properties\":{\"a\":\"1\"},\"body\":{\"temp\":7}}").await;
    cloud.stop().await;
}

#[test]
fn a_port_that_cannot_be_had_says_what_to_do() {
    let said = |kind: std::io::ErrorKind| {
        let address = "127.0.0.1:443".parse().expect("an address");
        CloudError::Bind { address, purpose: "HTTPS", option: "--https-port", source: kind.into() }
            .to_string()
    };
    #[cfg(target_os = "linux")]
    assert_eq!(
        said(std::io::ErrorKind::PermissionDenied),
        "the local cloud cannot listen on 127.0.0.1:443 for HTTPS: permission denied; allow it with `sudo sysctl -w \
         net.ipv4.ip_unprivileged_port_start=443`, or choose another with --https-port"
    );
    assert!(said(std::io::ErrorKind::AddrInUse).contains("; stop what uses the port, or"));
    assert!(
        said(std::io::ErrorKind::AddrNotAvailable).contains("; give --bind an address of this computer, or")
    );
}
