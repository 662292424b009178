//! Routes of an IoT Edge device, from the deployment's request to what its modules read.

use super::*;

const VERSION: &str = "api-version=2021-04-12";
const INPUTS: &str = "devices/edge/modules/filterModule/inputs/#";
const OUTPUT: &str = "devices/edge/modules/tempSensor/messages/events/%24.on=temperatureOutput&%24.ct=application%2Fjson&%24.ce=utf-8&level=3";
const INPUT: &str = "devices/edge/modules/filterModule/inputs/input1/%24.cdid=edge&%24.cmid=tempSensor&%24.ct=application%2Fjson&%24.ce=utf-8&level=3";

/// The deployment that the Edge filter tutorial's pages in the portal make.
fn deployment() -> String {
    let routes = json!({
        "sensorToFilter": "FROM /messages/modules/tempSensor/outputs/temperatureOutput INTO BrokeredEndpoint(\"/modules/filterModule/inputs/input1\")",
        "filterToIoTHub": "FROM /messages/modules/filterModule/outputs/output1 INTO $upstream",
    });
    let image = |image: &str| json!({"type": "docker", "status": "running", "settings": {"image": image}});
    let modules = json!({"tempSensor": image("sensor:1.0"), "filterModule": image("filter:0.0.1-amd64")});
    let agent = json!({"schemaVersion": "1.0", "modules": modules});
    let hub = json!({
        "schemaVersion": "1.0", "routes": routes, "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
    });
    json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": agent},
        "$edgeHub": {"properties.desired": hub},
        "filterModule": {"properties.desired": {"TemperatureThreshold": 25}},
    }})
    .to_string()
}

/// A cloud with an IoT Edge device to which the tutorial's modules have been deployed.
async fn deployed() -> LocalCloud {
    let cloud = cloud().await;
    let token = service(&cloud);
    let edge = r#"{"deviceId":"edge","capabilities":{"iotEdge":true}}"#;
    assert_eq!(request(&cloud, &format!("PUT /devices/edge?{VERSION}"), &token, "", edge).await.0, 200);
    let line = format!("POST /devices/edge/applyConfigurationContent?{VERSION}");
    let (status, answer) = request(&cloud, &line, &token, "", &deployment()).await;
    assert_eq!(status, 204, "{answer}");
    cloud
}

/// The token that a module of the device makes for itself.
async fn token_of(cloud: &LocalCloud, name: &str) -> String {
    let line = format!("GET /devices/edge/modules/{name}?{VERSION}");
    let (_, answer) = request(cloud, &line, &service(cloud), "", "").await;
    let key =
        json_of(&answer)["authentication"]["symmetricKey"]["primaryKey"].as_str().expect("a key").to_owned();
    let key = SharedKey::from_base64(&key).expect("a key");
    Token::sign(&key, &format!("localhost/devices/edge/modules/{name}"), FAR, None).reveal().to_owned()
}

async fn module(cloud: &LocalCloud, name: &str) -> Wire {
    let token = token_of(cloud, name).await;
    let user = format!("localhost/edge/{name}/?api-version=2021-04-12");
    let mut wire = Wire::mqtt(cloud).await;
    wire.say(&connect(&format!("edge/{name}"), &user, &token, false)).await;
    assert_eq!(wire.hear().await.0, 0x20);
    wire
}

async fn edge_status(cloud: &LocalCloud) -> Value {
    let line = format!("GET /envsim/edge/edge?{VERSION}");
    let (status, answer) = request(cloud, &line, &service(cloud), "", "").await;
    assert_eq!(status, 200, "{answer}");
    json_of(&answer)
}

/// Waits until everything before it has been handled.
async fn settled(wire: &mut Wire) {
    wire.say(&[0xc0, 0]).await;
    assert_eq!(wire.hear().await.0, 0xd0);
}

/// The packet id, topic and body of a PUBLISH with quality 1.
fn publish_of((head, body): &(u8, Vec<u8>)) -> ([u8; 2], String, Value) {
    assert_eq!(head & 0xf6, 0x32, "a PUBLISH with quality 1");
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + length].to_vec()).expect("a topic");
    ([body[2 + length], body[3 + length]], topic, serde_json::from_slice(&body[4 + length..]).expect("JSON"))
}

