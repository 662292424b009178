//! Cloud-to-device messages, from the service's request to the device's acknowledgement.

use super::*;

const VERSION: &str = "api-version=2021-04-12";

async fn send(cloud: &LocalCloud, id: &str, more: &str) -> (u16, String) {
    let token = service(cloud);
    let head = format!("iothub-to: /devices/d/messages/devicebound\r\niothub-messageid: {id}\r\n{more}");
    request(cloud, &format!("POST /messages/devicebound?{VERSION}"), &token, &head, "{\"on\":true}").await
}

fn device_token(cloud: &LocalCloud) -> String {
    Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", FAR, None).reveal().to_owned()
}

/// A header of an answer.
fn head<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| {
        let (own, value) = line.split_once(": ")?;
        own.eq_ignore_ascii_case(name).then_some(value)
    })
}

async fn count(cloud: &LocalCloud) -> Value {
    let token = service(cloud);
    let (_, twin) = request(cloud, &format!("GET /twins/d?{VERSION}"), &token, "", "").await;
    let (_, device) = request(cloud, &format!("GET /devices/d?{VERSION}"), &token, "", "").await;
    let [twin, device] = [twin, device].map(|it| json_of(&it)["cloudToDeviceMessageCount"].clone());
    assert_eq!(twin, device);
    twin
}

/// The packet id and topic of a PUBLISH with quality 1.
fn publish_of((head, body): &(u8, Vec<u8>)) -> ([u8; 2], String) {
    assert_eq!(head & 0xf6, 0x32, "a PUBLISH with quality 1");
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + length].to_vec()).expect("a topic");
    ([body[2 + length], body[3 + length]], topic)
}

#[tokio::test]
async fn a_message_reaches_a_subscribed_device_and_is_completed_by_its_acknowledgement() {
    let cloud = cloud().await;
    let more = "iothub-ack: full\r\ncontent-type: application/json\r\ncontent-encoding: utf-8\r\niothub-app-level: 3\r\n";
    let (status, answer) = send(&cloud, "7c1f", more).await;
    assert_eq!((status, head(&answer, "iothub-messageid")), (204, Some("7c1f")), "{answer}");
    assert_eq!(count(&cloud).await, 1);

    let filter = "devices/d/messages/devicebound/#";
    let wanted = "devices/d/messages/devicebound/%24.mid=7c1f&%24.to=%2Fdevices%2Fd%2Fmessages%2FdeviceBound&%24.ct=application%2Fjson&%24.ce=utf-8&iothub-ack=full&level=3";
    let mut wire = online(&cloud).await;
    wire.say(&subscribe(1, filter, 1)).await;
    assert_eq!(wire.hear().await, (0x90, vec![0, 1, 1]));
    let (_, topic) = publish_of(&wire.hear().await);
    assert_eq!(topic, wanted);
    // It goes without an acknowledgement: the next connection has the message again, unasked.
    wire.say(&[0xe0, 0]).await;
    wire.hear_end().await;
    let mut wire = online(&cloud).await;
    let (packet, topic) = publish_of(&wire.hear().await);
    assert_eq!(topic, wanted);
    wire.say(&[[0x40, 2].as_slice(), &packet].concat()).await;
    // Packets are handled in their order, so that with this answer the acknowledgement is too.
    wire.say(&[0xc0, 0]).await;
    assert_eq!(wire.hear().await.0, 0xd0);
    assert_eq!(count(&cloud).await, 0);
    cloud.stop().await;
}

#[tokio::test]
async fn with_quality_0_a_message_is_completed_when_it_is_sent() {
    let cloud = cloud().await;
    let mut wire = online(&cloud).await;
    wire.say(&subscribe(1, "devices/d/messages/devicebound/#", 0)).await;
    assert_eq!(wire.hear().await, (0x90, vec![0, 1, 0]));
    assert_eq!(send(&cloud, "m", "").await.0, 204);
    assert_eq!(
        wire.hear_publish().await,
        (
            "devices/d/messages/devicebound/%24.mid=m&%24.to=%2Fdevices%2Fd%2Fmessages%2FdeviceBound"
                .to_owned(),
            json!({"on": true})
        )
    );
    wire.say(&[0xc0, 0]).await;
    assert_eq!(wire.hear().await.0, 0xd0);
    assert_eq!(count(&cloud).await, 0);
    cloud.stop().await;
}

