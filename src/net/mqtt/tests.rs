use futures_util::SinkExt as _;
use rumqttc::{ConnAck, SubAck};
use tokio::io::{DuplexStream, duplex};

use tokio::time::Instant;

use super::*;
use crate::net::testing::{framed, key, packet};

type Hub = Framed<DuplexStream, Codec>;

const WAIT: Duration = Duration::from_secs(30);

fn hello(keep_alive: u64) -> Hello {
    Hello {
        client_id: "dev-01".to_owned(),
        user_name: "hub/dev-01/?api-version=2021-04-12".to_owned(),
        password: Token::sign(&key(), "hub/devices/dev-01", 1_893_456_000, None),
        keep_alive: Duration::from_secs(keep_alive),
    }
}

async fn open(keep_alive: u64) -> (Session<DuplexStream>, Hub) {
    let (ours, theirs) = duplex(1024 * 1024);
    let mut hub = framed(theirs);
    let accept = async {
        let Packet::Connect(connect) = packet(&mut hub).await else { panic!("CONNECT first") };
        hub.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, true))).await.expect("CONNACK");
        connect
    };
    let (session, connect) = tokio::join!(Session::open(ours, hello(keep_alive), WAIT), accept);
    let (session, present) = session.expect("a session");
    assert!(present);
    assert!(!connect.clean_session);
    assert_eq!((connect.client_id.as_str(), u64::from(connect.keep_alive)), ("dev-01", keep_alive));
    (session, hub)
}

fn message(payload: &str) -> Publish {
    Publish::new("devices/dev-01/messages/events/", QoS::AtMostOnce, payload)
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_by_its_code() {
    let (ours, theirs) = duplex(4096);
    let mut hub = framed(theirs);
    let refuse = async {
        packet(&mut hub).await;
        hub.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::NotAuthorized, false))).await.expect("sent");
    };
    let (session, ()) = tokio::join!(Session::open(ours, hello(60), WAIT), refuse);
    assert!(matches!(session.err(), Some(SessionError::Refused(ConnectReturnCode::NotAuthorized))));
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_never_answers_is_given_up_after_the_time_allowed() {
    let (ours, _theirs) = duplex(4096);
    let began = Instant::now();
    let session = Session::open(ours, hello(60), WAIT).await;
    assert!(matches!(session.err(), Some(SessionError::NoAnswer { .. })));
    assert_eq!(began.elapsed(), WAIT);
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_find_their_tickets_in_any_order() {
    let (mut session, mut hub) = open(60).await;
    session.publish(message("a"), Some(Ticket(7))).await.expect("fed");
    session.publish(message("b"), Some(Ticket(8))).await.expect("fed");
    session.flush().await.expect("flushed");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let Packet::Publish(publish) = packet(&mut hub).await else { panic!("a message") };
        assert_eq!(publish.qos, QoS::AtLeastOnce);
        ids.push(publish.pkid);
    }
    for id in [ids[1], 99, ids[0]] {
        hub.send(Packet::PubAck(PubAck::new(id))).await.expect("sent");
    }
    assert_eq!(session.next().await.expect("received"), Received::Acknowledged(Ticket(8)));
    assert_eq!(session.next().await.expect("received"), Received::Acknowledged(Ticket(7)));
    assert_eq!(session.unacknowledged(), 0);
}

#[tokio::test(start_paused = true)]
async fn messages_before_suback_are_kept() {
    let (mut session, mut hub) = open(60).await;
    let answer = async {
        let Packet::Subscribe(subscribe) = packet(&mut hub).await else { panic!("SUBSCRIBE") };
        assert_eq!(subscribe.filters.len(), 2);
        hub.send(Packet::Publish(message("early"))).await.expect("sent");
        let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); 2];
        hub.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await.expect("sent");
    };
    let (early, ()) = tokio::join!(session.subscribe(&["a", "b"], WAIT), answer);
    assert_eq!(early.expect("subscribed"), [message("early")]);
}