#[tokio::test]
async fn a_message_goes_from_an_output_to_an_input_and_from_there_to_the_hub() {
    let cloud = deployed().await;
    let mut filter = module(&cloud, "filterModule").await;
    filter.say(&subscribe(1, INPUTS, 1)).await;
    assert_eq!(filter.hear().await, (0x90, vec![0, 1, 1]));
    let mut sensor = module(&cloud, "tempSensor").await;
    sensor.say(&publish(7, OUTPUT, b"{\"machine\":{\"temperature\":30}}")).await;
    assert_eq!(sensor.hear().await, (0x40, vec![0, 7]));
    let (packet, topic, body) = publish_of(&filter.hear().await);
    assert_eq!((topic.as_str(), body), (INPUT, json!({"machine": {"temperature": 30}})));
    filter.say(&[[0x40, 2].as_slice(), &packet].concat()).await;
    let upstream = "devices/edge/modules/filterModule/messages/events/%24.on=output1&MessageType=Alert";
    filter.say(&publish(8, upstream, b"{\"hot\":true}")).await;
    assert_eq!(filter.hear().await, (0x40, vec![0, 8]));
    let events = cloud.shared.look(|core, _| core.events(0, None, 100)).events;
    let messages: Vec<_> = events.iter().filter(|event| event.source == "Telemetry").collect();
    let [event] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((event.module_id.as_deref(), &event.body), (Some("filterModule"), &json!({"hot": true})));
    assert_eq!(event.properties["MessageType"], "Alert");
    let seen = edge_status(&cloud).await;
    assert_eq!((&seen["desiredVersion"], &seen["unrouted"]), (&json!(2), &json!(0)));
    for (place, name) in ["filterToIoTHub", "sensorToFilter"].into_iter().enumerate() {
        let route = &seen["routes"][place];
        assert_eq!(
            (&route["name"], &route["passed"], &route["queued"]),
            (&json!(name), &json!(1), &json!(0))
        );
        assert_eq!(route["timeToLiveSecs"], 7200);
    }
    cloud.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_module_comes_in_order_until_it_is_acknowledged() {
    let cloud = deployed().await;
    let mut sensor = module(&cloud, "tempSensor").await;
    for n in 1..=3_u8 {
        sensor.say(&publish(n, OUTPUT, n.to_string().as_bytes())).await;
        assert_eq!(sensor.hear().await, (0x40, vec![0, n]));
    }
    assert_eq!(edge_status(&cloud).await["routes"][1]["queued"], 3);
    let mut filter = module(&cloud, "filterModule").await;
    filter.say(&subscribe(1, INPUTS, 1)).await;
    assert_eq!(filter.hear().await, (0x90, vec![0, 1, 1]));
    let mut packets = Vec::new();
    for n in 1..=3 {
        let (packet, topic, body) = publish_of(&filter.hear().await);
        assert_eq!((topic.as_str(), body), (INPUT, json!(n)));
        packets.push(packet);
    }
    // Acknowledges the second, and goes: the others come again, unasked.
    filter.say(&[[0x40, 2].as_slice(), &packets[1]].concat()).await;
    filter.say(&[0xe0, 0]).await;
    filter.hear_end().await;
    let mut filter = module(&cloud, "filterModule").await;
    for n in [1, 3] {
        let (packet, _, body) = publish_of(&filter.hear().await);
        assert_eq!(body, json!(n));
        filter.say(&[[0x40, 2].as_slice(), &packet].concat()).await;
    }
    settled(&mut filter).await;
    let route = &edge_status(&cloud).await["routes"][1];
    assert_eq!((&route["passed"], &route["queued"]), (&json!(3), &json!(0)));
    cloud.stop().await;
}

#[tokio::test]
async fn with_quality_0_a_routed_message_is_over_when_it_is_sent() {
    let cloud = deployed().await;
    let mut filter = module(&cloud, "filterModule").await;
    // As the SDKs for C and .NET ask for inputs.
    filter.say(&subscribe(1, "devices/edge/modules/filterModule/#", 0)).await;
    assert_eq!(filter.hear().await, (0x90, vec![0, 1, 0]));
    let mut sensor = module(&cloud, "tempSensor").await;
    sensor.say(&publish(1, OUTPUT, b"1")).await;
    assert_eq!(filter.hear_publish().await, (INPUT.to_owned(), json!(1)));
    settled(&mut filter).await;
    let route = &edge_status(&cloud).await["routes"][1];
    assert_eq!((&route["passed"], &route["queued"]), (&json!(1), &json!(0)));
    cloud.stop().await;
}

#[tokio::test]
async fn more_than_sixteen_wait_for_acknowledgements() {
    let cloud = deployed().await;
    let mut filter = module(&cloud, "filterModule").await;
    filter.say(&subscribe(1, INPUTS, 1)).await;
    assert_eq!(filter.hear().await.0, 0x90);
    let mut sensor = module(&cloud, "tempSensor").await;
    for n in 1..=20_u8 {
        sensor.say(&publish(n, OUTPUT, n.to_string().as_bytes())).await;
        assert_eq!(sensor.hear().await.0, 0x40);
    }
    let mut packets = Vec::new();
    for n in 1..=16 {
        let (packet, _, body) = publish_of(&filter.hear().await);
        assert_eq!(body, json!(n));
        packets.push(packet);
    }
    settled(&mut filter).await;
    filter.say(&[[0x40, 2].as_slice(), &packets[0]].concat()).await;
    let (_, _, body) = publish_of(&filter.hear().await);
    assert_eq!(body, json!(17), "and not before");
    cloud.stop().await;
}

#[tokio::test]
async fn a_bad_route_is_reported_and_only_services_see_routes() {
    let cloud = deployed().await;
    let token = service(&cloud);
    let line = format!("PATCH /twins/edge/modules/%24edgeHub?{VERSION}");
    let patch = r#"{"properties":{"desired":{"routes":{"bad":"FROM /messages/* INTO"}}}}"#;
    assert_eq!(request(&cloud, &line, &token, "", patch).await.0, 200);
    let (_, twin) =
        request(&cloud, &format!("GET /twins/edge/modules/%24edgeHub?{VERSION}"), &token, "", "").await;
    let reported = json_of(&twin)["properties"]["reported"].clone();
    assert_eq!(
        (&reported["lastDesiredVersion"], &reported["lastDesiredStatus"]["code"]),
        (&json!(3), &json!(400))
    );
    let words = reported["lastDesiredStatus"]["description"].as_str().expect("words");
    assert!(words.contains("route `bad`: cannot read the route at column 22"), "{words}");
    let seen = edge_status(&cloud).await;
    assert!(seen["refused"].as_str().is_some_and(|why| why.contains("column 22")), "{seen}");
    assert_eq!(seen["routes"].as_array().map(Vec::len), Some(2));

    let line = |device: &str| format!("GET /envsim/edge/{device}?{VERSION}");
    assert_eq!(request(&cloud, &line("edge"), "", "", "").await.0, 401);
    let (status, answer) = request(&cloud, &line("nobody"), &token, "", "").await;
    assert!(status == 404 && answer.contains("ErrorCode:DeviceNotFound;"), "{answer}");
    let (_, answer) = request(&cloud, &line("d"), &token, "", "").await;
    assert_eq!(json_of(&answer), json!({"deviceId": "d", "routes": [], "unrouted": 0}));
    cloud.stop().await;
}

#[tokio::test]
async fn a_module_calls_commands_of_its_own_device_and_of_the_modules_beside_it() {
    let cloud = deployed().await;
    let token = token_of(&cloud, "tempSensor").await;
    let call = r#"{"methodName":"reset","payload":{"now":true},"responseTimeoutInSeconds":5}"#;
    let from = |name: &str| format!("x-ms-edge-moduleId: {name}\r\n");
    let ask = async |path: &str, token: &str, from: &str| {
        request(&cloud, &format!("POST /twins/{path}/methods?api-version=2019-10-01"), token, from, call)
            .await
    };
    let sensor = from("edge/tempSensor");
    let mut filter = module(&cloud, "filterModule").await;
    filter.say(&subscribe(1, "$iothub/methods/POST/#", 0)).await;
    assert_eq!(filter.hear().await, (0x90, vec![0, 1, 0]));
    let answering = async {
        let (topic, body) = filter.hear_publish().await;
        assert_eq!((topic.as_str(), body), ("$iothub/methods/POST/reset/?$rid=1", json!({"now": true})));
        filter.say(&publish(3, "$iothub/methods/res/202/?$rid=1", b"{\"done\":1}")).await;
    };
    let ((status, answer), ()) = tokio::join!(ask("edge/modules/filterModule", &token, &sensor), answering);
    assert_eq!((status, json_of(&answer)), (200, json!({"status": 202, "payload": {"done": 1}})));

    // The device itself is not connected.
    let (status, answer) = ask("edge", &token, &sensor).await;
    assert!(status == 404 && answer.contains("404103"), "{answer}");

    let strange = token_of(&cloud, "filterModule").await;
    for (path, token, from, status, words) in [
        ("d", &token, sensor.as_str(), 401, "its own device and the modules on it only, not of `d`"),
        ("edge/modules/filterModule", &strange, &sensor, 401, "signature does not match"),
        ("edge/modules/filterModule", &token, &from("edge/nobody"), 401, "no module `nobody`"),
        ("edge/modules/filterModule", &token, &from("edge"), 400, "is not DEVICE/MODULE"),
        ("edge/modules/filterModule", &token, &from("edge/"), 400, "the module id is empty"),
        ("edge/modules/filterModule", &token, "", 401, "no shared access policy"),
    ] {
        let (seen, answer) = ask(path, token, from).await;
        assert!(seen == status && answer.contains(words), "{path} {from}: {answer}");
    }
    cloud.stop().await;
}