#[tokio::test]
async fn a_device_takes_messages_over_https_one_by_one() {
    let cloud = cloud().await;
    let token = device_token(&cloud);
    let at = |rest: &str| format!("/devices/d/messages/deviceBound{rest}?{VERSION}");
    let get = async || request(&cloud, &format!("GET {}", at("")), &token, "", "").await;
    assert_eq!(get().await.0, 204);
    let more = "iothub-correlationid: c\r\niothub-userid: u\r\niothub-ack: negative\r\ncontent-type: application/json\r\niothub-app-level: 3\r\n";
    send(&cloud, "m", more).await;
    let (status, answer) = get().await;
    assert_eq!((status, json_of(&answer)), (200, json!({"on": true})), "{answer}");
    for (name, value) in [
        ("iothub-messageid", "m"),
        ("iothub-correlationid", "c"),
        ("iothub-userid", "u"),
        ("iothub-to", "/devices/d/messages/deviceBound"),
        ("iothub-ack", "negative"),
        ("iothub-sequencenumber", "1"),
        ("iothub-deliverycount", "0"),
        ("iothub-app-level", "3"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(head(&answer, name), Some(value), "{answer}");
    }
    let lock = head(&answer, "etag").expect("a lock").trim_matches('"').to_owned();
    for name in ["iothub-enqueuedtime", "iothub-expiry"] {
        assert!(head(&answer, name).is_some_and(|at| at.ends_with('Z')), "{answer}");
    }
    assert_eq!(get().await.0, 204, "it is held");
    let line = format!("POST {}", at(&format!("/{lock}/abandon")));
    assert_eq!(request(&cloud, &line, &token, "", "").await.0, 204);
    let (_, answer) = get().await;
    assert_eq!(head(&answer, "iothub-deliverycount"), Some("1"));
    let lost = request(&cloud, &format!("DELETE {}", at(&format!("/{lock}"))), &token, "", "").await;
    assert!(lost.0 == 412 && lost.1.contains("ErrorCode:DeviceMessageLockLost;"), "{}", lost.1);
    let lock = head(&answer, "etag").expect("a lock").trim_matches('"').to_owned();
    let line = format!("DELETE /devices/d/messages/devicebound/{lock}?reject&{VERSION}");
    assert_eq!(request(&cloud, &line, &token, "", "").await.0, 204);
    assert_eq!(count(&cloud).await, 0);
    // A service's key is no device's, and a device's no service's.
    let answer = request(&cloud, &format!("GET {}", at("")), "", "", "").await;
    assert!(answer.0 == 401 && answer.1.contains("IotHubUnauthorizedAccess"), "{}", answer.1);
    let answer = request(&cloud, &format!("DELETE /devices/d/commands?{VERSION}"), &token, "", "").await;
    assert_eq!(answer.0, 401, "{}", answer.1);
    cloud.stop().await;
}

#[tokio::test]
async fn a_message_sent_over_https_is_told_as_one_over_mqtt() {
    let cloud = cloud().await;
    let token = device_token(&cloud);
    let line = format!("POST /devices/d/messages/events?{VERSION}");
    let more = "iothub-messageid: m/1\r\ncontent-type: application/json\r\niothub-app-alert: a b\r\n";
    let (status, answer) = request(&cloud, &line, &token, more, "{\"temp\":7}").await;
    assert_eq!(status, 204, "{answer}");
    let events = cloud.shared.look(|core, _| core.events(0, None, 10)).events;
    let event = events.last().expect("an event");
    assert_eq!((event.source.as_str(), event.device_id.as_str()), ("Telemetry", "d"));
    assert_eq!(
        (Value::Object(event.properties.clone()), &event.body),
        (json!({"$.mid": "m/1", "$.ct": "application/json", "alert": "a b"}), &json!({"temp": 7}))
    );
    let batch = "content-type: application/vnd.microsoft.iothub.json\r\n";
    let (status, answer) = request(&cloud, &line, &token, batch, "[]").await;
    assert!(status == 501 && answer.contains("batches of messages"), "{answer}");
    let (status, _) =
        request(&cloud, &format!("POST /devices/e/messages/events?{VERSION}"), &token, "", "").await;
    assert_eq!(status, 401, "not its own");
    cloud.stop().await;
}

#[tokio::test]
async fn a_service_sends_json_purges_and_is_refused_with_azure_s_codes() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let own = "POST /envsim/devices/d/messages";
    let body = r#"{"body":"hello","properties":{"Level":"3","ack":"full"},"ttlSeconds":60}"#;
    let (status, answer) = request(&cloud, own, &token, "", body).await;
    let told = json_of(&answer);
    assert_eq!((status, &told["sequenceNumber"]), (201, &json!(1)), "{answer}");
    let id = told["messageId"].as_str().expect("an id").to_owned();
    let kept = cloud.shared.look(|core, _| core.mailbox(&"d".parse().expect("an id"))).expect("a queue");
    let message = &kept.messages[0].0;
    assert_eq!((message.id.as_str(), message.sent.body.as_ref()), (id.as_str(), b"hello".as_slice()));
    assert_eq!(message.sent.ack.name(), "full");
    assert_eq!(message.sent.properties, [("Level".to_owned(), "3".to_owned())]);

    for (body, status, words) in [
        (r#"{"ttlSeconds":172801}"#, 403, "ErrorCode:InvalidMessageExpiryTime;"),
        (r#"{"ttlSeconds":18446744073709551615}"#, 403, "ErrorCode:InvalidMessageExpiryTime;"),
        (r#"{"expiry":"2001-01-01T00:00:00Z"}"#, 403, "ErrorCode:InvalidMessageExpiryTime;"),
        (r#"{"expiry":"soon"}"#, 400, "soon"),
        (r#"{"ack":"maybe"}"#, 400, "maybe"),
        (r#"{"bodyBase64":"!"}"#, 400, "bodyBase64"),
        (r#"{"body":1,"bodyBase64":""}"#, 400, "both"),
        (r#"{"boddy":1}"#, 400, "boddy"),
        ("[]", 400, "not a JSON object"),
    ] {
        let answer = request(&cloud, own, &token, "", body).await;
        assert!(answer.0 == status && answer.1.contains(words), "{body}: {}", answer.1);
    }
    let large = format!("{{\"body\":\"{}\"}}", "x".repeat(65_537));
    assert_eq!(request(&cloud, own, &token, "", &large).await.0, 413);
    let answer = request(&cloud, "POST /envsim/devices/nobody/messages", &token, "", "{}").await;
    assert!(answer.0 == 404 && answer.1.contains("ErrorCode:DeviceNotFound;"), "{}", answer.1);
    assert_eq!(request(&cloud, own, &device_token(&cloud), "", "{}").await.0, 401);
    for _ in 1..50 {
        assert_eq!(request(&cloud, own, &token, "", "{}").await.0, 201);
    }
    let answer = send(&cloud, "m", "").await;
    assert!(
        answer.0 == 403 && answer.1.contains("ErrorCode:DeviceMaximumQueueDepthExceeded;"),
        "{}",
        answer.1
    );

    let line = format!("DELETE /devices/d/commands?{VERSION}");
    let (status, answer) = request(&cloud, &line, &token, "", "").await;
    assert_eq!(
        (status, json_of(&answer)),
        (200, json!({"totalMessagesPurged": 50, "deviceId": "d", "moduleId": null}))
    );
    cloud.stop().await;
}

#[tokio::test]
async fn where_a_message_goes_is_read_to_the_letter() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let line = format!("POST /messages/deviceBound?{VERSION}");
    for (to, status, words) in [
        ("", 400, "iothub-to"),
        ("iothub-to: d\r\n", 400, "/devices/{id}/messages/devicebound"),
        ("iothub-to: /devices/e%20%FF/messages/devicebound\r\n", 400, "ErrorCode:ArgumentInvalid;"),
        ("iothub-to: /devices/e/messages/deviceBound\r\n", 404, "ErrorCode:DeviceNotFound;"),
        ("iothub-to: /devices/d/modules/m/messages/devicebound\r\n", 501, "modules"),
        ("iothub-to: /devices/d/messages/devicebound\r\niothub-ack: maybe\r\n", 400, "maybe"),
        ("iothub-to: /devices/d/messages/devicebound\r\niothub-app-: x\r\n", 400, "no name"),
        ("iothub-to: /devices/d/messages/devicebound\r\niothub-app-x: \u{e4}\r\n", 204, ""),
    ] {
        let answer = request(&cloud, &line, &token, to, "").await;
        assert!(answer.0 == status && answer.1.contains(words), "{to}: {}", answer.1);
    }
    cloud.stop().await;
}

#[tokio::test]
async fn feedback_is_read_abandoned_and_completed() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let line = |method: &str, rest: &str| format!("{method} /messages/serviceBound/feedback{rest}?{VERSION}");
    assert_eq!(request(&cloud, &line("GET", ""), &token, "", "").await.0, 204);
    // 64 outcomes are a batch without waiting for more.
    for round in 0..2 {
        for n in 0..32 {
            let id = format!("{round}-{n}");
            assert_eq!(send(&cloud, &id, "iothub-ack: negative\r\n").await.0, 204);
        }
        request(&cloud, &format!("DELETE /devices/d/commands?{VERSION}"), &token, "", "").await;
    }
    let (status, answer) = request(&cloud, &line("GET", ""), &token, "", "").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(head(&answer, "content-type"), Some("application/vnd.microsoft.iothub.feedback.json"));
    assert_eq!(head(&answer, "iothub-userid"), Some("localhost"));
    let records = json_of(&answer);
    assert_eq!(records.as_array().map(Vec::len), Some(64));
    assert_eq!(records[0]["originalMessageId"], "0-0");
    assert_eq!((&records[0]["statusCode"], &records[0]["deviceId"]), (&json!("Purged"), &json!("d")));
    assert_eq!(request(&cloud, &line("GET", ""), &token, "", "").await.0, 204, "it is held");
    let lock = head(&answer, "etag").expect("a lock").trim_matches('"').to_owned();
    let abandon = line("POST", &format!("/{lock}/abandon"));
    assert_eq!(request(&cloud, &abandon, &token, "", "").await.0, 204);
    let (_, answer) = request(&cloud, &line("GET", ""), &token, "", "").await;
    let delete = line("DELETE", &format!("/{lock}"));
    assert_eq!(request(&cloud, &delete, &token, "", "").await.0, 412, "the lock before");
    let lock = head(&answer, "etag").expect("a lock").trim_matches('"').to_owned();
    let delete = line("DELETE", &format!("/{lock}"));
    assert_eq!(request(&cloud, &delete, &token, "", "").await.0, 204);
    assert_eq!(request(&cloud, &line("GET", ""), &token, "", "").await.0, 204);
    assert_eq!(request(&cloud, &line("GET", ""), "", "", "").await.0, 401);
    cloud.stop().await;
}
