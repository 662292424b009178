//! What one device sees of another: nothing.

use std::io::{Read as _, Write as _};

use super::super::raw::{
    Connect, Secured, Victim, WELCOME, packet, publish, service_token, soon, subscribe, until_the_end,
};

fn connected(victim: &Victim, device: &str) -> Secured {
    let mut stream = victim.doors.secured(victim.doors.mqtt);
    stream.write_all(&Connect::of(&victim.cloud, device).packet()).expect("sent");
    expect(&mut stream, WELCOME);
    stream
}

#[track_caller]
fn expect(stream: &mut Secured, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).expect("an answer");
    assert_eq!(read, bytes);
}

/// Reads one PUBLISH with quality 1: its topic and its body.
fn publication(stream: &mut Secured) -> (String, Vec<u8>) {
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("a packet");
    assert_eq!(byte[0] & 0xf6, 0x32, "a PUBLISH with quality 1");
    let (mut length, mut shift) = (0, 0);
    loop {
        stream.read_exact(&mut byte).expect("a length");
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).expect("the packet");
    let topic = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    (String::from_utf8_lossy(&rest[2..2 + topic]).into_owned(), rest[4 + topic..].to_vec())
}

#[test]
fn a_device_never_gets_what_is_another_s_whatever_it_subscribes_to() {
    let victim = Victim::new();
    let token = service_token(&victim.cloud, "serviceConnectionString");
    let (mut bad, mut other) = (connected(&victim, "bad"), connected(&victim, "other"));
    let filters = [
        "#",
        "+/+/+/+/+",
        "$iothub/#",
        "devices/#",
        "devices/+/messages/devicebound/#",
        "devices/other/#",
        "devices/other/messages/devicebound/#",
        "devices/other/messages/events/#",
        "devices/other/modules/+/inputs/#",
        "devices/bad/../other/messages/devicebound/#",
        "$iothub/twin/PATCH/properties/desired/#",
        "$iothub/methods/POST/#",
        "$iothub/twin/res/#",
    ];
    for filter in filters {
        bad.write_all(&subscribe(filter)).expect("sent");
        let mut answer = [0; 5];
        bad.read_exact(&mut answer).expect("SUBACK");
        assert_eq!(answer[..4], [0x90, 3, 0, 1], "{filter}");
    }
    for filter in [
        "devices/other/messages/devicebound/#",
        "$iothub/twin/PATCH/properties/desired/#",
        "$iothub/methods/POST/#",
    ] {
        other.write_all(&subscribe(filter)).expect("sent");
        expect(&mut other, &[0x90, 3, 0, 1, 1]);
    }

    let request = |target: &str, body: &str| {
        let request = format!(
            "{target}?api-version=2021-04-12 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let said = victim.doors.said(victim.doors.https, request.as_bytes());
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.starts_with("HTTP/1.1 20"), "{said}");
    };
    request("POST /envsim/devices/other/messages", r#"{"body": "for other"}"#);
    let (topic, body) = publication(&mut other);
    assert!(topic.starts_with("devices/other/messages/devicebound/"), "{topic}");
    assert_eq!(body, b"for other");
    request("PATCH /twins/other", r#"{"properties": {"desired": {"secret": 1}}}"#);
    let (topic, _) = publication(&mut other);
    assert!(topic.starts_with("$iothub/twin/PATCH/properties/desired/"), "{topic}");
    other.write_all(&publish("devices/other/messages/events/", 1, 3, b"{}")).expect("sent");
    expect(&mut other, b"\x40\x02\x00\x03");

    // Whatever was meant for `other` is with it. What `bad` has is the answer to its own next packet.
    bad.write_all(&publish("devices/bad/messages/events/", 1, 9, b"{}")).expect("sent");
    expect(&mut bad, b"\x40\x02\x00\x09");
    bad.write_all(&packet(0xe0, &[])).expect("sent");
    assert_eq!(until_the_end(&mut bad), b"");
}

#[test]
fn publishing_as_another_ends_the_connection() {
    let victim = Victim::new();
    for topic in [
        "devices/other/messages/events/",
        "devices/other/messages/events",
        "devices/bad/modules/m/messages/events/",
        "devices/other/modules/m/messages/events/",
        "devices/bad/../other/messages/events/",
        "devices/other/messages/devicebound/",
        "$dps/registrations/PUT/iotdps-register/?$rid=1",
    ] {
        for quality in [0, 1] {
            let mut stream = connected(&victim, "bad");
            stream.write_all(&publish(topic, quality, 1, b"{}")).expect("sent");
            assert_eq!(soon(topic, || until_the_end(&mut stream)), b"", "{topic}");
        }
    }
    victim.serves_after("many attempts to be another");
}

#[test]
fn a_session_is_its_own_device_s() {
    let victim = Victim::new();
    // `other` leaves a session with a subscription and a message waiting.
    let mut kept = Connect::of(&victim.cloud, "other");
    kept.flags = 0xc0;
    let mut other = victim.doors.secured(victim.doors.mqtt);
    other.write_all(&kept.packet()).expect("sent");
    expect(&mut other, WELCOME);
    other.write_all(&subscribe("devices/other/messages/devicebound/#")).expect("sent");
    expect(&mut other, &[0x90, 3, 0, 1, 1]);
    other.write_all(&packet(0xe0, &[])).expect("sent");
    until_the_end(&mut other);
    victim.cloud.hub(&["send", "other", "--text", "for other"]);

    // `bad` comes under that client id, with its own user name and token, and the other way round.
    let own = Connect::of(&victim.cloud, "bad");
    for (client, user) in [
        (kept.client.clone(), own.user.clone()),
        (own.client.clone(), kept.user.clone()),
        (kept.client.clone(), kept.user.clone()),
    ] {
        let stolen = Connect { client, user, flags: 0xc0, ..own.clone() };
        let said = soon("a stolen name", || victim.doors.said(victim.doors.mqtt, &stolen.packet()));
        assert_eq!(said.get(..3), Some(&[0x20, 2, 0][..]), "{said:02x?}");
        assert!(said.len() == 4 && said[3] != 0, "{said:02x?}");
    }
}
