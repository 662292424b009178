//! Difficult on request: the limits of a hub's size, and trouble, as clients and services meet them.

use crate::cloud::core::fault::Fault;
use bytes::Bytes;

use super::*;
use crate::cloud::core::clients::ConnectionId;
use crate::cloud::core::quota::{Operation, Sku};
use crate::cloud::core::registry::Address;
use crate::cloud::core::trouble::Trouble;
use crate::cloud::core::{Core, Output};
use crate::cloud::dialect::{self, ConnectError, Message, Role, Unacceptable};
use crate::device::Now;
use crate::wire::topic::filter;

const FAULTS: &str = "/envsim/faults";

async fn limited(sku: Sku) -> LocalCloud {
    let options = CloudOptions {
        mqtt_port: PortChoice::Exactly(0),
        https_port: PortChoice::Exactly(0),
        devices: vec!["d".to_owned()],
        quota: Some((sku, 1)),
        ..CloudOptions::default()
    };
    LocalCloud::start(options).await.expect("a cloud")
}

/// Asks for trouble as a service does.
async fn put(cloud: &LocalCloud, faults: &Value) -> (u16, String) {
    request(cloud, &format!("PUT {FAULTS}"), &service(cloud), "", &faults.to_string()).await
}

/// `d` connects: with which return code it is answered.
async fn return_code(cloud: &LocalCloud) -> u8 {
    let mut wire = Wire::mqtt(cloud).await;
    wire.say(&as_d(cloud, true)).await;
    let (head, body) = wire.hear().await;
    assert_eq!((head, body.len()), (0x20, 2));
    body[1]
}

/// `d` brought into the core, without a socket.
fn enter(core: &mut Core, now: Now, out: &mut Vec<Output>) -> (ConnectionId, Address) {
    let address = Address::device("d".parse().expect("an id"));
    let connection = core.connect(now, &address, true, None, out).connection;
    core.subscribe(now, connection, filter::TWIN_ANSWERS, 0, out);
    (connection, address)
}

#[tokio::test]
async fn connections_over_the_rate_are_refused_as_an_outage() {
    let cloud = limited(Sku::S1).await;
    let token = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", FAR, None);
    let done = cloud.shared.change(|core, now, _| {
        let mut connect = || {
            let user = "localhost/d/?api-version=2021-04-12";
            dialect::connect(core, now, "d", user, token.reveal(), None)
        };
        assert!((0..100).all(|_| matches!(connect(), Ok(Role::Hub { .. }))));
        let refused = connect().expect_err("over the rate");
        assert!(matches!(refused, ConnectError::Throttled(_)), "{refused}");
        assert_eq!(refused.return_code(), 3);
        Ok::<_, Fault>(())
    });
    done.expect("done");
    cloud.stop().await;
}

#[tokio::test]
async fn twin_requests_over_the_rate_are_answered_with_429() {
    let cloud = limited(Sku::S1).await;
    let done = cloud.shared.change(|core, now, out| {
        let (connection, address) = enter(core, now, out);
        let mut ask = |topic: &str, body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            let answer =
                dialect::hub_publish(core, now, (connection, &address), topic, &body, false, &mut Vec::new());
            let Message { topic, body, .. } = answer.expect("taken").expect("an answer");
            (topic, serde_json::from_slice(&body).unwrap_or(Value::Null))
        };
        assert!((0..100).all(|_| ask("$iothub/twin/GET/?$rid=1", "").0 == "$iothub/twin/res/200/?$rid=1"));
        let (topic, body) = ask("$iothub/twin/GET/?$rid=2", "");
        assert_eq!((topic.as_str(), &body["errorCode"]), ("$iothub/twin/res/429/?$rid=2", &json!(429_001)));
        let report = "$iothub/twin/PATCH/properties/reported/?$rid=3";
        assert!((0..50).all(|_| ask(report, "{\"a\":1}").0.starts_with("$iothub/twin/res/204/?$rid=3")));
        assert_eq!(ask(report, "{\"a\":1}").0, "$iothub/twin/res/429/?$rid=3");
        Ok::<_, Fault>(())
    });
    done.expect("done");
    cloud.stop().await;
}

