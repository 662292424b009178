//! Every route of the table, with every wrong credential.

use envsim::wire::SharedKey;
use envsim::wire::sas::Token;
use serde_json::Value;

use super::super::raw::{Victim, policy_key, registration_token, service_token};
use super::super::support::CloudProcess;
use super::routes::{self, Door, Route};

/// Far away.
const FAR: i64 = 4_000_000_000;
/// A key that is valid and nobody's.
const WRONG_KEY: &str = "c29tZWJvZHkgZWxzZSdzIGtleSwgbm90IHlvdXJzIQ==";

/// The status that a request gets.
fn status(victim: &Victim, route: &Route, token: &str) -> u16 {
    let Route { method, path, .. } = route;
    let authorization = if token.is_empty() { String::new() } else { format!("authorization: {token}\r\n") };
    // What makes sense as a body here and there: a body that makes none must not be looked at first.
    let body = r#"{"deviceId": "bad", "registrationId": "bad"}"#;
    let request = format!(
        "{method} {path}?api-version=2021-04-12 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         {authorization}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let said = victim.doors.said(victim.doors.https, request.as_bytes());
    let said = String::from_utf8_lossy(&said);
    let status = said.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.unwrap_or_else(|| panic!("{method} {path}: {said}"))
}

fn device_token(victim: &Victim, device: &str) -> String {
    let key = SharedKey::from_base64(&victim.cloud.key(device)).expect("a key");
    Token::sign(&key, &format!("localhost/devices/{device}"), FAR, None).reveal().to_owned()
}

/// Every route that is not open to everybody, with the cloud's own ID scope.
fn closed_routes(victim: &Victim) -> Vec<Route> {
    let scope = victim.cloud.text("idScope");
    let mut routes = routes::all();
    routes.retain(|route| route.door != Door::Open);
    for route in &mut routes {
        route.path = route.path.replace("0ne00000000", scope);
    }
    routes
}

#[test]
fn no_endpoint_works_without_a_credential() {
    let victim = Victim::new();
    let wrong = SharedKey::from_base64(WRONG_KEY).expect("a key");
    let forged = |resource: &str, policy| Token::sign(&wrong, resource, FAR, policy).reveal().to_owned();
    let group = SharedKey::from_base64(victim.cloud.text("groupKey")).expect("a key");
    let own = SharedKey::from_base64(&victim.cloud.key("bad")).expect("a key");
    let scope = victim.cloud.text("idScope");
    let registration = format!("{scope}/registrations/bad");
    let tokens = [
        String::new(),
        "Bearer abc".to_owned(),
        "SharedAccessSignature sr=localhost&sig=&se=4000000000&skn=iothubowner".to_owned(),
        forged("localhost", Some("iothubowner")),
        forged("localhost", Some("provisioningserviceowner")),
        forged("localhost", Some("nobody")),
        forged("localhost", None),
        forged("localhost/devices/bad", None),
        forged(&registration, None),
        // Signed well, but run out, for something else, or with the group's key.
        Token::sign(&own, "localhost/devices/bad", 1_000_000_000, None).reveal().to_owned(),
        Token::sign(&own, &registration, 1_000_000_000, None).reveal().to_owned(),
        Token::sign(&own, "elsewhere/devices/bad", FAR, None).reveal().to_owned(),
        Token::sign(&own, "localhost/devices/other", FAR, None).reveal().to_owned(),
        Token::sign(&group, "localhost/devices/bad", FAR, None).reveal().to_owned(),
        Token::sign(&group, &registration, FAR, None).reveal().to_owned(),
        Token::sign(&group, "localhost", FAR, Some("iothubowner")).reveal().to_owned(),
    ];
    for route in closed_routes(&victim) {
        for token in &tokens {
            assert_eq!(status(&victim, &route, token), 401, "{route:?} with `{token}`");
        }
    }
    assert!(victim.doors.get("/health").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_device_s_token_opens_nothing_but_its_own_device_side() {
    let victim = Victim::new();
    for route in closed_routes(&victim) {
        // The paths are those of `bad`.
        let (other, own) = match route.door {
            Door::Registration => (registration_token(&victim.cloud, "other"), device_token(&victim, "bad")),
            _ => (device_token(&victim, "other"), registration_token(&victim.cloud, "bad")),
        };
        for token in [other, own] {
            assert_eq!(status(&victim, &route, &token), 401, "{route:?}");
        }
        let right = match route.door {
            Door::Registration => registration_token(&victim.cloud, "bad"),
            _ => device_token(&victim, "bad"),
        };
        let status = status(&victim, &route, &right);
        let opened =
            matches!(route.door, Door::Device | Door::Registration) && !route.path.contains("/modules/");
        assert_eq!(status != 401, opened, "{route:?}: {status}");
    }
}

#[test]
fn a_service_s_token_opens_its_own_service_only() {
    let victim = Victim::new();
    let hub = service_token(&victim.cloud, "serviceConnectionString");
    let provisioning = service_token(&victim.cloud, "provisioningServiceConnectionString");
    for route in closed_routes(&victim) {
        let wrong = if route.door == Door::Provisioning { &hub } else { &provisioning };
        assert_eq!(status(&victim, &route, wrong), 401, "{route:?}");
    }
}

#[test]
fn a_policy_without_the_right_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("data");
    let folder = folder.display().to_string();
    let options = ["--mqtt-port", "0", "--https-port", "0", "--data-dir", &folder];
    CloudProcess::with(&options).stop("TERM").expect(0);
    let token = |policy: &str| {
        Token::sign(&policy_key(&folder, policy), "localhost", FAR, Some(policy)).reveal().to_owned()
    };
    let [device, service, read, write] =
        ["device", "service", "registryRead", "registryReadWrite"].map(token);
    let victim = Victim::with(&["--data-dir", &folder]);
    let mut routes = closed_routes(&victim);
    // It would stream without an end.
    routes.retain(|route| route.path != "/envsim/events");
    // While the device is there: others delete it.
    routes.sort_by_key(|route| route.door != Door::Device);
    for route in routes {
        // A question about identities that is too long for a path.
        let reads = route.method == "GET" || route.path.ends_with("/testQueries");
        let registry = ["/devices", "/statistics", "/configurations", "/envsim/certificates"]
            .iter()
            .any(|prefix| route.path.starts_with(prefix))
            && !route.path.ends_with("/commands")
            && !route.path.ends_with("/query");
        // There is no module for a token to be good for.
        let device_side = route.door == Door::Device && !route.path.contains("/modules/");
        let hub = route.door == Door::Hub;
        for (policy, token, has) in [
            ("device", &device, device_side),
            ("service", &service, hub && !registry),
            ("registryRead", &read, hub && registry && reads),
            ("registryReadWrite", &write, hub && registry),
        ] {
            let status = status(&victim, &route, token);
            assert_eq!(status != 401, has, "{policy} at {route:?}: {status}");
        }
    }
}

#[test]
fn who_may_not_do_it_uses_up_nothing_of_the_hub_s_limits() {
    let victim = Victim::with(&["--sku", "F1"]);
    let token = service_token(&victim.cloud, "serviceConnectionString");
    let quota = || {
        let request = format!(
            "GET /envsim/quota HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {token}\r\n\r\n"
        );
        let said =
            String::from_utf8_lossy(&victim.doors.said(victim.doors.https, request.as_bytes())).into_owned();
        let (_, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str::<Value>(body).expect("JSON")["messagesToday"].clone()
    };
    let route = Route { method: "POST", path: "/devices/bad/messages/events".to_owned(), door: Door::Device };
    for token in [String::new(), device_token(&victim, "other")] {
        assert_eq!(status(&victim, &route, &token), 401);
    }
    assert_eq!(quota(), 0);
    assert_eq!(status(&victim, &route, &device_token(&victim, "bad")), 204);
    assert_eq!(quota(), 1);
    // Nor does a stranger keep others from the registry: the smallest hub takes a hundred a minute.
    let route = Route { method: "GET", path: "/devices/bad".to_owned(), door: Door::Hub };
    for _ in 0..150 {
        assert_eq!(status(&victim, &route, ""), 401);
    }
    assert_eq!(status(&victim, &route, &token), 200);
}
