use futures_util::{SinkExt as _, StreamExt as _};
use rumqttc::{Codec, ConnAck, ConnectReturnCode, Packet, PubAck, Publish, QoS, SubAck, SubscribeReasonCode};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::codec::Framed;

use super::*;
use crate::device::{Call, FailureKind, Inbound, Message, Reply, Ticket};
use crate::net::LinkEvent;
use crate::net::testing::{Hub, key, packet};
use crate::wire::sas::Presented;

type Connection = Framed<TlsStream<TcpStream>, Codec>;

struct Device {
    handle: LinkHandle,
    inputs: mpsc::Receiver<LinkEvent>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

fn options(trust: Trust) -> LinkOptions {
    LinkOptions {
        slot: 3,
        provisioning: None,
        key: key(),
        module: None,
        inputs: false,
        gateway: None,
        model_id: Some("dtmi:com:contoso:EnvSensor;1".to_owned()),
        keep_alive: Duration::from_secs(60),
        sas_ttl: Duration::from_secs(3600),
        mqtt_port: 8883,
        trust,
        keep_packets: true,
    }
}

impl Device {
    fn start(trust: Trust) -> Self {
        Self::of(options(trust))
    }

    fn of(options: LinkOptions) -> Self {
        let (sender, inputs) = mpsc::channel(64);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let handle = spawn(options, sender, stop.clone(), &mut tasks);
        Self { handle, inputs, stop, tasks }
    }

    fn ask(&self, output: Output) {
        self.handle.send(output).expect("room");
    }

    async fn event(&mut self) -> LinkEvent {
        let event = self.inputs.recv().await.expect("an event");
        assert_eq!(event.slot, 3);
        event
    }

    async fn input(&mut self) -> Input {
        self.event().await.input
    }

    async fn failure(&mut self) -> Failure {
        match self.input().await {
            Input::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    /// Connects to `hub` and takes the steps off the queue.
    async fn online(&mut self, hub: &Hub) -> Connection {
        self.ask(Output::Connect(at(hub.port)));
        let mut connection = accept(hub, &[]).await;
        self.steps().await;
        connection.flush().await.expect("flushed");
        connection
    }

    async fn steps(&mut self) {
        assert!(matches!(self.input().await, Input::Link(LinkStep::Reached(_))));
        let Input::Link(LinkStep::Secured { protocol }) = self.input().await else { panic!("TLS") };
        assert!(protocol.starts_with("TLS 1.3, "), "{protocol}");
        let Input::Link(LinkStep::Online { session_present, token_life }) = self.input().await else {
            panic!("online")
        };
        assert_eq!((session_present, token_life), (true, Duration::from_secs(3600)));
    }
}

fn at(port: u16) -> Assignment {
    Assignment {
        hub: format!("localhost:{port}").parse().expect("a hub"),
        device_id: "dev-01".parse().expect("a device"),
    }
}

/// Takes a connection as a hub does; `early` goes out between CONNACK and SUBACK.
async fn accept(hub: &Hub, early: &[Publish]) -> Connection {
    let mut connection = hub.accept().await;
    let Packet::Connect(connect) = packet(&mut connection).await else { panic!("CONNECT") };
    let login = connect.login.expect("a login");
    assert!(login.username.starts_with("localhost/dev-01/?api-version="), "{}", login.username);
    assert!(login.username.ends_with("&model-id=dtmi%3Acom%3Acontoso%3AEnvSensor%3B1"), "{}", login.username);
    let token = Presented::parse(&login.password).expect("a token");
    assert!(token.is_signed_by(&key()));
    assert_eq!(token.resource, "localhost/devices/dev-01");
    connection.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, true))).await.expect("CONNACK");
    let filters = subscribed(&mut connection, early).await;
    assert_eq!(filters, [&COMMON[..], &["devices/dev-01/messages/devicebound/#"]].concat());
    connection
}

/// What devices and modules alike ask for.
const COMMON: [&str; 3] =
    ["$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#"];

/// Grants the filters that are asked for, all in one packet, after `early`.
async fn subscribed(connection: &mut Connection, early: &[Publish]) -> Vec<String> {
    let Packet::Subscribe(subscribe) = packet(connection).await else { panic!("SUBSCRIBE") };
    for publish in early {
        connection.send(Packet::Publish(publish.clone())).await.expect("sent");
    }
    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
    connection.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await.expect("SUBACK");
    subscribe.filters.into_iter().map(|filter| filter.path).collect()
}

