//! Packets on a stream, as they come: in parts, together, at once with the end.

use futures_util::FutureExt as _;
use rumqttc::mqttbytes::v4::Packet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::link::Link;

const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01d";
const PING: &[u8] = b"\xc0\x00";

#[tokio::test]
async fn a_packet_in_parts_is_taken_when_it_is_whole() {
    let (mut far, near) = duplex(64);
    let mut link = Link::new(near);
    for byte in &CONNECT[..CONNECT.len() - 1] {
        far.write_all(&[*byte]).await.expect("written");
        link.arrive().await.expect("a byte");
        assert!(matches!(link.take(), Ok(None)));
    }
    far.write_all(&CONNECT[CONNECT.len() - 1..]).await.expect("written");
    assert!(matches!(link.next().await, Ok(Some(Packet::Connect(_)))));
}

#[tokio::test]
async fn all_that_is_there_is_taken_in_at_once_and_answered_in_one_piece() {
    let (mut far, near) = duplex(128 * 1024);
    let mut link = Link::new(near);
    far.write_all(&[CONNECT, PING, PING].concat()).await.expect("written");
    link.arrive().await.expect("packets");
    let mut taken = 0;
    while let Ok(Some(_)) = link.take() {
        taken += 1;
        link.put(Packet::PingResp).expect("a short packet");
    }
    assert_eq!(taken, 3);
    assert!(link.arrive().now_or_never().is_none(), "there is no more");
    link.flush().await.expect("written");
    let mut answers = [0; 16];
    assert_eq!(far.read(&mut answers).await.expect("answers"), 6);
}

#[tokio::test]
async fn a_client_that_never_stops_is_handled_in_between() {
    let (mut far, near) = duplex(1024 * 1024);
    let mut link = Link::new(near);
    far.write_all(&[CONNECT, &PING.repeat(400_000)].concat()).await.expect("written");
    link.arrive().await.expect("packets");
    let mut taken = 0;
    while let Ok(Some(_)) = link.take() {
        taken += 1;
    }
    assert!((1_000..400_000).contains(&taken), "{taken}");
    while let Some(_packet) = link.arrive().now_or_never().map(|_| ()) {
        while let Ok(Some(_)) = link.take() {
            taken += 1;
        }
    }
    assert_eq!(taken, 400_001, "nothing is lost");
}

#[tokio::test]
async fn what_came_before_the_end_is_taken_first() {
    let (mut far, near) = duplex(64);
    let mut link = Link::new(near);
    far.write_all(&[CONNECT, PING].concat()).await.expect("written");
    drop(far);
    assert!(matches!(link.next().await, Ok(Some(Packet::Connect(_)))));
    assert!(matches!(link.next().await, Ok(Some(Packet::PingReq))));
    assert!(matches!(link.next().await, Ok(None)));
    assert!(link.has_ended());
}
