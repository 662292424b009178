//! Provisioning, over MQTT and over HTTPS.

use super::*;

#[tokio::test]
async fn a_device_provisions_over_mqtt_and_uses_its_twin_packet_by_packet() {
    let cloud = cloud().await;
    let scope = cloud.id_scope();
    let key: SharedKey = cloud.group_key().derive("sensor-01");
    let token = Token::sign(&key, &format!("{scope}/registrations/sensor-01"), FAR, Some("registration"));
    let user = format!("{scope}/registrations/sensor-01/api-version=2019-03-31&ClientVersion=x");
    let mut dps = Wire::mqtt(&cloud).await;
    dps.say(&connect("sensor-01", &user, token.reveal(), false)).await;
    assert_eq!(dps.hear().await, (0x20, vec![0, 0]), "DPS keeps no session");
    dps.say(&subscribe(1, "$dps/registrations/res/#", 2)).await;
    assert_eq!(dps.hear().await, (0x90, vec![0, 1, 1]), "QoS 2 is granted 1");
    dps.say(&publish(2, "$dps/registrations/PUT/iotdps-register/?$rid=6a1b", b"{\"payload\": null}")).await;
    assert_eq!(dps.hear().await, (0x40, vec![0, 2]), "PUBACK comes before the answer");
    let (topic, body) = dps.hear_publish().await;
    assert_eq!(topic, "$dps/registrations/res/202/?$rid=6a1b&retry-after=0");
    assert_eq!(body["status"], "assigning");
    let operation = body["operationId"].as_str().expect("a name");
    let ask = format!("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=7&operationId={operation}");
    dps.say(&publish(3, &ask, b" ")).await;
    assert_eq!(dps.hear().await, (0x40, vec![0, 3]));
    let (topic, body) = dps.hear_publish().await;
    assert_eq!(topic, "$dps/registrations/res/200/?$rid=7");
    assert_eq!(body["registrationState"]["assignedHub"], format!("localhost:{}", cloud.mqtt_port()));

    let host = "localhost";
    let token = Token::sign(&key, &format!("{host}/devices/sensor-01"), FAR, None);
    let user = format!("{host}/sensor-01/?api-version=2021-04-12");
    let mut hub = Wire::mqtt(&cloud).await;
    hub.say(&connect("sensor-01", &user, token.reveal(), false)).await;
    assert_eq!(hub.hear().await, (0x20, vec![0, 0]));
    // All at once, as a device in a hurry sends: the answers come in order.
    let burst = [
        subscribe(1, "$iothub/twin/res/#", 0),
        publish(2, "$iothub/twin/GET/?$rid=a", b""),
        publish(3, "$iothub/twin/PATCH/properties/reported/?$rid=b", b"{\"state\":\"true\"}"),
        publish(4, "devices/sensor-01/messages/events/%24.ct=application%2Fjson", b"{\"temp\":1}"),
        vec![0xc0, 0],
    ];
    hub.say(&burst.concat()).await;
    assert_eq!(hub.hear().await, (0x90, vec![0, 1, 0]));
    assert_eq!(hub.hear().await, (0x40, vec![0, 2]));
    assert_eq!(
        hub.hear_publish().await,
        (
            "$iothub/twin/res/200/?$rid=a".to_owned(),
            json!({"desired": {"$version": 1}, "reported": {"$version": 1}})
        )
    );
    assert_eq!(hub.hear().await, (0x40, vec![0, 3]));
    assert_eq!(hub.hear_publish().await, ("$iothub/twin/res/204/?$rid=b&$version=2".to_owned(), Value::Null));
    assert_eq!(hub.hear().await, (0x40, vec![0, 4]));
    assert_eq!(hub.hear().await, (0xd0, vec![]));
    cloud.stop().await;
}

#[tokio::test]
async fn a_device_provisions_over_https() {
    let cloud = cloud().await;
    let scope = cloud.id_scope();
    let resource = format!("{scope}/registrations/s");
    let token = Token::sign(&cloud.group_key().derive("s"), &resource, FAR, Some("registration"));
    let base = format!("/{scope}/registrations/s");
    let put = format!("PUT {base}/register?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &put, token.reveal(), "", "{\"registrationId\":\"s\"}").await;
    assert_eq!(status, 202, "{answer}");
    assert!(
        answer.contains("\r\nretry-after: 0\r\n") && answer.contains("\r\nlocation: https://"),
        "{answer}"
    );
    let operation = json_of(&answer)["operationId"].as_str().expect("a name").to_owned();
    let get = format!("GET {base}/operations/{operation}?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &get, token.reveal(), "", "").await;
    assert_eq!((status, json_of(&answer)["status"].as_str()), (200, Some("assigned")));
    let post = format!("POST {base}?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &post, token.reveal(), "", "{}").await;
    assert_eq!((status, json_of(&answer)["deviceId"].as_str()), (200, Some("s")));

    let (status, answer) = request(&cloud, &put, token.reveal(), "", "{\"modelId\":\"dtmi:x;1\"}").await;
    assert!(status == 400 && answer.contains("x-ms-error-code: 400012"), "{answer}");
    let group = Token::sign(&cloud.group_key(), &resource, FAR, Some("registration"));
    let (status, answer) = request(&cloud, &put, group.reveal(), "", "{}").await;
    assert_eq!((status, json_of(&answer)["errorCode"].as_u64()), (401, Some(401_002)));
    assert!(answer.contains("signed with the enrolment group's key itself"), "{answer}");
    cloud.stop().await;
}