async fn publish(connection: &mut Connection) -> Publish {
    match packet(connection).await {
        Packet::Publish(publish) => publish,
        other => panic!("{other:?}"),
    }
}

async fn answer(connection: &mut Connection, topic: &str, body: &str) {
    let publish = Publish::new(topic, QoS::AtMostOnce, body);
    connection.send(Packet::Publish(publish)).await.expect("sent");
}

fn send(ticket: u64, body: &str) -> Output {
    Output::Send { ticket: Ticket(ticket), message: Message::of(body) }
}

#[tokio::test]
async fn telemetry_is_written_then_acknowledged_and_shown_as_it_stood_on_the_wire() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    device.ask(send(1, r#"{"temp":21}"#));
    let sent = publish(&mut connection).await;
    assert_eq!(sent.topic, "devices/dev-01/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8");
    assert_eq!((sent.qos, sent.payload.as_ref()), (QoS::AtLeastOnce, br#"{"temp":21}"#.as_slice()));
    let written = device.event().await;
    assert_eq!(written.input, Input::Written(Ticket(1)));
    let view = written.packet.expect("a view");
    assert!(view.outbound);
    assert_eq!(view.payload, r#"{"temp":21}"#);
    connection.send(Packet::PubAck(PubAck::new(sent.pkid))).await.expect("sent");
    assert_eq!(device.input().await, Input::Acknowledged(Ticket(1)));
}

#[tokio::test]
async fn commands_are_told_with_what_they_carry_and_answered_once() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    for (topic, body, name, payload) in [
        ("$iothub/methods/POST/blink/?$rid=1f", "5", "blink", Ok(json!(5))),
        ("$iothub/methods/POST/turn%20on/?$rid=20", "", "turn on", Ok(json!(null))),
        ("$iothub/methods/POST/blink/?$rid=21", "{oops", "blink", Err("{oops".to_owned())),
    ] {
        answer(&mut connection, topic, body).await;
        let event = device.event().await;
        assert_eq!(event.packet.expect("a view").topic, topic);
        let rid = topic.rsplit_once('=').expect("a rid").1.to_owned();
        assert_eq!(event.input, Input::Called(Call { rid, name: name.to_owned(), payload }));
    }
    device.ask(Output::Reply { ticket: Ticket(9), rid: "1f".to_owned(), reply: Reply::done() });
    let reply = publish(&mut connection).await;
    assert_eq!((reply.topic.as_str(), reply.qos), ("$iothub/methods/res/200/?$rid=1f", QoS::AtMostOnce));
    assert_eq!(reply.payload, "null");
    assert_eq!(device.input().await, Input::Written(Ticket(9)));
}

#[tokio::test]
async fn the_twin_is_fetched_reported_to_and_followed() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    device.ask(Output::FetchTwin(Ticket(10)));
    assert_eq!(publish(&mut connection).await.topic, "$iothub/twin/GET/?$rid=a");
    let body = r#"{"desired":{"$version":4},"reported":{"state":"true","$version":9}}"#;
    answer(&mut connection, "$iothub/twin/res/200/?$rid=a", body).await;
    let Input::Twin(twin) = device.input().await else { panic!("a twin") };
    assert_eq!((twin.desired_version, twin.reported_version), (4, 9));

    for ticket in [11, 12] {
        device.ask(Output::Report { ticket: Ticket(ticket), patch: json!({"state": "true"}) });
        let report = publish(&mut connection).await;
        assert_eq!(report.topic, format!("$iothub/twin/PATCH/properties/reported/?$rid={ticket:x}"));
        assert_eq!(report.payload, r#"{"state":"true"}"#);
        assert_eq!(device.input().await, Input::Written(Ticket(ticket)));
    }
    answer(&mut connection, "$iothub/twin/res/204/?$rid=b&$version=10", "").await;
    assert_eq!(device.input().await, Input::ReportTaken { ticket: Ticket(11), version: Some(10) });
    let refusal = r#"{"errorCode":400004,"message":"too deep"}"#;
    answer(&mut connection, "$iothub/twin/res/400/?$rid=c", refusal).await;
    let message = "too deep".to_owned();
    assert_eq!(device.input().await, Input::ReportRefused { ticket: Ticket(12), status: 400, message });

    answer(&mut connection, "$iothub/twin/res/200/?$rid=ffff", "stale").await;
    answer(
        &mut connection,
        "$iothub/twin/PATCH/properties/desired/?$version=5",
        r#"{"name":"x","$version":5}"#,
    )
    .await;
    let Input::Desired { version: 5, patch } = device.input().await else { panic!("a change") };
    assert_eq!(json!(patch), json!({"name": "x"}));
}

#[tokio::test]
async fn what_comes_before_suback_follows_online_and_is_acknowledged() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    device.ask(Output::Connect(at(hub.port)));
    let mut early = Publish::new("$iothub/methods/POST/blink/?$rid=1", QoS::AtLeastOnce, "");
    early.pkid = 77;
    let mut connection = accept(&hub, &[early]).await;
    device.steps().await;
    assert!(matches!(device.input().await, Input::Called(call) if call.name == "blink"));
    assert_eq!(packet(&mut connection).await, Packet::PubAck(PubAck::new(77)));
}

#[tokio::test]
async fn a_module_asks_for_its_inputs_and_for_no_messages_to_its_device() {
    let hub = Hub::start().await;
    for (inputs, more) in [(false, None), (true, Some("devices/dev-01/modules/m/inputs/#"))] {
        let module = Some("m".parse().expect("an id"));
        let device = Device::of(LinkOptions { module, inputs, ..options(hub.trust.clone()) });
        device.ask(Output::Connect(at(hub.port)));
        let mut connection = hub.accept().await;
        packet(&mut connection).await;
        let taken = ConnAck::new(ConnectReturnCode::Success, false);
        connection.send(Packet::ConnAck(taken)).await.expect("CONNACK");
        let filters = subscribed(&mut connection, &[]).await;
        assert_eq!(filters, COMMON.into_iter().chain(more).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn messages_from_the_cloud_are_told_as_they_came_then_acknowledged() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    // Azure's own form: everything in the bag is encoded, and what is the hub's stands in it too.
    let full = "devices/dev-01/messages/devicebound/%24.mid=7c1f&%24.to=%2Fdevices%2Fdev-01%2Fmessages%2FdeviceBound&%24.ct=application%2Fjson&%24.ce=utf-8&iothub-ack=full&level=3&a%20b=c%2Fd";
    let own = [("level", "3"), ("a b", "c/d")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (number, topic, body, properties) in [
        (5, full, r#"{"on":true}"#, own.to_vec()),
        (6, "devices/dev-01/messages/devicebound/", "", Vec::new()),
    ] {
        let mut message = Publish::new(topic, QoS::AtLeastOnce, body);
        message.pkid = number;
        connection.send(Packet::Publish(message)).await.expect("sent");
        let event = device.event().await;
        assert_eq!(event.input, Input::Received(Inbound { input: None, body: body.to_owned(), properties }));
        let view = event.packet.expect("a view");
        assert_eq!((view.outbound, view.topic.as_str(), view.payload.as_str()), (false, topic, body));
        assert_eq!(packet(&mut connection).await, Packet::PubAck(PubAck::new(number)));
    }
}

#[tokio::test]
async fn disconnecting_writes_everything_first() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    for ticket in 1..=3 {
        device.ask(send(ticket, "{}"));
    }
    device.ask(Output::Disconnect);
    for _ in 1..=3 {
        publish(&mut connection).await;
    }
    assert_eq!(packet(&mut connection).await, Packet::Disconnect);
    drop(connection);
    for ticket in 1..=3 {
        assert_eq!(device.input().await, Input::Written(Ticket(ticket)));
    }
    assert_eq!(device.input().await, Input::Closed);
}

#[tokio::test]
async fn renewing_reconnects_and_keeps_what_is_asked_for_meanwhile() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    device.ask(Output::Renew(at(hub.port)));
    device.ask(send(1, "{}"));
    assert_eq!(packet(&mut connection).await, Packet::Disconnect);
    drop(connection);
    let mut connection = accept(&hub, &[]).await;
    device.steps().await;
    publish(&mut connection).await;
    assert_eq!(device.input().await, Input::Written(Ticket(1)));
}

#[tokio::test]
async fn cutting_says_nothing_to_the_hub() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    device.ask(Output::Cut);
    let failure = device.failure().await;
    assert_eq!((failure.kind, failure.what.as_str()), (FailureKind::Lost, "the link was cut on request"));
    assert!(!matches!(connection.next().await, Some(Ok(_))));
}

#[tokio::test]
async fn a_lost_link_names_its_cause_and_stale_requests_are_dropped() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    connection.close().await.expect("closed");
    let failure = device.failure().await;
    assert_eq!(failure.kind, FailureKind::Lost);
    assert!(failure.what.starts_with("the link to localhost was lost: "), "{}", failure.what);
    device.ask(send(1, "stale"));
    let mut connection = device.online(&hub).await;
    device.ask(send(2, "fresh"));
    assert_eq!(publish(&mut connection).await.payload, "fresh");
}

#[tokio::test]
async fn an_attempt_can_be_given_up_while_it_runs() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    device.ask(Output::Connect(at(hub.port)));
    let silent = hub.accept().await;
    device.ask(Output::Abandon);
    assert!(matches!(device.input().await, Input::Link(LinkStep::Reached(_))));
    assert!(matches!(device.input().await, Input::Link(LinkStep::Secured { .. })));
    drop(silent);
    device.ask(Output::Connect(at(hub.port)));
    let _silent = hub.accept().await;
    device.ask(Output::Disconnect);
    assert!(matches!(device.input().await, Input::Link(LinkStep::Reached(_))));
    assert!(matches!(device.input().await, Input::Link(LinkStep::Secured { .. })));
    assert_eq!(device.input().await, Input::Closed);
}

#[tokio::test]
async fn stopping_ends_the_task_politely() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let mut connection = device.online(&hub).await;
    device.stop.cancel();
    assert_eq!(packet(&mut connection).await, Packet::Disconnect);
    drop(connection);
    device.tasks.join_next().await.expect("a task").expect("no panic");
}