#[tokio::test]
async fn a_message_over_the_day_s_quota_ends_the_connection() {
    let cloud = limited(Sku::F1).await;
    let done = cloud.shared.change(|core, now, out| {
        let (connection, address) = enter(core, now, out);
        // 512 of the day's 8,000 each.
        let body = Bytes::from(vec![b'x'; 256 * 1024]);
        let mut send = || {
            let to = (connection, &address);
            dialect::hub_publish(core, now, to, "devices/d/messages/events/", &body, false, &mut Vec::new())
        };
        assert!((0..15).all(|_| send() == Ok(None)));
        assert!(matches!(send(), Err(Unacceptable::Fault(fault)) if fault.code == 403_002));
        Ok::<_, Fault>(())
    });
    done.expect("done");
    let (status, answer) = request(&cloud, "GET /envsim/quota", &service(&cloud), "", "").await;
    assert_eq!(
        (status, json_of(&answer)),
        (200, json!({"sku": "F1", "units": 1, "messagesToday": 7_680, "messagesPerDay": 8_000}))
    );
    cloud.stop().await;
}

#[tokio::test]
async fn services_over_the_rate_are_told_to_come_back_later() {
    let cloud = limited(Sku::S1).await;
    let token = service(&cloud);
    for (line, operation, a_minute) in [
        ("POST /devices/query?api-version=2021-04-12", Operation::Query, 20),
        ("GET /devices/d?api-version=2021-04-12", Operation::Registry, 100),
    ] {
        let (status, answer) =
            request(&cloud, line, &token, "", "{\"query\":\"SELECT * FROM devices\"}").await;
        assert_ne!(status, 429, "{answer}");
        let used = cloud
            .shared
            .change(|core, now, _| {
                Ok::<_, Fault>((1..=200).take_while(|_| core.allow(now, operation).is_ok()).count())
            })
            .expect("counted");
        assert!((a_minute - 1..=a_minute).contains(&used), "{line}: {used}");
        // The allowance fills up again meanwhile, if slowly: one of a few has to be refused.
        let mut refused = None;
        for _ in 0..a_minute {
            let (status, answer) =
                request(&cloud, line, &token, "", "{\"query\":\"SELECT * FROM devices\"}").await;
            if status == 429 {
                refused = Some(answer);
                break;
            }
        }
        let answer = refused.expect("a refusal");
        assert!(answer.contains("\r\nretry-after: 10\r\n"), "{answer}");
        let message = json_of(&answer)["Message"].as_str().expect("words").to_owned();
        assert!(message.starts_with("ErrorCode:ThrottlingException;a hub of 1 unit(s) S1"), "{message}");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn refusals_are_asked_for_counted_and_ended() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let (status, answer) = put(&cloud, &json!({"refuse": {"returnCode": 5, "times": 2}})).await;
    assert_eq!((status, &json_of(&answer)["refuse"]["times"]), (200, &json!(2)), "{answer}");
    assert_eq!(return_code(&cloud).await, 5);
    let (_, answer) = request(&cloud, &format!("GET {FAULTS}"), &token, "", "").await;
    assert_eq!(json_of(&answer)["refuse"]["times"], 1);
    assert_eq!([return_code(&cloud).await, return_code(&cloud).await], [5, 0]);

    put(&cloud, &json!({"refuse": {}})).await;
    assert_eq!(return_code(&cloud).await, 3, "an outage, unless another code is asked for");
    let (status, answer) = request(&cloud, &format!("DELETE {FAULTS}"), &token, "", "").await;
    assert_eq!((status, json_of(&answer)["refuse"].is_null()), (200, true));
    assert_eq!(return_code(&cloud).await, 0);
    cloud.stop().await;
}

#[tokio::test]
async fn connections_are_dropped_at_once_of_one_device_or_of_all() {
    let cloud = cloud().await;
    let token = service(&cloud);
    let mut wire = online(&cloud).await;
    let path = "POST /envsim/connections/drop";
    let (status, answer) = request(&cloud, &format!("{path}?device=e"), &token, "", "").await;
    assert!(status == 404 && answer.contains("DeviceNotFound"), "a slip is told: {answer}");
    let (_, answer) = request(&cloud, &format!("{path}?device=d"), &token, "", "").await;
    assert_eq!(json_of(&answer), json!({"dropped": 1}));
    wire.hear_end().await;
    let mut wire = online(&cloud).await;
    let (_, answer) = request(&cloud, path, &token, "", "").await;
    assert_eq!(json_of(&answer), json!({"dropped": 1}));
    wire.hear_end().await;
    cloud.stop().await;
}

#[tokio::test]
async fn connections_are_dropped_by_the_clock() {
    let cloud = cloud().await;
    put(&cloud, &json!({"dropEvery": 100})).await;
    for _ in 0..2 {
        let mut wire = Wire::mqtt(&cloud).await;
        wire.say(&as_d(&cloud, true)).await;
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, wire.0.read_to_end(&mut rest)).await.expect("an end in time");
        assert_eq!(rest, [0x20, 2, 0, 0]);
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_busy_provisioning_service_says_when_to_come_back() {
    let cloud = cloud().await;
    let scope = cloud.id_scope();
    let resource = format!("{scope}/registrations/s");
    let token = Token::sign(&cloud.group_key().derive("s"), &resource, FAR, Some("registration"));
    put(&cloud, &json!({"dpsBusy": {"times": 2, "retryAfter": 7}})).await;
    let line = format!("PUT /{resource}/register?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &line, token.reveal(), "", "{}").await;
    assert_eq!((status, &json_of(&answer)["errorCode"]), (429, &json!(429_001)));
    assert!(answer.contains("\r\nretry-after: 7\r\n"), "{answer}");

    let mut wire = Wire::mqtt(&cloud).await;
    wire.say(&connect("s", &format!("{resource}/api-version=2019-03-31"), token.reveal(), true)).await;
    assert_eq!(wire.hear().await, (0x20, vec![0, 0]));
    wire.say(&subscribe(1, "$dps/registrations/res/#", 1)).await;
    assert_eq!(wire.hear().await.0, 0x90);
    for (id, status) in [(2, "429/?$rid=2&retry-after=7"), (3, "202/?$rid=3&retry-after=0")] {
        let topic = format!("$dps/registrations/PUT/iotdps-register/?$rid={id}");
        wire.say(&publish(id, &topic, b"{}")).await;
        assert_eq!(wire.hear().await, (0x40, vec![0, id]));
        assert_eq!(wire.hear_publish().await.0, format!("$dps/registrations/res/{status}"));
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_device_sent_elsewhere_loses_its_connection_and_is_told_where_to_go() {
    let cloud = cloud().await;
    let scope = cloud.id_scope();
    let mut wire = online(&cloud).await;
    let other = "other.example:8884";
    assert_eq!(put(&cloud, &json!({"elsewhere": {"hub": other, "device": "d"}})).await.0, 200);
    wire.hear_end().await;
    assert_eq!(return_code(&cloud).await, 5);
    for (device, wanted) in [("d", other.to_owned()), ("e", format!("localhost:{}", cloud.mqtt_port()))] {
        let resource = format!("{scope}/registrations/{device}");
        let token = Token::sign(&cloud.group_key().derive(device), &resource, FAR, Some("registration"));
        let ask = async |line: String| {
            let line = format!("{line}?api-version=2021-06-01");
            json_of(&request(&cloud, &line, token.reveal(), "", "{}").await.1)
        };
        let begun = ask(format!("PUT /{resource}/register")).await;
        let operation = begun["operationId"].as_str().expect("a name");
        let ended = ask(format!("GET /{resource}/operations/{operation}")).await;
        assert_eq!(ended["registrationState"]["assignedHub"], wanted, "{ended}");
        assert_eq!(ask(format!("POST /{resource}")).await["assignedHub"], wanted);
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_connection_ends_as_if_its_token_had_run_out() {
    let cloud = cloud().await;
    put(&cloud, &json!({"tokenLife": 1_000})).await;
    let mut wire = online(&cloud).await;
    wire.hear_end().await;
    cloud.stop().await;
}

#[tokio::test]
async fn whoever_watches_is_told_when_trouble_begins_and_when_it_is_used_up() {
    let cloud = cloud().await;
    let mut watched = cloud.watch_trouble();
    assert!(!*watched.borrow_and_update());
    put(&cloud, &json!({"dpsBusy": {"times": 1}})).await;
    watched.changed().await.expect("news");
    assert!(*watched.borrow_and_update());
    let resource = format!("{}/registrations/s", cloud.id_scope());
    let token = Token::sign(&cloud.group_key().derive("s"), &resource, FAR, Some("registration"));
    let line = format!("PUT /{resource}/register?api-version=2021-06-01");
    let (status, answer) = request(&cloud, &line, token.reveal(), "", "{}").await;
    assert_eq!(status, 429, "{answer}");
    watched.changed().await.expect("news");
    assert!(!*watched.borrow_and_update());
    // Who begins to watch later knows what holds already.
    put(&cloud, &json!({"latency": 1})).await;
    assert!(*cloud.watch_trouble().borrow());
    cloud.stop().await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_with_words() {
    let cloud = cloud().await;
    for (faults, said) in [
        ("{", "the body is not a JSON object"),
        ("[1]", "the body is not a JSON object"),
        ("{\"latency\": -1}", "the faults cannot be read"),
        ("{\"latncy\": 5}", "the faults cannot be read: there is no member `latncy`; there is `latency`"),
        ("{\"latency\": 60001}", "`latency` is more than 60000 milliseconds"),
        ("{\"dropEvery\": 1}", "it has to be 100 to"),
        ("{\"refuse\": {\"returnCode\": 0}}", "MQTT has 1 to 5"),
        ("{\"elsewhere\": {\"hub\": \"a b\"}}", "`elsewhere.hub`"),
    ] {
        let (status, answer) = request(&cloud, &format!("PUT {FAULTS}"), &service(&cloud), "", faults).await;
        assert!(status == 400 && answer.contains(said), "{faults}: {answer}");
    }
    let stranger = Token::sign(&cloud.group_key(), "localhost", FAR, Some("iothubowner"));
    for token in ["", stranger.reveal()] {
        for line in [
            format!("GET {FAULTS}"),
            format!("PUT {FAULTS}"),
            format!("DELETE {FAULTS}"),
            "POST /envsim/connections/drop".to_owned(),
            "GET /envsim/quota".to_owned(),
        ] {
            let (status, answer) = request(&cloud, &line, token, "", "{\"latency\":5}").await;
            assert_eq!(status, 401, "{line}: {answer}");
        }
    }
    let left = cloud.shared.look(|core, _| core.trouble().clone());
    assert_eq!(left, Trouble::default(), "nothing of it holds");
    cloud.stop().await;
}

#[tokio::test]
async fn a_cloud_is_difficult_from_the_start_when_it_is_told_so() {
    let trouble: Trouble = serde_json::from_str("{\"refuse\": {\"times\": 1}}").expect("some trouble");
    let options = CloudOptions {
        mqtt_port: PortChoice::Exactly(0),
        https_port: PortChoice::Exactly(0),
        devices: vec!["d".to_owned()],
        trouble,
        ..CloudOptions::default()
    };
    let cloud = LocalCloud::start(options.clone()).await.expect("a cloud");
    assert_eq!([return_code(&cloud).await, return_code(&cloud).await], [3, 0]);
    cloud.stop().await;
    let trouble = Trouble { latency: 60_001, ..Trouble::default() };
    let error = LocalCloud::start(CloudOptions { trouble, ..options.clone() }).await.expect_err("too late");
    assert!(matches!(error, CloudError::Trouble(_)), "{error}");
    let authorities = vec![("own".to_owned(), b"no certificate".to_vec())];
    let error = LocalCloud::start(CloudOptions { authorities, ..options }).await.expect_err("no certificate");
    assert!(
        error.to_string().starts_with("the local cloud cannot take the certificate authority `own`"),
        "{error}"
    );
}

#[tokio::test]
async fn answers_that_are_late_come_all_the_same_and_do_not_hold_up_the_end() {
    let cloud = cloud().await;
    put(&cloud, &json!({"latency": 20})).await;
    let mut wire = online(&cloud).await;
    wire.say(&[0xc0, 0]).await;
    assert_eq!(wire.hear().await, (0xd0, vec![]));
    // Nobody waits for a minute here: the end of the cloud is the end of waiting.
    put(&cloud, &json!({"latency": 60_000})).await;
    wire.say(&[0xc0, 0]).await;
    timeout(PATIENCE, cloud.stop()).await.expect("an end in time");
}
