//! Packets that MQTT 3.1.1 forbids, or IoT Hub.

use std::io::Write as _;

use super::super::raw::{
    Connect, Victim, WELCOME, head, packet, publish, soon, subscribe, text, until_the_end,
};

/// Not UTF-8: the first byte of two, and no second.
const BROKEN: &[u8] = b"bad\xc3";
const MIB: usize = 1 << 20;

/// What is not taken as the first packet, and what is answered before the end.
fn first_packets(good: &Connect) -> Vec<(&'static str, Vec<u8>, &'static [u8])> {
    let with = |change: &dyn Fn(&mut Connect)| {
        let mut connect = good.clone();
        change(&mut connect);
        connect.packet()
    };
    let packed = good.packet();
    let mut cut = packed.clone();
    cut.truncate(packed.len() - 5);
    let mut too_short = packed.clone();
    too_short[1] -= 1;
    let body = &packed[3..];
    vec![
        ("nothing but zeros", vec![0; 64], b""),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), b""),
        ("PINGREQ first", packet(0xc0, &[]), b""),
        ("PUBLISH first", publish("devices/bad/messages/events/", 1, 1, b"{}"), b""),
        ("a server's packet first", WELCOME.to_vec(), b""),
        ("CONNECT of 200 MB", head(0x10, 200_000_000), b""),
        ("CONNECT of 300 KB", head(0x10, 300_000), b""),
        ("a length in five bytes", b"\x10\xff\xff\xff\xff\x01".to_vec(), b""),
        ("CONNECT without content", packet(0x10, &[]), b""),
        ("CONNECT that ends in its name", packet(0x10, &body[..4]), b""),
        ("CONNECT that ends in its client id", packet(0x10, &body[..12]), b""),
        ("CONNECT whose password is longer than it", too_short, b""),
        ("CONNECT with more behind it", packet(0x10, &[body, b"more"].concat()), b""),
        ("CONNECT with flags in its first byte", packet(0x11, body), b""),
        (
            "MQTT 3.1",
            with(&|connect| (connect.protocol, connect.level) = (b"MQIsdp".to_vec(), 3)),
            b"\x20\x02\x00\x01",
        ),
        ("MQTT 5", with(&|connect| connect.level = 5), b"\x20\x02\x00\x01"),
        ("another protocol", with(&|connect| connect.protocol = b"MQTX".to_vec()), b""),
        ("the reserved flag", with(&|connect| connect.flags |= 1), b""),
        (
            "a will of quality 3",
            with(&|connect| {
                connect.flags |= 0x1c;
                connect.will = Some((b"devices/bad/messages/events/".to_vec(), b"x".to_vec()));
            }),
            b"",
        ),
        ("a will's quality without a will", with(&|connect| connect.flags |= 0x08), b""),
        ("a will's retain without a will", with(&|connect| connect.flags |= 0x20), b""),
        (
            "a will to another device's topic",
            with(&|connect| {
                connect.flags |= 0x04;
                connect.will = Some((b"devices/other/messages/events/".to_vec(), b"x".to_vec()));
            }),
            b"",
        ),
        ("a client id that is not UTF-8", with(&|connect| connect.client = BROKEN.to_vec()), b""),
        ("a client id with a NUL", with(&|connect| connect.client = b"bad\0".to_vec()), b"\x20\x02\x00\x02"),
        ("a user name that is not UTF-8", with(&|connect| connect.user.push(0xff)), b""),
        (
            "a will topic that is not UTF-8",
            with(&|connect| {
                connect.flags |= 0x04;
                connect.will = Some((BROKEN.to_vec(), b"x".to_vec()));
            }),
            b"",
        ),
        ("an empty client id", with(&|connect| connect.client.clear()), b"\x20\x02\x00\x02"),
        (
            "another device's client id",
            with(&|connect| connect.client = b"other".to_vec()),
            b"\x20\x02\x00\x02",
        ),
        ("a token of 60 KB", with(&|connect| connect.password = vec![b'x'; 60_000]), b"\x20\x02\x00\x05"),
    ]
}

#[test]
fn what_is_no_good_connect_ends_at_once() {
    let victim = Victim::new();
    let good = Connect::of(&victim.cloud, "bad");
    let mut wrong = Vec::new();
    for (what, bytes, answer) in first_packets(&good) {
        let said = victim.doors.ended(victim.doors.mqtt, &bytes);
        if said.as_deref() != Some(answer) {
            wrong.push((what, said));
        }
        victim.serves_after(what);
    }
    assert!(wrong.is_empty(), "otherwise answered, or not ended: {wrong:02x?}");
    victim.holds_at_most(64 * MIB);
}

