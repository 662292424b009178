//! MQTT over a web socket, frame by frame.

use super::*;

async fn websocket(cloud: &LocalCloud, path: &str) -> Wire {
    let mut wire = open(&client(cloud, BOTH, None), cloud.https_port()).await;
    say(&mut wire, upgrade(path, "mqtt").as_bytes()).await;
    let head = hear_until(&mut wire, |heard| heard.ends_with(b"\r\n\r\n")).await;
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // What paho compares, in small letters, line by line.
    let head = head.to_ascii_lowercase();
    for line in [
        "\r\nupgrade: websocket\r\n",
        "\r\nconnection: upgrade\r\n",
        "\r\nsec-websocket-protocol: mqtt\r\n",
        "\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    wire
}

#[tokio::test]
async fn mqtt_over_websocket_is_spoken_in_frames_however_packets_are_cut() {
    let cloud = cloud(Limits::default()).await;
    for path in ["/$iothub/websocket", "/%24iothub/websocket?iothub-no-client-cert=true"] {
        let mut wire = websocket(&cloud, path).await;
        let connect = connect(&cloud);
        let (first, second) = connect.split_at(7);
        // CONNECT in two frames and a continuation, the last with a PINGREQ behind it.
        let (second, third) = second.split_at(20);
        let third = [third, &[0xc0, 0]].concat();
        say(&mut wire, &frame(0x82, first)).await;
        say(&mut wire, &[frame(0x02, second), frame(0x89, b"hi"), frame(0x80, &third)].concat()).await;
        let mut packets = Vec::new();
        let mut pongs = Vec::new();
        while packets.len() < 6 {
            let head = hear(&mut wire, 2).await;
            let payload = hear(&mut wire, usize::from(head[1])).await;
            match head[0] {
                0x82 => packets.extend(payload),
                0x8a => pongs.extend(payload),
                other => panic!("a frame {other:#x}"),
            }
        }
        assert_eq!((packets, pongs), (vec![0x20, 2, 0, 0, 0xd0, 0], b"hi".to_vec()));
        say(&mut wire, &frame(0x88, &[3, 0xe8])).await;
        assert_eq!(hear(&mut wire, 4).await, [0x88, 2, 3, 0xe8], "the close is answered");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_text_frame_or_one_too_long_ends_a_websocket() {
    let cloud = cloud(Limits::default()).await;
    for bytes in
        [frame(0x81, b"text"), [vec![0x82, 0xff], (300_000_u64).to_be_bytes().to_vec(), vec![0; 4]].concat()]
    {
        let mut wire = websocket(&cloud, "/$iothub/websocket").await;
        say(&mut wire, &bytes).await;
        hear_end(&mut wire).await;
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_websocket_for_something_else_is_refused_by_name() {
    let cloud = cloud(Limits::default()).await;
    let connector = client(&cloud, BOTH, None);
    let plain = "GET /$iothub/websocket HTTP/1.1\r\nHost: h\r\n\r\n".to_owned();
    for (request, status, words) in [
        (upgrade("/$iothub/websocket", "AMQPWSB10"), "501", "AMQP"),
        (upgrade("/$servicebus/websocket/", "AMQPWSB10"), "501", "AMQP"),
        (upgrade("/$iothub/websocket", "chat"), "400", "Sec-WebSocket-Protocol: mqtt"),
        (upgrade("/elsewhere", "mqtt"), "404", "/$iothub/websocket"),
        (plain, "426", "Upgrade: websocket"),
    ] {
        let mut wire = open(&connector, cloud.https_port()).await;
        say(&mut wire, request.as_bytes()).await;
        let heard = hear_until(&mut wire, |heard| heard.ends_with(b"}")).await;
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")) && heard.contains(words), "{heard}");
    }
    cloud.stop().await;
}
