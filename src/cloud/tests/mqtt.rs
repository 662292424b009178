//! Connections of devices, packet by packet.

use super::*;

#[tokio::test]
async fn what_is_not_mqtt_is_closed_and_the_cloud_stays_up() {
    let cloud = cloud().await;
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0xff; 64],
        &[0x10, 0xff, 0xff, 0xff, 0x7f],
        &publish(1, "devices/d/messages/events/", b"{}"),
        b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01d",
        b"\xc0\x00",
    ] {
        let mut wire = Wire::mqtt(&cloud).await;
        wire.say(bytes).await;
        wire.hear_end().await;
    }
    online(&cloud).await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_refused_connect_has_its_return_code() {
    let cloud = cloud().await;
    let good = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", FAR, None);
    let group = Token::sign(&cloud.group_key(), "localhost/devices/d", FAR, None);
    let old = Token::sign(&cloud.group_key().derive("d"), "localhost/devices/d", 1_000_000, None);
    let user = "localhost/d/?api-version=2021-04-12";
    for (code, bytes) in [
        (1, b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x01d".to_vec()),
        (2, connect("other", user, good.reveal(), true)),
        (4, connect("d", "nonsense", good.reveal(), true)),
        (5, connect("d", user, group.reveal(), true)),
        (5, connect("d", user, old.reveal(), true)),
        (5, connect("d", "elsewhere/d/?api-version=2021-04-12", good.reveal(), true)),
        (5, connect("e", "localhost/e/?api-version=2021-04-12", good.reveal(), true)),
    ] {
        let mut wire = Wire::mqtt(&cloud).await;
        wire.say(&bytes).await;
        assert_eq!(wire.hear().await, (0x20, vec![0, code]));
        wire.hear_end().await;
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_connected_device_that_breaks_the_rules_is_closed() {
    let cloud = cloud().await;
    for bytes in [
        as_d(&cloud, false),
        publish(1, "devices/other/messages/events/", b"{}"),
        publish(1, "anything", b"{}"),
        publish(1, "devices/d/messages/events/a=%FF", b"{}"),
        packet(0x34, &[text("devices/d/messages/events/"), vec![0, 1]].concat()),
        publish(1, "devices/d/messages/events/", &vec![b'x'; 300_000]),
        vec![0x20, 2, 0, 0],
        vec![0x82, 0],
    ] {
        let mut wire = online(&cloud).await;
        // An oversize packet may be refused before it is written to its end.
        let _ = wire.0.write_all(&bytes).await;
        let _ = wire.0.flush().await;
        wire.hear_end().await;
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_second_connection_replaces_the_first_and_deleting_ends_it() {
    let cloud = cloud().await;
    let mut first = online(&cloud).await;
    let mut second = online(&cloud).await;
    first.hear_end().await;
    let token = service(&cloud);
    let (status, _) = request(&cloud, "DELETE /devices/d?api-version=2021-04-12", &token, "", "").await;
    assert_eq!(status, 204);
    second.hear_end().await;
    cloud.stop().await;
}