/// What ends the connection of a device that has been let in.
fn later_packets() -> Vec<(&'static str, Vec<u8>)> {
    let own = "devices/bad/messages/events/";
    let id = [0, 1];
    let broken = text(BROKEN);
    vec![
        ("CONNECT again", packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01d")),
        ("a zero-length topic", publish("", 1, 1, b"x")),
        ("a topic longer than its packet", packet(0x30, b"\x00\x09devices")),
        ("a topic that is not UTF-8", packet(0x30, &broken)),
        ("a topic with a NUL", publish("devices/bad/\0", 1, 1, b"x")),
        ("a topic with a wildcard", publish("$iothub/+", 1, 1, b"x")),
        ("packet id 0", publish(own, 1, 0, b"x")),
        ("no packet id", packet(0x32, &text(own))),
        ("quality 2", publish(own, 2, 1, b"x")),
        ("quality 3", publish(own, 3, 1, b"x")),
        ("PUBLISH of 200 MB", head(0x30, 200_000_000)),
        ("PUBLISH of 300 KB", head(0x32, 300_000)),
        ("a length in five bytes", b"\x30\xff\xff\xff\xff\x01".to_vec()),
        ("SUBSCRIBE with no filters", packet(0x82, &id)),
        ("SUBSCRIBE with packet id 0", packet(0x82, &[&[0, 0][..], &text("x"), &[1]].concat())),
        ("SUBSCRIBE with an empty filter", packet(0x82, &[&id[..], &text(""), &[1]].concat())),
        ("SUBSCRIBE with quality 3", packet(0x82, &[&id[..], &text("x"), &[3]].concat())),
        ("SUBSCRIBE with reserved bits", packet(0x82, &[&id[..], &text("x"), &[0x81]].concat())),
        ("SUBSCRIBE without a quality", packet(0x82, &[&id[..], &text("x")].concat())),
        ("SUBSCRIBE with wrong flags", packet(0x80, &[&id[..], &text("x"), &[1]].concat())),
        ("SUBSCRIBE that is not UTF-8", packet(0x82, &[&id[..], &broken, &[1]].concat())),
        ("SUBSCRIBE that is cut off", packet(0x82, &[0])),
        ("UNSUBSCRIBE with no filters", packet(0xa2, &id)),
        ("UNSUBSCRIBE with wrong flags", packet(0xa0, &[&id[..], &text("x")].concat())),
        ("UNSUBSCRIBE with packet id 0", packet(0xa2, &[&[0, 0][..], &text("x")].concat())),
        ("PUBACK of packet id 0", packet(0x40, &[0, 0])),
        ("PUBACK of one byte", packet(0x40, &[0])),
        ("PUBACK of nothing", packet(0x40, &[])),
        ("PUBACK of three bytes", packet(0x40, &[0, 1, 0])),
        ("PUBACK with flags", packet(0x41, &id)),
        ("PUBREC", packet(0x50, &id)),
        ("PUBREL", packet(0x62, &id)),
        ("PUBCOMP", packet(0x70, &id)),
        ("PINGREQ with flags", packet(0xc1, &[])),
        ("PINGREQ with content", packet(0xc0, &[0])),
        ("DISCONNECT with flags", packet(0xe1, &[])),
        ("DISCONNECT with content", packet(0xe0, &[0])),
        ("CONNACK", WELCOME.to_vec()),
        ("SUBACK", packet(0x90, &[0, 1, 0])),
        ("UNSUBACK", packet(0xb0, &id)),
        ("PINGRESP", packet(0xd0, &[])),
        ("type 0", packet(0x00, &[])),
        ("type 15", packet(0xf0, &[])),
        ("another device's topic", publish("devices/other/messages/events/", 1, 1, b"{}")),
        ("a topic of nobody's", publish("sensors/temperature", 1, 1, b"{}")),
    ]
}

#[test]
fn what_is_no_good_packet_ends_a_device_s_connection_at_once() {
    let victim = Victim::new();
    let connect = Connect::of(&victim.cloud, "bad").packet();
    let mut wrong = Vec::new();
    for (what, bytes) in later_packets() {
        let bytes = [&connect, &bytes[..]].concat();
        let said = victim.doors.ended(victim.doors.mqtt, &bytes);
        if said.as_deref() != Some(WELCOME) {
            wrong.push((what, said));
        }
        victim.serves_after(what);
    }
    assert!(wrong.is_empty(), "otherwise answered, or not ended: {wrong:02x?}");
    victim.holds_at_most(64 * MIB);
}

#[test]
fn what_breaks_off_anywhere_leaves_nothing_behind() {
    let victim = Victim::new();
    let connect = Connect::of(&victim.cloud, "bad").packet();
    let message = publish("devices/bad/messages/events/", 1, 1, b"{\"temperature\": 21.5}");
    let filter = subscribe("$iothub/twin/res/#");
    for packets in [vec![connect.clone()], vec![connect.clone(), message], vec![connect, filter]] {
        let (last, before) = packets.split_last().expect("a packet");
        for cut in (1..last.len()).step_by(7) {
            let mut stream = victim.doors.secured(victim.doors.mqtt);
            let bytes = [&before.concat(), &last[..cut]].concat();
            stream.write_all(&bytes).expect("sent");
            stream.conn.send_close_notify();
            stream.flush().expect("sent");
            let said = soon("the end", || until_the_end(&mut stream));
            assert_eq!(said, if before.is_empty() { b"" } else { WELCOME }, "cut at {cut}");
        }
    }
    victim.serves_after("many broken connections");
    victim.holds_at_most(64 * MIB);
}