#[tokio::test(start_paused = true)]
async fn a_ping_goes_out_only_when_nothing_was_sent() {
    let (mut session, mut hub) = open(60).await;
    let began = Instant::now();
    // Something is sent at 40 s, so the ping is due at 100 s.
    let quiet = timeout(Duration::from_secs(40), session.next()).await;
    assert!(quiet.is_err());
    session.publish(message("x"), None).await.expect("fed");
    session.flush().await.expect("flushed");
    let serve = async {
        assert!(matches!(packet(&mut hub).await, Packet::Publish(_)));
        assert_eq!(packet(&mut hub).await, Packet::PingReq);
        let at = began.elapsed().as_secs();
        hub.send(Packet::PingResp).await.expect("sent");
        assert_eq!(packet(&mut hub).await, Packet::PingReq);
        (at, began.elapsed().as_secs())
    };
    let pings = tokio::select! {
        _ = session.next() => panic!("nothing is received"),
        pings = serve => pings,
    };
    assert_eq!(pings, (100, 160));
}

#[tokio::test(start_paused = true)]
async fn short_keep_alives_are_kept_to() {
    let (mut session, mut hub) = open(5).await;
    let began = Instant::now();
    let serve = async {
        let mut at = Vec::new();
        for _ in 0..3 {
            assert_eq!(packet(&mut hub).await, Packet::PingReq);
            at.push(began.elapsed().as_secs());
            hub.send(Packet::PingResp).await.expect("sent");
        }
        at
    };
    let pings = tokio::select! {
        _ = session.next() => panic!("nothing is received"),
        pings = serve => pings,
    };
    assert_eq!(pings, [5, 10, 15]);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_answers_no_ping_counts_as_lost() {
    let (mut session, _hub) = open(60).await;
    let began = Instant::now();
    assert!(matches!(session.next().await, Err(SessionError::NoAnswer { .. })));
    assert_eq!(began.elapsed().as_secs(), 80);
}

#[tokio::test(start_paused = true)]
async fn a_short_keep_alive_finds_a_silent_hub_soon() {
    let (mut session, _hub) = open(5).await;
    let began = Instant::now();
    assert!(matches!(session.next().await, Err(SessionError::NoAnswer { .. })));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_takes_messages_and_acknowledges_none_is_asked_for_a_sign_of_life() {
    let (mut session, _hub) = open(60).await;
    let began = Instant::now();
    let lost = async {
        loop {
            session.publish(message("x"), Some(Ticket(1))).await.expect("fed");
            session.flush().await.expect("flushed");
            if let Ok(received) = timeout(Duration::from_secs(2), session.next()).await {
                return received;
            }
        }
    };
    assert!(lost.await.is_err());
    assert!(began.elapsed().as_secs() <= 84, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_leaves_the_session_standing() {
    let (mut session, mut hub) = open(60).await;
    let large = session.publish(message(&"x".repeat(MAX_PACKET)), Some(Ticket(1))).await;
    assert!(matches!(large, Err(SessionError::TooLarge { .. })));
    assert_eq!(session.unacknowledged(), 0);
    session.publish(message("small"), Some(Ticket(2))).await.expect("fed");
    session.flush().await.expect("flushed");
    assert!(matches!(packet(&mut hub).await, Packet::Publish(publish) if publish.payload == "small"));
}

#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_while_closing_is_not_lost() {
    let (mut session, mut hub) = open(60).await;
    session.publish(message("last"), Some(Ticket(3))).await.expect("fed");
    let serve = async {
        let Packet::Publish(publish) = packet(&mut hub).await else { panic!("a message") };
        assert_eq!(packet(&mut hub).await, Packet::Disconnect);
        hub.send(Packet::PubAck(PubAck::new(publish.pkid))).await.expect("sent");
        drop(hub);
    };
    let (acknowledged, ()) = tokio::join!(session.close(WAIT), serve);
    assert_eq!(acknowledged, [Ticket(3)]);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_mqtt_end_the_session() {
    use tokio::io::AsyncWriteExt as _;
    let (mut session, hub) = open(60).await;
    let mut raw = hub.into_inner();
    raw.write_all(&[0xff; 64]).await.expect("sent");
    let ended = session.next().await;
    assert!(matches!(ended, Err(SessionError::Codec(_) | SessionError::Protocol(_))), "{ended:?}");
}
