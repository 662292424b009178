//! Requests that HTTP/1.1 forbids, and bodies that are no JSON.

use std::io::Write as _;

use super::super::raw::{Victim, registration_token, service_token, soon, until_the_end};

const MIB: usize = 1 << 20;

/// The status of the first answer; 0 when there is none.
fn status(said: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(said);
    text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or_default()
}

#[test]
fn heads_that_are_no_heads_are_refused() {
    let victim = Victim::new();
    let long = |count: usize| "x".repeat(count);
    let get = |more: &str| format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{more}\r\n").into_bytes();
    let put = |more: &str| format!("PUT /devices/d HTTP/1.1\r\nhost: localhost\r\n{more}").into_bytes();
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("garbage", vec![0xff; 100], &[0, 400]),
        ("no version", b"GET /health\r\n\r\n".to_vec(), &[400]),
        ("another protocol", b"GET /health FTP/1.1\r\n\r\n".to_vec(), &[400]),
        ("HTTP/2 in advance", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[0, 400, 505]),
        ("HTTP/9.9", b"GET /health HTTP/9.9\r\n\r\n".to_vec(), &[400]),
        ("no path", b"GET  HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        ("a path of 70 KB", format!("GET /{} HTTP/1.1\r\n\r\n", long(70_000)).into_bytes(), &[414, 431]),
        ("a header of 100 KB", get(&format!("x: {}\r\n", long(100_000))), &[431]),
        ("a thousand headers", get(&"x: y\r\n".repeat(1000)), &[431]),
        ("a header without a colon", get("nonsense\r\n"), &[400]),
        ("a header with a space in its name", get("a b: c\r\n"), &[400]),
        ("a header with a NUL", get("a: b\0c\r\n"), &[400]),
        ("a negative length", put("content-length: -1\r\n\r\n"), &[400]),
        ("a length that is no number", put("content-length: many\r\n\r\n"), &[400]),
        ("a length beyond all numbers", put("content-length: 99999999999999999999999\r\n\r\n"), &[400]),
        ("a length beyond reason", put("content-length: 99999999999\r\n\r\n"), &[413]),
        ("two lengths", put("content-length: 2\r\ncontent-length: 3\r\n\r\n{}x"), &[400]),
        ("a list of lengths", put("content-length: 2, 3\r\n\r\n{}x"), &[400]),
        ("a coding that nobody knows", put("transfer-encoding: gzip\r\n\r\n"), &[400, 501]),
        ("chunked not last", put("transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), &[400, 501]),
        ("a chunk without a size", put("transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), &[0, 400]),
        (
            "a chunk's size beyond all numbers",
            put("transfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\n"),
            &[0, 400],
        ),
        (
            "a chunk that is longer than it says",
            put("transfer-encoding: chunked\r\n\r\n1\r\n{}{}\r\n0\r\n\r\n"),
            &[0, 400],
        ),
        (
            "a target that is not UTF-8",
            b"GET /devices/%FF%FE HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a target with a raw byte",
            b"GET /\xff HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_vec(),
            &[400],
        ),
    ];
    for (what, bytes, wanted) in cases {
        let said = soon(what, || victim.doors.said(victim.doors.https, &bytes));
        assert!(wanted.contains(&status(&said)), "{what}: {}", String::from_utf8_lossy(&said));
        victim.serves_after(what);
    }
    victim.holds_at_most(64 * MIB);
}

/// RFC 9112, section 6.3: where both are there, the coding counts, and what follows is another
/// request: never the body's end by one count and a request by the other.
#[test]
fn a_length_beside_a_coding_hides_no_request() {
    let victim = Victim::new();
    let request = "PUT /devices/d HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nhost: localhost\r\n\
         connection: close\r\n\r\n";
    let said = victim.doors.said(victim.doors.https, request.as_bytes());
    let text = String::from_utf8_lossy(&said).into_owned();
    let answers: Vec<_> = text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    // The first is refused for its lack of a token, or for being ambiguous.
    assert!(matches!(answers.as_slice(), ["400" | "401"] | ["401", "200"]), "{text}");
    victim.serves_after("two lengths of one body");
}

/// Whose token a path asks for.
enum Whose {
    Hub,
    Provisioning,
    Device,
}

/// A path of every family that reads a JSON body.
const READERS: &[(&str, &str, Whose)] = &[
    ("PUT", "/devices/d", Whose::Hub),
    ("PUT", "/devices/bad/modules/m", Whose::Hub),
    ("POST", "/devices", Whose::Hub),
    ("POST", "/devices/query", Whose::Hub),
    ("PATCH", "/twins/bad", Whose::Hub),
    ("PUT", "/twins/bad", Whose::Hub),
    ("POST", "/twins/bad/methods", Whose::Hub),
    ("POST", "/envsim/devices/bad/messages", Whose::Hub),
    ("PUT", "/envsim/faults", Whose::Hub),
    ("PUT", "/jobs/v2/j", Whose::Hub),
    ("PUT", "/configurations/c", Whose::Hub),
    ("POST", "/configurations/testQueries", Whose::Hub),
    ("POST", "/devices/bad/applyConfigurationContent", Whose::Hub),
    ("PUT", "/enrollments/e", Whose::Provisioning),
    ("PUT", "/enrollmentGroups/g", Whose::Provisioning),
    ("POST", "/enrollments", Whose::Provisioning),
    ("POST", "/enrollments/query", Whose::Provisioning),
    ("POST", "/enrollmentGroups/query", Whose::Provisioning),
    ("PUT", "/0ne00000000/registrations/bad/register", Whose::Device),
];

/// Bodies that are no JSON, or none that anybody could mean, and the statuses that may answer them.
fn bodies() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let deep = |open: &str, close: &str| [open.repeat(10_000), close.repeat(10_000)].concat().into_bytes();
    vec![
        ("arrays in arrays", deep("[", "]"), &[400]),
        ("arrays that do not end", "[".repeat(50_000).into_bytes(), &[400]),
        ("objects in objects", deep("{\"a\":", "}"), &[400]),
        ("NaN", b"{\"a\": NaN}".to_vec(), &[400]),
        ("a number beyond all", b"{\"a\": 1e999999}".to_vec(), &[400]),
        (
            "the same member twice",
            b"{\"a\": 1, \"a\": 2, \"deviceId\": 1, \"deviceId\": 2}".to_vec(),
            &[200, 400, 501],
        ),
        ("a lone surrogate", b"{\"a\": \"\\ud800\"}".to_vec(), &[400]),
        ("a NUL", b"{\"a\": \"\0\"}".to_vec(), &[400]),
        ("not UTF-8", b"{\"a\": \"\xff\"}".to_vec(), &[400]),
        ("half of it", b"{\"a\": ".to_vec(), &[400]),
        ("a number", b"17".to_vec(), &[400]),
        ("null", b"null".to_vec(), &[400]),
        ("5 MB", [&b"{\"a\": \""[..], &vec![b'x'; 5 * MIB], b"\"}"].concat(), &[413]),
    ]
}

#[test]
fn bodies_that_are_no_json_are_refused_on_every_route() {
    let victim = Victim::new();
    let hub = service_token(&victim.cloud, "serviceConnectionString");
    let provisioning = service_token(&victim.cloud, "provisioningServiceConnectionString");
    let bodies = bodies();
    let mut wrong = Vec::new();
    let scope = victim.cloud.text("idScope");
    let registration = registration_token(&victim.cloud, "bad");
    for (method, path, whose) in READERS {
        let path = path.replace("0ne00000000", scope);
        let token = match whose {
            Whose::Hub => &hub,
            Whose::Provisioning => &provisioning,
            Whose::Device => &registration,
        };
        for (what, body, wanted) in &bodies {
            let what = format!("{method} {path} with {what}");
            let head = format!(
                "{method} {path}?api-version=2021-04-12 HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\
                 content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let bytes = [head.as_bytes(), body].concat();
            let said = soon(&what, || victim.doors.said(victim.doors.https, &bytes));
            if !wanted.contains(&status(&said)) {
                wrong.push((what, String::from_utf8_lossy(&said).into_owned()));
            }
        }
        victim.serves_after(&path);
    }
    assert!(wrong.is_empty(), "otherwise answered: {wrong:#?}");
    victim.holds_at_most(96 * MIB);
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let victim = Victim::new();
    let token = service_token(&victim.cloud, "serviceConnectionString");
    let head = |target: &str, more: &str| {
        format!(
            "{target}?api-version=2021-04-12 HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n{more}\r\n"
        )
    };
    // The whole of the object has come, the whole of the body has not.
    let half = head("PUT /devices/half", "content-length: 100\r\n") + "{\"deviceId\": \"half\"}";
    let mut stream = victim.doors.secured(victim.doors.https);
    stream.write_all(half.as_bytes()).expect("sent");
    stream.conn.send_close_notify();
    stream.flush().expect("sent");
    until_the_end(&mut stream);
    let show = head("GET /devices/half", "connection: close\r\n");
    assert_eq!(status(&victim.doors.said(victim.doors.https, show.as_bytes())), 404);
    victim.serves_after("a body that broke off");
}

/// A member that is passed over would make a device that is not the one that was asked for.
#[test]
fn members_of_another_type_are_refused_and_make_no_device() {
    let victim = Victim::new();
    let token = service_token(&victim.cloud, "serviceConnectionString");
    let request = |target: &str, body: &str| {
        let request = format!(
            "{target}?api-version=2021-04-12 HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        victim.doors.said(victim.doors.https, request.as_bytes())
    };
    for body in [
        r#"{"deviceId": 2}"#,
        r#"{"deviceId": "new", "status": false}"#,
        r#"{"deviceId": "new", "statusReason": 5}"#,
        r#"{"deviceId": "new", "authentication": "sas"}"#,
        r#"{"deviceId": "new", "authentication": {"type": 1}}"#,
        r#"{"deviceId": "new", "authentication": {"symmetricKey": "key"}}"#,
        r#"{"deviceId": "new", "authentication": {"symmetricKey": {"primaryKey": 1, "secondaryKey": 2}}}"#,
        r#"{"deviceId": "new", "authentication": {"type": "selfSigned", "x509Thumbprint": ["00"]}}"#,
    ] {
        let said = request("PUT /devices/new", body);
        assert_eq!(status(&said), 400, "{body}: {}", String::from_utf8_lossy(&said));
    }
    assert_eq!(status(&request("GET /devices/new", "")), 404);
    // Null is none, as SDKs send it.
    let nulls = r#"{"deviceId": "new", "moduleId": null, "status": null, "authentication": {"type": null,
        "symmetricKey": {"primaryKey": null, "secondaryKey": null}, "x509Thumbprint": null}}"#;
    assert_eq!(status(&request("PUT /devices/new", nulls)), 200);
}
