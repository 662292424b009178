//! Frames that RFC 6455 forbids, or MQTT over WebSocket.

use std::io::{Read as _, Write as _};

use super::super::raw::{Connect, Secured, Victim, WELCOME, soon, until_the_end};

const MIB: usize = 1 << 20;
const BINARY: u8 = 0x82;

/// A masked frame, as clients send them. RFC 6455, section 5.2.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = declared(first, u64::try_from(payload.len()).expect("a length"));
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The head of a masked frame that says how long it is going to be, without its mask.
fn declared(first: u8, length: u64) -> Vec<u8> {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => vec![first, 0x80 | short],
        (_, Ok(middle)) => [&[first, 0x80 | 126][..], &middle.to_be_bytes()].concat(),
        _ => [&[first, 0x80 | 127][..], &length.to_be_bytes()].concat(),
    }
}

/// A WebSocket, its handshake done.
fn opened(victim: &Victim) -> Secured {
    let mut stream = victim.doors.secured(victim.doors.https);
    let request = "GET /$iothub/websocket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
         connection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: mqtt\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

#[test]
fn frames_that_are_not_to_be_end_the_connection() {
    let victim = Victim::new();
    let connect = Connect::of(&victim.cloud, "bad").packet();
    let huge = |length| [declared(BINARY, length), vec![0; 4]].concat();
    let welcomed = |bytes: Vec<u8>| [frame(BINARY, &connect), bytes].concat();
    let fragments = frame(0x02, &vec![0x10; 200_000]);
    for (what, bytes, let_in) in [
        ("a text frame", frame(0x81, b"hello"), false),
        ("a text frame that is not UTF-8", frame(0x81, b"\xff\xfe"), false),
        ("an unmasked frame", [&[BINARY, 0x03][..], b"abc"].concat(), false),
        ("a frame of 1 GB", huge(1 << 30), false),
        ("a frame of 300 KB", huge(300_000), false),
        ("a frame of the largest length", huge(u64::MAX), false),
        ("a length with its highest bit", huge(1 << 63), false),
        ("a ping in fragments", frame(0x09, b"x"), false),
        ("a close in fragments", frame(0x08, b"\x03\xe8"), false),
        ("a ping of 126 bytes", frame(0x89, &[b'x'; 126]), false),
        ("a close of one byte", frame(0x88, b"x"), false),
        ("a close whose code may not be sent", frame(0x88, b"\x03\xed"), false),
        ("a continuation of nothing", frame(0x80, b"x"), false),
        ("a second beginning", [frame(0x02, b"\x10"), frame(BINARY, b"\x00")].concat(), false),
        ("an unknown kind of frame", frame(0x83, b"x"), false),
        ("an unknown kind of control frame", frame(0x8b, b"x"), false),
        ("reserved bits", frame(BINARY | 0x40, b"x"), false),
        (
            "fragments larger than a frame may be",
            [fragments.clone(), frame(0x00, &vec![0; 200_000])].concat(),
            false,
        ),
        ("bytes that are no frames", vec![0xff; 512], false),
        ("HTTP again", b"GET /health HTTP/1.1\r\n\r\n".to_vec(), false),
        ("an MQTT packet that is not to be", frame(BINARY, &[0; 16]), false),
        ("a text frame of a device", welcomed(frame(0x81, b"hello")), true),
        ("CONNECT twice over two frames", welcomed(frame(BINARY, &connect)), true),
        ("an unmasked frame of a device", welcomed(vec![BINARY, 0x01, 0xc0]), true),
        ("a huge frame of a device", welcomed(huge(1 << 40)), true),
    ] {
        let mut stream = opened(&victim);
        let said = soon(what, || {
            let _ = stream.write_all(&bytes);
            until_the_end(&mut stream)
        });
        let welcome = [&[BINARY, 4][..], WELCOME].concat();
        assert_eq!(said.starts_with(&welcome), let_in, "{what}: {said:02x?}");
        // At most a close frame is to be added.
        assert!(said.len() < 200, "{what}: {said:02x?}");
        victim.serves_after(what);
    }
    victim.holds_at_most(64 * MIB);
}

#[test]
fn packets_in_single_bytes_over_frames_with_pings_between_them_are_taken() {
    let victim = Victim::new();
    let mut stream = opened(&victim);
    let mut bytes = Vec::new();
    for byte in Connect::of(&victim.cloud, "bad").packet() {
        bytes.extend(frame(BINARY, &[byte]));
        bytes.extend(frame(0x89, b""));
        bytes.extend(frame(0x02, &[]));
        bytes.extend(frame(0x80, &[]));
    }
    bytes.extend(frame(BINARY, &[0xe0, 0x00]));
    stream.write_all(&bytes).expect("sent");
    let said = until_the_end(&mut stream);
    assert!(said.windows(WELCOME.len()).any(|window| window == WELCOME), "{said:02x?}");
    victim.serves_after("a device of many frames");
}

#[test]
fn a_thousand_pings_whose_answers_nobody_reads_are_no_burden() {
    let victim = Victim::new();
    let mut stream = opened(&victim);
    let pings = frame(0x89, &[b'x'; 125]).repeat(1000);
    for _ in 0..20 {
        if stream.write_all(&pings).is_err() {
            break;
        }
    }
    victim.serves_after("pings without end");
    victim.holds_at_most(64 * MIB);
}