#[tokio::test]
async fn attempts_that_fail_say_why() {
    let hub = Hub::start().await;
    // A certificate that nobody trusts.
    let mut device = Device::start(crate::net::testing::tls().1);
    device.ask(Output::Connect(at(hub.port)));
    let refused = async {
        let (stream, _) = hub.raw().await;
        stream
    };
    let (_, step) = tokio::join!(refused, device.input());
    assert!(matches!(step, Input::Link(LinkStep::Reached(_))));
    let failure = device.failure().await;
    assert_eq!(failure.kind, FailureKind::Untrusted);
    assert!(failure.advice.contains("--ca"), "{failure}");

    // A port that nobody listens on.
    let port = hub.port;
    drop(hub);
    device.ask(Output::Connect(at(port)));
    let failure = device.failure().await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.what.contains(&format!("nothing listens on localhost:{port}")), "{failure}");

    // A name that cannot resolve.
    let nowhere = Assignment { hub: "nowhere.invalid".parse().expect("a hub"), ..at(1) };
    device.ask(Output::Connect(nowhere));
    assert_eq!(device.failure().await.kind, FailureKind::Unresolved);

    device.ask(Output::Provision { scope: None });
    assert_eq!(device.failure().await.kind, FailureKind::Rejected);
}

#[tokio::test]
async fn a_certificate_for_another_name_lists_its_names() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    let to = Assignment { hub: format!("127.0.0.1:{}", hub.port).parse().expect("a hub"), ..at(1) };
    device.ask(Output::Connect(to));
    let (_, step) = tokio::join!(hub.raw(), device.input());
    assert!(matches!(step, Input::Link(LinkStep::Reached(_))));
    let failure = device.failure().await;
    assert_eq!(failure.kind, FailureKind::Untrusted);
    assert!(failure.what.contains("its certificate is for `localhost`, not for `127.0.0.1`"), "{failure}");
}

#[tokio::test]
async fn a_wrong_key_reads_as_one() {
    let hub = Hub::start().await;
    let mut device = Device::start(hub.trust.clone());
    device.ask(Output::Connect(at(hub.port)));
    let mut connection = hub.accept().await;
    packet(&mut connection).await;
    connection
        .send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::NotAuthorized, false)))
        .await
        .expect("CONNACK");
    device.input().await;
    device.input().await;
    let failure = device.failure().await;
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert_eq!(failure.what, "localhost refused `dev-01`: not authorised (MQTT code 5)");
}

#[tokio::test]
async fn a_full_link_says_so_instead_of_waiting() {
    let device = Device::start(Trust::system());
    // The task has had no chance to run.
    let taken = (0..=OUTPUTS).filter(|_| device.handle.send(Output::Abandon).is_ok()).count();
    assert_eq!(taken, OUTPUTS);
}
