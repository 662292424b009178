//! Refusals as hubs write them, and what is told of each.

use super::*;

fn refused(status: u16, body: &str) -> OperatorError {
    OperatorError::refused("hub", "dev-01", status, body.as_bytes(), None)
}

fn nested(code: u32) -> String {
    format!(
        r#"{{"Message":"{{\"errorCode\":{code},\"trackingId\":\"x\",\"message\":\"Timed out.\",\"info\":{{\"timeout\":\"00:00:00\"}},\"timestampUtc\":\"2030\"}}","ExceptionMessage":""}}"#
    )
}

#[test]
fn offline_silent_and_unknown_devices_read_differently() {
    let subject = || "dev-01".to_owned();
    assert_eq!(refused(404, &nested(404_103)), OperatorError::Offline { subject: subject() });
    assert_eq!(refused(504, &nested(504_101)), OperatorError::NoAnswer { subject: subject() });
    assert_eq!(
        refused(404, r#"{"Message":"ErrorCode:DeviceNotFound;dev-01","ExceptionMessage":"Tracking ID:0"}"#),
        OperatorError::Unknown { host: "hub".to_owned(), subject: subject() }
    );
}

#[test]
fn only_a_hub_that_says_so_has_no_such_device() {
    let unknown = OperatorError::Unknown { host: "hub".to_owned(), subject: "dev-01".to_owned() };
    for body in [&nested(404_001), r#"{"errorCode":404010,"message":"x"}"#] {
        assert_eq!(refused(404, body), unknown, "{body}");
    }
    let cut = refused(404, &nested(404_104));
    assert_eq!(
        cut.to_string(),
        "`dev-01` lost its connection to the hub before it answered the command (404104)"
    );
    assert!(cut.advice().contains("may have carried it out"), "{}", cut.advice());
    let words = r#"{"Message":"ErrorCode:IotHubNotFound;no such hub"}"#;
    for body in ["<html>not here</html>", "", words, r#"{"message":"plain"}"#] {
        let other = refused(404, body);
        assert!(matches!(other, OperatorError::Refused { status: 404, .. }), "{other:?}");
    }
}

#[test]
fn only_a_device_that_took_a_command_has_not_answered_in_time() {
    for body in ["upstream timeout", "", &nested(504_000), r#"{"Message":"ErrorCode:Other;words"}"#] {
        let other = refused(504, body);
        assert!(matches!(other, OperatorError::Broken { status: 504, .. }), "{other:?}");
    }
}

#[test]
fn a_refusal_without_words_says_so_once() {
    assert_eq!(
        refused(500, "").to_string(),
        "the hub hub has trouble: it does not say why (HTTP status 500)"
    );
    assert_eq!(
        refused(400, "<html>").to_string(),
        "the hub refused the request for `dev-01`: it does not say why (HTTP status 400)"
    );
    let query = OperatorError::refused("hub", "the query", 400, br#"{"Message":"no"}"#, None);
    assert_eq!(query.to_string(), "the hub refused the request for the query: no (HTTP status 400)");
}

#[test]
fn a_key_that_the_hub_repeats_is_not_told() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for said in [
        format!(r#"{{"Message":"ErrorCode:ArgumentInvalid;the key {key} is wrong"}}"#),
        format!(r#"{{"message":"the key '{key}' is wrong"}}"#),
    ] {
        let said = refused(400, &said).to_string();
        assert!(said.contains("the key") && said.contains("is wrong"), "{said}");
        assert!(said.contains("(not shown, it may be a key)") && !said.contains("AAEC"), "{said}");
    }
}

#[test]
fn what_exists_and_a_missing_device_of_a_module_read_differently() {
    let of = |subject: &str, status, body: &str| {
        OperatorError::refused("hub", subject, status, body.as_bytes(), None).to_string()
    };
    let exists = r#"{"Message":"ErrorCode:DeviceAlreadyExists;d","ExceptionMessage":""}"#;
    assert_eq!(of("d", 409, exists), "the hub hub has `d` already");
    assert_eq!(of("d/m", 409, r#"{"errorCode":409301,"message":"x"}"#), "the hub hub has `d/m` already");
    let other = r#"{"Message":"ErrorCode:OperationConflict;busy"}"#;
    assert!(of("d", 409, other).starts_with("the hub refused the request for `d`: busy"));
    let no_device = r#"{"Message":"ErrorCode:DeviceNotFound;d"}"#;
    assert_eq!(of("d/m", 404, no_device), "the hub hub has no `d`");
    let no_module = r#"{"Message":"ErrorCode:ModuleNotFound;m"}"#;
    assert_eq!(of("d/m", 404, no_module), "the hub hub has no `d/m`");
}

#[test]
fn the_advice_names_the_id_that_is_not_there() {
    let advice = |body: &str| OperatorError::refused("hub", "d/m", 404, body.as_bytes(), None).advice();
    assert_eq!(
        advice(r#"{"Message":"ErrorCode:ModuleNotFound;m"}"#),
        "the device `d` is there: check the module id; case matters"
    );
    assert_eq!(advice(r#"{"Message":"ErrorCode:DeviceNotFound;d"}"#), "check the device id; case matters");
}

#[test]
fn the_hub_s_words_are_kept() {
    assert_eq!(
        refused(400, r#"{"Message":"ErrorCode:ArgumentInvalid;The timeout is too long."}"#).to_string(),
        "the hub refused the request for `dev-01`: The timeout is too long. (ArgumentInvalid) (HTTP status 400)"
    );
    assert_eq!(
        refused(400, r#"{"message":"plain"}"#).to_string(),
        "the hub refused the request for `dev-01`: plain (HTTP status 400)"
    );
}

#[test]
fn a_busy_hub_says_how_long_it_wants_to_be_left_alone() {
    let wait = |status, headers: &[(&str, &str)]| {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        match refused(status, "{}").after(&headers.collect()) {
            OperatorError::Throttled { wait, .. } => wait,
            other => panic!("{other}"),
        }
    };
    assert_eq!(wait(429, &[("retry-after", "10")]), Some(Duration::from_secs(10)));
    assert_eq!(wait(429, &[("retry-after", "soon")]), None);
    assert_eq!(wait(429, &[]), None);
}

#[test]
fn a_skewed_clock_explains_a_refused_token() {
    let error = OperatorError::refused("hub", "d", 401, b"{}", Some(7200));
    assert!(error.advice().starts_with("this machine's clock is 2 h 00 min ahead"), "{}", error.advice());
}
